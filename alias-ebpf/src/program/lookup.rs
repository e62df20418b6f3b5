//! Lookups in the datapath.
//!
//! Three rules keep the verifier's work small and the bounds that it knows intact, on every
//! kernel: what a lookup needs is copied out of the packet first, so that no packet pointer
//! stays alive; a lookup ends in a position that does not show how it was reached
//! ([`Table::settle`]); and a position is bounded in a way that the verifier keeps track of
//! ([`below`]).

use core::arch::asm;

use alias_common::bits::{Bits, Lengths};
use alias_common::header::Header;
use alias_common::key::{Family, Vlan, WideKey};
use alias_common::layout::{Front, Layout};
use alias_common::limits::MAX_TARGETS;
use alias_common::link_local;
use alias_common::prefix::{MAX_LENGTHS, Scope, Search};
use alias_common::record::{Port, Steer, Target};
use alias_common::table::{self, Buckets, Hit};
use alias_common::word::Word;
use alias_ebpf::network::Address;
use alias_ebpf::packet::{Mac, part, u32_of, u64_of};

use super::maps::{CAPACITY, HASH_KEY, HEADER, HOME_SHIFT, INTERFACE_ID, PORT, POSITIONS, TABLE};

/// An address out of its packet, as native words.
#[derive(Clone, Copy)]
pub enum Copied {
    V4(u32),
    V6([u64; 2]),
}

impl Copied {
    #[inline(always)]
    pub fn of(address: Address<'_>) -> Copied {
        match address {
            Address::V4(address) => Copied::V4(u32_of(address)),
            Address::V6(address) => Copied::V6([
                u64_of(part::<0, 8, _>(address)),
                u64_of(part::<8, 8, _>(address)),
            ]),
        }
    }

    /// The port of the alias device that has this as its link-local address.
    #[inline(always)]
    pub fn port(self) -> Option<u32> {
        match self {
            Copied::V4(_) => None,
            Copied::V6(address) => link_local::port_of(address, INTERFACE_ID.load()),
        }
    }

    /// A search for it, without lengths of prefixes yet.
    #[inline(always)]
    pub fn search(self, vlan: Vlan) -> Search {
        let (family, bits) = match self {
            Copied::V4(address) => (Family::IPV4, Bits::of_ipv4_word(address)),
            Copied::V6(address) => (Family::IPV6, Bits::of_ipv6_words(address)),
        };
        Search::new(Scope { family, vlan }, bits, Lengths::default())
    }
}

/// What is known of a port or a `--to` device.
#[inline(always)]
pub fn port(ifindex: u32) -> Option<&'static Port> {
    // SAFETY: 24 aligned bytes, which stay until this program has returned.
    unsafe { PORT.get(ifindex) }
}

/// The port of the alias device that has this address as its link-local one: ifindex, and
/// what is known of it.
#[inline(always)]
pub fn find_link_local(address: Copied) -> Option<(u32, &'static Port)> {
    let ifindex = address.port()?;
    // Of a `--to` device nothing is set but the key: it has no such address.
    let port = port(ifindex).filter(|port| port.ethertype != 0)?;
    Some((ifindex, port))
}

/// Where to send a frame for that port, in the form in which the index has it.
#[inline(always)]
pub fn steer_to(ifindex: u32, port: &Port) -> Steer {
    let peer = if port.netns_cookie == 0 {
        0
    } else {
        Steer::PEER
    };
    Steer::new(ifindex, port.key, peer)
}

/// The lengths that prefixes of a family have.
#[inline(always)]
pub fn lengths_of(family: Family) -> Lengths {
    let Some(header) = HEADER.get_ptr(0) else {
        return Lengths::default();
    };
    let header: *const Header = header;
    // SAFETY: the map's value; the controller changes the sets meanwhile, and of each
    // half one load sees one state.
    unsafe {
        if family == Family::IPV4 {
            (&raw const (*header).prefixes.ipv4).read_volatile()
        } else {
            (&raw const (*header).prefixes.ipv6).read_volatile()
        }
    }
}

/// The enabled alias of the longest prefix that contains an address, to be used where the
/// address itself is none.
#[inline(always)]
pub fn find_prefix(address: Copied, vlan: Vlan) -> Option<Hit> {
    let mut search = address.search(vlan);
    let lengths = lengths_of(search.family());
    if lengths.is_empty() {
        return None;
    }
    search.among(lengths);
    search_prefix(&raw mut search);
    bounded(search.hit()?)
}

/// Bounds a position that a function returned: to the verifier it is any number.
#[inline(always)]
pub fn bounded(hit: Hit) -> Option<Hit> {
    let end = u64::from(POSITIONS.load());
    if hit.position >= end {
        return None;
    }
    let position = below(hit.position, end);
    Some(Hit { position, ..hit })
}

