//! `alias_rx` by golden tables: what no alias owns passes untouched.

use std::net::{Ipv4Addr, Ipv6Addr};

use alias_tests::frame::{BROADCAST, Frame, ethertype, protocol};

use crate::{
    golden_bench::*,
    golden_receive::{Fate, Kind, Row, check},
    scene::modes,
};

fn misses_v4(start: &Frame) -> Vec<(&'static str, Frame)> {
    let data = |start: Frame, to| start.ipv4(B_V4, to).udp(1, 2, b"x");
    let (nobody, parent) = (Ipv4Addr::new(198, 51, 100, 99), Ipv4Addr::new(192, 0, 2, 9));
    let s = || start.clone();
    let arp = |hardware: u8, protocol: [u8; 2], lengths: [u8; 2]| {
        let mut bytes = vec![
            0,
            hardware,
            protocol[0],
            protocol[1],
            lengths[0],
            lengths[1],
            0,
            1,
        ];
        bytes.extend([0; 16]);
        bytes.extend(v4(DROP).octets());
        s().raw(ethertype::ARP, &bytes).padded()
    };
    vec![
        ("nobody", data(s(), nobody)),
        ("the parent", data(s(), parent)),
        ("the address beside an alias", data(s(), v4(TWIN - 1 + 2))),
        (
            "an alias as source only",
            s().ipv4(v4(DROP), parent).udp(1, 2, b"x"),
        ),
        ("broadcast", data(s().to(BROADCAST), Ipv4Addr::BROADCAST)),
        (
            "the network's broadcast",
            data(s().to(BROADCAST), Ipv4Addr::new(198, 51, 100, 255)),
        ),
        (
            "multicast",
            data(s().to([1, 0, 0x5e, 0, 0, 1]), Ipv4Addr::new(224, 0, 0, 1)),
        ),
        ("unspecified", data(s(), Ipv4Addr::UNSPECIFIED)),
        ("ARP for nobody", s().arp_request(B_V4, nobody)),
        ("ARP for the parent", s().arp_request(B_V4, parent)),
        (
            "an ARP reply to the parent from an alias's address",
            s().arp_reply(v4(DROP), parent),
        ),
        ("ARP of IEEE 802 hardware", arp(6, [8, 0], [6, 4])),
        ("ARP about IPv6", arp(1, [0x86, 0xdd], [6, 16])),
        ("ARP with long addresses", arp(1, [8, 0], [8, 4])),
        (
            "ARP for an alias, other VLAN",
            s().vlan(10).arp_request(B_V4, v4(LOCAL)),
        ),
        (
            "ARP for a tagged alias, untagged",
            s().arp_request(B_V4, v4(TAGGED)),
        ),
    ]
}

fn misses_v6(start: &Frame) -> Vec<(&'static str, Frame)> {
    let data = |start: Frame, to| start.ipv6(B_V6, to).udp(1, 2, b"x");
    let parent = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 9);
    let nobody = Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x99);
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let s = || start.clone();
    let groups = || s().to([0x33, 0x33, 0, 0, 0, 1]);
    vec![
        ("nobody", data(s(), nobody)),
        ("the parent", data(s(), parent)),
        (
            "an alias as source only",
            s().ipv6(v6(DROP), parent).udp(1, 2, b"x"),
        ),
        (
            "the IPv4 alias, mapped",
            data(s(), v4(DROP).to_ipv6_mapped()),
        ),
        ("all nodes", data(groups(), all_nodes)),
        ("unspecified", data(s(), Ipv6Addr::UNSPECIFIED)),
        ("a solicitation for nobody", s().solicitation(B_V6, nobody)),
        (
            "a solicitation for the parent",
            s().solicitation(B_V6, parent),
        ),
        (
            "a solicitation to the alias for nobody",
            s().ipv6(B_V6, v6(DROP))
                .icmp(135, 0, [0; 4], &nobody.octets()),
        ),
        (
            "an unsolicited advertisement",
            groups().advertisement(v6(DROP), all_nodes, v6(DROP), 0x20),
        ),
        (
            "a router advertisement",
            groups().ipv6(B_V6, all_nodes).icmp(134, 0, [0; 4], &[0; 8]),
        ),
        (
            "a listener query",
            groups()
                .ipv6(B_V6, all_nodes)
                .payload(0, &[58, 0, 5, 2, 0, 0, 0, 0, 130]),
        ),
        (
            "a solicitation, other VLAN",
            s().vlan(10).solicitation(B_V6, v6(LOCAL)),
        ),
        (
            "a solicitation for a tagged alias, untagged",
            s().solicitation(B_V6, v6(TAGGED)),
        ),
    ]
}

