//! Which alias a frame is for, by golden tables: BPF_PROG_TEST_RUN on what runs on the
//! parent. The aliases lie in one another, and beside each other.

use std::{net::IpAddr, path::PathBuf};

use alias_common::{bits::Prefixes, header::Header, names};
use alias_tests::{
    Lab, Mode, Tap,
    bpf::{self, Context, tc, xdp},
    frame::{Frame, frame},
};

use crate::{
    golden_maps::Cells,
    scene::{XDP_MODES, ip},
};

const ALIASES: &[&str] = &[
    "eth0:0 198.51.100.0/24 --prefix --drop",
    "eth0:1 198.51.100.7 --drop",
    "eth0:2 198.51.100.128/25 --prefix --drop",
    "eth0:3 198.51.100.192/26 --prefix --drop",
    "eth0:4 198.51.100.0/24 --prefix --vlan 10 --drop",
    "eth0:5 203.0.113.0/24 --prefix --to tap0",
    "eth0:6 203.0.113.128/25 --prefix --netns HOME",
    "eth0:7 198.18.0.0/15 --prefix --local",
    "eth0:8 198.51.100.9 --drop",
    "eth0:9 198.51.100.10/31 --prefix --drop",
    "eth0:20 2001:db8:1::/48 --prefix --drop",
    "eth0:21 2001:db8:1::/64 --prefix --drop",
    "eth0:22 2001:db8:1::7 --drop",
    "eth0:23 2001:db8:1::8/127 --prefix --drop",
    "eth0:24 2001:db8:1::/65 --prefix --drop",
    "eth0:25 2001:db8:2::/48 --prefix --vlan 10.20 --drop",
    "eth0:26 2001:db8:3::/48 --prefix --local",
    "eth0:27 2001:db8:1::9 --drop",
];
const DISABLED: &[&str] = &["eth0:3", "eth0:8", "eth0:27"];

/// What becomes of a frame; the alias that it is for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Miss,
    Drop(u32),
    Local(u32),
    To(u32),
    Device(u32),
}

struct Bench {
    _tap: Tap,
    _home: alias_tests::Namespace,
    lab: Lab,
    directory: PathBuf,
}

impl Bench {
    #[track_caller]
    fn new(mode: Mode) -> Bench {
        let lab = Lab::attached(mode);
        let (tap, home) = (Tap::open(&lab.a, "tap0"), lab.namespace("home"));
        for line in ALIASES {
            let line = format!("add {}", line.replace("HOME", home.name()));
            lab.ctl_ok(&line.split(' ').collect::<Vec<_>>());
        }
        for name in DISABLED {
            lab.ctl_ok(&["disable", name]);
        }
        lab.b.ip("link set eth0 down");
        let header = lab.pins().into_iter().find(|pin| pin.ends_with("header"));
        let header = header.expect("eth0 is attached");
        Bench {
            directory: header.parent().expect("a directory").to_owned(),
            _tap: tap,
            _home: home,
            lab,
        }
    }

    /// What moved: of the aliases, `(slot, packets, neighbour messages)`.
    fn moved(&self, before: &[(u64, u64, u64)]) -> Vec<(u64, u64, u64)> {
        let rows = self.counted();
        let both = rows.into_iter().zip(before);
        both.map(|(now, was)| (now.0, now.1 - was.1, now.2 - was.2))
            .filter(|(_, packets, messages)| packets + messages != 0)
            .collect()
    }

    fn counted(&self) -> Vec<(u64, u64, u64)> {
        let rows = self.lab.ctl_json(&["stats"]);
        let number = |row: &serde_json::Value, key: &str| row[key].as_u64().expect("a number");
        let rows = rows.as_array().expect("an array").iter();
        rows.map(|row| {
            (
                number(row, "slot"),
                number(row, "rx_packets"),
                number(row, "neighbor_rx_packets"),
            )
        })
        .collect()
    }

