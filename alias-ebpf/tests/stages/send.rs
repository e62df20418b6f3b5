//! Whom a sent frame claims to be from, and what is refused. Whether an address
//! is the alias's own is the index's matter, not that of these stages.

use alias_common::key::Vlan;
use alias_ebpf::link;
use alias_ebpf::network::{Address, Class};
use alias_ebpf::packet::{self, Packet, Truncated};
use alias_ebpf::send::{self, Claim, Refusal, Source};

use crate::wire::*;

type Sources = Result<Option<Source<'static>>, Truncated>;
type Claims = Result<Claim<'static>, Refusal>;

fn claim<'a>(bytes: &'a [u8], stripped: Option<Vlan>) -> Result<Claim<'a>, Refusal> {
    let packet = Packet::of(bytes);
    send::claim(
        packet,
        link::parse(packet, stripped)?,
        packet::Mac::of(&OWN),
    )
}

/// The claim of a frame, and of the frame cut off at every length: a truncation
/// is refused, or claims the same.
#[track_caller]
pub(crate) fn check(what: &str, bytes: &[u8], expected: Claims) {
    assert_eq!(claim(bytes, None), expected, "{what}");
    for len in 0..bytes.len() {
        let got = claim(&bytes[..len], None);
        let fine = got == Err(Refusal::Truncated) || got == expected;
        assert!(fine, "{what}: {len} of {} bytes: {got:?}", bytes.len());
    }
}

/// The same for [`send::source`], which refuses nothing.
#[track_caller]
fn check_source(what: &str, bytes: &[u8], expected: Sources) {
    let source = |bytes| send::source(Packet::of(bytes), parse(bytes)?);
    assert_eq!(source(bytes), expected, "{what}");
    for len in 0..bytes.len() {
        let got = source(&bytes[..len]);
        let fine = got == Err(Truncated) || got == expected;
        assert!(fine, "{what}: {len} of {} bytes: {got:?}", bytes.len());
    }
}

