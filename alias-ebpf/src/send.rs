//! Which address a sent frame claims as its source, and whether it may.
//!
//! [`source`] only reads; it is for devices that are not alias devices. [`claim`] is for
//! alias devices and refuses what could mislead a neighbour: a foreign MAC in the Ethernet
//! header, in ARP or in ND, a router's messages, tags.

use crate::link::{EtherType, Link};
use crate::network::{
    self, Address, Class, ICMPV6, IPV6_LEN, ND_LEN, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION,
    REDIRECT, ROUTER_SOLICITATION,
};
use crate::packet::{Mac, Packet, Truncated, part, u16_of, u32_of, u64_of};

/// A frame's source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Source<'a> {
    /// The address that the frame claims.
    pub address: Address<'a>,
    /// What it counts as.
    pub class: Class,
}

/// Why an alias device's frame is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Refusal {
    /// Shorter than its headers say.
    Truncated = 1,
    /// A source MAC that is not the parent's.
    Mac = 2,
    /// An address that is not the alias's, or a message it may not send.
    Address = 3,
    /// A VLAN tag: an alias is on the VLAN it was given.
    Tag = 4,
    /// A frame of a family that is not the alias's.
    Protocol = 5,
}

impl From<Truncated> for Refusal {
    #[inline(always)]
    fn from(_: Truncated) -> Refusal {
        Refusal::Truncated
    }
}

/// What an alias device may send, if the address is its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim<'a> {
    /// A frame from this source.
    As(Source<'a>),
    /// Multicast listener reports from the unspecified address, which a stack
    /// without a link-local address sends (RFC 3590); snooping switches need them.
    Listener,
    /// A frame of a family that is not built in. Only its ethertype can be verified; the
    /// program compares it with the alias's.
    Typed,
}

/// All-MLDv2-routers, ff02::16 (RFC 3810, 5.2.14).
const MLDV2_ROUTERS: [u64; 2] = words(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16]);
const UNSPECIFIED: [u64; 2] = [0; 2];

/// Both halves of an address as native words.
const fn words(address: &[u8; 16]) -> [u64; 2] {
    [
        u64::from_ne_bytes(*part::<0, 8, _>(address)),
        u64::from_ne_bytes(*part::<8, 8, _>(address)),
    ]
}

/// The same for an address in a frame.
#[inline(always)]
fn halves(address: &[u8; 16]) -> [u64; 2] {
    [
        u64_of(part::<0, 8, _>(address)),
        u64_of(part::<8, 8, _>(address)),
    ]
}
/// Version 2 multicast listener report (RFC 3810, 5.2).
const MLDV2_REPORT: u8 = 143;

/// Extension headers (RFC 8200, 4.1), as `linux/in6.h` numbers them.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;
const MAX_EXTENSIONS: usize = 3;

/// Options of ND messages (RFC 4861, 4.6.1; RFC 3971, 5.3.2).
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
const NONCE: u8 = 14;
const OPTION_LEN: usize = 8;

/// Reads the source of a frame; `None` for a frame of a family that is not built
/// in. The source of an ARP probe and of a DAD solicitation is their target.
///
/// # Errors
///
/// [`Truncated`] when the frame is shorter than its headers say.
#[inline(always)]
pub fn source<'a>(packet: Packet<'a>, link: Link<'a>) -> Result<Option<Source<'a>>, Truncated> {
    let at = link.network;
    match link.ethertype {
        EtherType::IPV4 => {
            let ip = network::ipv4(packet, at)?;
            Ok(Some(Source {
                address: Address::V4(ip.source),
                class: Class::Data,
            }))
        }
        EtherType::IPV6 => {
            let ip = network::ipv6(packet, at)?;
            let mut found = Source {
                address: Address::V6(ip.source),
                class: Class::Data,
            };
            if ip.next_header == ICMPV6 {
                let kind = network::icmpv6_type(packet, at + IPV6_LEN)?;
                if (ROUTER_SOLICITATION..=REDIRECT).contains(&kind) {
                    found.class = Class::Neighbor;
                }
                let speaks_for_target = kind == NEIGHBOR_ADVERTISEMENT
                    || (kind == NEIGHBOR_SOLICITATION && halves(ip.source) == UNSPECIFIED);
                if speaks_for_target {
                    found.address = Address::V6(network::nd_target(packet, at + IPV6_LEN)?);
                }
            }
            Ok(Some(found))
        }
        EtherType::ARP => Ok(network::arp(packet, at)?.map(|arp| Source {
            address: Address::V4(if u32_of(arp.sender) == 0 {
                arp.target
            } else {
                arp.sender
            }),
            class: Class::Neighbor,
        })),
        _ => Ok(None),
    }
}

/// Checks a frame from an alias device whose parent has `mac`.
///
/// # Errors
///
/// The [`Refusal`] to count.
#[inline(always)]
pub fn claim<'a>(packet: Packet<'a>, link: Link<'a>, mac: Mac) -> Result<Claim<'a>, Refusal> {
    if link.tags() != 0 || link.stripped {
        return Err(Refusal::Tag);
    }
    if Mac::of(link.source) != mac {
        return Err(Refusal::Mac);
    }
    match link.ethertype {
        EtherType::ARP => {
            let arp = network::arp(packet, link.network)?.ok_or(Refusal::Protocol)?;
            if Mac::of(arp.sender_mac) != mac {
                return Err(Refusal::Mac);
            }
        }
        EtherType::IPV6 => {
            if let Some(claim) = claim_ipv6(packet, link.network, mac)? {
                return Ok(claim);
            }
        }
        _ => {}
    }
    match source(packet, link)? {
        Some(source) => Ok(Claim::As(source)),
        None => Ok(Claim::Typed),
    }
}