/// The index, which is below `end`, in a form in which the verifier knows that too: a new
/// value, which keeps its bound wherever the compiler keeps it. (An `if` would bound a
/// register, but kernels before 6.8 do not apply that to the same value on the stack.) An
/// index that is not below, which no table has, becomes 0.
#[inline(always)]
pub fn below(index: u64, end: u64) -> u64 {
    let bounded: u64;
    // SAFETY: changes one register; the jump stays inside.
    unsafe {
        asm!(
            "{bounded} = {index}",
            "if {bounded} < {end} goto +1",
            "{bounded} = 0",
            bounded = out(reg) bounded,
            index = in(reg) index,
            end = in(reg) end,
            options(nomem, nostack),
        );
    }
    bounded
}

/// The value, forced to be computed here, so that what it is computed from need not stay
/// alive.
#[inline(always)]
pub fn only_value(value: u64) -> u64 {
    let same: u64;
    // SAFETY: a copy from one register to another. Without an instruction of its own, the
    // line would share the next one's, which the kernel refuses (`Invalid line_info`).
    unsafe {
        asm!(
            "{same} = {value}",
            same = lateout(reg) same,
            value = in(reg) value,
            options(nomem, nostack),
        );
    }
    same
}

/// A whole search among prefixes. Being global functions, this and its step are verified
/// once, by themselves, and not once for each path that leads to them.
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

/// Map `table`, looked up once per frame. Positions come from a hash that was shifted to
/// the table's width, so all of them are inside, which the verifier has proved.
#[derive(Clone, Copy)]
pub struct Table(*const u8);

impl Buckets for Table {
    #[inline(always)]
    fn word(&self, position: u64) -> Option<Word> {
        // SAFETY: inside (see `Table`), 8 bytes, aligned. The controller stores words
        // while we read: a volatile load is one load, so we see one of them.
        Some(unsafe { self.part::<Word>(Layout::WORDS, position).read_volatile() })
    }

    #[inline(always)]
    fn wide_is(&self, position: u64, key: &WideKey) -> bool {
        // SAFETY: inside (see `Table`). A key is not written while its bucket's word is
        // published.
        let there = unsafe { &*self.part::<WideKey>(layout().keys(), position) };
        // The reserved word is zero on both sides and not compared.
        there.address_words[0] == key.address_words[0]
            && there.address_words[1] == key.address_words[1]
            && there.scope == key.scope
    }

    #[inline(always)]
    fn settle(&self, position: u64) -> u64 {
        let unknown = position.wrapping_add(self.nothing());
        below(unknown, u64::from(POSITIONS.load()))
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
    unsafe fn part<T>(self, begin: usize, index: u64) -> *const T {
        // SAFETY: inside by the above.
        unsafe { self.0.add(begin).cast::<T>().add(index as usize) }
    }

    /// A zero whose value the verifier does not know ([`Front::nothing`]).
    #[inline(always)]
    pub fn nothing(self) -> u64 {
        // SAFETY: inside (see `Table`), 8 bytes, aligned, one load.
        let front = unsafe { self.part::<Front>(Layout::FRONT, 0) };
        // SAFETY: as above.
        unsafe { (&raw const (*front).nothing).read_volatile() }
    }

    /// The parent's MAC.
    #[inline(always)]
    pub fn station(self) -> Mac {
        // SAFETY: inside (see `Table`), 8 bytes, aligned, one load.
        let front = unsafe { self.part::<Front>(Layout::FRONT, 0) };
        // SAFETY: as above.
        Mac::from_number(unsafe { (&raw const (*front).station).read_volatile() })
    }

    /// The enabled alias of an address.
    #[inline(always)]
    pub fn find(self, address: Copied, vlan: Vlan) -> Option<Hit> {
        find(&self, address, vlan)
    }

    /// Where packets for the alias at a position are sent.
    #[inline(always)]
    pub fn steer(self, hit: Hit) -> Steer {
        // SAFETY: inside (see `Table`), 8 bytes, aligned, one load.
        unsafe {
            self.part::<Steer>(layout().steers(), hit.position)
                .read_volatile()
        }
    }

    /// The device that aliases with the verdict `to` and this key redirect to.
    #[inline(always)]
    pub fn target(self, key: u32) -> &'static Target {
        // The mask changes no key; it gives the verifier a bound.
        const { assert!(MAX_TARGETS.is_power_of_two()) };
        // SAFETY: below MAX_TARGETS, so inside.
        unsafe { &*self.part::<Target>(layout().targets(), u64::from(key & (MAX_TARGETS - 1))) }
    }
}

/// The enabled alias of an address.
#[inline(always)]
pub fn find<B: Buckets>(buckets: &B, address: Copied, vlan: Vlan) -> Option<Hit> {
    match address {
        Copied::V4(address) => {
            let hash = HASH_KEY.load().narrow_word(address, vlan);
            table::find(buckets, HOME_SHIFT.load(), hash, None)
        }
        Copied::V6(address) => find_wide(buckets, &WideKey::of_words(Family::IPV6, address, vlan)),
    }
}

/// The enabled alias of a wide key.
#[inline(always)]
pub fn find_wide<B: Buckets>(buckets: &B, key: &WideKey) -> Option<Hit> {
    let hash = HASH_KEY.load().wide(key);
    table::find(buckets, HOME_SHIFT.load(), hash, Some(key))
}
