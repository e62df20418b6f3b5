//! `alias_rx` by golden tables: what is an alias's, and what is the parent's.

use std::net::{Ipv4Addr, Ipv6Addr};

use alias_common::{names, record::Steer};
use alias_ebpf::metadata::Metadata;
use alias_tests::{
    Mode,
    bpf::{Context, xdp},
    frame::{BROADCAST, Echo, Frame, Mac, ethertype},
};

use crate::{
    golden_bench::*,
    kernels::redirects_fragments,
    scene::{FAMILIES, Family, modes},
};

/// What a frame is to its alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Neighbor,
    Answer,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Miss,
    Malformed,
    /// Counted for this slot, then one of:
    Drop(u32),
    Local(u32),
    NoTarget(u32),
    /// A `--to` alias's, on a kernel that redirects no frame of several fragments.
    Lost(u32),
    Device {
        slot: u32,
        port: u32,
        peer: bool,
    },
    To {
        slot: u32,
        far: Option<Mac>,
    },
}

/// A frame with the number of its tags, and what becomes of it.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) tags: u8,
    pub(crate) kind: Kind,
    pub(crate) fate: Fate,
}

#[track_caller]
pub(crate) fn check(bench: &mut Bench, row: &Row) {
    let Row {
        what,
        bytes,
        tags,
        kind,
        fate,
    } = row;
    if bench.mode == Mode::Tc {
        return check_tc(bench, row);
    }
    let (run, risen) = bench.run(names::ALIAS_RX, bytes, Context::xdp());

    let (verdict, cell, slot) = match *fate {
        Fate::Miss => (xdp::PASS, "miss", None),
        Fate::Malformed => (xdp::PASS, "malformed", None),
        Fate::Drop(slot) => (xdp::DROP, "dropped", Some(slot)),
        Fate::Local(slot) => (xdp::PASS, "local", Some(slot)),
        Fate::NoTarget(slot) => (xdp::DROP, "no_target", Some(slot)),
        Fate::Lost(slot) => (xdp::DROP, "lost", Some(slot)),
        Fate::Device { slot, .. } => (xdp::PASS, "device", Some(slot)),
        Fate::To { slot, .. } => (xdp::REDIRECT, "to", Some(slot)),
    };
    assert_eq!(run.retval, verdict, "{what}: verdict, to be {fate:?}");

    let mut expected = counted(row, cell, slot);
    match *fate {
        Fate::NoTarget(slot) => drop(expected.insert(of(slot, "dropped.no_target"), 1)),
        Fate::Lost(slot) => drop(expected.insert(of(slot, "lost"), 1)),
        _ => {}
    }
    assert_eq!(risen, expected, "{what}: counters, to be {fate:?}");

    let order = match *fate {
        Fate::Device { port, peer, .. } => {
            let peer = if peer { Steer::PEER } else { 0 };
            let class = match kind {
                Kind::Data => 0,
                Kind::Neighbor => Metadata::NEIGHBOR,
                Kind::Answer => Metadata::NEIGHBOR | Metadata::ANSWER,
            };
            Some(Metadata::of(port, *tags, peer | class))
        }
        _ => None,
    };
    let secret = bench.secret();
    assert_ne!(secret, 0, "{what}: no secret");
    assert_eq!(decode(&run.data_meta, secret), order, "{what}: metadata");
    assert_eq!(
        run.data_meta.is_empty(),
        order.is_none(),
        "{what}: metadata"
    );

    let out = match *fate {
        Fate::To { far, .. } => readdressed(bytes, *tags, far),
        // Its target was found gone after it had been rewritten.
        Fate::NoTarget(_) => return,
        _ => bytes.clone(),
    };
    assert_eq!(run.data_out, out, "{what}: the frame after it");
}

/// What a frame raises: one of the parent's cells, and its alias's.
fn counted(row: &Row, cell: &str, slot: Option<u32>) -> Counters {
    let mut expected = rise([(parent(cell), 1)]);
    let Some(slot) = slot else { return expected };
    if row.kind == Kind::Data {
        expected.insert(of(slot, "rx_packets"), 1);
        expected.insert(of(slot, "rx_bytes"), row.bytes.len() as u64);
    } else {
        expected.insert(of(slot, "neighbor_rx_packets"), 1);
    }
    if matches!(row.fate, Fate::Drop(_)) && row.kind == Kind::Data {
        expected.insert(of(slot, "dropped.policy"), 1);
    }
    expected
}

