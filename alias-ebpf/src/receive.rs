//! Which address a received frame is for.
//!
//! No layer above the network layer is needed: fragments and ICMP errors carry
//! the alias as their destination, ARP requests and neighbour solicitations
//! name it as their target.

use crate::link::{EtherType, Link};
use crate::network::{
    self, ARP_REPLY, Address, Class, ICMPV6, IPV6_LEN, NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION, REDIRECT, ROUTER_SOLICITATION,
};
use crate::packet::{Packet, Truncated};

/// The address that a received frame is looked up by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination<'a> {
    /// Destination of IP, target of ARP and of a neighbour solicitation.
    pub address: Address<'a>,
    /// What it counts as.
    pub class: Class,
    /// Where the frame ends according to its headers, in bytes from its start; if that is
    /// past the linear part, the frame has fragments. Headers that give no length (BIG TCP,
    /// jumbograms) count as 65,536 bytes: a linear part is shorter.
    pub end: usize,
}

/// Finds the destination; `None` for a frame of a family that is not built in.
///
/// # Errors
///
/// [`Truncated`] when the frame is shorter than its headers say.
#[inline(always)]
pub fn destination<'a>(
    packet: Packet<'a>,
    link: Link<'a>,
) -> Result<Option<Destination<'a>>, Truncated> {
    match link.ethertype {
        EtherType::IPV4 => ipv4(packet, link.network).map(Some),
        EtherType::IPV6 => ipv6(packet, link.network).map(Some),
        EtherType::ARP => arp(packet, link.network),
        _ => Ok(None),
    }
}

/// Bytes that a 16-bit length announces; 0 in a packet larger than the field.
#[inline(always)]
const fn announced(len: usize) -> usize {
    len.wrapping_sub(1) as u16 as usize + 1
}

/// The destination of an IPv4 packet.
///
/// # Errors
///
/// As for [`destination`].
#[inline(always)]
pub fn ipv4(packet: Packet<'_>, at: usize) -> Result<Destination<'_>, Truncated> {
    let ip = network::ipv4(packet, at)?;
    Ok(Destination {
        address: Address::V4(ip.destination),
        class: Class::Data,
        end: at + announced(ip.total_len),
    })
}

/// The destination of an IPv6 packet, the target of a neighbour solicitation.
///
/// # Errors
///
/// As for [`destination`].
#[inline(always)]
pub fn ipv6(packet: Packet<'_>, at: usize) -> Result<Destination<'_>, Truncated> {
    let ip = network::ipv6(packet, at)?;
    let mut found = Destination {
        address: Address::V6(ip.destination),
        class: Class::Data,
        end: at + IPV6_LEN + announced(ip.payload_len),
    };
    if ip.next_header == ICMPV6 {
        let kind = network::icmpv6_type(packet, at + IPV6_LEN)?;
        if (ROUTER_SOLICITATION..=REDIRECT).contains(&kind) {
            found.class = Class::Neighbor;
        }
        if kind == NEIGHBOR_ADVERTISEMENT {
            found.class = Class::Answer;
        }
        if kind == NEIGHBOR_SOLICITATION {
            found.address = Address::V6(network::nd_target(packet, at + IPV6_LEN)?);
        }
    }
    Ok(found)
}

/// The target of an ARP message; `None` when it is not about IPv4 over Ethernet.
///
/// # Errors
///
/// As for [`destination`].
#[inline(always)]
pub fn arp(packet: Packet<'_>, at: usize) -> Result<Option<Destination<'_>>, Truncated> {
    Ok(network::arp(packet, at)?.map(|arp| Destination {
        address: Address::V4(arp.target),
        class: if arp.operation == ARP_REPLY {
            Class::Answer
        } else {
            Class::Neighbor
        },
        end: 0,
    }))
}
