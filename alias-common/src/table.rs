//! The index: a hash table with open addressing, one [`Word`] for each bucket. Every
//! lookup runs through here, in the datapath and in the controller. A bucket's number in
//! the table is its position.
//!
//! A table of 2^n homes has `PROBE_LIMIT` buckets more, so that a probe never
//! wraps. Words are published by one store and removed by a tombstone, so a
//! reader needs no lock: it sees the old word or the new one.

use crate::key::{Hash, WideKey};
use crate::limits::{MAX_ALIASES, MIN_HOME_BITS, PROBE_LIMIT};
use crate::word::Word;

/// Read access to a table's buckets. `None` means out of bounds, which ends a lookup.
pub trait Buckets {
    /// The word at `position`.
    fn word(&self, position: u64) -> Option<Word>;
    /// Whether the wide key of the bucket at `position` is `key`.
    fn wide_is(&self, position: u64, key: &WideKey) -> bool;
    /// The position where a lookup ends. An implementation may make it a number of
    /// which the kernel's verifier does not know how it came about; otherwise the verifier
    /// walks what follows once for each step that a lookup can take.
    #[inline(always)]
    fn settle(&self, position: u64) -> u64 {
        position
    }
}

/// Where a key was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hit {
    /// Position in the table; it also indexes the steer and rx arrays. 64 bits, though 32
    /// would hold it: a compiler packs smaller fields into one register with their
    /// neighbours, and there the kernel's verifier loses a bound.
    pub position: u64,
    /// The bucket's word at the time of the lookup.
    pub word: Word,
}

/// Size of a table as a number of home bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Geometry {
    /// The table has `1 << home_bits` homes.
    pub home_bits: u32,
}

impl Geometry {
    /// The smallest table in which `capacity` aliases take at most half of the buckets.
    #[must_use]
    pub const fn for_capacity(capacity: u32) -> Geometry {
        let mut home_bits = MIN_HOME_BITS;
        while (1u64 << home_bits) < capacity as u64 * 2 {
            home_bits += 1;
        }
        Geometry { home_bits }
    }

    /// The least capacity for which the table has twice as many homes; `None` for the
    /// largest.
    #[must_use]
    pub const fn next_capacity(self) -> Option<u32> {
        let capacity = (1u64 << (self.home_bits - 1)) + 1;
        if capacity > MAX_ALIASES as u64 {
            return None;
        }
        Some(capacity as u32)
    }

    /// Number of buckets, homes and overflow.
    #[must_use]
    pub const fn positions(self) -> u32 {
        (1 << self.home_bits) + PROBE_LIMIT
    }

    /// How far a hash is shifted right to give its home.
    #[must_use]
    pub const fn home_shift(self) -> u32 {
        64 - self.home_bits
    }
}

/// Finds the enabled alias of `hash` in a table whose homes are `bits >> home_shift`.
/// For a wide hash, `key` is what the bucket's key must be.
#[inline(always)]
pub fn find<B: Buckets>(
    buckets: &B,
    home_shift: u32,
    hash: Hash,
    key: Option<&WideKey>,
) -> Option<Hit> {
    probe(buckets, home_shift, hash, key, Word::matches)
}

/// The same, enabled or not.
pub fn find_any<B: Buckets>(
    buckets: &B,
    home_shift: u32,
    hash: Hash,
    key: Option<&WideKey>,
) -> Option<Hit> {
    probe(buckets, home_shift, hash, key, Word::is)
}

#[inline(always)]
fn probe<B: Buckets>(
    buckets: &B,
    home_shift: u32,
    hash: Hash,
    key: Option<&WideKey>,
    is_match: impl Fn(Word, Word) -> bool,
) -> Option<Hit> {
    let home = hash.bits >> home_shift;
    let mut lookup_key = Word::lookup_key(hash);
    for displacement in 0..u64::from(PROBE_LIMIT) {
        let position = home + displacement;
        let word = buckets.word(position)?;
        if word == Word::EMPTY {
            return None;
        }
        if is_match(word, lookup_key) {
            match key {
                Some(key) if !buckets.wide_is(position, key) => {}
                // The position could be had from the displacement in the word, which would
                // spare the verifier half of its work. But then the counter's cache miss
                // would wait for the word's.
                _ => {
                    let position = buckets.settle(position);
                    return Some(Hit { position, word });
                }
            }
        }
        lookup_key = lookup_key.next();
    }
    None
}