/// The same of the engine at tc: counters, verdict and frame. It delivers by itself, so that
/// there is no order; and that a `--to` device is gone shows only when the kernel sends.
#[track_caller]
fn check_tc(bench: &mut Bench, row: &Row) {
    const ETHERNET: usize = 14;
    // TC_ACT_* of `linux/pkt_cls.h`.
    const UNSPEC: u32 = u32::MAX;
    const OK: u32 = 0;
    const SHOT: u32 = 2;
    const REDIRECT: u32 = 7;
    let Row {
        what,
        bytes,
        tags,
        kind,
        fate,
    } = row;
    if bytes.len() <= ETHERNET {
        // No skb is made of a header alone (`bpf_prog_test_run_skb`).
        return;
    }
    let eth0 = bench.ifindex("eth0");
    let (run, mut risen) = bench.run(names::ALIAS_RX, bytes, Context::tc(eth0));
    // Copies for everybody are the subject of `hear::`; here all devices are down.
    risen.remove(&parent("unheard"));
    let (verdict, cell, slot) = match *fate {
        Fate::Miss => (UNSPEC, "miss", None),
        Fate::Malformed => (UNSPEC, "malformed", None),
        Fate::Drop(slot) => (SHOT, "dropped", Some(slot)),
        Fate::Local(slot) => (UNSPEC, "local", Some(slot)),
        Fate::Device {
            slot, peer: false, ..
        } if *kind == Kind::Answer && *tags == 0 => (OK, "device", Some(slot)),
        Fate::Device { slot, .. } => (REDIRECT, "device", Some(slot)),
        Fate::To { slot, .. } | Fate::NoTarget(slot) | Fate::Lost(slot) => {
            (REDIRECT, "to", Some(slot))
        }
    };
    assert_eq!(run.retval, verdict, "{what}: verdict, to be {fate:?}");
    assert_eq!(
        risen,
        counted(row, cell, slot),
        "{what}: counters, to be {fate:?}"
    );
    let out = match *fate {
        Fate::To { far, .. } => readdressed(bytes, *tags, far),
        Fate::NoTarget(_) => return,
        Fate::Device { .. } => readdressed(bytes, *tags, None),
        _ => bytes.clone(),
    };
    assert_eq!(run.data_out, out, "{what}: the frame after it");
}

fn decode(metadata: &[u8], secret: u64) -> Option<Metadata> {
    let (words, rest) = metadata.as_chunks::<8>();
    match (words, rest) {
        ([first, second], []) => {
            let words = [first, second].map(|word| u64::from_ne_bytes(*word));
            Metadata::from_words(words, secret)
        }
        _ => None,
    }
}

/// Without its tags, and to the far station unless it is a group's.
fn readdressed(bytes: &[u8], tags: u8, far: Option<Mac>) -> Vec<u8> {
    let mut out = [&bytes[..12], &bytes[12 + usize::from(tags) * 4..]].concat();
    if let Some(far) = far
        && out[0] & 1 == 0
    {
        out[..6].copy_from_slice(&far);
    }
    out
}

/// What becomes of a frame for the alias with this number.
#[track_caller]
pub(crate) fn fate(bench: &Bench, family: Family, number: u32) -> Fate {
    let own = slot(family, number);
    let device = |owner, peer| Fate::Device {
        slot: own,
        port: bench.port(slot(family, owner)),
        peer,
    };
    let to = |far: Option<&str>| Fate::To {
        slot: own,
        far: far.map(|end| bench.far(end)),
    };
    match number {
        DEVICE | TAGGED | TWIN => device(number, false),
        DEVICE_ELSEWHERE | TWICE_TAGGED => device(number, true),
        JOIN => device(DEVICE, false),
        TAGGED_JOIN => device(TAGGED, false),
        DROP | TAGGED_DROP => Fate::Drop(own),
        LOCAL => Fate::Local(own),
        TO_VETH => to(Some("v1")),
        TAGGED_TO => to(Some("v3")),
        TWICE_TAGGED_TO => to(Some("v5")),
        TO_TAP => to(None),
        TO_NOWHERE => Fate::NoTarget(own),
        DISABLED_DROP | DISABLED_DEVICE => Fate::Miss,
        other => panic!("no alias number {other}"),
    }
}

