//! What an alias may say behind IPv6 extension headers, and from `::`.

use alias_ebpf::network::{Address, Class};
use alias_ebpf::send::{Claim, Refusal, Source};

use crate::send::{DATA_V6, check, from_alias, v6_of};
use crate::wire::*;

type Claims = Result<Claim<'static>, Refusal>;

const OWN_DATA: Claims = Ok(Claim::As(DATA_V6));
const FOREIGN_ND: Claims = Err(Refusal::Address);

/// The headers that lead on, each as it stands before `next`.
const HEADERS: [(&str, u8); 4] = [
    ("hop-by-hop options", HOP_BY_HOP),
    ("a routing header", ROUTING),
    ("a first fragment", FRAGMENT),
    ("destination options", DESTINATION),
];

/// A chain of headers around what they lead to; its first number and its bytes.
fn behind(chain: &[u8], last: u8, payload: &[u8]) -> (u8, Vec<u8>) {
    let lead = |(next, bytes): (u8, Vec<u8>), kind: &u8| {
        let bytes = match *kind {
            FRAGMENT => fragment(next, 0, true, &bytes),
            _ => extension(next, &bytes),
        };
        (*kind, bytes)
    };
    chain.iter().rev().fold((last, payload.to_vec()), lead)
}

fn sent_behind(chain: &[u8], last: u8, payload: &[u8]) -> Vec<u8> {
    let (first, bytes) = behind(chain, last, payload);
    from_alias(first, &bytes)
}

/// What a receiver would take for neighbour discovery (RFC 7113, 2.1), all that
/// an alias may say without the header included.
fn discovery() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "an advertisement",
            neighbour(136, OTHER_V6, &option(2, OTHER)),
        ),
        (
            "its own advertisement",
            neighbour(136, ALIAS_V6, &option(2, OWN)),
        ),
        (
            "a solicitation",
            neighbour(135, OTHER_V6, &option(1, OTHER)),
        ),
        ("its own solicitation", neighbour(135, OTHER_V6, &[])),
        ("a router solicitation", icmpv6(133, &[0; 4])),
        ("a router advertisement", icmpv6(134, &[0; 12])),
        ("a redirect", icmpv6(137, &[0; 36])),
    ]
}

fn echo() -> Vec<u8> {
    icmpv6(128, b"\0\x01\0\x02")
}

#[test]
fn discovery_behind_a_header() {
    for (header, kind) in HEADERS {
        for (what, message) in discovery() {
            let bytes = sent_behind(&[kind], ICMPV6, &message);
            check(&format!("{what} behind {header}"), &bytes, FOREIGN_ND);
        }
        for (what, next, payload, expected) in [
            ("an echo", ICMPV6, echo(), OWN_DATA),
            ("the type before", ICMPV6, icmpv6(132, &[0; 20]), OWN_DATA),
            ("the type after", ICMPV6, icmpv6(138, &[0; 4]), OWN_DATA),
            ("UDP", UDP, b"datagram".to_vec(), OWN_DATA),
            // What looks like an advertisement, and is a datagram.
            (
                "UDP port 34816",
                UDP,
                neighbour(136, ALIAS_V6, &[]),
                OWN_DATA,
            ),
            ("no next header", 59, vec![], OWN_DATA),
            ("ESP", 50, vec![0; 16], OWN_DATA),
            (
                "ICMPv6 of 3 bytes",
                ICMPV6,
                vec![128, 0, 0],
                Err(Refusal::Truncated),
            ),
        ] {
            let bytes = sent_behind(&[kind], next, &payload);
            check(&format!("{what} behind {header}"), &bytes, expected);
        }
    }
}

