//! Searches against a model that compares bit by bit.

extern crate std;

use std::vec;
use std::vec::Vec;

use super::*;
use crate::bits::Length;
use crate::limits::PROBE_LIMIT;
use crate::table::Geometry;
use crate::word::Verdict;

const KEY: HashKey = HashKey::from_random([
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6c,
]);

const IPV4: Scope = Scope {
    family: Family::IPV4,
    vlan: Vlan::NONE,
};
const IPV6: Scope = Scope {
    family: Family::IPV6,
    vlan: Vlan::NONE,
};
const VLAN_7: Vlan = Vlan::new(7, 0);

/// A prefix of 1 to 127 bits, and what became of it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    scope: Scope,
    bits: u128,
    length: u8,
    position: u64,
    enabled: bool,
}

/// A table, and the naive model of what is in it.
struct Host {
    words: Vec<Word>,
    wide: Vec<WideKey>,
    shift: u32,
    entries: Vec<Entry>,
}

impl Buckets for Host {
    fn word(&self, position: u64) -> Option<Word> {
        self.words.get(position as usize).copied()
    }
    fn wide_is(&self, position: u64, key: &WideKey) -> bool {
        self.wide[position as usize] == *key
    }
}

const fn halves(bits: u128) -> Bits {
    Bits {
        high: (bits >> 64) as u64,
        low: bits as u64,
    }
}

const fn mask(length: u8) -> u128 {
    u128::MAX << (128 - length as u32)
}

impl Host {
    fn new() -> Host {
        let geometry = Geometry::for_capacity(1);
        let positions = geometry.positions() as usize;
        Host {
            words: vec![Word::EMPTY; positions],
            wide: vec![WideKey::default(); positions],
            shift: geometry.home_shift(),
            entries: Vec::new(),
        }
    }

    fn add(&mut self, scope: Scope, bits: u128, length: u8, enabled: bool) {
        let bits = bits & mask(length);
        let same = |e: &Entry| (e.scope, e.bits, e.length) == (scope, bits, length);
        if self.entries.iter().any(same) {
            return;
        }
        let marked = halves(bits).marked(Length::of(length));
        let key = scope.key(marked);
        let hash = KEY.wide(&key);
        let at = table::vacancy(self, self.shift, hash).expect("a vacancy");
        let position = at.position;
        let verdict = if enabled {
            Verdict::Drop
        } else {
            Verdict::Disabled
        };
        self.wide[position as usize] = key;
        self.words[position as usize] = at.word.with(verdict);
        self.entries.push(Entry {
            scope,
            bits,
            length,
            position,
            enabled,
        });
    }

    fn lengths(&self, family: Family) -> Lengths {
        self.entries
            .iter()
            .filter(|entry| entry.scope.family == family)
            .fold(Lengths::default(), |all, entry| {
                all.and(Lengths::of(entry.length))
            })
    }

    /// What the model says.
    fn expected(&self, scope: Scope, bits: u128) -> Option<u64> {
        self.entries
            .iter()
            .filter(|entry| entry.enabled && entry.scope == scope)
            .filter(|entry| entry.bits == bits & mask(entry.length))
            .max_by_key(|entry| entry.length)
            .map(|entry| entry.position)
    }

    fn search(&self, scope: Scope, bits: u128) -> Option<Hit> {
        let mut search = Search::new(scope, halves(bits), self.lengths(scope.family));
        let over = (0..MAX_LENGTHS).any(|_| search.step(self, self.shift, &KEY));
        assert!(over, "{scope:?} {bits:032x}: it ends");
        search.hit()
    }

    #[track_caller]
    fn check(&self, scope: Scope, bits: u128) {
        let found = self.search(scope, bits);
        assert_eq!(
            found.map(|hit| hit.position),
            self.expected(scope, bits),
            "{scope:?} {bits:032x}"
        );
    }
}

fn v4(text: &str) -> u128 {
    let address: std::net::Ipv4Addr = text.parse().expect("an address");
    let Bits { high, low } = Bits::of_ipv4(address.octets());
    u128::from(high) << 64 | u128::from(low)
}

fn v6(text: &str) -> u128 {
    let address: std::net::Ipv6Addr = text.parse().expect("an address");
    let Bits { high, low } = Bits::of_ipv6(&address.octets());
    u128::from(high) << 64 | u128::from(low)
}

#[test]
fn the_longest_that_is_enabled_wins() {
    let mut host = Host::new();
    let tagged = |scope: Scope| Scope {
        vlan: VLAN_7,
        ..scope
    };
    host.add(IPV4, v4("198.51.100.0"), 24, true);
    host.add(IPV4, v4("198.51.100.0"), 22, true);
    host.add(IPV4, v4("198.51.100.128"), 25, false);
    host.add(IPV4, v4("198.51.100.192"), 26, true);
    host.add(tagged(IPV4), v4("198.51.100.0"), 31, true);
    host.add(IPV6, v6("2001:db8:1::"), 48, true);
    host.add(IPV6, v6("2001:db8:1::"), 64, true);
    host.add(IPV6, v6("2001:db8:1::"), 65, true);
    host.add(IPV6, v6("2001:db8:1::8"), 127, true);
    for (scope, bits, expected) in [
        (IPV4, v4("198.51.100.1"), Some(24)),
        (IPV4, v4("198.51.101.1"), Some(22)),
        (IPV4, v4("198.51.100.129"), Some(24)),
        (IPV4, v4("198.51.100.255"), Some(26)),
        (IPV4, v4("198.51.104.0"), None),
        (tagged(IPV4), v4("198.51.100.1"), Some(31)),
        (tagged(IPV4), v4("198.51.100.2"), None),
        (IPV6, v6("2001:db8:1:2::1"), Some(48)),
        (IPV6, v6("2001:db8:1:0:8000::1"), Some(64)),
        (IPV6, v6("2001:db8:1::1"), Some(65)),
        (IPV6, v6("2001:db8:1::9"), Some(127)),
        (IPV6, v6("2001:db8:1::a"), Some(65)),
        (IPV6, v6("2001:db8:2::"), None),
        (tagged(IPV6), v6("2001:db8:1::1"), None),
    ] {
        let found = host.search(scope, bits);
        let of_length = |hit: Hit| {
            let owner = host.entries.iter().find(|e| e.position == hit.position);
            owner.expect("an entry").length
        };
        assert_eq!(found.map(of_length), expected, "{scope:?} {bits:032x}");
        host.check(scope, bits);
    }
}

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
    fn bits(&mut self, family: Family) -> u128 {
        let bits = u128::from(self.roll()) << 64 | u128::from(self.roll());
        // Crowded, so that prefixes lie in one another.
        let bits = bits & 0xf800_000f_0000_0003_c000_0000_0000_0007;
        if family == Family::IPV4 {
            bits & mask(32)
        } else {
            bits
        }
    }
}