/// All ways to tag a frame that mean the alias's VLAN, with the number of tags.
pub(crate) fn tagged(start: &Frame, number: u32) -> Vec<(&'static str, u8, Frame)> {
    // Priority 7, drop eligible.
    const PRIORITY: u16 = 0xf000;
    let tag = |tci| start.clone().tag(ethertype::VLAN, tci);
    let service = |tci| start.clone().tag(ethertype::SERVICE_VLAN, tci);
    match number {
        TAGGED | TAGGED_DROP | TAGGED_TO | TAGGED_JOIN | TWIN => vec![
            ("tag 10", 1, tag(10)),
            ("service tag 10", 1, service(10)),
            ("tag 10 with priority", 1, tag(PRIORITY | 10)),
            ("tag 10 in a priority tag", 2, tag(PRIORITY).vlan(10)),
            ("tag 10 around a priority tag", 2, tag(10).vlan(0)),
        ],
        TWICE_TAGGED | TWICE_TAGGED_TO => vec![
            ("tags 10 and 20", 2, tag(10).vlan(20)),
            ("service tag 10, tag 20", 2, service(10).vlan(20)),
            (
                "tags with priority",
                2,
                service(PRIORITY | 10).tag(ethertype::VLAN, PRIORITY | 20),
            ),
        ],
        _ => vec![
            ("untagged", 0, start.clone()),
            ("a priority tag", 1, tag(PRIORITY)),
            ("a service priority tag", 1, service(0)),
            ("two priority tags", 2, tag(0).vlan(0)),
        ],
    }
}

/// Frames for one alias, the most frequent kinds first.
fn frames_for(family: Family, number: u32, start: &Frame) -> Vec<(&'static str, Kind, Frame)> {
    use Kind::{Answer, Data, Neighbor};
    let start = start.clone();
    match family {
        Family::V4 => {
            let ip = start.clone().ipv4(B_V4, v4(number));
            let gratuitous = start
                .clone()
                .to(BROADCAST)
                .arp_reply(v4(number), v4(number));
            vec![
                ("UDP", Data, ip.clone().udp(1, 2, b"x")),
                (
                    "an ARP request",
                    Neighbor,
                    start.clone().arp_request(B_V4, v4(number)).padded(),
                ),
                (
                    "an ARP reply",
                    Answer,
                    start.clone().arp_reply(B_V4, v4(number)).padded(),
                ),
                ("TCP, padded", Data, ip.clone().tcp(1, 2, 2).padded()),
                (
                    "an echo",
                    Data,
                    ip.clone().echo(Echo::Request, 1, 1, &[7; 900]),
                ),
                (
                    "destination unreachable",
                    Data,
                    ip.clone().icmp(3, 1, [0; 4], &[0; 28]),
                ),
                (
                    "options",
                    Data,
                    ip.clone().options(&[1; 40]).udp(1, 2, b"x"),
                ),
                (
                    "a first fragment",
                    Data,
                    ip.clone().fragment(1, 0, true).udp(1, 2, &[0; 8]),
                ),
                (
                    "a later fragment",
                    Data,
                    ip.clone().fragment(1, 1480, false).payload(17, b"rest"),
                ),
                ("an unknown protocol", Data, ip.payload(255, b"?")),
                (
                    "an ARP probe",
                    Neighbor,
                    start.arp_request(Ipv4Addr::UNSPECIFIED, v4(number)),
                ),
                ("a gratuitous ARP reply", Answer, gratuitous),
            ]
        }
        Family::V6 => {
            let ip = start.clone().ipv6(B_V6, v6(number));
            let ns = start.clone().solicitation(B_V6, v6(number));
            let na = start.clone().advertisement(B_V6, v6(number), B_V6, 0x60);
            let unsolicited = ip.clone().icmp(137, 0, [0; 4], &[0; 32]);
            vec![
                ("UDP", Data, ip.clone().udp(1, 2, b"x")),
                ("a solicitation", Neighbor, ns),
                ("an advertisement", Answer, na),
                ("TCP", Data, ip.clone().tcp(1, 2, 2)),
                (
                    "an echo",
                    Data,
                    ip.clone().echo(Echo::Request, 1, 1, &[7; 900]),
                ),
                (
                    "packet too big",
                    Data,
                    ip.clone().icmp(2, 0, [0, 0, 5, 0], &[0; 48]),
                ),
                ("no next header", Data, ip.clone().payload(59, b"")),
                (
                    "hop-by-hop options",
                    Data,
                    ip.clone().payload(0, &[17, 0, 1, 4, 0, 0, 0, 0, 9]),
                ),
                (
                    "a first fragment",
                    Data,
                    ip.clone().payload(44, &[17, 0, 0, 1, 0, 0, 0, 9, 9]),
                ),
                (
                    "a later fragment",
                    Data,
                    ip.clone().payload(44, &[58, 0, 0, 8, 0, 0, 0, 9, 135]),
                ),
                (
                    "DAD of another",
                    Neighbor,
                    start.solicitation(Ipv6Addr::UNSPECIFIED, v6(number)),
                ),
                (
                    "a router advertisement",
                    Neighbor,
                    ip.icmp(134, 0, [0; 4], &[0; 8]),
                ),
                ("a redirect", Neighbor, unsolicited),
            ]
        }
    }
}

