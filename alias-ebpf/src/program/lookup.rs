//! The index as the kernel side sees it.

use core::hint::black_box;

use alias_common::header::Header;
use alias_common::key::{Family, Vlan, WideKey};
use alias_common::layout::Layout;
use alias_common::prefix::{Bits, MAX_LENGTHS, Scope, Search};
use alias_common::record::{MAX_TARGETS, Steer, Target};
use alias_common::table::{self, Hit, Slots};
use alias_common::word::Word;
use alias_ebpf::network::Address;

use super::maps::{CAPACITY, HASH_KEY, HEADER, HOME_SHIFT, POSITIONS, TABLE};

/// An address out of its packet. A reference that lived on through a lookup would have
/// the verifier walk it once for each place in a frame where an address can stand.
#[derive(Clone, Copy)]
pub struct Copied {
    family: Family,
    bits: Bits,
}

impl Copied {
    #[inline(always)]
    pub fn of(address: Address<'_>) -> Copied {
        black_box(match address {
            Address::V4(address) => Copied {
                family: Family::IPV4,
                bits: Bits::of_ipv4(*address),
            },
            Address::V6(address) => Copied {
                family: Family::IPV6,
                bits: Bits::of_ipv6(address),
            },
        })
    }
}

/// The enabled alias of the longest prefix that an address is in, where the address is
/// none itself.
#[inline(always)]
pub fn find_prefix(address: Copied, vlan: Vlan) -> Option<Hit> {
    let header: *const Header = HEADER.get_ptr(0)?;
    let Copied { family, bits } = address;
    // SAFETY: the map's value; the controller changes the sets meanwhile, and of each
    // half one load sees one state.
    let lengths = unsafe {
        if family == Family::IPV4 {
            (&raw const (*header).prefixes.ipv4).read_volatile()
        } else {
            (&raw const (*header).prefixes.ipv6).read_volatile()
        }
    };
    if lengths.is_empty() {
        return None;
    }
    let mut search = Search::new(Scope { family, vlan }, bits, lengths);
    search_prefix(&raw mut search);
    // A position out of a function is any number to the verifier.
    search.hit().filter(|hit| hit.position < POSITIONS.load())
}

/// A whole search. As global functions, this and its step are verified once, by
/// themselves, and not once for each path that leads to them.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn search_prefix(search: *mut Search) -> i32 {
    if search.is_null() {
        return 0;
    }
    for _ in 0..MAX_LENGTHS {
        if next_shorter(search) != 0 {
            return 1;
        }
    }
    0
}

/// One step of a search.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn next_shorter(search: *mut Search) -> i32 {
    // SAFETY: null, which the verifier holds possible, or the caller's.
    match (unsafe { search.as_mut() }, Table::own()) {
        (Some(search), Some(table)) => {
            i32::from(search.step(&table, HOME_SHIFT.load(), &HASH_KEY.load()))
        }
        _ => 1,
    }
}

/// The sizes of this parent's maps.
#[inline(always)]
pub fn layout() -> Layout {
    Layout {
        positions: POSITIONS.load(),
        capacity: CAPACITY.load(),
    }
}

/// Map `table`, found once for a frame. Positions come from a hash of the table's
/// width, so all of them are inside: the verifier has proved it.
#[derive(Clone, Copy)]
pub struct Table(*const u8);

impl Slots for Table {
    #[inline(always)]
    fn word(&self, position: u32) -> Option<Word> {
        // SAFETY: inside (see `Table`), 8 bytes, aligned. The controller stores words
        // while we read: a volatile load is one load, so we see one of them.
        Some(unsafe { self.part::<Word>(Layout::WORDS, position).read_volatile() })
    }

    #[inline(always)]
    fn wide_is(&self, position: u32, key: &WideKey) -> bool {
        // SAFETY: inside (see `Table`). A key is not written while its word is there.
        let there = unsafe { &*self.part::<WideKey>(layout().keys(), position) };
        // The reserved word is zero on both sides and not compared.
        there.address_words[0] == key.address_words[0]
            && there.address_words[1] == key.address_words[1]
            && there.scope == key.scope
    }
}

impl Table {
    /// This parent's.
    #[inline(always)]
    pub fn own() -> Option<Table> {
        TABLE.get_ptr(0).map(|first| Table(first.cast()))
    }

    /// # Safety
    ///
    /// `index` is below the number of elements that begin there.
    #[inline(always)]
    unsafe fn part<T>(self, begin: usize, index: u32) -> *const T {
        // SAFETY: inside by the above.
        unsafe { self.0.add(begin).cast::<T>().add(index as usize) }
    }

    /// The enabled alias of an address.
    #[inline(always)]
    pub fn find(self, address: Address<'_>, vlan: Vlan) -> Option<Hit> {
        match address {
            Address::V4(address) => {
                let hash = HASH_KEY.load().narrow(*address, vlan);
                table::find(&self, HOME_SHIFT.load(), hash, None)
            }
            Address::V6(address) => self.find_wide(&WideKey::new(Family::IPV6, address, vlan)),
        }
    }

    /// The enabled alias of an address, or else that of the longest prefix that it is in.
    #[inline(always)]
    pub fn find_any(self, address: Address<'_>, vlan: Vlan) -> Option<Hit> {
        let copied = Copied::of(address);
        match self.find(address, vlan) {
            Some(hit) => Some(hit),
            None => find_prefix(copied, vlan),
        }
    }

    /// The enabled alias of a wide key.
    #[inline(always)]
    pub fn find_wide(self, key: &WideKey) -> Option<Hit> {
        let hash = HASH_KEY.load().wide(key);
        table::find(&self, HOME_SHIFT.load(), hash, Some(key))
    }

    /// Where the alias at a position leads.
    #[inline(always)]
    pub fn steer(self, hit: Hit) -> Steer {
        // SAFETY: inside (see `Table`), 8 bytes, aligned, one load.
        unsafe {
            self.part::<Steer>(layout().steers(), hit.position)
                .read_volatile()
        }
    }

    /// The device that `to` aliases with this key lead to.
    #[inline(always)]
    pub fn target(self, key: u32) -> &'static Target {
        // The mask changes no key; it is what the verifier understands.
        const { assert!(MAX_TARGETS.is_power_of_two()) };
        // SAFETY: below MAX_TARGETS, so inside.
        unsafe { &*self.part::<Target>(layout().targets(), key & (MAX_TARGETS - 1)) }
    }
}
