//! What the index is looked up by: an address on a VLAN of one parent, hashed under a
//! secret key.
//!
//! An IPv4 address and two VLAN ids are 56 bits, so their *narrow* key fits a
//! `u64` and is hashed by a **bijection**: the 64-bit result identifies the key, so a
//! bucket that holds the hash need not be compared with the address. Longer addresses
//! make a *wide* key, whose hash is only a filter: the key itself is stored beside the
//! bucket and compared. So is that of a prefix, of either family; one more bit tells it
//! from an address's.

use crate::Plain;
use crate::bits::Bits;

/// In the scope of a wide key: it is a prefix's ([`crate::prefix`]).
const PREFIX: u64 = 1 << 24;

/// The VLAN tags of a frame, or the VLAN an alias is scoped to. A tag with id 0
/// is a priority tag (IEEE 802.1Q, 6.9.2) and counts as no tag.
///
/// Packed, because the datapath carries it from the link layer to the lookup in a
/// register of its own: outer VLAN id in bits 12 to 23, inner in 0 to 11, 1 to 4094 each
/// and 0 for none.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Vlan(u64);

impl Vlan {
    /// Both ids, packed as above.
    #[inline(always)]
    #[must_use]
    pub const fn packed(self) -> u64 {
        self.0
    }

    /// From what [`Vlan::packed`] gave.
    #[inline(always)]
    #[must_use]
    pub const fn from_packed(packed: u64) -> Vlan {
        Vlan(packed & 0xff_ffff)
    }

    /// An untagged frame.
    pub const NONE: Vlan = Vlan(0);

    /// The VLAN of these ids, 12 bits each; 0 for no tag.
    #[inline(always)]
    #[must_use]
    pub const fn new(outer: u16, inner: u16) -> Vlan {
        Vlan((outer as u64 & 0xfff) << 12 | inner as u64 & 0xfff)
    }

    /// VLAN id of the outermost tag; 0 when there is none.
    #[inline(always)]
    #[must_use]
    pub const fn outer(self) -> u16 {
        (self.0 >> 12) as u16
    }

    /// VLAN id of the second tag; 0 when there is none.
    #[inline(always)]
    #[must_use]
    pub const fn inner(self) -> u16 {
        (self.0 & 0xfff) as u16
    }

    /// Adds the tag that follows the tags seen so far. A priority tag changes
    /// nothing.
    #[inline(always)]
    #[must_use]
    pub const fn then(self, id: u16) -> Vlan {
        if self.outer() == 0 {
            Vlan::new(id, 0)
        } else {
            Vlan::new(self.outer(), id)
        }
    }
}

/// Address family of an alias: the number that NET_ALIAS's listing prints
/// (`AF_INET` and `AF_INET6` of `linux/socket.h`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(transparent)]
pub struct Family(pub u16);

impl Family {
    /// `AF_INET`.
    pub const IPV4: Family = Family(2);
    /// `AF_INET6`.
    pub const IPV6: Family = Family(10);
}

/// The secret of one parent's index. It is drawn when the parent is attached,
/// so that no sender can choose destinations that collide.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct HashKey {
    /// Added to the key before the first multiplication.
    pub whiten: u64,
    /// Two multipliers; both odd, so that multiplication is a bijection.
    pub multiply: [u64; 2],
}

impl HashKey {
    /// Makes a usable key of 24 random bytes.
    #[must_use]
    pub const fn from_random(random: [u64; 3]) -> HashKey {
        HashKey {
            whiten: random[0],
            multiply: [random[1] | 1, random[2] | 1],
        }
    }

    /// Hash of an IPv4 address (network byte order) on a VLAN. A bijection: no
    /// two keys have the same hash.
    #[inline(always)]
    #[must_use]
    pub const fn narrow(&self, address: [u8; 4], vlan: Vlan) -> Hash {
        self.narrow_word(u32::from_ne_bytes(address), vlan)
    }

    /// The same for an address that was loaded as one native word.
    #[inline(always)]
    #[must_use]
    pub const fn narrow_word(&self, address: u32, vlan: Vlan) -> Hash {
        let key = ((address as u64) << 32) | vlan.0;
        Hash {
            bits: self.mix(key),
            wide: false,
        }
    }

    /// Hash of a wide key; different keys may share it.
    #[inline(always)]
    #[must_use]
    pub const fn wide(&self, key: &WideKey) -> Hash {
        let folded = self
            .mix(key.address_words[0])
            .wrapping_add(key.address_words[1]);
        Hash {
            bits: self.mix(self.mix(folded) ^ key.scope),
            wide: true,
        }
    }

    #[inline(always)]
    const fn mix(&self, value: u64) -> u64 {
        let value = (value ^ self.whiten).wrapping_mul(self.multiply[0]);
        (value ^ (value >> 32)).wrapping_mul(self.multiply[1])
    }
}

