//! What a frame for everybody says, and whose address an ARP message claims.

use alias_common::hearer::Sound;
use alias_ebpf::everybody::{Cast, News, news};
use alias_ebpf::packet::Packet;

use crate::wire::*;

const BROADCAST: Mac = [0xff; 6];
const MDNS: Mac = [1, 0, 0x5e, 0, 0, 0xfb];
const ALL_NODES_MAC: Mac = [0x33, 0x33, 0, 0, 0, 1];

/// What is expected: the sound, the address that is claimed, whether it asks.
type Expected = (Option<Sound>, [u8; 4], bool);

const NOTHING: Expected = (None, [0; 4], false);
const MULTICAST: Expected = (Some(Sound::Multicast), [0; 4], false);

#[track_caller]
fn check(what: &str, destination: Mac, cast: Cast, ethertype: u16, payload: &[u8], is: Expected) {
    for tags in [&[][..], &[(TAG, 10)], &[(SERVICE_TAG, 10), (TAG, 20)]] {
        let mut bytes = frame(OTHER, tags, ethertype, payload);
        bytes[..6].copy_from_slice(&destination);
        let link = parse(&bytes).expect("a whole link layer");
        let found = news(Packet::of(&bytes), link, cast);
        let (sound, claimed, asks) = is;
        let expected = News {
            sound,
            claimed: u32::from_ne_bytes(claimed),
            asks,
        };
        assert_eq!(found, expected, "{what} with {tags:x?}");
    }
}

#[test]
fn of_arp() {
    let message = |operation, sender, target| arp(operation, (OTHER, sender), (NO_MAC, target));
    let announced = Some(Sound::Announcement);
    let broadcast = Some(Sound::Broadcast);
    let zero = [0; 4];
    for (what, payload, to_all, to_one) in [
        (
            "a gratuitous request",
            message(1, OTHER_V4, OTHER_V4),
            (announced, OTHER_V4, false),
            (None, OTHER_V4, false),
        ),
        (
            "a gratuitous reply",
            message(2, OTHER_V4, OTHER_V4),
            (announced, OTHER_V4, false),
            (None, OTHER_V4, false),
        ),
        (
            "an answer",
            message(2, OTHER_V4, ALIAS_V4),
            (announced, OTHER_V4, false),
            (None, OTHER_V4, false),
        ),
        (
            "an answer to a probe",
            message(2, ALIAS_V4, zero),
            (announced, ALIAS_V4, false),
            (None, ALIAS_V4, false),
        ),
        (
            "a question",
            message(1, OTHER_V4, ALIAS_V4),
            (broadcast, OTHER_V4, true),
            (None, OTHER_V4, true),
        ),
        (
            "a probe",
            message(1, zero, ALIAS_V4),
            (broadcast, zero, true),
            (None, zero, true),
        ),
        (
            "of another family",
            with(message(1, OTHER_V4, OTHER_V4), &[(2, 0x86)]),
            NOTHING,
            NOTHING,
        ),
        (
            "cut off",
            message(1, OTHER_V4, OTHER_V4)[..27].to_vec(),
            NOTHING,
            NOTHING,
        ),
    ] {
        check(what, BROADCAST, Cast::Broad, ARP, &payload, to_all);
        check(what, MDNS, Cast::Multi, ARP, &payload, to_all);
        check(what, OWN, Cast::Uni, ARP, &payload, to_one);
    }
}

#[test]
fn of_all_else() {
    let to_nodes = |message: &[u8]| ipv6(LINK_LOCAL, ALL_NODES, ICMPV6, message);
    let advertised = to_nodes(&neighbour(136, OTHER_V6, &option(2, OTHER)));
    let announced = (Some(Sound::Announcement), [0; 4], false);
    let broadcast = (Some(Sound::Broadcast), [0; 4], false);
    for (what, destination, cast, ethertype, payload, expected) in [
        (
            "an advertisement",
            ALL_NODES_MAC,
            Cast::Multi,
            IPV6,
            advertised.clone(),
            announced,
        ),
        ("to one", OWN, Cast::Uni, IPV6, advertised.clone(), NOTHING),
        (
            "a solicitation",
            ALL_NODES_MAC,
            Cast::Multi,
            IPV6,
            to_nodes(&neighbour(135, OTHER_V6, &option(1, OTHER))),
            MULTICAST,
        ),
        (
            "a router",
            ALL_NODES_MAC,
            Cast::Multi,
            IPV6,
            to_nodes(&icmpv6(134, &[0; 12])),
            MULTICAST,
        ),
        (
            "UDP with 136 where a type would be",
            ALL_NODES_MAC,
            Cast::Multi,
            IPV6,
            ipv6(LINK_LOCAL, ALL_NODES, UDP, &[136, 0, 0, 0]),
            MULTICAST,
        ),
        (
            "IPv6 cut off",
            ALL_NODES_MAC,
            Cast::Multi,
            IPV6,
            advertised[..40].to_vec(),
            MULTICAST,
        ),
        (
            "IPv4",
            MDNS,
            Cast::Multi,
            IPV4,
            ipv4(OTHER_V4, [224, 0, 0, 251], &[], &[0; 8]),
            MULTICAST,
        ),
        (
            "IPv4",
            BROADCAST,
            Cast::Broad,
            IPV4,
            ipv4(OTHER_V4, [255; 4], &[], &[0; 8]),
            broadcast,
        ),
        (
            "IPv4",
            OWN,
            Cast::Uni,
            IPV4,
            ipv4(OTHER_V4, ALIAS_V4, &[], &[0; 8]),
            NOTHING,
        ),
        (
            "LLDP",
            [1, 0x80, 0xc2, 0, 0, 0x0e],
            Cast::Multi,
            LLDP,
            vec![0; 46],
            NOTHING,
        ),
        (
            "STP",
            [1, 0x80, 0xc2, 0, 0, 0],
            Cast::Multi,
            38,
            vec![0; 46],
            NOTHING,
        ),
        (
            "GVRP's neighbour",
            [1, 0x80, 0xc2, 0, 0, 0x10],
            Cast::Multi,
            38,
            vec![0; 46],
            MULTICAST,
        ),
        (
            "of somebody's",
            [1, 0x80, 0xc2, 0, 1, 0],
            Cast::Multi,
            38,
            vec![0; 46],
            MULTICAST,
        ),
    ] {
        check(what, destination, cast, ethertype, &payload, expected);
    }
}
