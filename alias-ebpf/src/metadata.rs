//! What `alias_rx` tells `alias_deliver` in the 8 bytes in front of a frame
//! (XDP metadata, which the skb inherits): which port, how many tags to take
//! off. With it a delivery costs no second lookup, and an alias that changes
//! between the two programs cannot send the packet astray.

use alias_common::record::Steer;

use crate::network::Class;

/// Bytes of metadata; a multiple of 4 (`bpf_xdp_adjust_meta`).
pub const LEN: usize = 8;

const MAGIC: u32 = 0xa11a_5000;
const MAGIC_MASK: u32 = 0xffff_ff00;

/// One delivery order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metadata {
    /// The port behind which the alias device is.
    pub port: u32,
    /// VLAN tags to take off, 0 to 2.
    pub tags: u8,
    /// [`Steer::PEER`] and [`Metadata::ANSWER`], or nothing.
    pub flags: u8,
}

impl Metadata {
    /// The frame answers a neighbour's question ([`Class::Answer`]).
    pub const ANSWER: u8 = 8;

    /// The order for a steered frame with `tags` tags.
    #[inline(always)]
    #[must_use]
    pub const fn new(steer: Steer, class: Class, tags: u8) -> Metadata {
        let answer = if matches!(class, Class::Answer) {
            Metadata::ANSWER
        } else {
            0
        };
        Metadata {
            port: steer.target(),
            tags,
            flags: steer.flags() | answer,
        }
    }

    /// As it stands in front of the frame.
    #[inline(always)]
    #[must_use]
    pub const fn to_words(self) -> [u32; 2] {
        [
            MAGIC | (self.flags as u32 & 0xf) << 4 | (self.tags as u32 & 0xf),
            self.port,
        ]
    }

    /// Reads it back; `None` when it is somebody else's.
    #[inline(always)]
    #[must_use]
    pub const fn from_words(words: [u32; 2]) -> Option<Metadata> {
        if words[0] & MAGIC_MASK != MAGIC {
            return None;
        }
        Some(Metadata {
            port: words[1],
            tags: words[0] as u8 & 0xf,
            flags: words[0] as u8 >> 4,
        })
    }
}
