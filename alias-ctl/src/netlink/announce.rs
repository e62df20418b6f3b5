//! Telling the neighbours where an address is: gratuitous ARP and unsolicited
//! neighbour advertisements.
//!
//! The frames are built here, not by the kernel, because the addresses are not the
//! parent's own and may be in a VLAN for which it has no device.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const BROADCAST: [u8; 6] = [0xff; 6];
/// Ethernet address of ff02::1 (RFC 2464 section 7).
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

// Ethertypes: IEEE 802 numbers, as in linux/if_ether.h.
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_VLAN_OUTER: u16 = 0x88a8;
/// The VLAN id's bits of a tag (IEEE 802.1Q).
const VLAN_ID: u16 = 0x0fff;

const IPPROTO_ICMPV6: u8 = 58;
/// Hop limit that proves that a frame passed no router (RFC 4861 section 7.1.2).
const HOP_LIMIT: u8 = 255;
/// Bytes of a neighbour advertisement with the target's link-layer address option.
const ADVERTISEMENT: usize = 32;

/// One address to announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// The address.
    pub address: IpAddr,
    /// VLAN id of the outer (or only) tag; 0 is none.
    pub vlan_outer: u16,
    /// VLAN id of the inner tag; 0 is none.
    pub vlan_inner: u16,
}

/// The whole frame of one announcement, without padding and checksum. `mac` is where
/// the address is from now on.
#[must_use]
pub fn frame(mac: [u8; 6], announcement: &Announcement) -> Vec<u8> {
    let destination = match announcement.address {
        IpAddr::V4(_) => BROADCAST,
        IpAddr::V6(_) => ALL_NODES_MAC,
    };
    let mut frame = Vec::with_capacity(94);
    frame.extend(destination);
    frame.extend(mac);
    let tags = match (announcement.vlan_outer, announcement.vlan_inner) {
        (0, id) | (id, 0) => [(0, 0), (ETHERTYPE_VLAN, id)],
        (outer, inner) => [(ETHERTYPE_VLAN_OUTER, outer), (ETHERTYPE_VLAN, inner)],
    };
    for (ethertype, id) in tags.into_iter().filter(|(_, id)| *id != 0) {
        frame.extend(ethertype.to_be_bytes());
        frame.extend((id & VLAN_ID).to_be_bytes());
    }
    match announcement.address {
        IpAddr::V4(address) => arp_announcement(&mut frame, mac, address),
        IpAddr::V6(address) => neighbour_advertisement(&mut frame, mac, address),
    }
    frame
}

/// RFC 826's packet as RFC 5227 section 3 wants it: a request whose sender and
/// target are both the address.
fn arp_announcement(frame: &mut Vec<u8>, mac: [u8; 6], address: Ipv4Addr) {
    frame.extend(ETHERTYPE_ARP.to_be_bytes());
    frame.extend([0, 1]); // hardware type: Ethernet
    frame.extend([0x08, 0x00]); // protocol type: IPv4
    frame.extend([6, 4]); // lengths of their addresses
    frame.extend([0, 1]); // operation: request
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
}

/// RFC 4861 section 7.2.6: to all nodes, with the override flag, so that neighbours
/// replace what they know.
fn neighbour_advertisement(frame: &mut Vec<u8>, mac: [u8; 6], address: Ipv6Addr) {
    frame.extend(ETHERTYPE_IPV6.to_be_bytes());
    frame.extend([0x60, 0, 0, 0]); // version 6
    frame.extend((ADVERTISEMENT as u16).to_be_bytes());
    frame.extend([IPPROTO_ICMPV6, HOP_LIMIT]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());

    let mut message = [0; ADVERTISEMENT];
    message[0] = 136; // neighbour advertisement
    message[4] = 0x20; // override, neither router nor solicited
    message[8..24].copy_from_slice(&address.octets());
    message[24..26].copy_from_slice(&[2, 1]); // target link-layer address, 8 bytes
    message[26..32].copy_from_slice(&mac);
    let checksum = icmpv6_checksum(address, ALL_NODES, &message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    frame.extend(message);
}

/// RFC 4443 section 2.3: the internet checksum of pseudo-header and message, whose
/// own checksum field must be zero. `message` has an even length.
fn icmpv6_checksum(from: Ipv6Addr, to: Ipv6Addr, message: &[u8; ADVERTISEMENT]) -> u16 {
    let words = message
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let mut sum: u32 = (from.segments().into_iter())
        .chain(to.segments())
        .chain([ADVERTISEMENT as u16, u16::from(IPPROTO_ICMPV6)])
        .chain(words)
        .map(u32::from)
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0x02, 0x00, 0x5e, 0x00, 0x53, 0x01];

    fn check(name: &str, address: &str, vlans: (u16, u16), expected: &[&[u8]]) {
        let announcement = Announcement {
            address: address.parse().unwrap(),
            vlan_outer: vlans.0,
            vlan_inner: vlans.1,
        };
        assert_eq!(frame(MAC, &announcement), expected.concat(), "{name}");
    }

    const ARP: [u8; 30] = [
        0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1, //
        0x02, 0x00, 0x5e, 0x00, 0x53, 0x01, 192, 0, 2, 7, //
        0, 0, 0, 0, 0, 0, 192, 0, 2, 7,
    ];

    #[test]
    fn arp_with_up_to_two_tags() {
        let s = |id: u8| [0x88, 0xa8, 0, id];
        let c = |id: u8| [0x81, 0x00, 0, id];
        for (name, vlans, tags) in [
            ("untagged", (0, 0), vec![]),
            ("one tag", (5, 0), c(5).to_vec()),
            ("one tag, given as the inner", (0, 5), c(5).to_vec()),
            ("two tags", (5, 6), [s(5), c(6)].concat()),
            ("only 12 bits", (0xf005, 0), c(5).to_vec()),
        ] {
            check(name, "192.0.2.7", vlans, &[&BROADCAST, &MAC, &tags, &ARP]);
        }
    }

    /// The checksum by hand, in 16-bit words:
    /// source 2001:db8::7       2001 + 0db8 + 0007               = 2dc0
    /// destination ff02::1      ff02 + 0001                      = ff03
    /// length 32, next header   0020 + 003a                      = 005a
    /// type, flags              8800 + 2000                      = a800
    /// target 2001:db8::7                                        = 2dc0
    /// option, address          0201 + 0200 + 5e00 + 5301        = b502
    /// sum 2b7df, folded b7e1, inverted 481e
    #[test]
    fn neighbour_advertisement_with_checksum() {
        let address = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
        let all_nodes = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        check(
            "untagged",
            "2001:db8::7",
            (0, 0),
            &[
                &ALL_NODES_MAC,
                &MAC,
                &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255],
                &address,
                &all_nodes,
                &[136, 0, 0x48, 0x1e, 0x20, 0, 0, 0],
                &address,
                &[2, 1],
                &MAC,
            ],
        );
    }
}