#[test]
fn a_search_finds_what_comparing_bit_by_bit_finds() {
    let mut dice = Dice(0x0005_eed5);
    let mut hits = 0;
    for _ in 0..200 {
        let mut host = Host::new();
        // Some lengths of each family.
        let lengths: [[u8; 16]; 2] =
            [31, 127].map(|longest| [(); 16].map(|()| 1 + dice.below(longest) as u8));
        for _ in 0..40 {
            for (family, lengths) in [Family::IPV4, Family::IPV6].into_iter().zip(&lengths) {
                let vlan = if dice.below(4) == 0 {
                    VLAN_7
                } else {
                    Vlan::NONE
                };
                let bits = dice.bits(family);
                let length = lengths[dice.below(16) as usize];
                let enabled = dice.below(5) != 0;
                host.add(Scope { family, vlan }, bits, length, enabled);
            }
        }
        for _ in 0..500 {
            let family = [Family::IPV4, Family::IPV6][dice.below(2) as usize];
            let vlan = [Vlan::NONE, VLAN_7][dice.below(2) as usize];
            let (scope, bits) = (Scope { family, vlan }, dice.bits(family));
            host.check(scope, bits);
            hits += usize::from(host.expected(scope, bits).is_some());
        }
    }
    assert!((20_000..90_000).contains(&hits), "both happen: {hits}");
}

#[test]
fn every_length_may_be_in_use() {
    for (scope, longest, address) in [
        (IPV4, 31, v4("198.51.100.77")),
        (IPV6, 127, v6("2001:db8:5555:5555:5555:5555:5555:5555")),
    ] {
        for wanted in [1, longest / 2, longest] {
            let mut host = Host::new();
            // Every bucket is taken by another key: each length costs all of its steps.
            host.words.fill(Word(0x1234).with(Verdict::Drop));
            for length in 1..=longest {
                let marked = halves(address).marked(Length::of(length));
                let key = scope.key(marked);
                let hash = KEY.wide(&key);
                let home = (hash.bits >> host.shift) as u32;
                let last = home + PROBE_LIMIT - 1;
                let lookup_key =
                    (1..PROBE_LIMIT).fold(Word::lookup_key(hash), |word, _| word.next());
                let enabled = length == wanted;
                let verdict = if enabled {
                    Verdict::Drop
                } else {
                    Verdict::Disabled
                };
                host.words[last as usize] = lookup_key.with(verdict);
                host.wide[last as usize] = key;
                host.entries.push(Entry {
                    scope,
                    bits: address & mask(length),
                    length,
                    position: u64::from(last),
                    enabled,
                });
            }
            assert!(host.expected(scope, address).is_some());
            host.check(scope, address);
        }
    }
}

/// The keys of all prefixes of an address differ, and from those of addresses.
#[test]
fn no_two_keys_are_equal() {
    for (scope, longest, bits) in [
        (IPV4, 31, v4("198.51.100.255")),
        (IPV4, 31, 0),
        (IPV6, 127, v6("2001:db8::ffff:ffff:ffff:ffff")),
        (IPV6, 127, 0),
    ] {
        let mut keys: Vec<(u64, [u64; 2], u64)> = Vec::new();
        for length in 1..=longest {
            let marked = halves(bits & mask(length)).marked(Length::of(length));
            let key = scope.key(marked);
            keys.push((KEY.wide(&key).bits, key.address_words, key.scope));
            if scope.family == Family::IPV4 {
                let address = ((marked.high >> 32) as u32).to_be_bytes();
                keys.push((KEY.narrow(address, Vlan::NONE).bits, [0; 2], 0));
            } else {
                let bytes = (u128::from(marked.high) << 64 | u128::from(marked.low)).to_be_bytes();
                let key = WideKey::new(Family::IPV6, &bytes, Vlan::NONE);
                keys.push((KEY.wide(&key).bits, key.address_words, key.scope));
            }
        }
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "{scope:?} {bits:032x}");
        let mut hashes: Vec<u64> = keys.iter().map(|key| key.0).collect();
        hashes.dedup();
        assert_eq!(hashes.len(), count, "{scope:?} {bits:032x}: hashes");
    }
}

#[test]
fn lengths_come_longest_first() {
    let all = [1u8, 24, 31, 32, 63, 64, 65, 96, 127];
    let mut lengths = all.iter().fold(Lengths::default(), |set, length| {
        set.and(Lengths::of(*length))
    });
    for length in all.into_iter().rev() {
        assert!(!lengths.is_empty());
        assert_eq!(lengths.take_longest(), Some(Length::of(length)), "{length}");
    }
    assert!(lengths.is_empty());
    assert_eq!(lengths.take_longest(), None);
}
