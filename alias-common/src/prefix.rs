//! Aliases that are a prefix: one alias for all addresses that begin with it, unless
//! a longer prefix or the address itself is an alias too.
//!
//! A prefix stands in the same table as every other alias, under a key that no whole
//! address has. Looking for the longest that an address is in means one more lookup
//! for each length that is in use, so the header says which are ([`Prefixes`]).
//!
//! A length is written as the last bit that counts: 64-bit halves, the address's
//! first bit on top, so that a length gives a mask by one subtraction and the
//! longest of a set is its lowest bit. An IPv4 address is the upper half of the
//! first half.

use crate::Plain;
use crate::key::{Family, HashKey, Vlan, WideKey};
use crate::table::{self, Hit, Slots};
use crate::word::Word;

/// Lengths that there are, and so steps that a search may take: 1 to 127. All 128 bits
/// are an address.
pub const MAX_LENGTHS: u32 = 127;

/// An address, or what of it a prefix holds, with its first bit on top.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Bits {
    /// The first 64 bits.
    pub high: u64,
    /// The rest; 0 for IPv4.
    pub low: u64,
}

impl Bits {
    /// Of an IPv4 address in network order.
    #[inline(always)]
    #[must_use]
    pub const fn of_ipv4(address: [u8; 4]) -> Bits {
        Bits {
            high: (u32::from_be_bytes(address) as u64) << 32,
            low: 0,
        }
    }

    /// Of an IPv4 address that was loaded as one native word.
    #[inline(always)]
    #[must_use]
    pub const fn of_ipv4_word(address: u32) -> Bits {
        Bits {
            high: (u32::from_be(address) as u64) << 32,
            low: 0,
        }
    }

    /// Of an IPv6 address whose halves were loaded as native words.
    #[inline(always)]
    #[must_use]
    pub const fn of_ipv6_words(address: [u64; 2]) -> Bits {
        Bits {
            high: u64::from_be(address[0]),
            low: u64::from_be(address[1]),
        }
    }

    /// Of an IPv6 address in network order.
    #[inline(always)]
    #[must_use]
    pub const fn of_ipv6(address: &[u8; 16]) -> Bits {
        let bits = u128::from_be_bytes(*address);
        Bits {
            high: (bits >> 64) as u64,
            low: bits as u64,
        }
    }

    /// What identifies the prefix of one length: its bits, and a one behind them, so
    /// that no other length gives the same.
    #[inline(always)]
    #[must_use]
    pub const fn marked(self, length: Length) -> Bits {
        if length.low != 0 {
            Bits {
                high: self.high,
                low: (self.low & length.low.wrapping_neg()) | (length.low >> 1),
            }
        } else {
            Bits {
                high: (self.high & length.high.wrapping_neg()) | (length.high >> 1),
                low: (length.high & 1) << 63,
            }
        }
    }
}

/// One length: its last bit is set, in one of the halves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Length {
    high: u64,
    low: u64,
}

/// A set of lengths.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Lengths {
    /// 1 to 64: bit `64 - length`.
    high: u64,
    /// 65 to 127: bit `128 - length`.
    low: u64,
}

impl Length {
    /// Of 1 to 127 bits.
    #[must_use]
    pub const fn of(length: u8) -> Length {
        if length <= 64 {
            Length {
                high: 1 << (64 - length as u32),
                low: 0,
            }
        } else {
            Length {
                high: 0,
                low: 1 << (128 - length as u32),
            }
        }
    }
}

impl Lengths {
    /// Only this length, of 1 to 127 bits.
    #[must_use]
    pub const fn of(length: u8) -> Lengths {
        let Length { high, low } = Length::of(length);
        Lengths { high, low }
    }

    /// Those of both sets.
    #[must_use]
    pub const fn and(self, other: Lengths) -> Lengths {
        Lengths {
            high: self.high | other.high,
            low: self.low | other.low,
        }
    }

    /// Whether there is none.
    #[inline(always)]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.high | self.low == 0
    }

    /// Takes the longest out.
    #[inline(always)]
    fn take_longest(&mut self) -> Option<Length> {
        if self.low != 0 {
            let low = self.low & self.low.wrapping_neg();
            self.low ^= low;
            return Some(Length { high: 0, low });
        }
        if self.high != 0 {
            let high = self.high & self.high.wrapping_neg();
            self.high ^= high;
            return Some(Length { high, low: 0 });
        }
        None
    }
}

/// The lengths of the prefixes that are aliases of a parent. A length without an
/// alias costs a search a lookup and changes nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Prefixes {
    /// Those of IPv4.
    pub ipv4: Lengths,
    /// Those of IPv6.
    pub ipv6: Lengths,
}

// SAFETY: four u64, no padding (asserted below).
unsafe impl Plain for Prefixes {}
const _: () = assert!(size_of::<Prefixes>() == 32);

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

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Prefixes) -> Prefixes {
        Prefixes {
            ipv4: self.ipv4.and(other.ipv4),
            ipv6: self.ipv6.and(other.ipv6),
        }
    }

    /// As they stand in the header: each word changes by itself.
    #[must_use]
    pub const fn words(self) -> [u64; 4] {
        let Prefixes { ipv4, ipv6 } = self;
        [ipv4.high, ipv4.low, ipv6.high, ipv6.low]
    }

    /// Whether no alias is a prefix.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }
}

/// What a prefix is looked up by: family, and what it is scoped to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scope {
    /// IPv4 or IPv6.
    pub family: Family,
    /// The VLAN.
    pub vlan: Vlan,
}

impl Scope {
    /// The key of a prefix. Those of IPv4 are wide too: so all are searched by one
    /// loop.
    #[inline(always)]
    #[must_use]
    pub const fn key(self, marked: Bits) -> WideKey {
        WideKey::of_prefix(self.family, marked, self.vlan)
    }
}

/// A search for the longest prefix that an address is in. It is made step by step, a
/// length each, so that the kernel's verifier need not follow one loop in another.
/// Words of eight bytes, as the verifier wants them on a stack.
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

    /// Looks for the alias that the address is itself. Whether there is one.
    #[inline(always)]
    pub fn exact<S: Slots>(&mut self, slots: &S, home_shift: u32, hash_key: &HashKey) -> bool {
        let Scope { family, vlan } = self.scope();
        let Bits { high, low } = self.address;
        let found = if family.0 == Family::IPV4.0 {
            let hash = hash_key.narrow_word(((high >> 32) as u32).to_be(), vlan);
            table::find(slots, home_shift, hash, None)
        } else {
            let key = WideKey::of_words(family, [high.to_be(), low.to_be()], vlan);
            table::find(slots, home_shift, hash_key.wide(&key), Some(&key))
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

    /// Looks for the longest that is left. Whether the search is over: found, or none
    /// left. An alias that is disabled is as if it were not.
    #[inline(always)]
    pub fn step<S: Slots>(&mut self, slots: &S, home_shift: u32, hash_key: &HashKey) -> bool {
        let Some(length) = self.lengths.take_longest() else {
            return true;
        };
        let key = self.scope().key(self.address.marked(length));
        match table::find(slots, home_shift, hash_key.wide(&key), Some(&key)) {
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