// SAFETY: three u64, no padding (asserted below).
unsafe impl Plain for HashKey {}
const _: () = assert!(size_of::<HashKey>() == 24);

/// The hash of a key: in which bucket a lookup starts, and what the bucket must hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hash {
    /// The top bits choose the home bucket, the low 52 are in the bucket's word.
    pub bits: u64,
    /// Whether the key is wide, so that the bucket's key must be compared too.
    pub wide: bool,
}

/// A key of up to 16 address bytes, as it is stored beside its bucket.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct WideKey {
    /// The address in network order, loaded as two native words; a shorter
    /// address is padded with zero bytes.
    pub address_words: [u64; 2],
    /// Family in bits 32 to 47, bit 24 for a prefix, outer VLAN id in 12 to 23,
    /// inner in 0 to 11.
    pub scope: u64,
    /// Zero; a key is 32 bytes so that none straddles a cache line.
    pub reserved: u64,
}

impl WideKey {
    /// The key of `address` (network order) of `family` on `vlan`.
    #[inline(always)]
    #[must_use]
    pub const fn new(family: Family, address: &[u8; 16], vlan: Vlan) -> WideKey {
        let words = u128::from_ne_bytes(*address);
        // Native words of the byte sequence, so that the datapath loads them without
        // swapping bytes. Which half comes first only has to be the same everywhere.
        let (first, second) = if cfg!(target_endian = "little") {
            (words as u64, (words >> 64) as u64)
        } else {
            ((words >> 64) as u64, words as u64)
        };
        WideKey::of_words(family, [first, second], vlan)
    }

    /// The same for an address whose halves were loaded as native words.
    #[inline(always)]
    #[must_use]
    pub const fn of_words(family: Family, address_words: [u64; 2], vlan: Vlan) -> WideKey {
        WideKey {
            address_words,
            scope: ((family.0 as u64) << 32) | vlan.0,
            reserved: 0,
        }
    }

    /// The key of a prefix, marked, of `family` on `vlan`.
    #[inline(always)]
    #[must_use]
    pub const fn of_prefix(family: Family, marked: Bits, vlan: Vlan) -> WideKey {
        WideKey {
            address_words: [marked.high.to_be(), marked.low.to_be()],
            scope: ((family.0 as u64) << 32) | PREFIX | vlan.0,
            reserved: 0,
        }
    }
}

// SAFETY: four u64, no padding (asserted below).
unsafe impl Plain for WideKey {}
const _: () = assert!(size_of::<WideKey>() == 32);

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: HashKey = HashKey::from_random([
        0x243f_6a88_85a3_08d3,
        0x1319_8a2e_0370_7344,
        0xa409_3822_299f_31d0,
    ]);

    #[test]
    fn narrow_is_a_bijection() {
        // Undo each step: a hash that can be inverted cannot collide.
        let inverse = |m: u64| {
            let mut i = m;
            for _ in 0..6 {
                i = i.wrapping_mul(2u64.wrapping_sub(m.wrapping_mul(i)));
            }
            i
        };
        for (address, vlan) in [
            ([0, 0, 0, 0], Vlan::NONE),
            ([192, 0, 2, 10], Vlan::new(10, 0)),
            ([255, 255, 255, 255], Vlan::new(4094, 4094)),
        ] {
            let hash = KEY.narrow(address, vlan).bits;
            let x = hash.wrapping_mul(inverse(KEY.multiply[1]));
            let x = (x ^ (x >> 32)).wrapping_mul(inverse(KEY.multiply[0])) ^ KEY.whiten;
            assert_eq!((x >> 32) as u32, u32::from_ne_bytes(address));
            assert_eq!(x & 0xffff_ffff, vlan.0);
        }
    }

    #[test]
    fn priority_tags_are_no_tags() {
        assert_eq!(Vlan::NONE.then(0), Vlan::NONE);
        assert_eq!(Vlan::NONE.then(0).then(7), Vlan::new(7, 0));
        assert_eq!(Vlan::NONE.then(7).then(0), Vlan::new(7, 0));
        assert_eq!(Vlan::NONE.then(7).then(8), Vlan::new(7, 8));
    }

    #[test]
    fn wide_keys_tell_family_vlan_and_every_address_byte_apart() {
        let mut address = [0u8; 16];
        let base = WideKey::new(Family::IPV6, &address, Vlan::NONE);
        assert_ne!(base, WideKey::new(Family(17), &address, Vlan::NONE));
        assert_ne!(base, WideKey::new(Family::IPV6, &address, Vlan::new(1, 0)));
        for byte in 0..16 {
            address[byte] = 1;
            let other = WideKey::new(Family::IPV6, &address, Vlan::NONE);
            assert_ne!(base, other);
            assert_ne!(KEY.wide(&base).bits, KEY.wide(&other).bits);
            address[byte] = 0;
        }
    }
}