/// Every alias: all frames with its first way of tagging, the first three with
/// the others.
#[test]
fn every_frame_of_an_alias_meets_its_fate() {
    for mode in modes() {
        let mut bench = Bench::new(mode);
        for family in FAMILIES {
            for number in DEVICE..=TWIN {
                let expected = fate(&bench, family, number);
                let ways = tagged(&bench.to_a(), number);
                for (way, (tagging, tags, start)) in ways.into_iter().enumerate() {
                    let frames = frames_for(family, number, &start);
                    let count = if way == 0 { frames.len() } else { 3 };
                    for (what, kind, built) in frames.into_iter().take(count) {
                        let row = Row {
                            what: format!("{mode:?} {family:?} alias {number}, {tagging}, {what}"),
                            bytes: built.build(),
                            tags,
                            kind,
                            fate: expected,
                        };
                        check(&mut bench, &row);
                    }
                }
            }
        }
    }
}

/// A frame of several fragments: its bytes are counted whole, also where its
/// length does not fit its header (RFC 2675, BIG TCP) and is 0 there.
#[test]
fn a_frame_of_several_fragments_is_counted_whole() {
    let mut bench = Bench::new(Mode::Native);
    for family in FAMILIES {
        for number in [
            DEVICE,
            DROP,
            LOCAL,
            TO_VETH,
            TAGGED,
            TAGGED_TO,
            TWICE_TAGGED,
        ] {
            let expected = match fate(&bench, family, number) {
                Fate::To { slot, .. } if !redirects_fragments() => Fate::Lost(slot),
                fate => fate,
            };
            let (_, tags, start) = tagged(&bench.to_a(), number).swap_remove(0);
            let ip = match family {
                Family::V4 => start.ipv4(B_V4, v4(number)),
                Family::V6 => start.ipv6(B_V6, v6(number)),
            };
            let whole = ip.udp(1, 2, &[7; 8000]).build();
            let length_at = 14
                + usize::from(tags) * 4
                + match family {
                    Family::V4 => 2,
                    Family::V6 => 4,
                };
            let mut without = whole.clone();
            without[length_at..][..2].fill(0);
            for (what, bytes) in [("8,000 bytes", whole), ("without length", without)] {
                let row = Row {
                    what: format!("{family:?} alias {number}, {what}"),
                    bytes,
                    tags,
                    kind: Kind::Data,
                    fate: expected,
                };
                check(&mut bench, &row);
            }
        }
    }
}
