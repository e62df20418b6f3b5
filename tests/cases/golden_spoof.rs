//! `alias_tx` by golden tables: what an alias device may not say is dropped,
//! and counted for the owner of the device.

use std::net::{Ipv4Addr, Ipv6Addr};

use alias_tests::{
    Mode,
    frame::{Frame, Mac, arp_op, ethertype},
};

use crate::{
    golden_bench::*,
    golden_receive::Kind::Data,
    golden_send::{
        EXTENSIONS,
        Fate::{Sent, Spoof},
        SENDERS, behind, check, own_frames,
    },
    scene::{FAMILIES, Family},
};

const FOREIGN: Mac = [2, 0, 0, 0, 0, 0x66];

/// What an alias may not send, whose own addresses are these.
fn forged(s: &Frame, number: u32) -> Vec<(&'static str, Frame)> {
    let foreign = s.clone().between(FOREIGN, [2, 0, 0, 0, 0, 1]);
    let s = || s.clone();
    let (own4, own6) = (v4(number), v6(number));
    let (other4, other6) = (
        Ipv4Addr::new(198, 51, 100, 99),
        Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x99),
    );
    let parent4 = Ipv4Addr::new(192, 0, 2, 9);
    // On the VLAN of the twin, that address is the twin's.
    let on_vlan = matches!(number, TAGGED | TAGGED_JOIN | TWIN);
    let dropping = if on_vlan { TAGGED_DROP } else { DROP };
    let mac = |s: &Frame| {
        let bytes: [u8; 12] = s.clone().build()[..12].try_into().expect("two stations");
        let [.., a, b, c, d, e, f] = bytes;
        [a, b, c, d, e, f]
    };
    let station = mac(&s());
    let nd = |kind, source, target: Ipv6Addr, options: &[u8]| {
        let message = [&target.octets()[..], options].concat();
        s().ipv6(source, B_V6).icmp(kind, 0, [0; 4], &message)
    };
    let option = |kind: u8, mac: Mac| [&[kind, 1], &mac[..]].concat();
    let arp = |operation, sender| s().arp(operation, sender, ([0; 6], B_V4));
    let router = |kind| s().ipv6(own6, B_V6).icmp(kind, 0, [0; 4], &[0; 32]);
    vec![
        (
            "a foreign IPv4 source",
            s().ipv4(other4, B_V4).udp(1, 2, b"x"),
        ),
        (
            "the parent's IPv4 source",
            s().ipv4(parent4, B_V4).udp(1, 2, b"x"),
        ),
        (
            "the source of a dropping alias",
            s().ipv4(v4(dropping), B_V4).udp(1, 2, b"x"),
        ),
        (
            "the source of a local alias",
            s().ipv4(v4(LOCAL), B_V4).udp(1, 2, b"x"),
        ),
        (
            "the source of a `to` alias",
            s().ipv4(v4(TO_VETH), B_V4).udp(1, 2, b"x"),
        ),
        (
            "the source of a disabled alias",
            s().ipv4(v4(DISABLED_DEVICE), B_V4).udp(1, 2, b"x"),
        ),
        (
            "no IPv4 source",
            s().ipv4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST)
                .udp(68, 67, b"x"),
        ),
        (
            "a foreign fragment",
            s().ipv4(other4, B_V4)
                .fragment(1, 8, true)
                .payload(17, b"rest"),
        ),
        (
            "a foreign IPv6 source",
            s().ipv6(other6, B_V6).udp(1, 2, b"x"),
        ),
        (
            "no IPv6 source",
            s().ipv6(Ipv6Addr::UNSPECIFIED, B_V6).udp(1, 2, b"x"),
        ),
        (
            "a foreign station, IPv4",
            foreign.clone().ipv4(own4, B_V4).udp(1, 2, b"x"),
        ),
        (
            "a foreign station, IPv6",
            foreign.clone().ipv6(own6, B_V6).udp(1, 2, b"x"),
        ),
        (
            "a foreign station, ARP",
            foreign.clone().arp_request(own4, B_V4),
        ),
        (
            "a foreign ARP sender",
            arp(arp_op::REQUEST, (station, other4)),
        ),
        (
            "a foreign ARP sender's reply",
            arp(arp_op::REPLY, (station, other4)),
        ),
        (
            "a foreign MAC in ARP",
            arp(arp_op::REQUEST, (FOREIGN, own4)),
        ),
        (
            "a foreign MAC in an ARP reply",
            arp(arp_op::REPLY, (FOREIGN, own4)),
        ),
        (
            "an ARP probe for another",
            s().arp_request(Ipv4Addr::UNSPECIFIED, other4),
        ),
        (
            "ARP of IEEE 802 hardware",
            s().raw(ethertype::ARP, &[0, 6, 8, 0, 6, 4, 0, 1]).padded(),
        ),
        ("a foreign solicitation", nd(135, other6, B_V6, &[])),
        (
            "DAD for another",
            s().solicitation(Ipv6Addr::UNSPECIFIED, other6),
        ),
        (
            "a foreign MAC in a solicitation",
            nd(135, own6, B_V6, &option(1, FOREIGN)),
        ),
        (
            "a foreign MAC second",
            nd(
                135,
                own6,
                B_V6,
                &[option(1, station), option(1, FOREIGN)].concat(),
            ),
        ),
        (
            "three options",
            nd(135, own6, B_V6, &option(1, station).repeat(3)),
        ),
        (
            "an option of length 0",
            nd(135, own6, B_V6, &[1, 0, 2, 0, 0, 0, 0, 9]),
        ),
        (
            "a foreign target",
            nd(136, own6, other6, &option(2, station)),
        ),
        (
            "a third party's advertisement",
            nd(136, other6, own6, &option(2, station)),
        ),
        (
            "a foreign MAC in an advertisement",
            nd(136, own6, own6, &option(2, FOREIGN)),
        ),
        (
            "an advertisement from ::",
            nd(136, Ipv6Addr::UNSPECIFIED, own6, &option(2, station)),
        ),
        ("a router advertisement", router(134)),
        ("a redirect", router(137)),
        (
            "a foreign MAC in a router solicitation",
            s().ipv6(own6, B_V6)
                .icmp(133, 0, [0; 4], &option(1, FOREIGN)),
        ),
        ("a tag", s().vlan(10).ipv4(own4, B_V4).udp(1, 2, b"x")),
        (
            "a priority tag",
            s().vlan(0).ipv4(own4, B_V4).udp(1, 2, b"x"),
        ),
        (
            "two tags",
            s().service_vlan(10)
                .vlan(20)
                .ipv4(own4, B_V4)
                .udp(1, 2, b"x"),
        ),
        ("LLDP", s().raw(0x88cc, &[0; 46])),
        ("spanning tree", s().raw(38, &[0x42, 0x42, 3]).padded()),
        (
            "a solicitation cut off",
            s().ipv6(own6, B_V6)
                .payload(58, &[135, 0, 0, 0, 0, 0, 0, 0]),
        ),
    ]
}

