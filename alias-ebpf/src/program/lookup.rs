//! The index as the kernel side sees it.

use alias_common::key::{Family, Vlan, WideKey};
use alias_common::record::Steer;
use alias_common::table::{self, Hit, Slots};
use alias_common::word::Word;
use alias_ebpf::network::Address;

use super::maps::{HASH_KEY, HOME_SHIFT, INDEX, STEER, WIDE};

/// The table, read where it stands.
pub struct Index;

impl Slots for Index {
    #[inline(always)]
    fn word(&self, position: u32) -> Option<Word> {
        let word = INDEX.get_ptr(position)?;
        // SAFETY: the map's value, 8 bytes, aligned. The controller stores words
        // while we read: a volatile load is one load, so we see one of them.
        Some(Word(unsafe { word.read_volatile() }))
    }

    #[inline(always)]
    fn wide_is(&self, position: u32, key: &WideKey) -> bool {
        // The reserved word is zero on both sides and not compared.
        WIDE.get(position).is_some_and(|there| {
            there.address_words[0] == key.address_words[0]
                && there.address_words[1] == key.address_words[1]
                && there.scope == key.scope
        })
    }
}

/// The alias of an address, disabled or not.
#[inline(always)]
pub fn find(address: Address<'_>, vlan: Vlan) -> Option<Hit> {
    let hash_key = HASH_KEY.load();
    let shift = HOME_SHIFT.load();
    match address {
        Address::V4(address) => table::find(&Index, shift, hash_key.narrow(*address, vlan), None),
        Address::V6(address) => {
            let key = WideKey::new(Family::IPV6, address, vlan);
            table::find(&Index, shift, hash_key.wide(&key), Some(&key))
        }
    }
}

/// Where the alias at a position leads.
#[inline(always)]
pub fn steer(hit: Hit) -> Option<Steer> {
    STEER.get(hit.position).copied()
}
