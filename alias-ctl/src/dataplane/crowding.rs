//! How a hash key spreads the addresses that people have: consecutive ones. Two
//! multiplications spread nearly all of them well; but of a thousand keys one puts 1,024
//! consecutive addresses so close together that an index of 4,096 homes, of which they take
//! a quarter, has no place for some, and of ninety one 65,536 of them in one of twice as
//! many. The parent would get a larger index for it. So a key is drawn until it spreads.

use alias_common::key::{HashKey, Vlan, WideKey};
use alias_common::limits::PROBE_LIMIT;
use alias_common::table::{self, Buckets, Geometry};
use alias_common::word::{Verdict, Word};

/// How many of them are tried, each in the index that a parent with room for so many has.
const COUNTS: [u32; 4] = [1024, 2048, 16_384, 65_536];
/// The first address: one network stands for all, which the key only shifts.
const FIRST: u32 = 0xc612_0000;
/// How far from its home an address may come to stand: half of what a lookup reaches, so
/// that there is room for others.
const FAR: u64 = PROBE_LIMIT as u64 / 2;

/// Whether a key spreads consecutive addresses.
#[must_use]
pub fn spreads(key: &HashKey) -> bool {
    COUNTS
        .into_iter()
        .all(|count| farthest(key, FIRST, count).is_some_and(|displacement| displacement <= FAR))
}

/// How far from its home the worst of `count` addresses stands; `None` where one has no
/// place.
fn farthest(key: &HashKey, first: u32, count: u32) -> Option<u64> {
    let geometry = Geometry::for_capacity(count);
    let mut index = Index(vec![Word::EMPTY; geometry.positions() as usize]);
    let mut farthest = 0;
    for address in first..first + count {
        let hash = key.narrow(address.to_be_bytes(), Vlan::NONE);
        let vacancy = table::vacancy(&index, geometry.home_shift(), hash)?;
        farthest = farthest.max(vacancy.position - (hash.bits >> geometry.home_shift()));
        index.0[vacancy.position as usize] = vacancy.word.with(Verdict::Drop);
    }
    Some(farthest)
}

/// The words of an index whose keys are all narrow.
struct Index(Vec<Word>);

impl Buckets for Index {
    fn word(&self, position: u64) -> Option<Word> {
        self.0.get(position as usize).copied()
    }

    fn wide_is(&self, _: u64, _: &WideKey) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed sequence (Vigna, splitmix64): the figures below are its own.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// What most keys do, and that one of those that do not is found out: a step of the
    /// last octet that leads to the same home again.
    #[test]
    fn keys_that_crowd_are_told_from_those_that_spread() {
        let mut state = 1;
        let mut keys = || HashKey::from_random([(); 3].map(|()| random(&mut state)));
        let good = (0..100).filter(|_| spreads(&keys())).count();
        assert!((80..100).contains(&good), "{good} of 100");
        let crowds = HashKey {
            whiten: 0,
            multiply: [1, 0xff_0000_0001],
        };
        assert!(!spreads(&crowds));
        assert_eq!(farthest(&crowds, FIRST, 1024), None);
    }

    /// Of a key that spreads one network's addresses, other networks' have their places too.
    #[test]
    fn one_network_stands_for_others() {
        let mut state = 7;
        let mut tried = 0;
        while tried < 20 {
            let key = HashKey::from_random([(); 3].map(|()| random(&mut state)));
            if !spreads(&key) {
                continue;
            }
            for first in [0x0a00_0000, 0xac10_8000, 0xcb00_7100] {
                assert!(farthest(&key, first, 1030).is_some(), "{first:x}");
            }
            tried += 1;
        }
    }
}