/// Three headers are read; a fourth that leads on hides what is behind.
#[test]
fn chains_of_headers() {
    let kinds = HEADERS.map(|(_, kind)| kind);
    let nd = neighbour(136, OTHER_V6, &option(2, OTHER));
    let longest = extension(ICMPV6, &[]).len();
    assert_eq!(longest, 8);
    for first in kinds {
        for second in kinds {
            for third in kinds {
                let three = [first, second, third];
                for (chain, what) in [(&three[..2], "two"), (&three[..], "three")] {
                    for (hidden, next, payload, expected) in [
                        ("an advertisement", ICMPV6, &nd[..], FOREIGN_ND),
                        ("an echo", ICMPV6, &echo(), OWN_DATA),
                        ("UDP", UDP, b"datagram", OWN_DATA),
                    ] {
                        let bytes = sent_behind(chain, next, payload);
                        let what = format!("{hidden} behind {what}: {chain:?}");
                        check(&what, &bytes, expected);
                    }
                }
                for fourth in kinds {
                    let four = [first, second, third, fourth];
                    for (hidden, next, payload) in [
                        ("an advertisement", ICMPV6, &nd[..]),
                        ("an echo", ICMPV6, &echo()),
                        ("UDP", UDP, b"datagram"),
                    ] {
                        let bytes = sent_behind(&four, next, payload);
                        let what = format!("{hidden} behind four: {four:?}");
                        check(&what, &bytes, Err(Refusal::Address));
                    }
                }
            }
        }
    }
}

#[test]
fn headers_of_every_length_and_fragments() {
    let nd = neighbour(136, OTHER_V6, &option(2, OTHER));
    let long = |next, units: u8, payload: &[u8]| {
        let rest = vec![0; usize::from(units) * 8 + 6];
        [&[next, units], &rest[..], payload].concat()
    };
    let hop = |bytes: Vec<u8>| from_alias(HOP_BY_HOP, &bytes);
    let cut = |bytes: Vec<u8>, by| bytes[..bytes.len() - by].to_vec();
    let later = |offset| from_alias(FRAGMENT, &fragment(ICMPV6, offset, true, &nd));
    for (what, bytes, expected) in [
        ("ND behind 16 bytes", hop(long(ICMPV6, 1, &nd)), FOREIGN_ND),
        (
            "ND behind 2,048 bytes",
            hop(long(ICMPV6, 255, &nd)),
            FOREIGN_ND,
        ),
        ("an echo behind 16", hop(long(ICMPV6, 1, &echo())), OWN_DATA),
        (
            "ND behind 16 and 24",
            hop(long(DESTINATION, 1, &long(ICMPV6, 2, &nd))),
            FOREIGN_ND,
        ),
        (
            "a header that ends behind the frame",
            hop(with(extension(ICMPV6, &echo()), &[(1, 9)])),
            Err(Refusal::Truncated),
        ),
        (
            "half a header",
            hop(vec![UDP, 0, 1, 4]),
            Err(Refusal::Truncated),
        ),
        (
            "no message behind the header",
            hop(extension(ICMPV6, &[])),
            Err(Refusal::Truncated),
        ),
        (
            "an advertisement without its target",
            cut(hop(extension(ICMPV6, &nd)), 28),
            FOREIGN_ND,
        ),
        // The length is no field of a fragment header: it is always 8 bytes.
        (
            "a fragment header with a length",
            from_alias(
                FRAGMENT,
                &with(fragment(ICMPV6, 0, false, &nd), &[(1, 255)]),
            ),
            FOREIGN_ND,
        ),
        (
            "an atomic fragment (RFC 6946)",
            from_alias(FRAGMENT, &fragment(ICMPV6, 0, false, &nd)),
            FOREIGN_ND,
        ),
        (
            "a first fragment, reserved bits set",
            from_alias(FRAGMENT, &fragment(ICMPV6, 6, true, &nd)),
            FOREIGN_ND,
        ),
        // What a later fragment holds is no header, whatever it looks like.
        ("the second fragment", later(8), OWN_DATA),
        ("the last fragment there can be", later(0xfff8), OWN_DATA),
        (
            "a fragment of UDP",
            from_alias(FRAGMENT, &fragment(UDP, 8, true, b"datagram")),
            OWN_DATA,
        ),
    ] {
        check(what, &bytes, expected);
    }
}

