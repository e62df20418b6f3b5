//! What `alias_rx` tells `alias_deliver` in the 16 bytes in front of a frame
//! (XDP metadata, which the skb inherits): which port, how many tags to take
//! off, behind a secret of their parent: where devices are stacked (a bridge or a bond
//! above a port, a container's end above a parent), a frame may come by with the order of
//! another parent in front of it. With it a delivery costs no second lookup, and an alias that changes
//! between the two programs cannot send the packet astray.

use alias_common::record::Steer;

use crate::network::Class;

/// Bytes of metadata; a multiple of 4 (`bpf_xdp_adjust_meta`).
pub const LEN: usize = 16;

/// One delivery order, as it stands behind the secret: port in the lower 32 bits, tags to
/// take off (0 to 2) in the next 8, flags in 8 more. One number, because a compiler would
/// pack separate fields into one register, of which half is undefined where there is no
/// order; and what is undefined the verifier lets nobody touch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Metadata(u64);

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
        Metadata::of(steer.target(), tags, steer.flags() | answer)
    }

    /// An order of these parts.
    #[inline(always)]
    #[must_use]
    pub const fn of(port: u32, tags: u8, flags: u8) -> Metadata {
        Metadata((flags as u64) << 40 | (tags as u64) << 32 | port as u64)
    }

    /// The port behind which the alias device is.
    #[inline(always)]
    #[must_use]
    pub const fn port(self) -> u32 {
        self.0 as u32
    }

    /// VLAN tags to take off.
    #[inline(always)]
    #[must_use]
    pub const fn tags(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// [`Steer::PEER`] and [`Metadata::ANSWER`], or nothing.
    #[inline(always)]
    #[must_use]
    pub const fn flags(self) -> u8 {
        (self.0 >> 40) as u8
    }

    /// As it stands in front of the frame.
    #[inline(always)]
    #[must_use]
    pub const fn to_words(self, secret: u64) -> [u64; 2] {
        [secret, self.0]
    }

    /// Reads it back; `None` when it is somebody else's.
    #[inline(always)]
    #[must_use]
    pub const fn from_words(words: [u64; 2], secret: u64) -> Option<Metadata> {
        if words[0] != secret {
            return None;
        }
        Some(Metadata(words[1]))
    }
}
