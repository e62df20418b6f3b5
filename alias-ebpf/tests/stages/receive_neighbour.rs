//! Whom a received ARP or ND message is for: its target.

use alias_ebpf::network::{Address, Class};

use crate::receive::Expected::{Malformed, Nobody};
use crate::receive::{check_tagged, found, v6_data};
use crate::wire::*;

#[test]
fn neighbour_discovery() {
    let to_group = |message: &[u8]| ipv6(OTHER_V6, GROUP, ICMPV6, message);
    let to_alias = |message: &[u8]| ipv6(OTHER_V6, ALIAS_V6, ICMPV6, message);
    let asked = found(Class::Neighbor, Address::V6(&ALIAS_V6), 64);
    let router = found(Class::Neighbor, Address::V6(&ALIAS_V6), 44);
    let answer = found(Class::Answer, Address::V6(&ALIAS_V6), 44);
    let source_mac = option(1, OTHER);
    check_tagged(&[
        (
            "a solicitation",
            IPV6,
            to_group(&neighbour(135, ALIAS_V6, &source_mac)),
            asked,
        ),
        (
            "without option",
            IPV6,
            to_group(&neighbour(135, ALIAS_V6, &[])),
            asked,
        ),
        (
            "to the alias itself",
            IPV6,
            to_alias(&neighbour(135, ALIAS_V6, &source_mac)),
            asked,
        ),
        (
            "DAD of another with the same address",
            IPV6,
            ipv6(UNSPECIFIED, GROUP, ICMPV6, &neighbour(135, ALIAS_V6, &[])),
            asked,
        ),
        (
            "a solicitation to the alias for another",
            IPV6,
            to_alias(&neighbour(135, OTHER_V6, &[])),
            found(Class::Neighbor, Address::V6(&OTHER_V6), 64),
        ),
        (
            "a solicitation cut off",
            IPV6,
            to_group(&neighbour(135, ALIAS_V6, &[])[..23]),
            Malformed,
        ),
        (
            "an advertisement",
            IPV6,
            to_alias(&neighbour(136, OTHER_V6, &option(2, OTHER))),
            answer,
        ),
        (
            "an unsolicited advertisement",
            IPV6,
            ipv6(OTHER_V6, ALL_NODES, ICMPV6, &neighbour(136, ALIAS_V6, &[])),
            found(Class::Answer, Address::V6(&ALL_NODES), 44),
        ),
        (
            "a router solicitation",
            IPV6,
            to_alias(&icmpv6(133, &[0; 4])),
            router,
        ),
        (
            "a router advertisement",
            IPV6,
            to_alias(&icmpv6(134, &[0; 12])),
            router,
        ),
        ("a redirect", IPV6, to_alias(&icmpv6(137, &[0; 36])), router),
        (
            "the type before them (MLD done)",
            IPV6,
            to_alias(&icmpv6(132, &[0; 20])),
            v6_data(44),
        ),
        (
            "the type after them",
            IPV6,
            to_alias(&icmpv6(138, &[0; 4])),
            v6_data(44),
        ),
    ]);
}

#[test]
fn arp_messages() {
    let (asker, unknown) = ((OTHER, OTHER_V4), (NO_MAC, ALIAS_V4));
    let request = || arp(1, asker, unknown);
    let asked = found(Class::Neighbor, Address::V4(&ALIAS_V4), 28);
    let answer = found(Class::Answer, Address::V4(&ALIAS_V4), 28);
    let foreign = Nobody { needs: 28 };
    check_tagged(&[
        ("a request", ARP, request(), asked),
        (
            "a padded request",
            ARP,
            [request(), vec![0; 18]].concat(),
            asked,
        ),
        ("a reply", ARP, arp(2, asker, (OWN, ALIAS_V4)), answer),
        (
            "a probe (RFC 5227)",
            ARP,
            arp(1, (OTHER, [0; 4]), unknown),
            asked,
        ),
        (
            "a gratuitous request",
            ARP,
            arp(1, (OTHER, ALIAS_V4), unknown),
            asked,
        ),
        (
            "a gratuitous reply",
            ARP,
            arp(2, (OTHER, ALIAS_V4), (OTHER, ALIAS_V4)),
            answer,
        ),
        ("operation 3", ARP, arp(3, asker, unknown), asked),
        ("operation 0x0102", ARP, arp(0x0102, asker, unknown), asked),
        (
            "for another",
            ARP,
            arp(1, (OTHER, ALIAS_V4), (NO_MAC, OTHER_V4)),
            found(Class::Neighbor, Address::V4(&OTHER_V4), 28),
        ),
        (
            "hardware type 6 (IEEE 802)",
            ARP,
            with(request(), &[(1, 6)]),
            foreign,
        ),
        (
            "hardware type 0x0101",
            ARP,
            with(request(), &[(0, 1)]),
            foreign,
        ),
        (
            "about IPv6",
            ARP,
            with(request(), &[(2, 0x86), (3, 0xdd)]),
            foreign,
        ),
        (
            "hardware addresses of 8 bytes",
            ARP,
            with(request(), &[(4, 8)]),
            foreign,
        ),
        (
            "protocol addresses of 16 bytes",
            ARP,
            with(request(), &[(5, 16)]),
            foreign,
        ),
        ("cut off", ARP, request()[..27].to_vec(), Malformed),
    ]);
}