const fn v4(address: &'static [u8; 4], class: Class) -> Source<'static> {
    Source {
        address: Address::V4(address),
        class,
    }
}

pub(crate) const fn v6_of(address: &'static [u8; 16], class: Class) -> Source<'static> {
    Source {
        address: Address::V6(address),
        class,
    }
}

const DATA_V4: Source<'static> = v4(&ALIAS_V4, Class::Data);
const NEIGHBOR_V4: Source<'static> = v4(&ALIAS_V4, Class::Neighbor);
pub(crate) const DATA_V6: Source<'static> = v6_of(&ALIAS_V6, Class::Data);
pub(crate) const NEIGHBOR_V6: Source<'static> = v6_of(&ALIAS_V6, Class::Neighbor);

/// An IPv6 packet of the alias.
pub(crate) fn from_alias(next_header: u8, payload: &[u8]) -> Vec<u8> {
    sent(IPV6, &ipv6(ALIAS_V6, OTHER_V6, next_header, payload))
}

#[test]
fn the_source_of_a_frame() {
    let arp_of = |sender, target| arp(1, (OTHER, sender), (NO_MAC, target));
    let nd = |source, kind, target| {
        let message = neighbour(kind, target, &[]);
        received(IPV6, &ipv6(source, ALL_NODES, ICMPV6, &message))
    };
    let router = |kind| {
        received(
            IPV6,
            &ipv6(ALIAS_V6, ALL_NODES, ICMPV6, &icmpv6(kind, &[0; 36])),
        )
    };
    let packet = || ipv4(ALIAS_V4, OTHER_V4, &[], b"datagram");
    let any = v6_of(&UNSPECIFIED, Class::Data);
    for (what, bytes, expected) in [
        ("IPv4", received(IPV4, &packet()), Ok(Some(DATA_V4))),
        (
            "IPv4 with options",
            received(IPV4, &ipv4(ALIAS_V4, OTHER_V4, &[1; 8], b"")),
            Ok(Some(DATA_V4)),
        ),
        (
            "a fragment",
            received(IPV4, &with(packet(), &[(7, 185)])),
            Ok(Some(DATA_V4)),
        ),
        (
            "IPv4 of version 6",
            received(IPV4, &with(packet(), &[(0, 0x65)])),
            Err(Truncated),
        ),
        (
            "IPv6",
            received(IPV6, &ipv6(ALIAS_V6, OTHER_V6, UDP, b"")),
            Ok(Some(DATA_V6)),
        ),
        (
            "IPv6 of version 4",
            received(
                IPV6,
                &with(ipv6(ALIAS_V6, OTHER_V6, UDP, b""), &[(0, 0x45)]),
            ),
            Err(Truncated),
        ),
        (
            "echo",
            received(
                IPV6,
                &ipv6(ALIAS_V6, OTHER_V6, ICMPV6, &icmpv6(128, &[0; 4])),
            ),
            Ok(Some(DATA_V6)),
        ),
        (
            "MLD from ::",
            received(
                IPV6,
                &ipv6(
                    UNSPECIFIED,
                    MLDV2_ROUTERS,
                    HOP_BY_HOP,
                    &extension(ICMPV6, &icmpv6(143, &[0; 4])),
                ),
            ),
            Ok(Some(any)),
        ),
        (
            "a solicitation",
            nd(ALIAS_V6, 135, OTHER_V6),
            Ok(Some(NEIGHBOR_V6)),
        ),
        ("DAD", nd(UNSPECIFIED, 135, ALIAS_V6), Ok(Some(NEIGHBOR_V6))),
        (
            "an advertisement",
            nd(OTHER_V6, 136, ALIAS_V6),
            Ok(Some(NEIGHBOR_V6)),
        ),
        ("a router solicitation", router(133), Ok(Some(NEIGHBOR_V6))),
        ("a router advertisement", router(134), Ok(Some(NEIGHBOR_V6))),
        ("a redirect", router(137), Ok(Some(NEIGHBOR_V6))),
        (
            "ARP",
            received(ARP, &arp_of(ALIAS_V4, OTHER_V4)),
            Ok(Some(NEIGHBOR_V4)),
        ),
        (
            "an ARP probe",
            received(ARP, &arp_of([0; 4], ALIAS_V4)),
            Ok(Some(NEIGHBOR_V4)),
        ),
        (
            "ARP about another hardware",
            received(ARP, &with(arp_of(ALIAS_V4, OTHER_V4), &[(1, 6)])),
            Ok(None),
        ),
        ("LLDP", received(LLDP, &[0; 46]), Ok(None)),
    ] {
        check_source(what, &bytes, expected);
    }
}

#[test]
fn the_station_and_the_tags() {
    let packet = ipv4(ALIAS_V4, OTHER_V4, &[], b"datagram");
    let tagged = |tags: &[(u16, u16)]| frame(OWN, tags, IPV4, &packet);
    let group: Mac = [0x03, 0, 0, 0, 0, 0x09];
    for (what, bytes, expected) in [
        ("the parent's", sent(IPV4, &packet), Ok(Claim::As(DATA_V4))),
        (
            "another's",
            frame(OTHER, &[], IPV4, &packet),
            Err(Refusal::Mac),
        ),
        (
            "nobody's",
            frame(NO_MAC, &[], IPV4, &packet),
            Err(Refusal::Mac),
        ),
        (
            "everybody's",
            frame([0xff; 6], &[], IPV4, &packet),
            Err(Refusal::Mac),
        ),
        (
            "the parent's as a group",
            frame(group, &[], IPV4, &packet),
            Err(Refusal::Mac),
        ),
        ("a tag", tagged(&[(TAG, 10)]), Err(Refusal::Tag)),
        (
            "a service tag",
            tagged(&[(SERVICE_TAG, 10)]),
            Err(Refusal::Tag),
        ),
        ("a priority tag", tagged(&[(TAG, 0)]), Err(Refusal::Tag)),
        (
            "two tags",
            tagged(&[(SERVICE_TAG, 20), (TAG, 10)]),
            Err(Refusal::Tag),
        ),
        ("LLDP", sent(LLDP, &[0; 46]), Ok(Claim::Typed)),
        ("802.3", sent(46, &[0; 46]), Ok(Claim::Typed)),
        ("EAPOL", sent(0x888e, &[0; 46]), Ok(Claim::Typed)),
        (
            "IPv4 of version 6",
            sent(IPV4, &with(packet.clone(), &[(0, 0x65)])),
            Err(Refusal::Truncated),
        ),
    ] {
        check(what, &bytes, expected);
    }
    // A tag that the kernel took out of the frame before is a tag.
    for id in [10, 4095, 0] {
        let stripped = Some(Vlan::NONE.then(id));
        for (what, bytes) in [
            ("alone", sent(IPV4, &packet)),
            ("and one more", tagged(&[(TAG, 20)])),
            ("and a priority tag", tagged(&[(TAG, 0)])),
            ("and two more", tagged(&[(TAG, 20), (TAG, 30)])),
            ("around another's packet", frame(OTHER, &[], IPV4, &packet)),
            ("around LLDP", sent(LLDP, &[0; 46])),
        ] {
            let got = claim(&bytes, stripped);
            assert_eq!(got, Err(Refusal::Tag), "stripped {id} {what}");
        }
    }
}

#[test]
fn arp_claims() {
    let ask = |mac, sender| arp(1, (mac, sender), (NO_MAC, OTHER_V4));
    let own = || ask(OWN, ALIAS_V4);
    let good = Ok(Claim::As(NEIGHBOR_V4));
    for (what, message, expected) in [
        ("a request", own(), good),
        ("padded", [own(), vec![0; 18]].concat(), good),
        ("a reply", arp(2, (OWN, ALIAS_V4), (OTHER, OTHER_V4)), good),
        ("a probe", arp(1, (OWN, [0; 4]), (NO_MAC, ALIAS_V4)), good),
        (
            "an announcement",
            arp(1, (OWN, ALIAS_V4), (NO_MAC, ALIAS_V4)),
            good,
        ),
        (
            "a foreign address",
            ask(OWN, OTHER_V4),
            Ok(Claim::As(v4(&OTHER_V4, Class::Neighbor))),
        ),
        ("a foreign MAC", ask(OTHER, ALIAS_V4), Err(Refusal::Mac)),
        (
            "a reply with a foreign MAC",
            arp(2, (OTHER, ALIAS_V4), (OTHER, OTHER_V4)),
            Err(Refusal::Mac),
        ),
        (
            "a probe with a foreign MAC",
            arp(1, (OTHER, [0; 4]), (NO_MAC, ALIAS_V4)),
            Err(Refusal::Mac),
        ),
        ("no MAC", ask(NO_MAC, ALIAS_V4), Err(Refusal::Mac)),
        (
            "IEEE 802 hardware",
            with(own(), &[(1, 6)]),
            Err(Refusal::Protocol),
        ),
        (
            "about IPv6",
            with(own(), &[(2, 0x86), (3, 0xdd)]),
            Err(Refusal::Protocol),
        ),
        (
            "other lengths",
            with(own(), &[(4, 8), (5, 16)]),
            Err(Refusal::Protocol),
        ),
        ("cut off", own()[..27].to_vec(), Err(Refusal::Truncated)),
    ] {
        check(what, &sent(ARP, &message), expected);
    }
}

#[test]
fn ipv6_claims() {
    let echo = || icmpv6(128, b"\0\x01\0\x02");
    for (what, bytes, expected) in [
        (
            "a datagram",
            from_alias(UDP, b"datagram"),
            Ok(Claim::As(DATA_V6)),
        ),
        (
            "an echo",
            from_alias(ICMPV6, &echo()),
            Ok(Claim::As(DATA_V6)),
        ),
        (
            "a short ICMPv6",
            from_alias(ICMPV6, &echo()[..3]),
            Err(Refusal::Truncated),
        ),
        (
            "version 4",
            with(from_alias(UDP, b""), &[(14, 0x45)]),
            Err(Refusal::Truncated),
        ),
    ] {
        check(what, &bytes, expected);
    }
}

#[test]
fn a_message_that_carries_a_mac() {
    for (what, message, expected) in [
        (
            "a solicitation",
            neighbour(135, OTHER_V6, &option(1, OTHER)),
            true,
        ),
        (
            "an advertisement",
            neighbour(136, OTHER_V6, &option(2, OTHER)),
            true,
        ),
        ("no option", neighbour(135, OTHER_V6, &[]), false),
        (
            "half an option",
            neighbour(135, OTHER_V6, &option(1, OTHER)[..7]),
            false,
        ),
        (
            "a nonce",
            neighbour(135, OTHER_V6, &[14, 1, 0, 0, 0, 0, 0, 0]),
            false,
        ),
        (
            "an option of length 2",
            neighbour(135, OTHER_V6, &with(option(1, OTHER), &[(1, 2)])),
            false,
        ),
        (
            "an echo that looks like one",
            neighbour(128, OTHER_V6, &option(1, OTHER)),
            false,
        ),
    ] {
        assert_eq!(
            send::carries_mac(Packet::of(&message), 0),
            expected,
            "{what}"
        );
    }
}
