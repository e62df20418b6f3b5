//! Whom a received frame is for.
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

/// The address that decides a frame's fate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination<'a> {
    /// Destination of IP, target of ARP and of a neighbour solicitation.
    pub address: Address<'a>,
    /// What it counts as.
    pub class: Class,
    /// Where the frame ends by what its headers say, in bytes from its start;
    /// past the linear part, the frame has fragments. `usize::MAX`: unknown.
    pub end: usize,
}

/// Finds the destination; `None` for a frame of no family that is built in.
///
/// # Errors
///
/// [`Truncated`] when the frame is shorter than its headers say.
#[inline(always)]
pub fn destination<'a>(
    packet: Packet<'a>,
    link: Link<'a>,
) -> Result<Option<Destination<'a>>, Truncated> {
    let at = link.network;
    match link.ethertype {
        EtherType::IPV4 => {
            let ip = network::ipv4(packet, at)?;
            Ok(Some(Destination {
                address: Address::V4(ip.destination),
                class: Class::Data,
                // 0 in a packet larger than the field (BIG TCP).
                end: if ip.total_len == 0 {
                    usize::MAX
                } else {
                    at + ip.total_len
                },
            }))
        }
        EtherType::IPV6 => {
            let ip = network::ipv6(packet, at)?;
            let mut found = Destination {
                address: Address::V6(ip.destination),
                class: Class::Data,
                end: if ip.payload_len == 0 {
                    usize::MAX
                } else {
                    at + IPV6_LEN + ip.payload_len
                },
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
            Ok(Some(found))
        }
        EtherType::ARP => Ok(network::arp(packet, at)?.map(|arp| Destination {
            address: Address::V4(arp.target),
            class: if arp.operation == ARP_REPLY {
                Class::Answer
            } else {
                Class::Neighbor
            },
            end: 0,
        })),
        _ => Ok(None),
    }
}