    #[track_caller]
    fn check(&self, what: &str, bytes: &[u8], is_neighbour: bool, fate: Fate) {
        let (verdict, slot) = match fate {
            Fate::Miss => (xdp::PASS, None),
            Fate::Drop(slot) => (xdp::DROP, Some(slot)),
            Fate::Local(slot) | Fate::Device(slot) => (xdp::PASS, Some(slot)),
            Fate::To(slot) => (xdp::REDIRECT, Some(slot)),
        };
        let before = self.counted();
        let program = self.directory.join(names::ALIAS_RX_TYPES);
        let run = (self.lab.a)
            .enter(|| bpf::prog_test_run(&program, bytes, Context::xdp()))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(run.retval, verdict, "{what}: verdict, to be {fate:?}");
        let (packets, messages) = if is_neighbour { (0, 1) } else { (1, 0) };
        let expected: Vec<_> = slot
            .map(|slot| (u64::from(slot), packets, messages))
            .into_iter()
            .collect();
        assert_eq!(self.moved(&before), expected, "{what}: counters");
        let ordered = !run.data_meta.is_empty();
        assert_eq!(ordered, matches!(fate, Fate::Device(_)), "{what}: metadata");
    }

    fn to_a(&self) -> Frame {
        frame().between(self.lab.b.mac("eth0"), self.lab.a.mac("eth0"))
    }
}

/// A datagram to an address, behind what `start` begins with.
fn datagram(start: Frame, to: &str) -> Vec<u8> {
    let from = if ip(to).is_ipv4() {
        "192.0.2.1"
    } else {
        "2001:db8:0:1::1"
    };
    start.ip(ip(from), ip(to)).udp(1, 2, b"x").build()
}

#[test]
fn the_longest_that_is_enabled_has_the_frame() {
    for mode in XDP_MODES {
        let bench = Bench::new(mode);
        for (to, fate) in [
            ("198.51.100.0", Fate::Drop(0)),
            ("198.51.100.1", Fate::Drop(0)),
            ("198.51.100.127", Fate::Drop(0)),
            ("198.51.100.7", Fate::Drop(1)),
            ("198.51.100.9", Fate::Drop(0)),
            ("198.51.100.10", Fate::Drop(9)),
            ("198.51.100.11", Fate::Drop(9)),
            ("198.51.100.12", Fate::Drop(0)),
            ("198.51.100.128", Fate::Drop(2)),
            ("198.51.100.200", Fate::Drop(2)),
            ("198.51.100.255", Fate::Drop(2)),
            ("198.51.101.0", Fate::Miss),
            ("198.51.99.255", Fate::Miss),
            ("203.0.113.1", Fate::To(5)),
            ("203.0.113.129", Fate::Device(6)),
            ("198.19.255.255", Fate::Local(7)),
            ("198.20.0.0", Fate::Miss),
            ("2001:db8:1::1", Fate::Drop(24)),
            ("2001:db8:1::7", Fate::Drop(22)),
            ("2001:db8:1::8", Fate::Drop(23)),
            ("2001:db8:1::9", Fate::Drop(23)),
            ("2001:db8:1::a", Fate::Drop(24)),
            ("2001:db8:1::8000:0:0:1", Fate::Drop(21)),
            ("2001:db8:1:1::1", Fate::Drop(20)),
            ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", Fate::Drop(20)),
            ("2001:db8:2::1", Fate::Miss),
            ("2001:db8:3::1", Fate::Local(26)),
            ("2001:db8:0:ffff::", Fate::Miss),
        ] {
            let what = format!("{mode:?} {to}");
            bench.check(&what, &datagram(bench.to_a(), to), false, fate);
            // A priority tag is no tag.
            let tagged = datagram(bench.to_a().vlan(0), to);
            bench.check(&format!("{what}, priority"), &tagged, false, fate);
        }
    }
}

#[test]
fn a_prefix_is_of_its_vlan() {
    for mode in XDP_MODES {
        let bench = Bench::new(mode);
        let ten = || bench.to_a().vlan(10);
        let twice = || bench.to_a().service_vlan(10).vlan(20);
        for (what, bytes, fate) in [
            ("10", datagram(ten(), "198.51.100.1"), Fate::Drop(4)),
            // An exact alias, and longer prefixes, are those of the same VLAN.
            ("10", datagram(ten(), "198.51.100.7"), Fate::Drop(4)),
            ("10", datagram(ten(), "198.51.100.200"), Fate::Drop(4)),
            ("10", datagram(ten(), "198.51.101.1"), Fate::Miss),
            ("10", datagram(ten(), "2001:db8:1::1"), Fate::Miss),
            (
                "11",
                datagram(bench.to_a().vlan(11), "198.51.100.1"),
                Fate::Miss,
            ),
            ("10.20", datagram(twice(), "198.51.100.1"), Fate::Miss),
            ("10.20", datagram(twice(), "2001:db8:2::1"), Fate::Drop(25)),
        ] {
            bench.check(&format!("{mode:?} VLAN {what}"), &bytes, false, fate);
        }
    }
}