/// Where a new key can go: the first tombstone or empty bucket within reach of
/// its home, and its lookup key there, which only lacks a verdict. The caller has checked
/// that the key is not in the table. `None` means that 64 buckets in a row are taken.
pub fn vacancy<B: Buckets>(buckets: &B, home_shift: u32, hash: Hash) -> Option<Hit> {
    let home = hash.bits >> home_shift;
    let mut lookup_key = Word::lookup_key(hash);
    for displacement in 0..u64::from(PROBE_LIMIT) {
        let position = home + displacement;
        if !buckets.word(position)?.is_taken() {
            return Some(Hit {
                position,
                word: lookup_key,
            });
        }
        lookup_key = lookup_key.next();
    }
    None
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::key::{Family, HashKey, Vlan};
    use crate::word::Verdict;
    use std::vec;
    use std::vec::Vec;

    const KEY: HashKey = HashKey::from_random([
        0x4528_21e6_38d0_1377,
        0xbe54_66cf_34e9_0c6c,
        0xc0ac_29b7_c97c_50dd,
    ]);

    struct Host {
        words: Vec<Word>,
        wide: Vec<WideKey>,
        shift: u32,
    }

    impl Buckets for Host {
        fn word(&self, position: u64) -> Option<Word> {
            self.words.get(position as usize).copied()
        }
        fn wide_is(&self, position: u64, key: &WideKey) -> bool {
            self.wide[position as usize] == *key
        }
    }

    impl Host {
        fn for_capacity(capacity: u32) -> Host {
            let geometry = Geometry::for_capacity(capacity);
            let positions = geometry.positions() as usize;
            Host {
                words: vec![Word::EMPTY; positions],
                wide: vec![WideKey::default(); positions],
                shift: geometry.home_shift(),
            }
        }
        fn insert(&mut self, hash: Hash, key: Option<&WideKey>) -> u64 {
            let at = vacancy(self, self.shift, hash).expect("a vacancy");
            if let Some(key) = key {
                self.wide[at.position as usize] = *key;
            }
            self.words[at.position as usize] = at.word.with(Verdict::Drop);
            at.position
        }
    }

    fn address(n: u32) -> [u8; 4] {
        (0x0a00_0000 + n).to_be_bytes()
    }

    #[test]
    fn geometry_keeps_half_the_buckets_free() {
        for (capacity, home_bits) in [
            (1, 12),
            (2_048, 12),
            (2_049, 13),
            (32_768, 16),
            (32_769, 17),
            (65_536, 17),
            (1_000_000, 21),
            (1 << 24, 25),
        ] {
            assert_eq!(
                Geometry::for_capacity(capacity).home_bits,
                home_bits,
                "{capacity}"
            );
        }
    }

    #[test]
    fn the_next_capacity_has_twice_as_many_homes() {
        let mut geometry = Geometry::for_capacity(1);
        while let Some(capacity) = geometry.next_capacity() {
            let next = Geometry::for_capacity(capacity);
            assert_eq!(next.home_bits, geometry.home_bits + 1);
            geometry = next;
        }
        assert_eq!(geometry, Geometry::for_capacity(MAX_ALIASES));
    }

    #[test]
    fn every_inserted_key_is_found_and_no_other() {
        let mut host = Host::for_capacity(65_536);
        for n in 0..65_536 {
            host.insert(KEY.narrow(address(n), Vlan::NONE), None);
        }
        for n in 0..65_536 {
            let hash = KEY.narrow(address(n), Vlan::NONE);
            assert!(find(&host, host.shift, hash, None).is_some(), "{n}");
            let tagged = KEY.narrow(address(n), Vlan::new(1, 0));
            assert!(
                find(&host, host.shift, tagged, None).is_none(),
                "{n} on vlan 1"
            );
        }
        for n in 65_536..262_144 {
            let hash = KEY.narrow(address(n), Vlan::NONE);
            assert!(find(&host, host.shift, hash, None).is_none(), "{n}");
        }
    }

    #[test]
    fn a_tombstone_does_not_hide_what_is_after_it() {
        let mut host = Host::for_capacity(1);
        // Same home: the top bits of these hashes are equal by construction.
        let hashes: Vec<Hash> = (0..5u64)
            .map(|n| Hash {
                bits: (7 << 48) | n,
                wide: false,
            })
            .collect();
        for hash in &hashes {
            host.insert(*hash, None);
        }
        let second = find(&host, host.shift, hashes[1], None).expect("inserted");
        host.words[second.position as usize] = Word::TOMBSTONE;
        assert!(find(&host, host.shift, hashes[1], None).is_none());
        for hash in [&hashes[0], &hashes[2], &hashes[3], &hashes[4]] {
            assert!(find(&host, host.shift, *hash, None).is_some());
        }
        assert_eq!(
            host.insert(hashes[1], None),
            second.position,
            "the tombstone is used again"
        );
    }

    #[test]
    fn equal_low_bits_at_other_homes_are_other_keys() {
        let mut host = Host::for_capacity(1);
        host.insert(
            Hash {
                bits: (7 << 48) | 5,
                wide: false,
            },
            None,
        );
        for home in [6u64, 8] {
            let other = Hash {
                bits: (home << 48) | 5,
                wide: false,
            };
            assert!(
                find(&host, host.shift, other, None).is_none(),
                "home {home}"
            );
        }
    }

    #[test]
    fn narrow_and_wide_keys_with_one_hash_do_not_meet() {
        let mut host = Host::for_capacity(1);
        let narrow = Hash {
            bits: 0x1234_5678_9abc_def0,
            wide: false,
        };
        let wide = Hash {
            wide: true,
            ..narrow
        };
        let key = WideKey::new(Family::IPV6, &[1; 16], Vlan::NONE);
        host.insert(wide, Some(&key));
        assert!(find(&host, host.shift, narrow, None).is_none());
        assert!(find(&host, host.shift, wide, Some(&key)).is_some());
        let other = WideKey::new(Family::IPV6, &[2; 16], Vlan::NONE);
        assert!(
            find(&host, host.shift, wide, Some(&other)).is_none(),
            "same hash, other key"
        );
        host.insert(wide, Some(&other));
        assert!(
            find(&host, host.shift, wide, Some(&other)).is_some(),
            "after it"
        );
    }

    #[test]
    fn a_full_neighbourhood_is_refused() {
        let mut host = Host::for_capacity(1);
        for n in 0..u64::from(PROBE_LIMIT) {
            host.insert(
                Hash {
                    bits: n,
                    wide: false,
                },
                None,
            );
        }
        assert!(
            vacancy(
                &host,
                host.shift,
                Hash {
                    bits: 99,
                    wide: false
                }
            )
            .is_none()
        );
    }
}
