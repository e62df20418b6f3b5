//! Aliases that are a prefix: one alias for all addresses that begin with it, unless
//! a longer prefix or the address itself is an alias too.
//!
//! A prefix is in the same table as every other alias, under a key that no whole
//! address has. A search for the longest that contains an address takes one more lookup
//! for each length that is in use, so the header says which are ([`Prefixes`]).

use crate::bits::{Bits, Lengths, Prefixes};
use crate::key::{Family, HashKey, Vlan, WideKey};
use crate::table::{self, Buckets, Hit};
use crate::word::Word;

/// Number of lengths, and so of steps that a search may take: 1 to 127 bits. All 128 bits
/// are an address.
pub const MAX_LENGTHS: u32 = 127;

impl Prefixes {
    /// Only this length of this family.
    #[must_use]
    pub fn of(family: Family, length: u8) -> Prefixes {
        let mut prefixes = Prefixes::default();
        match family {
            Family::IPV4 => prefixes.ipv4 = Lengths::of(length),
            _ => prefixes.ipv6 = Lengths::of(length),
        }
        prefixes
    }
}

/// What besides its bits a prefix is looked up by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scope {
    /// IPv4 or IPv6.
    pub family: Family,
    /// The VLAN.
    pub vlan: Vlan,
}

impl Scope {
    /// The key of a prefix. It is wide for IPv4 too, so that one loop searches both
    /// families.
    #[inline(always)]
    #[must_use]
    pub const fn key(self, marked: Bits) -> WideKey {
        WideKey::of_prefix(self.family, marked, self.vlan)
    }
}

/// A search for the longest prefix that contains an address. It runs in steps, one length
/// each, so that the kernel's verifier need not follow one loop inside another.
/// Its fields are words of eight bytes, as the verifier wants them on a stack.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Search {
    address: Bits,
    lengths: Lengths,
    family: u64,
    vlan_outer: u64,
    vlan_inner: u64,
    position: u64,
    word: u64,
}

impl Search {
    /// Among prefixes of these lengths.
    #[inline(always)]
    #[must_use]
    pub const fn new(scope: Scope, address: Bits, lengths: Lengths) -> Search {
        Search {
            address,
            lengths,
            family: scope.family.0 as u64,
            vlan_outer: scope.vlan.outer() as u64,
            vlan_inner: scope.vlan.inner() as u64,
            position: 0,
            word: 0,
        }
    }

    #[inline(always)]
    const fn scope(&self) -> Scope {
        Scope {
            family: Family(self.family as u16),
            vlan: Vlan::new(self.vlan_outer as u16, self.vlan_inner as u16),
        }
    }

    /// Looks for the alias of the address itself. Whether there is one.
    #[inline(always)]
    pub fn exact<B: Buckets>(&mut self, buckets: &B, home_shift: u32, hash_key: &HashKey) -> bool {
        let Scope { family, vlan } = self.scope();
        let Bits { high, low } = self.address;
        let found = if family.0 == Family::IPV4.0 {
            let hash = hash_key.narrow_word(((high >> 32) as u32).to_be(), vlan);
            table::find(buckets, home_shift, hash, None)
        } else {
            let key = WideKey::of_words(family, [high.to_be(), low.to_be()], vlan);
            table::find(buckets, home_shift, hash_key.wide(&key), Some(&key))
        };
        match found {
            Some(hit) => {
                (self.position, self.word) = (hit.position, hit.word.0);
                true
            }
            None => false,
        }
    }

    /// The same search with these lengths.
    #[inline(always)]
    pub const fn among(&mut self, lengths: Lengths) {
        self.lengths = lengths;
    }

    /// Family of the address.
    #[inline(always)]
    #[must_use]
    pub const fn family(&self) -> Family {
        Family(self.family as u16)
    }

    /// Looks for the prefix of the longest length that is left. Whether the search is over:
    /// found, or no length left. A disabled alias is not found.
    #[inline(always)]
    pub fn step<B: Buckets>(&mut self, buckets: &B, home_shift: u32, hash_key: &HashKey) -> bool {
        let Some(length) = self.lengths.take_longest() else {
            return true;
        };
        let key = self.scope().key(self.address.marked(length));
        match table::find(buckets, home_shift, hash_key.wide(&key), Some(&key)) {
            Some(hit) => {
                (self.position, self.word) = (hit.position, hit.word.0);
                true
            }
            None => self.lengths.is_empty(),
        }
    }

    /// What it found.
    #[inline(always)]
    #[must_use]
    pub const fn hit(&self) -> Option<Hit> {
        if self.word == 0 {
            return None;
        }
        Some(Hit {
            position: self.position,
            word: Word(self.word),
        })
    }
}

#[cfg(test)]
#[path = "prefix_tests.rs"]
mod tests;
