//! What the link says to everybody: which of the frames that are for no alias alone the
//! alias devices must hear all the same.

use alias_common::hearer::Sound;

use crate::link::{EtherType, Link};
use crate::network::{self, ARP_REPLY, ICMPV6, IPV6_LEN, NEIGHBOR_ADVERTISEMENT};
use crate::packet::{Packet, u32_of};

/// How a frame is addressed on the link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cast {
    /// To this station.
    Uni,
    /// To a group.
    Multi,
    /// To all.
    Broad,
}

/// What is to be done with a frame beside what becomes of it anyway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct News {
    /// It is for everybody who hears this.
    pub sound: Option<Sound>,
    /// It is an ARP message of somebody who says that he has this address: an alias with
    /// that address is to know. Zero for none.
    pub claimed: u32,
    /// It is an ARP question: who has the address that it is about answers it.
    pub asks: bool,
}

/// Reads a frame. One that is shorter than its headers say is no news.
#[inline(always)]
#[must_use]
pub fn news(packet: Packet<'_>, link: Link<'_>, cast: Cast) -> News {
    match link.ethertype {
        EtherType::ARP => arp(packet, link, cast),
        EtherType::IPV6 if cast == Cast::Multi && is_advertisement(packet, link.network) => News {
            sound: Some(Sound::Announcement),
            ..News::default()
        },
        _ => News {
            sound: match cast {
                Cast::Uni => None,
                // IEEE 802.1D, 7.12.6: such a group ends at the port that receives it.
                Cast::Multi if is_of_the_wire(link.destination) => None,
                Cast::Multi => Some(Sound::Multicast),
                Cast::Broad => Some(Sound::Broadcast),
            },
            ..News::default()
        },
    }
}

/// An announcement is a broadcast answer, or a question of somebody for his own address
/// (RFC 5227, 3): both are what the kernel calls gratuitous (`arp_is_garp`).
#[inline(always)]
fn arp(packet: Packet<'_>, link: Link<'_>, cast: Cast) -> News {
    let Ok(Some(arp)) = network::arp(packet, link.network) else {
        return News::default();
    };
    let (sender, target) = (u32_of(arp.sender), u32_of(arp.target));
    let answers = arp.operation == ARP_REPLY;
    let announces = answers || sender == target;
    News {
        sound: match (cast, announces) {
            (Cast::Uni, _) => None,
            (_, true) => Some(Sound::Announcement),
            (_, false) => Some(Sound::Broadcast),
        },
        claimed: sender,
        asks: !announces,
    }
}

#[inline(always)]
fn is_advertisement(packet: Packet<'_>, at: usize) -> bool {
    match (
        network::ipv6(packet, at),
        network::icmpv6_type(packet, at + IPV6_LEN),
    ) {
        (Ok(ip), Ok(kind)) => ip.next_header == ICMPV6 && kind == NEIGHBOR_ADVERTISEMENT,
        _ => false,
    }
}

/// 01:80:c2:00:00:00 to 0f.
#[inline(always)]
const fn is_of_the_wire(destination: &[u8; 8]) -> bool {
    matches!(destination, [0x01, 0x80, 0xc2, 0, 0, last, ..] if *last < 0x10)
}
