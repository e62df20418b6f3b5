//! Ethernet II and up to two VLAN tags (IEEE 802.3 3.2.6, IEEE 802.1Q 9.6).

use crate::packet::{Mac, Packet, Truncated, part, u16_of};
use alias_common::key::Vlan;

/// An EtherType as on the wire, so that comparing it swaps no bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct EtherType(u16);

/// `ETH_P_8021Q`: the only tag, or the inner one.
pub const TAG: EtherType = EtherType::new(0x8100);
/// `ETH_P_8021AD`: the outer of two.
pub const SERVICE_TAG: EtherType = EtherType::new(0x88a8);

impl EtherType {
    /// `ETH_P_IP`.
    pub const IPV4: EtherType = EtherType::new(0x0800);
    /// `ETH_P_ARP`.
    pub const ARP: EtherType = EtherType::new(0x0806);
    /// `ETH_P_IPV6`.
    pub const IPV6: EtherType = EtherType::new(0x86dd);

    /// Of a number of `linux/if_ether.h`.
    #[inline(always)]
    #[must_use]
    pub const fn new(number: u16) -> EtherType {
        EtherType(number.to_be())
    }

    /// Its number.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u16 {
        u16::from_be(self.0)
    }

    #[inline(always)]
    const fn is_tag(self) -> bool {
        matches!(self, TAG | SERVICE_TAG)
    }
}

/// Bytes of an Ethernet header without tags.
pub const HEADER_LEN: usize = 14;
/// Bytes of one VLAN tag.
pub const TAG_LEN: usize = 4;

/// A frame's link layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link<'a> {
    /// Destination MAC, and the first two bytes of the source's.
    pub destination: &'a [u8; 8],
    /// Source MAC.
    pub source: &'a [u8; 6],
    /// The VLAN that its tags give.
    pub vlan: Vlan,
    /// Whether the driver or the kernel has already removed a tag from the frame.
    pub stripped: bool,
    /// What follows the tags. A third tag is an EtherType like any other.
    pub ethertype: EtherType,
    /// Where the network header begins.
    pub network: usize,
}

impl Link<'_> {
    /// Number of tags in the frame, including priority tags.
    #[inline(always)]
    #[must_use]
    pub const fn tags(&self) -> u8 {
        ((self.network - HEADER_LEN) / TAG_LEN) as u8
    }

    /// Whether the frame is for the station with this MAC: its own, or a group's. A
    /// unicast frame for another one is for no alias, whatever its IP destination.
    #[inline(always)]
    #[must_use]
    pub fn is_for(&self, station: Mac) -> bool {
        let destination = Mac::beginning(self.destination);
        destination == station || destination.is_group()
    }
}

/// Reads the link layer. `stripped` is the VLAN of a tag that the driver or the
/// kernel has already removed from the frame. A third tag, counting that one, is an
/// EtherType like any other.
///
/// # Errors
///
/// [`Truncated`] when the header or an announced tag is not all there.
#[inline(always)]
pub fn parse<'a>(packet: Packet<'a>, stripped: Option<Vlan>) -> Result<Link<'a>, Truncated> {
    let header = packet.window::<HEADER_LEN>(0)?;
    let mut link = Link {
        destination: part::<0, 8, _>(header),
        source: part::<6, 6, _>(header),
        vlan: match stripped {
            Some(vlan) => vlan,
            None => Vlan::NONE,
        },
        stripped: stripped.is_some(),
        ethertype: EtherType(u16_of(part::<12, 2, _>(header))),
        network: HEADER_LEN,
    };
    if link.ethertype.is_tag() {
        link = pass_tag(packet, link)?;
        if link.ethertype.is_tag() && !link.stripped {
            link = pass_tag(packet, link)?;
        }
    }
    Ok(link)
}

#[inline(always)]
fn pass_tag<'a>(packet: Packet<'a>, link: Link<'a>) -> Result<Link<'a>, Truncated> {
    let tag = packet.window::<TAG_LEN>(link.network)?;
    let id = u16::from_be(u16_of(part::<0, 2, _>(tag))) & 0xfff;
    Ok(Link {
        destination: link.destination,
        source: link.source,
        vlan: link.vlan.then(id),
        stripped: link.stripped,
        ethertype: EtherType(u16_of(part::<2, 2, _>(tag))),
        network: link.network + TAG_LEN,
    })
}