#[test]
fn arp_and_neighbour_discovery_reach_it() {
    for mode in XDP_MODES {
        let bench = Bench::new(mode);
        let v4 = |text| match ip(text) {
            IpAddr::V4(v4) => v4,
            IpAddr::V6(v6) => panic!("{v6}"),
        };
        let v6 = |text| match ip(text) {
            IpAddr::V6(v6) => v6,
            IpAddr::V4(v4) => panic!("{v4}"),
        };
        let b = v6("2001:db8:0:1::1");
        for (what, frame, fate) in [
            (
                "an ARP request",
                bench
                    .to_a()
                    .arp_request(v4("192.0.2.1"), v4("203.0.113.200")),
                Fate::Device(6),
            ),
            (
                "an ARP request for nobody",
                bench.to_a().arp_request(v4("192.0.2.1"), v4("192.0.2.77")),
                Fate::Miss,
            ),
            (
                "a solicitation",
                bench.to_a().solicitation(b, v6("2001:db8:3::77")),
                Fate::Local(26),
            ),
            (
                "a solicitation for nobody",
                bench.to_a().solicitation(b, v6("2001:db8:4::77")),
                Fate::Miss,
            ),
        ] {
            let neighbour = fate != Fate::Miss;
            let bytes = frame.padded().build();
            bench.check(&format!("{mode:?} {what}"), &bytes, neighbour, fate);
        }
    }
}

/// A driver without metadata: `alias_deliver` looks up by itself.
#[test]
fn delivery_without_metadata_finds_it_too() {
    for mode in XDP_MODES {
        let bench = Bench::new(mode);
        let cells = Cells::open(&bench.directory);
        cells.amend_header(|header| header.metadata_refused = 1);
        let program = bench.directory.join(names::ALIAS_DELIVER);
        for (to, expected) in [
            ("203.0.113.129", tc::REDIRECT),
            ("203.0.113.1", u32::MAX),
            ("203.0.114.129", u32::MAX),
            ("198.51.100.1", u32::MAX),
        ] {
            let bytes = datagram(bench.to_a(), to);
            let eth0 = bench.lab.a.ifindex("eth0");
            let run = (bench.lab.a)
                .enter(|| bpf::prog_test_run(&program, &bytes, Context::tc(eth0)))
                .unwrap_or_else(|error| panic!("{to}: {error}"));
            assert_eq!(run.retval, expected, "{mode:?} {to}");
        }
    }
}

/// The header's lengths, as whoever reads the pinned map sees them.
#[track_caller]
fn lengths(bench: &Bench) -> Prefixes {
    let mut found = Prefixes::default();
    Cells::open(&bench.directory).amend_header(|header: &mut Header| found = header.prefixes);
    found
}

#[test]
fn the_header_has_the_lengths_that_are_in_use() {
    let bench = Bench::new(Mode::Native);
    let of = |lengths: &[(u16, u8)]| {
        let all = lengths
            .iter()
            .map(|(family, length)| Prefixes::of(alias_common::key::Family(*family), *length));
        all.fold(Prefixes::default(), Prefixes::and)
    };
    let ipv6 = [(10, 48), (10, 64), (10, 65), (10, 127)];
    let ipv4 = [(2, 15), (2, 24), (2, 25), (2, 26), (2, 31)];
    assert_eq!(lengths(&bench), of(&[&ipv4[..], &ipv6].concat()));
    // The last of a length takes it along, and no other does.
    bench.lab.ctl_ok(&["del", "eth0:9", "eth0:2", "eth0:0"]);
    let ipv4 = [(2, 15), (2, 24), (2, 25), (2, 26)];
    assert_eq!(lengths(&bench), of(&[&ipv4[..], &ipv6].concat()));
    // One that is disabled is there.
    bench
        .lab
        .ctl_ok(&["set", "eth0:3", "198.51.100.192/27", "--prefix"]);
    let ipv4 = [(2, 15), (2, 24), (2, 25), (2, 27)];
    assert_eq!(lengths(&bench), of(&[&ipv4[..], &ipv6].concat()));
    bench.lab.ctl_ok(&["del", "eth0", "--all"]);
    assert!(lengths(&bench).is_empty());
}
