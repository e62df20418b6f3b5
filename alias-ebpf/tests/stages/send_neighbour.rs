//! What an alias may say in neighbour discovery, and what it may not.

use alias_ebpf::send::{Claim, Refusal};

use crate::send::{DATA_V6, NEIGHBOR_V6, check, from_alias};
use crate::wire::*;

#[test]
fn solicitations() {
    let mine = || option(1, OWN);
    let ask = |options: &[u8]| from_alias(ICMPV6, &neighbour(135, OTHER_V6, options));
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    let good = Ok(Claim::As(NEIGHBOR_V6));
    let dad = |options: &[u8]| {
        let message = neighbour(135, ALIAS_V6, options);
        sent(IPV6, &ipv6(UNSPECIFIED, GROUP, ICMPV6, &message))
    };
    // The payload length stands in bytes 4 and 5 of the IPv6 header.
    let announcing = |len, bytes| with(bytes, &[(19, len)]);
    for (what, bytes, expected) in [
        ("without option", ask(&[]), good),
        ("with the own MAC", ask(&mine()), good),
        (
            "with the own MAC as the target's",
            ask(&option(2, OWN)),
            good,
        ),
        ("with a nonce", ask(&nonce), good),
        (
            "with MAC and nonce",
            ask(&[&mine()[..], &nonce].concat()),
            good,
        ),
        (
            "with nonce and MAC",
            ask(&[&nonce, &mine()[..]].concat()),
            good,
        ),
        (
            "with the own MAC twice",
            ask(&[mine(), mine()].concat()),
            good,
        ),
        (
            "with a foreign MAC",
            ask(&option(1, OTHER)),
            Err(Refusal::Mac),
        ),
        (
            "with a foreign MAC as the target's",
            ask(&option(2, OTHER)),
            Err(Refusal::Mac),
        ),
        (
            "with a foreign MAC second",
            ask(&[mine(), option(1, OTHER)].concat()),
            Err(Refusal::Mac),
        ),
        (
            "with a foreign MAC first",
            ask(&[option(2, OTHER), mine()].concat()),
            Err(Refusal::Mac),
        ),
        (
            "with a foreign MAC behind a nonce",
            ask(&[&nonce, &option(1, OTHER)[..]].concat()),
            Err(Refusal::Mac),
        ),
        (
            "with three options",
            ask(&[mine(), mine(), mine()].concat()),
            Err(Refusal::Address),
        ),
        (
            "with an option of length 0",
            ask(&with(mine(), &[(1, 0)])),
            Err(Refusal::Address),
        ),
        (
            "with an option of length 2",
            ask(&[with(mine(), &[(1, 2)]), vec![0; 8]].concat()),
            Err(Refusal::Address),
        ),
        (
            "with a nonce of length 2",
            ask(&[&[14, 2], &[0; 14][..]].concat()),
            Err(Refusal::Address),
        ),
        (
            "with an unknown option",
            ask(&[5, 1, 0, 0, 0, 0, 5, 220]),
            Err(Refusal::Address),
        ),
        (
            "with half an option",
            ask(&mine()[..4]),
            Err(Refusal::Address),
        ),
        (
            "announcing no option but carrying one",
            announcing(24, ask(&option(1, OTHER))),
            good,
        ),
        (
            "announcing an option that is not there",
            announcing(32, ask(&[])),
            Err(Refusal::Truncated),
        ),
        (
            "announcing less than a message",
            announcing(20, ask(&[])),
            Err(Refusal::Address),
        ),
        (
            "a jumbogram",
            announcing(0, ask(&[])),
            Err(Refusal::Address),
        ),
        (
            "cut off",
            from_alias(ICMPV6, &neighbour(135, OTHER_V6, &[])[..23]),
            Err(Refusal::Truncated),
        ),
        ("DAD", dad(&[]), good),
        ("DAD with a nonce (RFC 7527)", dad(&nonce), good),
        (
            "DAD with a foreign MAC",
            dad(&option(1, OTHER)),
            Err(Refusal::Mac),
        ),
    ] {
        check(what, &bytes, expected);
    }
}

#[test]
fn advertisements_and_routers() {
    let mine = || option(2, OWN);
    let from = |source, to, options: &[u8]| {
        let message = neighbour(136, ALIAS_V6, options);
        sent(IPV6, &ipv6(source, to, ICMPV6, &message))
    };
    let good = Ok(Claim::As(NEIGHBOR_V6));
    let router = |kind, rest: &[u8]| from_alias(ICMPV6, &icmpv6(kind, rest));
    let soliciting = |options: &[u8]| router(133, &[&[0; 4], options].concat());
    for (what, bytes, expected) in [
        ("solicited", from(ALIAS_V6, OTHER_V6, &mine()), good),
        ("unsolicited", from(ALIAS_V6, ALL_NODES, &mine()), good),
        ("without option", from(ALIAS_V6, OTHER_V6, &[]), good),
        (
            "from a link-local address",
            from(LINK_LOCAL, OTHER_V6, &mine()),
            good,
        ),
        (
            "from febf::, link-local too",
            from(v6(0xfebf, 0, 0, 1), OTHER_V6, &mine()),
            good,
        ),
        (
            "from fec0::, which is not",
            from(v6(0xfec0, 0, 0, 1), OTHER_V6, &mine()),
            Err(Refusal::Address),
        ),
        (
            "from a third party",
            from(OTHER_V6, ALL_NODES, &mine()),
            Err(Refusal::Address),
        ),
        (
            "from ::",
            from(UNSPECIFIED, ALL_NODES, &mine()),
            Err(Refusal::Address),
        ),
        (
            "with a foreign MAC",
            from(ALIAS_V6, OTHER_V6, &option(2, OTHER)),
            Err(Refusal::Mac),
        ),
        (
            "with a foreign MAC second",
            from(ALIAS_V6, OTHER_V6, &[mine(), option(2, OTHER)].concat()),
            Err(Refusal::Mac),
        ),
        (
            "with three options",
            from(ALIAS_V6, OTHER_V6, &[mine(), mine(), mine()].concat()),
            Err(Refusal::Address),
        ),
        (
            "cut off",
            from_alias(ICMPV6, &neighbour(136, ALIAS_V6, &[])[..23]),
            Err(Refusal::Truncated),
        ),
        ("a router solicitation", soliciting(&[]), good),
        (
            "a router solicitation with the own MAC",
            soliciting(&option(1, OWN)),
            good,
        ),
        (
            "a router solicitation with a foreign MAC",
            soliciting(&option(1, OTHER)),
            Err(Refusal::Mac),
        ),
        (
            "a router solicitation with another option",
            soliciting(&[5, 1, 0, 0, 0, 0, 5, 220]),
            Err(Refusal::Address),
        ),
        (
            "a router advertisement",
            router(134, &[0; 12]),
            Err(Refusal::Address),
        ),
        (
            "a router advertisement of 4 bytes",
            router(134, &[]),
            Err(Refusal::Address),
        ),
        ("a redirect", router(137, &[0; 36]), Err(Refusal::Address)),
        (
            "the type before them",
            router(132, &[0; 20]),
            Ok(Claim::As(DATA_V6)),
        ),
        (
            "the type after them",
            router(138, &[0; 4]),
            Ok(Claim::As(DATA_V6)),
        ),
    ] {
        check(what, &bytes, expected);
    }
}
