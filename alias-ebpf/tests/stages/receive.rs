//! Whom a received frame is for.

use alias_ebpf::network::{Address, Class};
use alias_ebpf::packet::{Packet, Truncated};
use alias_ebpf::receive::{self, Destination};

use crate::wire::*;

/// What a whole frame is to give.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// This, from `needs` bytes of the network layer on.
    Found {
        class: Class,
        address: Address<'static>,
        needs: usize,
    },
    /// No family of ours, from `needs` bytes of the network layer on.
    Nobody { needs: usize },
    /// Too short or inconsistent, at every length.
    Malformed,
}

use Expected::{Found, Malformed, Nobody};

const fn v4_data(needs: usize) -> Expected {
    found(Class::Data, Address::V4(&ALIAS_V4), needs)
}

pub(crate) const fn v6_data(needs: usize) -> Expected {
    found(Class::Data, Address::V6(&ALIAS_V6), needs)
}

pub(crate) const fn found(class: Class, address: Address<'static>, needs: usize) -> Expected {
    Found {
        class,
        address,
        needs,
    }
}

fn destination(bytes: &[u8]) -> Result<Option<Destination<'_>>, Truncated> {
    receive::destination(Packet::of(bytes), parse(bytes)?)
}

/// The frame as it is, and cut off at every length: never another address.
#[track_caller]
fn check(what: &str, bytes: &[u8], expected: Expected) {
    let network = parse(bytes).expect("a whole link layer").network;
    for len in 0..=bytes.len() {
        let what = format!("{what}: {len} of {} bytes", bytes.len());
        let got = destination(&bytes[..len]).map(|d| d.map(|d| (d.class, d.address)));
        let wanted = match expected {
            Found {
                class,
                address,
                needs,
            } if len >= network + needs => Ok(Some((class, address))),
            Nobody { needs } if len >= network + needs => Ok(None),
            _ => Err(Truncated),
        };
        assert_eq!(got, wanted, "{what}");
    }
}

/// The same without a tag, with one, with two.
#[track_caller]
pub(crate) fn check_tagged(rows: &[(&str, u16, Vec<u8>, Expected)]) {
    for tags in [&[][..], &[(TAG, 10)], &[(SERVICE_TAG, 20), (TAG, 10)]] {
        for (what, ethertype, payload, expected) in rows {
            let bytes = frame(OTHER, tags, *ethertype, payload);
            check(&format!("{what}, {} tags", tags.len()), &bytes, *expected);
        }
    }
}

#[test]
fn ipv4_frames() {
    let plain = || ipv4(OTHER_V4, ALIAS_V4, &[], b"datagram");
    let options = |len| ipv4(OTHER_V4, ALIAS_V4, &vec![1; len], b"datagram");
    check_tagged(&[
        ("a datagram", IPV4, plain(), v4_data(20)),
        (
            "without payload",
            IPV4,
            ipv4(OTHER_V4, ALIAS_V4, &[], b""),
            v4_data(20),
        ),
        ("4 bytes of options", IPV4, options(4), v4_data(24)),
        ("40 bytes of options", IPV4, options(40), v4_data(60)),
        (
            "options cut off",
            IPV4,
            options(40)[..59].to_vec(),
            Malformed,
        ),
        ("version 0", IPV4, with(plain(), &[(0, 0x05)]), Malformed),
        ("version 6", IPV4, with(plain(), &[(0, 0x65)]), Malformed),
        ("version 15", IPV4, with(plain(), &[(0, 0xf5)]), Malformed),
        (
            "header length 0",
            IPV4,
            with(plain(), &[(0, 0x40)]),
            Malformed,
        ),
        (
            "header length 16",
            IPV4,
            with(plain(), &[(0, 0x44)]),
            Malformed,
        ),
        (
            "header length 60 in 28 bytes",
            IPV4,
            with(plain(), &[(0, 0x4f)]),
            Malformed,
        ),
        (
            "the first fragment",
            IPV4,
            with(plain(), &[(6, 0x20)]),
            v4_data(20),
        ),
        (
            "a later fragment",
            IPV4,
            with(plain(), &[(6, 0x20), (7, 185)]),
            v4_data(20),
        ),
        (
            "the last fragment",
            IPV4,
            with(plain(), &[(7, 185)]),
            v4_data(20),
        ),
        (
            "a total length of 0 (a super-frame)",
            IPV4,
            with(plain(), &[(2, 0), (3, 0)]),
            v4_data(20),
        ),
        (
            "a total length past the end",
            IPV4,
            with(plain(), &[(2, 0xff)]),
            v4_data(20),
        ),
        ("ICMP", IPV4, with(plain(), &[(9, 1)]), v4_data(20)),
        (
            "an unknown protocol",
            IPV4,
            with(plain(), &[(9, 255)]),
            v4_data(20),
        ),
        (
            "a wrong checksum",
            IPV4,
            with(plain(), &[(10, 0xff)]),
            v4_data(20),
        ),
        (
            "to all stations",
            IPV4,
            ipv4(OTHER_V4, [255; 4], &[], b""),
            found(Class::Data, Address::V4(&[255; 4]), 20),
        ),
    ]);
}

