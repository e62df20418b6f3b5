//! What `alias_rx` tells `alias_deliver` in the 16 bytes in front of a frame (XDP metadata,
//! which the skb inherits): to which port to deliver it, and how many tags to remove. With
//! it a delivery costs no second lookup, and an alias that changes between the two programs
//! cannot misdirect the packet.
//!
//! A secret of the parent comes before it: where devices are stacked (a bridge or a bond
//! above a port, a container's end above a parent), a frame may arrive with another
//! parent's order in front of it.

use alias_common::record::Steer;

use crate::network::Class;

/// Bytes of metadata; a multiple of 4 (`bpf_xdp_adjust_meta`).
pub const LEN: usize = 16;

/// One delivery order, as it is after the secret: port in the lower 32 bits, tags to
/// remove (0 to 2) in the next 8, flags in 8 more. One number, because a compiler would
/// pack separate fields into one register, half of which is undefined where there is no
/// order; and the verifier refuses any use of an undefined register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Metadata(u64);

impl Metadata {
    /// The frame answers a neighbour's question ([`Class::Answer`]).
    pub const ANSWER: u8 = 8;
    /// It is a neighbour's at all: of one of the classes that are not [`Class::Data`].
    pub const NEIGHBOR: u8 = 16;

    /// The order for a steered frame with `tags` tags.
    #[inline(always)]
    #[must_use]
    pub const fn new(steer: Steer, class: Class, tags: u8) -> Metadata {
        // Two questions, of which an engine has the first decided by its own path.
        let class = if matches!(class, Class::Data) {
            0
        } else if matches!(class, Class::Answer) {
            Metadata::NEIGHBOR | Metadata::ANSWER
        } else {
            Metadata::NEIGHBOR
        };
        Metadata::of(steer.target(), tags, steer.flags() | class)
    }

    /// An order of these parts.
    #[inline(always)]
    #[must_use]
    pub const fn of(port: u32, tags: u8, flags: u8) -> Metadata {
        Metadata((flags as u64) << 40 | (tags as u64) << 32 | port as u64)
    }

    /// The port of the alias device.
    #[inline(always)]
    #[must_use]
    pub const fn port(self) -> u32 {
        self.0 as u32
    }

    /// VLAN tags to remove.
    #[inline(always)]
    #[must_use]
    pub const fn tags(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// Bits of [`Steer::PEER`], [`Metadata::NEIGHBOR`] and [`Metadata::ANSWER`].
    #[inline(always)]
    #[must_use]
    pub const fn flags(self) -> u8 {
        (self.0 >> 40) as u8
    }

    /// As it is in front of the frame.
    #[inline(always)]
    #[must_use]
    pub const fn to_words(self, secret: u64) -> [u64; 2] {
        [secret, self.0]
    }

    /// Reads it back; `None` when it is not this parent's.
    #[inline(always)]
    #[must_use]
    pub const fn from_words(words: [u64; 2], secret: u64) -> Option<Metadata> {
        if words[0] != secret {
            return None;
        }
        Some(Metadata(words[1]))
    }
}
