//! Frames, built and read. Pure: no socket, no namespace.
//!
//! ```text
//! frame().between(src_mac, dst_mac).vlan(10).ipv4(src, dst).udp(1, 2, b"x").build()
//! ```
//!
//! The reader is written independently of the project's own parser, which is
//! what the tests are to judge.

mod build;
mod layers;
mod read;

pub use build::{Echo, Frame, frame, truncations};
pub use read::{Arp, Ip, Seen, read};

/// A MAC address.
pub type Mac = [u8; 6];

/// The broadcast address.
pub const BROADCAST: Mac = [0xff; 6];

/// EtherTypes (IEEE 802, linux/if_ether.h).
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// Customer VLAN tag, 802.1Q.
    pub const VLAN: u16 = 0x8100;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// Service VLAN tag, 802.1ad.
    pub const SERVICE_VLAN: u16 = 0x88a8;
}

/// IP protocol numbers (IANA).
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
}

/// ICMP and ICMPv6 types (RFC 792, RFC 4443, RFC 4861).
pub mod icmp_type {
    /// ICMP echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// ICMP echo request.
    pub const ECHO_REQUEST: u8 = 8;
    /// ICMPv6 echo request.
    pub const V6_ECHO_REQUEST: u8 = 128;
    /// ICMPv6 echo reply.
    pub const V6_ECHO_REPLY: u8 = 129;
    /// Neighbour solicitation.
    pub const SOLICITATION: u8 = 135;
    /// Neighbour advertisement.
    pub const ADVERTISEMENT: u8 = 136;
}

/// ARP operations (RFC 826).
pub mod arp_op {
    /// Who has?
    pub const REQUEST: u16 = 1;
    /// I have.
    pub const REPLY: u16 = 2;
}

/// The internet checksum (RFC 1071) over several pieces, each of which but the
/// last must have an even length.
pub fn checksum(pieces: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for piece in pieces {
        for pair in piece.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