#[test]
fn ipv6_frames() {
    let plain = |next, payload: &[u8]| ipv6(OTHER_V6, ALIAS_V6, next, payload);
    let ns = neighbour(135, OTHER_V6, &[]);
    check_tagged(&[
        ("a datagram", IPV6, plain(UDP, b"datagram"), v6_data(40)),
        ("without payload", IPV6, plain(59, b""), v6_data(40)),
        (
            "version 4",
            IPV6,
            with(plain(UDP, b""), &[(0, 0x40)]),
            Malformed,
        ),
        (
            "version 0",
            IPV6,
            with(plain(UDP, b""), &[(0, 0)]),
            Malformed,
        ),
        (
            "hop-by-hop options",
            IPV6,
            plain(HOP_BY_HOP, &extension(UDP, b"data")),
            v6_data(40),
        ),
        (
            "routing header",
            IPV6,
            plain(43, &extension(UDP, b"data")),
            v6_data(40),
        ),
        // A message behind an extension header is found by its destination alone.
        (
            "a solicitation behind an extension header",
            IPV6,
            plain(HOP_BY_HOP, &extension(ICMPV6, &ns)),
            v6_data(40),
        ),
        (
            "a first fragment",
            IPV6,
            plain(FRAGMENT, &fragment(UDP, 0, true, b"datagram")),
            v6_data(40),
        ),
        (
            "a later fragment",
            IPV6,
            plain(FRAGMENT, &fragment(ICMPV6, 8, false, &ns)),
            v6_data(40),
        ),
        (
            "an echo request",
            IPV6,
            plain(ICMPV6, &icmpv6(128, b"\0\x01\0\x02")),
            v6_data(44),
        ),
        (
            "an echo reply",
            IPV6,
            plain(ICMPV6, &icmpv6(129, b"\0\x01\0\x02")),
            v6_data(44),
        ),
        (
            "packet too big",
            IPV6,
            plain(ICMPV6, &icmpv6(2, &[0; 48])),
            v6_data(44),
        ),
        (
            "ICMPv6 of 3 bytes",
            IPV6,
            plain(ICMPV6, &[128, 0, 0]),
            Malformed,
        ),
        ("ICMPv6 of no bytes", IPV6, plain(ICMPV6, &[]), Malformed),
        (
            "a payload length of 0",
            IPV6,
            with(plain(UDP, b"data"), &[(4, 0), (5, 0)]),
            v6_data(40),
        ),
        (
            "a payload length past the end",
            IPV6,
            with(plain(UDP, b"data"), &[(4, 0xff)]),
            v6_data(40),
        ),
        (
            "to a group",
            IPV6,
            ipv6(OTHER_V6, ALL_NODES, UDP, b""),
            found(Class::Data, Address::V6(&ALL_NODES), 40),
        ),
    ]);
}

#[test]
fn other_ethertypes() {
    let nobody = Nobody { needs: 0 };
    check_tagged(&[
        ("LLDP", LLDP, vec![0; 46], nobody),
        ("nothing behind it", LLDP, vec![], nobody),
        ("a length: 802.3", 46, vec![0; 46], nobody),
        (
            "PPPoE around IPv4",
            0x8864,
            ipv4(OTHER_V4, ALIAS_V4, &[], b""),
            nobody,
        ),
        (
            "MPLS around IPv4",
            0x8847,
            ipv4(OTHER_V4, ALIAS_V4, &[], b""),
            nobody,
        ),
    ]);
    let third = [(SERVICE_TAG, 30), (TAG, 20), (TAG, 10)];
    let bytes = frame(OTHER, &third, IPV4, &ipv4(OTHER_V4, ALIAS_V4, &[], b""));
    check("a third tag", &bytes, nobody);
}

/// Where the headers say that the frame ends, which is what the byte count asks.
#[test]
fn the_end_that_the_headers_announce() {
    let v4 = || ipv4(OTHER_V4, ALIAS_V4, &[], b"datagram");
    let v6 = || ipv6(OTHER_V6, ALIAS_V6, UDP, b"datagram");
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(60, 0);
        bytes
    };
    for (what, bytes, end) in [
        ("IPv4", received(IPV4, &v4()), 14 + 28),
        ("IPv4, padded", padded(received(IPV4, &v4())), 14 + 28),
        (
            "IPv4, longer than it is",
            received(IPV4, &with(v4(), &[(2, 0xff), (3, 0xff)])),
            14 + 65535,
        ),
        // 0 in a packet larger than the field (BIG TCP).
        (
            "IPv4, super-frame",
            received(IPV4, &with(v4(), &[(2, 0), (3, 0)])),
            14 + 65536,
        ),
        (
            "IPv4, super-frame, two tags",
            frame(
                OTHER,
                &[(SERVICE_TAG, 20), (TAG, 10)],
                IPV4,
                &with(v4(), &[(2, 0), (3, 0)]),
            ),
            22 + 65536,
        ),
        (
            "IPv4, shorter than its header",
            received(IPV4, &with(v4(), &[(2, 0), (3, 1)])),
            14 + 1,
        ),
        (
            "IPv4, tagged",
            frame(OTHER, &[(TAG, 10)], IPV4, &v4()),
            18 + 28,
        ),
        ("IPv6", received(IPV6, &v6()), 14 + 48),
        (
            "IPv6, longest",
            received(IPV6, &with(v6(), &[(4, 0xff), (5, 0xff)])),
            54 + 65535,
        ),
        (
            "IPv6, jumbogram",
            received(IPV6, &with(v6(), &[(4, 0), (5, 0)])),
            54 + 65536,
        ),
        (
            "IPv6, two tags",
            frame(OTHER, &[(SERVICE_TAG, 20), (TAG, 10)], IPV6, &v6()),
            22 + 48,
        ),
    ] {
        let found = destination(&bytes).expect("a whole frame");
        assert_eq!(found.expect("a family of ours").end, end, "{what}");
    }
}