/// The checks that IPv6 needs beyond its source; `Some` when they decide the claim.
#[inline(always)]
fn claim_ipv6<'a>(packet: Packet<'a>, at: usize, mac: Mac) -> Result<Option<Claim<'a>>, Refusal> {
    let ip = network::ipv6(packet, at)?;
    if ip.next_header != ICMPV6 {
        let hidden = behind_extensions(packet, at + IPV6_LEN, ip.next_header)?;
        let is_report = ip.next_header == HOP_BY_HOP && hidden == Some(MLDV2_REPORT);
        if is_report && halves(ip.source) == UNSPECIFIED && halves(ip.destination) == MLDV2_ROUTERS
        {
            return Ok(Some(Claim::Listener));
        }
        // Legitimate ND has no extension headers; but receivers would act on a message
        // behind one (RFC 7113, 2.1).
        return match hidden {
            Some(ROUTER_SOLICITATION..=REDIRECT) => Err(Refusal::Address),
            _ => Ok(None),
        };
    }
    let message = at + IPV6_LEN;
    match network::icmpv6_type(packet, message)? {
        kind @ (NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT) => {
            let target = network::nd_target(packet, message)?;
            // An advertisement is counted for its target, so its source must be the
            // target itself or a link-local address, not a third party's.
            let link_local = ip.source[0] == 0xfe && ip.source[1] & 0xc0 == 0x80;
            if kind == NEIGHBOR_ADVERTISEMENT && halves(ip.source) != halves(target) && !link_local
            {
                return Err(Refusal::Address);
            }
            check_options(packet, message + ND_LEN, ip.payload_len, mac)?;
            Ok(None)
        }
        // A router solicitation may carry a link-layer address too, after 8 bytes.
        ROUTER_SOLICITATION => {
            check_options(packet, message + 8, ip.payload_len + ND_LEN - 8, mac)?;
            Ok(None)
        }
        // Only routers send router advertisements and redirects.
        kind if (ROUTER_SOLICITATION..=REDIRECT).contains(&kind) => Err(Refusal::Address),
        _ => Ok(None),
    }
}

/// Whether the ICMPv6 message at `at` is a neighbour solicitation or
/// advertisement whose first option is a link-layer address.
#[inline(always)]
#[must_use]
pub fn carries_mac(packet: Packet<'_>, at: usize) -> bool {
    let Ok(message) = packet.window::<{ ND_LEN + OPTION_LEN }>(at) else {
        return false;
    };
    (message[0] == NEIGHBOR_SOLICITATION || message[0] == NEIGHBOR_ADVERTISEMENT)
        && (message[ND_LEN] == SOURCE_LINK_LAYER || message[ND_LEN] == TARGET_LINK_LAYER)
        && message[ND_LEN + 1] == 1
}

/// The ICMPv6 type behind extension headers; `None` when they lead to something
/// else, or to a fragment that does not begin the message. No legitimate packet has more
/// than three.
#[inline(always)]
fn behind_extensions(packet: Packet<'_>, at: usize, first: u8) -> Result<Option<u8>, Refusal> {
    let mut kind = first;
    let mut offset = at;
    for _ in 0..MAX_EXTENSIONS {
        if kind == ICMPV6 {
            return Ok(Some(network::icmpv6_type(packet, offset)?));
        }
        if !matches!(kind, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) {
            return Ok(None);
        }
        let header = packet.window::<8>(offset)?;
        if kind == FRAGMENT {
            if u16::from_be(u16_of(part::<2, 2, _>(header))) >> 3 != 0 {
                return Ok(None);
            }
            offset += 8;
        } else {
            offset += (header[1] as usize + 1) * 8;
        }
        kind = header[0];
    }
    if kind == ICMPV6 {
        return Ok(Some(network::icmpv6_type(packet, offset)?));
    }
    if matches!(kind, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) {
        return Err(Refusal::Address);
    }
    Ok(None)
}

/// Checks the options of an ND message: at most two, of 8 bytes each, and every
/// link-layer address in them must be the parent's. Stacks send one (RFC 4861,
/// 4.3 and 4.4), or a nonce in DAD (RFC 7527).
#[inline(always)]
fn check_options(
    packet: Packet<'_>,
    at: usize,
    payload_len: usize,
    mac: Mac,
) -> Result<(), Refusal> {
    let mut options = match payload_len {
        ND_LEN => 0,
        32 => 1,
        40 => 2,
        _ => return Err(Refusal::Address),
    };
    let mut offset = at;
    while options > 0 {
        let option = packet.window::<OPTION_LEN>(offset)?;
        match (option[0], option[1]) {
            (SOURCE_LINK_LAYER | TARGET_LINK_LAYER, 1)
                if Mac::of(part::<2, 6, _>(option)) == mac => {}
            (SOURCE_LINK_LAYER | TARGET_LINK_LAYER, 1) => return Err(Refusal::Mac),
            (NONCE, 1) => {}
            _ => return Err(Refusal::Address),
        }
        offset += OPTION_LEN;
        options -= 1;
    }
    Ok(())
}