/// What extension headers hide, in a packet of the alias's own.
fn hidden(s: &Frame, number: u32) -> Vec<(String, Frame)> {
    let own = v6(number);
    let discovery = |kind: u8, target: Ipv6Addr| {
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0], &target.octets()[..]].concat();
        [message, [&[2, 1], &FOREIGN[..]].concat()].concat()
    };
    let other = Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x99);
    let mut rows = Vec::new();
    let mut row = |what: String, chain: &[u8], last, payload: &[u8]| {
        let (first, bytes) = behind(chain, last, payload);
        rows.push((what, s.clone().ipv6(own, B_V6).payload(first, &bytes)));
    };
    for kind in EXTENSIONS {
        for (what, message) in [
            ("an advertisement", discovery(136, other)),
            ("its own advertisement", discovery(136, own)),
            ("a solicitation", discovery(135, B_V6)),
            ("a router solicitation", vec![133, 0, 0, 0, 0, 0, 0, 0]),
            ("a router advertisement", discovery(134, other)),
            ("a redirect", discovery(137, other)),
        ] {
            row(format!("{what} behind {kind}"), &[kind], 58, &message);
            let chain = [kind, 60, kind];
            row(format!("{what} behind {chain:?}"), &chain, 58, &message);
        }
        for (what, last) in [("an echo", 58), ("UDP", 17)] {
            let chain = [kind, 60, 60, kind];
            row(format!("{what} behind {chain:?}"), &chain, last, &[128; 8]);
        }
    }
    rows
}

