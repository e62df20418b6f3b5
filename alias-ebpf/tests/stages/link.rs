//! Ethernet and its tags.

use alias_common::key::Vlan;
use alias_ebpf::link;
use alias_ebpf::packet::{Packet, Truncated};

use crate::wire::{ARP, IPV4, IPV6, LLDP, OTHER, SERVICE_TAG, TAG, frame};

/// What the parser is to find: the VLAN, the number of tags, the EtherType and
/// where the network layer begins.
type Found = (Vlan, u8, u16, usize);

fn parse(bytes: &[u8], stripped: Option<Vlan>) -> Result<Found, Truncated> {
    let found = link::parse(Packet::of(bytes), stripped)?;
    assert_eq!(found.source, &OTHER);
    assert_eq!(found.stripped, stripped.is_some());
    let ethertype = found.ethertype.number();
    Ok((found.vlan, found.tags(), ethertype, found.network))
}

/// The frame as it is, and cut off at every length.
#[track_caller]
fn check(what: &str, bytes: &[u8], stripped: Option<Vlan>, expected: Found) {
    for len in 0..=bytes.len() {
        let wanted = if len < expected.3 {
            Err(Truncated)
        } else {
            Ok(expected)
        };
        assert_eq!(
            parse(&bytes[..len], stripped),
            wanted,
            "{what}: {len} bytes"
        );
    }
}

const fn vlan(outer: u16, inner: u16) -> Vlan {
    Vlan::new(outer, inner)
}

#[test]
fn tags() {
    // Priority 5, drop eligible: the upper bits of a TCI are not the id's.
    const PRIORITY: u16 = 0xb000;
    for (what, tags, ethertype, expected) in [
        ("untagged IPv4", &[][..], IPV4, (vlan(0, 0), 0, IPV4, 14)),
        ("untagged IPv6", &[], IPV6, (vlan(0, 0), 0, IPV6, 14)),
        ("untagged ARP", &[], ARP, (vlan(0, 0), 0, ARP, 14)),
        ("a length, not a type", &[], 46, (vlan(0, 0), 0, 46, 14)),
        ("LLDP", &[], LLDP, (vlan(0, 0), 0, LLDP, 14)),
        ("a tag", &[(TAG, 10)], IPV4, (vlan(10, 0), 1, IPV4, 18)),
        (
            "a tag with priority",
            &[(TAG, PRIORITY | 10)],
            ARP,
            (vlan(10, 0), 1, ARP, 18),
        ),
        (
            "the largest id",
            &[(TAG, 0xffff)],
            IPV6,
            (vlan(4095, 0), 1, IPV6, 18),
        ),
        (
            "a service tag alone",
            &[(SERVICE_TAG, 20)],
            IPV4,
            (vlan(20, 0), 1, IPV4, 18),
        ),
        (
            "a priority tag",
            &[(TAG, 0)],
            IPV4,
            (vlan(0, 0), 1, IPV4, 18),
        ),
        (
            "a priority tag with priority",
            &[(TAG, PRIORITY)],
            IPV6,
            (vlan(0, 0), 1, IPV6, 18),
        ),
        (
            "service and customer tag",
            &[(SERVICE_TAG, 20), (TAG, 10)],
            IPV4,
            (vlan(20, 10), 2, IPV4, 22),
        ),
        (
            "two customer tags",
            &[(TAG, 20), (TAG, 10)],
            IPV6,
            (vlan(20, 10), 2, IPV6, 22),
        ),
        (
            "two service tags",
            &[(SERVICE_TAG, 20), (SERVICE_TAG, 10)],
            ARP,
            (vlan(20, 10), 2, ARP, 22),
        ),
        (
            "customer outside of service",
            &[(TAG, 20), (SERVICE_TAG, 10)],
            IPV4,
            (vlan(20, 10), 2, IPV4, 22),
        ),
        (
            "a priority tag outside",
            &[(TAG, PRIORITY), (TAG, 10)],
            IPV4,
            (vlan(10, 0), 2, IPV4, 22),
        ),
        (
            "a priority tag inside",
            &[(SERVICE_TAG, 20), (TAG, PRIORITY)],
            IPV4,
            (vlan(20, 0), 2, IPV4, 22),
        ),
        (
            "two priority tags",
            &[(TAG, 0), (TAG, 0)],
            IPV6,
            (vlan(0, 0), 2, IPV6, 22),
        ),
        (
            "a third tag is an EtherType",
            &[(SERVICE_TAG, 30), (TAG, 20), (TAG, 10)],
            IPV4,
            (vlan(30, 20), 2, TAG, 22),
        ),
        (
            "so is a third service tag",
            &[(TAG, 0), (TAG, 20), (SERVICE_TAG, 10)],
            IPV4,
            (vlan(20, 0), 2, SERVICE_TAG, 22),
        ),
    ] {
        let bytes = frame(OTHER, tags, ethertype, &[0; 28]);
        check(what, &bytes, None, expected);
        check(what, &bytes[..expected.3], None, expected);
    }
}

#[test]
fn a_stripped_tag_is_the_outermost() {
    for (what, stripped, tags, expected) in [
        ("no other", vlan(10, 0), &[][..], (vlan(10, 0), 0, IPV4, 14)),
        (
            "one in the frame",
            vlan(20, 0),
            &[(TAG, 10)],
            (vlan(20, 10), 1, IPV4, 18),
        ),
        (
            "a priority tag in the frame",
            vlan(20, 0),
            &[(TAG, 0)],
            (vlan(20, 0), 1, IPV4, 18),
        ),
        (
            "a stripped priority tag",
            vlan(0, 0).then(0),
            &[(TAG, 10)],
            (vlan(10, 0), 1, IPV4, 18),
        ),
        (
            "a stripped priority tag alone",
            vlan(0, 0).then(0),
            &[],
            (vlan(0, 0), 0, IPV4, 14),
        ),
        // Three tags in all are one too many, wherever the first of them went.
        (
            "two in the frame",
            vlan(20, 0),
            &[(TAG, 10), (TAG, 5)],
            (vlan(20, 10), 1, TAG, 18),
        ),
        (
            "a service tag and another in the frame",
            vlan(20, 0),
            &[(SERVICE_TAG, 10), (SERVICE_TAG, 5)],
            (vlan(20, 10), 1, SERVICE_TAG, 18),
        ),
        (
            "a priority tag and another in the frame",
            vlan(20, 0),
            &[(TAG, 0), (TAG, 10)],
            (vlan(20, 0), 1, TAG, 18),
        ),
        (
            "a stripped priority tag and two in the frame",
            vlan(0, 0).then(0),
            &[(TAG, 20), (TAG, 10)],
            (vlan(20, 0), 1, TAG, 18),
        ),
        (
            "three in the frame",
            vlan(30, 0),
            &[(SERVICE_TAG, 20), (TAG, 10), (TAG, 5)],
            (vlan(30, 20), 1, TAG, 18),
        ),
    ] {
        let bytes = frame(OTHER, tags, IPV4, &[0; 28]);
        check(what, &bytes, Some(stripped), expected);
    }
}
