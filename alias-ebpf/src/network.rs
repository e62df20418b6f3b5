//! The network layer as it is on the wire: IPv4 (RFC 791), IPv6 (RFC 8200),
//! ARP (RFC 826) and neighbour discovery (RFC 4861). Each reader checks what
//! makes the header one of its kind and returns the fields the datapath uses.

use crate::packet::{Packet, Truncated, part, u16_of, u32_of};

/// An address in the packet, in network byte order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Address<'a> {
    /// IPv4.
    V4(&'a [u8; 4]),
    /// IPv6.
    V6(&'a [u8; 16]),
}

/// What the counters tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// The alias's own traffic.
    Data,
    /// ARP and ND, which resolve addresses on the link.
    Neighbor,
    /// ARP replies and neighbour advertisements. Counted as [`Class::Neighbor`].
    Answer,
}

/// The part of an IPv4 header that the datapath reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ipv4<'a> {
    /// Source address.
    pub source: &'a [u8; 4],
    /// Destination address.
    pub destination: &'a [u8; 4],
    /// Header and payload in bytes, as the header says.
    pub total_len: usize,
}

/// Reads an IPv4 header; its options must be there, and are not looked at.
///
/// # Errors
///
/// [`Truncated`] when it is not all there, or is not IPv4's.
#[inline(always)]
pub fn ipv4<'a>(packet: Packet<'a>, at: usize) -> Result<Ipv4<'a>, Truncated> {
    let header = packet.window::<20>(at)?;
    // Nearly every packet: version 4, five words of header.
    if header[0] != 0x45 {
        let header_len = (header[0] & 0xf) as usize * 4;
        if header[0] >> 4 != 4 || header_len < 20 {
            return Err(Truncated);
        }
        packet.window::<0>(at + header_len)?;
    }
    Ok(Ipv4 {
        source: part::<12, 4, _>(header),
        destination: part::<16, 4, _>(header),
        total_len: u16::from_be(u16_of(part::<2, 2, _>(header))) as usize,
    })
}

/// The part of an IPv6 header that the datapath reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ipv6<'a> {
    /// Source address.
    pub source: &'a [u8; 16],
    /// Destination address.
    pub destination: &'a [u8; 16],
    /// Payload length in bytes; 0 for a jumbogram (RFC 2675) or a super-frame.
    pub payload_len: usize,
    /// What follows the fixed header.
    pub next_header: u8,
}

/// Bytes of the fixed IPv6 header.
pub const IPV6_LEN: usize = 40;

/// Reads the fixed IPv6 header.
///
/// # Errors
///
/// [`Truncated`] when it is not all there, or is not IPv6's.
#[inline(always)]
pub fn ipv6<'a>(packet: Packet<'a>, at: usize) -> Result<Ipv6<'a>, Truncated> {
    let header = packet.window::<IPV6_LEN>(at)?;
    if header[0] >> 4 != 6 {
        return Err(Truncated);
    }
    Ok(Ipv6 {
        source: part::<8, 16, _>(header),
        destination: part::<24, 16, _>(header),
        payload_len: u16::from_be(u16_of(part::<4, 2, _>(header))) as usize,
        next_header: header[6],
    })
}

/// An ARP message about IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arp<'a> {
    /// `ar$op`, in network order: 1 asks, 2 answers.
    pub operation: u16,
    /// `ar$sha`.
    pub sender_mac: &'a [u8; 6],
    /// `ar$spa`; all zero in a probe (RFC 5227, 2.1.1).
    pub sender: &'a [u8; 4],
    /// `ar$tpa`.
    pub target: &'a [u8; 4],
}

/// `ares_op$REPLY` of RFC 826, in network order.
pub const ARP_REPLY: u16 = 2u16.to_be();

/// Offset of the sender's MAC in an ARP message.
pub const ARP_SENDER_MAC: usize = 8;

/// Reads an ARP message; `None` when it is not about IPv4 over Ethernet.
///
/// # Errors
///
/// [`Truncated`] when it is not all there.
#[inline(always)]
pub fn arp<'a>(packet: Packet<'a>, at: usize) -> Result<Option<Arp<'a>>, Truncated> {
    let message = packet.window::<28>(at)?;
    // Hardware type Ethernet, protocol IPv4, lengths 6 and 4.
    let kind = u32_of(part::<0, 4, _>(message));
    let lengths = u16_of(part::<4, 2, _>(message));
    if kind != u32::from_ne_bytes([0, 1, 8, 0]) || lengths != u16::from_ne_bytes([6, 4]) {
        return Ok(None);
    }
    Ok(Some(Arp {
        operation: u16_of(part::<6, 2, _>(message)),
        sender_mac: part::<ARP_SENDER_MAC, 6, _>(message),
        sender: part::<14, 4, _>(message),
        target: part::<24, 4, _>(message),
    }))
}

/// `IPPROTO_ICMPV6` of `linux/in6.h`.
pub const ICMPV6: u8 = 58;
/// ICMPv6 types of neighbour discovery (RFC 4861, 4): solicitations and
/// advertisements of routers and neighbours, and redirects.
pub const ROUTER_SOLICITATION: u8 = 133;
/// See [`ROUTER_SOLICITATION`].
pub const NEIGHBOR_SOLICITATION: u8 = 135;
/// See [`ROUTER_SOLICITATION`].
pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
/// See [`ROUTER_SOLICITATION`].
pub const REDIRECT: u8 = 137;

/// Bytes of a neighbour solicitation or advertisement without options.
pub const ND_LEN: usize = 24;

/// The type of an ICMPv6 message. Legitimate ND directly follows the fixed header; what
/// is hidden behind extension headers is found by [`crate::send::claim`].
///
/// # Errors
///
/// [`Truncated`] when there is no type and checksum.
#[inline(always)]
pub fn icmpv6_type(packet: Packet<'_>, at: usize) -> Result<u8, Truncated> {
    Ok(packet.window::<4>(at)?[0])
}

/// The target of a neighbour solicitation or advertisement.
///
/// # Errors
///
/// [`Truncated`] when the message is not all there.
#[inline(always)]
pub fn nd_target<'a>(packet: Packet<'a>, at: usize) -> Result<&'a [u8; 16], Truncated> {
    Ok(part::<8, 16, _>(packet.window::<ND_LEN>(at)?))
}