/// What is no listener's report, from `::`.
fn no_reports(s: &Frame, number: u32) -> Vec<(&'static str, Frame)> {
    let group = |last| Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, last);
    let report = |kind: u8| [kind, 0, 0, 0, 0, 0, 0, 0];
    let advertisement = [&[136, 0, 0, 0, 0, 0, 0, 0], &v6(number).octets()[..]].concat();
    let say = |to, chain: &[u8], last, payload: &[u8]| {
        let (first, bytes) = behind(chain, last, payload);
        let start = s.clone().ipv6(Ipv6Addr::UNSPECIFIED, to);
        start.payload(first, &bytes)
    };
    let anybody = |chain: &[u8], last, payload: &[u8]| say(group(0x16), chain, last, payload);
    vec![
        ("UDP from ::", anybody(&[], 17, &[0; 8])),
        ("UDP behind a header from ::", anybody(&[0], 17, &[0; 8])),
        ("UDP 143 from ::", anybody(&[0], 17, &report(143))),
        ("an echo from ::", anybody(&[0], 58, &report(128))),
        (
            "an advertisement from ::, hidden",
            anybody(&[0], 58, &advertisement),
        ),
        (
            "a router advertisement from ::",
            anybody(&[], 58, &report(134)),
        ),
        (
            "a router advertisement from ::, hidden",
            anybody(&[0], 58, &report(134)),
        ),
        ("a query", anybody(&[0], 58, &report(130))),
        ("MLDv1 from ::", anybody(&[0], 58, &report(131))),
        ("a report without header", anybody(&[], 58, &report(143))),
        (
            "a report behind destination options",
            anybody(&[60], 58, &report(143)),
        ),
        ("a report in a fragment", anybody(&[44], 58, &report(143))),
        (
            "a report to all nodes",
            say(group(1), &[0], 58, &report(143)),
        ),
        ("a report to a host", say(B_V6, &[0], 58, &report(143))),
        (
            "a report from another",
            s.clone()
                .ipv6(B_V6, group(0x16))
                .payload(0, &behind(&[0], 58, &report(143)).1),
        ),
    ]
}

/// Whether a device may speak for another's alias: both are in one namespace, on one
/// VLAN.
fn are_kin(one: u32, other: u32) -> bool {
    [[TAGGED, TWIN]]
        .iter()
        .any(|kin| kin.contains(&one) && kin.contains(&other))
}

/// At ports with no tag, with one, with two. What is an alias of the same namespace and
/// VLAN is sent, and counted for that alias; the routes of a namespace choose among its
/// devices.
#[test]
fn an_alias_speaks_for_those_of_its_namespace_alone() {
    let mut bench = Bench::new(Mode::Native);
    for family in FAMILIES {
        for (port, number, inner) in SENDERS {
            let at = slot(family, port);
            for (what, built) in forged(&bench.to_b(), number) {
                let what = format!("at the port of {family:?} alias {port}: {what}");
                check(&mut bench, &what, at, &built, None, Spoof);
            }
            for (what, built) in hidden(&bench.to_b(), number) {
                let what = format!("at the port of {family:?} alias {port}: {what}");
                check(&mut bench, &what, at, &built, None, Spoof);
            }
            for (what, built) in no_reports(&bench.to_b(), number) {
                let what = format!("at the port of {family:?} alias {port}: {what}");
                check(&mut bench, &what, at, &built, None, Spoof);
            }
            // Those of other devices, and an alias of the other family.
            for (other, _, _) in SENDERS.into_iter().filter(|(other, ..)| *other != port) {
                let what = format!("alias {other} at the port of {family:?} alias {port}");
                let built = match family {
                    Family::V4 => bench.to_b().ipv4(v4(other), B_V4).udp(1, 2, b"x"),
                    Family::V6 => bench.to_b().ipv6(v6(other), B_V6).udp(1, 2, b"x"),
                };
                let fate = match are_kin(port, other) {
                    true => Sent(slot(family, other), Data),
                    false => Spoof,
                };
                check(&mut bench, &what, at, &built, None, fate);
                let built = match family {
                    Family::V4 => bench.to_b().ipv6(v6(number), B_V6).udp(1, 2, b"x"),
                    Family::V6 => bench.to_b().ipv4(v4(number), B_V4).udp(1, 2, b"x"),
                };
                // Its twin of the other family is in the same namespace, on the same VLAN.
                let twin = match family {
                    Family::V4 => Family::V6,
                    Family::V6 => Family::V4,
                };
                let what = format!("the other family, {what}");
                let fate = Sent(slot(twin, number), Data);
                check(&mut bench, &what, at, &built, inner, fate);
            }
        }
        let at = slot(family, DISABLED_DEVICE);
        for (what, _, built) in own_frames(family, DISABLED_DEVICE, &bench.to_b()) {
            check(
                &mut bench,
                &format!("{family:?} disabled, {what}"),
                at,
                &built,
                None,
                Spoof,
            );
        }
    }
}
