//! `alias_rx` on frames that end early or contradict themselves: malformed, and
//! the parent's, until the address that decides is all there.

use alias_tests::frame::{Echo, Frame, ethertype};

use crate::{
    golden_bench::*,
    golden_receive::{Fate, Kind, Row, check, fate, tagged},
    scene::{FAMILIES, Family, modes},
};

/// The shortest frame that the kernel takes for a test run: an Ethernet header.
const SHORTEST: usize = 14;

/// Frames for an alias: how many bytes of the network layer decide.
fn frames_for(
    family: Family,
    number: u32,
    start: Frame,
) -> Vec<(&'static str, Kind, usize, Frame)> {
    use Kind::{Answer, Data, Neighbor};
    match family {
        Family::V4 => {
            let ip = start.clone().ipv4(B_V4, v4(number));
            let options = ip.clone().options(&[1; 40]);
            vec![
                ("UDP", Data, 20, ip.udp(1, 2, b"x")),
                ("options", Data, 60, options.udp(1, 2, b"x")),
                (
                    "an ARP request",
                    Neighbor,
                    28,
                    start.clone().arp_request(B_V4, v4(number)),
                ),
                (
                    "an ARP reply",
                    Answer,
                    28,
                    start.arp_reply(B_V4, v4(number)),
                ),
            ]
        }
        Family::V6 => {
            let ip = start.clone().ipv6(B_V6, v6(number));
            let na = start.clone().advertisement(B_V6, v6(number), B_V6, 0x60);
            vec![
                ("UDP", Data, 40, ip.clone().udp(1, 2, b"x")),
                ("an echo", Data, 44, ip.echo(Echo::Request, 1, 1, b"x")),
                (
                    "a solicitation",
                    Neighbor,
                    64,
                    start.solicitation(B_V6, v6(number)),
                ),
                ("an advertisement", Answer, 44, na),
            ]
        }
    }
}

/// Each frame cut off at every length, without tags, with one, with two.
#[test]
fn a_frame_cut_off_is_malformed_until_its_address_is_there() {
    for mode in modes() {
        let mut bench = Bench::new(mode);
        for family in FAMILIES {
            for number in [DROP, TAGGED_TO, TWICE_TAGGED] {
                let hit = fate(&bench, family, number);
                let ways = tagged(&bench.to_a(), number);
                let (_, tags, start) = ways.into_iter().last().expect("at least one");
                for (what, kind, needs, built) in frames_for(family, number, start) {
                    let bytes = built.build();
                    let needs = SHORTEST + usize::from(tags) * 4 + needs;
                    for len in SHORTEST..=bytes.len() {
                        let row = Row {
                            what: format!(
                                "{mode:?} {family:?} alias {number}, {what}: {len} bytes"
                            ),
                            bytes: bytes[..len].to_vec(),
                            tags,
                            kind,
                            fate: if len < needs { Fate::Malformed } else { hit },
                        };
                        check(&mut bench, &row);
                    }
                }
            }
        }
    }
}

/// Frames for the alias that drops: were they taken for what they say they
/// are, they would not pass.
#[test]
fn a_frame_that_contradicts_itself_is_malformed() {
    for mode in modes() {
        let mut bench = Bench::new(mode);
        let start = bench.to_a();
        let v4 = start.clone().ipv4(B_V4, v4(DROP)).udp(1, 2, b"x");
        let v6 = start.clone().ipv6(B_V6, v6(DROP)).udp(1, 2, b"x");
        let icmpv6 = |kind, rest: &[u8]| {
            let ip = start.clone().ipv6(B_V6, crate::golden_bench::v6(DROP));
            ip.payload(58, &[&[kind], rest].concat()).build()
        };
        let padded_v4 = v4.clone().padded().build();
        let rewritten = |built: &Frame, at: usize, value: u8| {
            let mut bytes = built.clone().build();
            bytes[at] = value;
            bytes
        };
        let raw = |ethertype, bytes: &[u8]| start.clone().raw(ethertype, bytes).build();
        for (what, bytes) in [
            ("IPv4, version 0", rewritten(&v4, 14, 0x05)),
            ("IPv4, version 5", rewritten(&v4, 14, 0x55)),
            ("IPv4, version 6", rewritten(&v4, 14, 0x65)),
            ("IPv4, header length 0", rewritten(&v4, 14, 0x40)),
            ("IPv4, header length 16", rewritten(&v4, 14, 0x44)),
            (
                "IPv4, header length 60 in 29 bytes",
                rewritten(&v4, 14, 0x4f),
            ),
            ("IPv6, version 0", rewritten(&v6, 14, 0x00)),
            ("IPv6, version 4", rewritten(&v6, 14, 0x45)),
            ("IPv6, version 15", rewritten(&v6, 14, 0xf0)),
            (
                "an IPv6 packet as IPv4",
                raw(ethertype::IPV4, &v6.clone().build()[14..]),
            ),
            (
                "an IPv4 packet as IPv6",
                raw(ethertype::IPV6, &padded_v4[14..]),
            ),
            ("ICMPv6 of no bytes", v6.payload(58, &[]).build()),
            ("ICMPv6 of 3 bytes", icmpv6(128, &[0, 0])),
            ("a solicitation without target", icmpv6(135, &[0; 7])),
            ("a solicitation of 23 bytes", icmpv6(135, &[0; 22])),
            ("IPv4 of no bytes", raw(ethertype::IPV4, &[])),
            ("IPv6 of no bytes", raw(ethertype::IPV6, &[])),
            ("ARP of no bytes", raw(ethertype::ARP, &[])),
            ("a tag of no bytes", raw(ethertype::VLAN, &[])),
            ("half a tag", raw(ethertype::VLAN, &[0, 10, 8])),
            (
                "half a second tag",
                raw(ethertype::SERVICE_VLAN, &[0, 10, 0x81, 0, 0]),
            ),
            (
                "a tag with nothing behind",
                raw(ethertype::VLAN, &[0, 10, 8, 0]),
            ),
        ] {
            let row = Row {
                what: format!("{mode:?} {what}"),
                bytes,
                tags: 0,
                kind: Kind::Data,
                fate: Fate::Malformed,
            };
            check(&mut bench, &row);
        }
    }
}