/// Tags that are not the alias's.
fn other_tags(start: &Frame) -> Vec<(String, u32, Frame)> {
    let s = || start.clone();
    let mut rows: Vec<(String, u32, Frame)> = Vec::new();
    let mut row = |what: &str, number, start| rows.push((what.to_owned(), number, start));
    for number in [
        DEVICE,
        DEVICE_ELSEWHERE,
        JOIN,
        LOCAL,
        TO_VETH,
        TO_TAP,
        TO_NOWHERE,
    ] {
        row("VLAN 10", number, s().vlan(10));
        row("VLAN 20 in a priority tag", number, s().vlan(0).vlan(20));
        row("VLAN 10.20", number, s().service_vlan(10).vlan(20));
        row("three priority tags", number, s().vlan(0).vlan(0).vlan(0));
    }
    row("VLAN 11 with its twin on 10", DROP, s().vlan(11));
    row(
        "VLAN 10.20 with its twin on 10",
        DROP,
        s().vlan(10).vlan(20),
    );
    for number in [TAGGED, TAGGED_DROP, TAGGED_TO, TAGGED_JOIN] {
        row("untagged", number, s());
        row("a priority tag", number, s().vlan(0));
        row("VLAN 11", number, s().vlan(11));
        row("VLAN 10 + 1024", number, s().vlan(1034));
        row("VLAN 10.20", number, s().service_vlan(10).vlan(20));
        row("VLAN 20.10", number, s().service_vlan(20).vlan(10));
        row("VLAN 10.10", number, s().service_vlan(10).vlan(10));
        row("a third tag", number, s().vlan(10).vlan(0).vlan(0));
    }
    for number in [TWICE_TAGGED, TWICE_TAGGED_TO] {
        row("untagged", number, s());
        row("VLAN 10", number, s().vlan(10));
        row("VLAN 20", number, s().vlan(20));
        row("VLAN 20.10", number, s().service_vlan(20).vlan(10));
        row("VLAN 10.21", number, s().service_vlan(10).vlan(21));
        row("VLAN 11.20", number, s().service_vlan(11).vlan(20));
        row(
            "a third tag inside",
            number,
            s().service_vlan(10).vlan(20).vlan(30),
        );
        row(
            "a third tag outside",
            number,
            s().vlan(0).service_vlan(10).vlan(20),
        );
    }
    rows
}

#[test]
fn what_is_nobody_s_is_the_parent_s() {
    for mode in modes() {
        let mut bench = Bench::new(mode);
        let start = bench.to_a();
        let mut rows: Vec<(String, Frame)> = Vec::new();
        for (what, built) in [misses_v4(&start), misses_v6(&start)].concat() {
            rows.push((what.to_owned(), built));
        }
        for (what, number, start) in other_tags(&start) {
            let at = format!("alias {number}, {what}");
            let v4 = start.clone().ipv4(B_V4, v4(number)).udp(1, 2, b"x");
            let v6 = start.clone().ipv6(B_V6, v6(number)).udp(1, 2, b"x");
            rows.push((format!("IPv4 {at}"), v4));
            rows.push((format!("IPv6 {at}"), v6));
        }
        for (what, ethertype) in [
            ("LLDP", 0x88cc),
            ("802.3", 46),
            ("PPPoE", 0x8864),
            ("MPLS", 0x8847),
            ("ERSPAN", 0x88be),
            ("type 0", 0),
            ("type 0xffff", 0xffff),
        ] {
            rows.push((what.to_owned(), start.clone().raw(ethertype, &[0x45; 60])));
            let tagged = start.clone().vlan(10).raw(ethertype, &[0x45; 60]);
            rows.push((format!("{what} on VLAN 10"), tagged));
        }
        let empty = start.clone().raw(0x88cc, &[]);
        rows.push(("an Ethernet header alone".to_owned(), empty));
        let experimental = start
            .ipv4(B_V4, v4(DISABLED_DROP))
            .payload(protocol::TCP, &[]);
        rows.push(("a disabled alias, no payload".to_owned(), experimental));
        for (what, built) in rows {
            let row = Row {
                what: format!("{mode:?} {what}"),
                bytes: built.build(),
                tags: 0,
                kind: Kind::Data,
                fate: Fate::Miss,
            };
            check(&mut bench, &row);
        }
    }
}