#[test]
fn reports_of_listeners() {
    let report = |kind| icmpv6(kind, &[0; 4]);
    let hop = |next, payload: &[u8]| extension(next, payload);
    let say = |source, to, next, payload: &[u8]| sent(IPV6, &ipv6(source, to, next, payload));
    let anybody = |next, payload: &[u8]| say(UNSPECIFIED, MLDV2_ROUTERS, next, payload);
    // Nobody's alias: the index knows no `::`.
    let unspecified: Claims = Ok(Claim::As(v6_of(&UNSPECIFIED, Class::Data)));
    let mld = |source, to| say(source, to, HOP_BY_HOP, &hop(ICMPV6, &report(143)));
    let nd = neighbour(136, ALIAS_V6, &option(2, OWN));
    let router_alert_twice = hop(HOP_BY_HOP, &hop(ICMPV6, &report(143)));
    for (what, bytes, expected) in [
        (
            "MLDv2 from ::",
            mld(UNSPECIFIED, MLDV2_ROUTERS),
            Ok(Claim::Listener),
        ),
        (
            "MLDv2 behind two headers",
            anybody(HOP_BY_HOP, &router_alert_twice),
            Ok(Claim::Listener),
        ),
        ("to all nodes", mld(UNSPECIFIED, ALL_NODES), unspecified),
        ("to a host", mld(UNSPECIFIED, OTHER_V6), unspecified),
        (
            "to all routers",
            mld(UNSPECIFIED, v6(0xff02, 0, 0, 2)),
            unspecified,
        ),
        (
            "to ff05::16",
            mld(UNSPECIFIED, v6(0xff05, 0, 0, 0x16)),
            unspecified,
        ),
        ("from the alias", mld(ALIAS_V6, MLDV2_ROUTERS), OWN_DATA),
        (
            "from the alias to another group",
            mld(ALIAS_V6, ALL_NODES),
            OWN_DATA,
        ),
        (
            "from a link-local address",
            mld(LINK_LOCAL, MLDV2_ROUTERS),
            Ok(Claim::As(v6_of(&LINK_LOCAL, Class::Data))),
        ),
        (
            "from another",
            mld(OTHER_V6, MLDV2_ROUTERS),
            Ok(Claim::As(Source {
                address: Address::V6(&OTHER_V6),
                class: Class::Data,
            })),
        ),
        (
            "MLDv2 without hop-by-hop options",
            anybody(ICMPV6, &report(143)),
            unspecified,
        ),
        (
            "MLDv2 behind destination options",
            anybody(DESTINATION, &hop(ICMPV6, &report(143))),
            unspecified,
        ),
        (
            "MLDv2 in a fragment",
            anybody(FRAGMENT, &fragment(ICMPV6, 0, false, &report(143))),
            unspecified,
        ),
        (
            "MLDv1",
            anybody(HOP_BY_HOP, &hop(ICMPV6, &report(131))),
            unspecified,
        ),
        (
            "a query",
            anybody(HOP_BY_HOP, &hop(ICMPV6, &report(130))),
            unspecified,
        ),
        (
            "an echo",
            anybody(HOP_BY_HOP, &hop(ICMPV6, &echo())),
            unspecified,
        ),
        (
            "UDP",
            anybody(HOP_BY_HOP, &hop(UDP, b"datagram")),
            unspecified,
        ),
        (
            "UDP that looks like a report",
            anybody(HOP_BY_HOP, &hop(UDP, &report(143))),
            unspecified,
        ),
        ("UDP without header", anybody(UDP, b"datagram"), unspecified),
        (
            "an advertisement",
            anybody(HOP_BY_HOP, &hop(ICMPV6, &nd)),
            FOREIGN_ND,
        ),
        (
            "an advertisement without header",
            anybody(ICMPV6, &nd),
            FOREIGN_ND,
        ),
        (
            "a router advertisement",
            anybody(HOP_BY_HOP, &hop(ICMPV6, &icmpv6(134, &[0; 12]))),
            FOREIGN_ND,
        ),
        (
            "a router advertisement without header",
            anybody(ICMPV6, &icmpv6(134, &[0; 12])),
            FOREIGN_ND,
        ),
        (
            "a report cut off",
            anybody(HOP_BY_HOP, &hop(ICMPV6, &[143, 0, 0])),
            Err(Refusal::Truncated),
        ),
    ] {
        check(what, &bytes, expected);
    }
}
