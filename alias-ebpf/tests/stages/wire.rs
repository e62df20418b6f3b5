//! Frames by hand: each function writes one layer, exactly as its RFC draws it.
//! Lengths are filled in, checksums are zero: no stage reads them.

use alias_ebpf::link::{self, Link};
use alias_ebpf::packet::{Packet, Truncated};

/// A MAC address.
pub(crate) type Mac = [u8; 6];

/// The parent's MAC, locally administered.
pub(crate) const OWN: Mac = [0x02, 0, 0, 0, 0, 0x09];
/// Another station's.
pub(crate) const OTHER: Mac = [0x02, 0, 0, 0, 0, 0x66];
/// Nobody's: what an ARP request says of its target.
pub(crate) const NO_MAC: Mac = [0; 6];

/// An alias's address.
pub(crate) const ALIAS_V4: [u8; 4] = [198, 51, 100, 8];
/// Another's.
pub(crate) const OTHER_V4: [u8; 4] = [192, 0, 2, 1];
/// An alias's address.
pub(crate) const ALIAS_V6: [u8; 16] = v6(0x2001, 0xdb8, 5, 8);
/// Another's.
pub(crate) const OTHER_V6: [u8; 16] = v6(0x2001, 0xdb8, 1, 1);
/// A link-local address.
pub(crate) const LINK_LOCAL: [u8; 16] = v6(0xfe80, 0, 0, 0x66);
/// `::`.
pub(crate) const UNSPECIFIED: [u8; 16] = [0; 16];
/// All nodes of the link.
pub(crate) const ALL_NODES: [u8; 16] = v6(0xff02, 0, 0, 1);
/// All MLDv2 routers.
pub(crate) const MLDV2_ROUTERS: [u8; 16] = v6(0xff02, 0, 0, 0x16);
/// The solicited-node group of [`ALIAS_V6`] (RFC 4291, 2.7.1).
pub(crate) const GROUP: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 8];

/// EtherTypes (linux/if_ether.h).
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const TAG: u16 = 0x8100;
pub(crate) const IPV6: u16 = 0x86dd;
pub(crate) const SERVICE_TAG: u16 = 0x88a8;
pub(crate) const LLDP: u16 = 0x88cc;

/// Protocol numbers (IANA).
pub(crate) const HOP_BY_HOP: u8 = 0;
pub(crate) const UDP: u8 = 17;
pub(crate) const ROUTING: u8 = 43;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const ICMPV6: u8 = 58;
pub(crate) const DESTINATION: u8 = 60;

/// An address of four groups: the first three, and the last.
pub(crate) const fn v6(first: u16, second: u16, third: u16, last: u16) -> [u8; 16] {
    let [a, b] = first.to_be_bytes();
    let [c, d] = second.to_be_bytes();
    let [e, f] = third.to_be_bytes();
    let [y, z] = last.to_be_bytes();
    [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, y, z]
}

/// A frame from this station, with (TPID, TCI) tags, outermost first.
pub(crate) fn frame(source: Mac, tags: &[(u16, u16)], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [OWN, source].concat();
    for (tpid, tci) in tags {
        bytes.extend(tpid.to_be_bytes());
        bytes.extend(tci.to_be_bytes());
    }
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// An untagged frame from another station.
pub(crate) fn received(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    frame(OTHER, &[], ethertype, payload)
}

/// An untagged frame from the parent's station.
pub(crate) fn sent(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    frame(OWN, &[], ethertype, payload)
}

/// IPv4 with options (a multiple of 4 bytes) and a payload of UDP's protocol.
pub(crate) fn ipv4(
    source: [u8; 4],
    destination: [u8; 4],
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let header_len = 20 + options.len();
    let mut bytes = vec![0x40 | (header_len / 4) as u8, 0];
    bytes.extend(((header_len + payload.len()) as u16).to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
    bytes.extend(source);
    bytes.extend(destination);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

/// IPv6.
pub(crate) fn ipv6(
    source: [u8; 16],
    destination: [u8; 16],
    next_header: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend([next_header, 255]);
    bytes.extend(source);
    bytes.extend(destination);
    bytes.extend(payload);
    bytes
}

/// An extension header of 8 bytes whose content nobody reads.
pub(crate) fn extension(next_header: u8, payload: &[u8]) -> Vec<u8> {
    [&[next_header, 0, 1, 4, 0, 0, 0, 0], payload].concat()
}

/// A fragment header (RFC 8200, 4.5).
pub(crate) fn fragment(next_header: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let [a, b] = (offset | u16::from(more)).to_be_bytes();
    [&[next_header, 0, a, b, 0, 0, 0, 1], payload].concat()
}

/// An ICMPv6 message.
pub(crate) fn icmpv6(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind, 0, 0, 0], rest].concat()
}

/// A neighbour solicitation (135) or advertisement (136).
pub(crate) fn neighbour(kind: u8, target: [u8; 16], options: &[u8]) -> Vec<u8> {
    icmpv6(kind, &[&[0; 4], &target[..], options].concat())
}

/// A link-layer address option: 1 the source's, 2 the target's.
pub(crate) fn option(kind: u8, mac: Mac) -> Vec<u8> {
    [&[kind, 1], &mac[..]].concat()
}

/// An ARP message about IPv4 over Ethernet (RFC 826).
pub(crate) fn arp(operation: u16, sender: (Mac, [u8; 4]), target: (Mac, [u8; 4])) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4];
    bytes.extend(operation.to_be_bytes());
    for (mac, address) in [sender, target] {
        bytes.extend(mac);
        bytes.extend(address);
    }
    bytes
}

/// The same bytes with another value at these places.
pub(crate) fn with(mut bytes: Vec<u8>, changes: &[(usize, u8)]) -> Vec<u8> {
    for &(at, value) in changes {
        bytes[at] = value;
    }
    bytes
}

/// The link layer of a frame from which nothing was stripped.
pub(crate) fn parse(bytes: &[u8]) -> Result<Link<'_>, Truncated> {
    link::parse(Packet::of(bytes), None)
}
