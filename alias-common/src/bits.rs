//! The bits of addresses, and lengths of prefixes, in the form in which a search for the
//! longest prefix uses them ([`crate::prefix`]).
//!
//! A length is written as the last bit that counts: 64-bit halves, the address's
//! first bit on top, so that a length gives a mask by one subtraction and the
//! longest of a set is its lowest bit. An IPv4 address is the upper half of the
//! first half.

use crate::Plain;

/// An address, or what of it a prefix holds, with its first bit on top.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Bits {
    /// The first 64 bits.
    pub high: u64,
    /// The rest; 0 for IPv4.
    pub low: u64,
}

impl Bits {
    /// Of an IPv4 address in network order.
    #[inline(always)]
    #[must_use]
    pub const fn of_ipv4(address: [u8; 4]) -> Bits {
        Bits {
            high: (u32::from_be_bytes(address) as u64) << 32,
            low: 0,
        }
    }

    /// Of an IPv4 address that was loaded as one native word.
    #[inline(always)]
    #[must_use]
    pub const fn of_ipv4_word(address: u32) -> Bits {
        Bits {
            high: (u32::from_be(address) as u64) << 32,
            low: 0,
        }
    }

    /// Of an IPv6 address whose halves were loaded as native words.
    #[inline(always)]
    #[must_use]
    pub const fn of_ipv6_words(address: [u64; 2]) -> Bits {
        Bits {
            high: u64::from_be(address[0]),
            low: u64::from_be(address[1]),
        }
    }

    /// Of an IPv6 address in network order.
    #[inline(always)]
    #[must_use]
    pub const fn of_ipv6(address: &[u8; 16]) -> Bits {
        let bits = u128::from_be_bytes(*address);
        Bits {
            high: (bits >> 64) as u64,
            low: bits as u64,
        }
    }

    /// What identifies the prefix of one length: its bits and a one after them, so
    /// that no other length gives the same.
    #[inline(always)]
    #[must_use]
    pub const fn marked(self, length: Length) -> Bits {
        if length.low != 0 {
            Bits {
                high: self.high,
                low: (self.low & length.low.wrapping_neg()) | (length.low >> 1),
            }
        } else {
            Bits {
                high: (self.high & length.high.wrapping_neg()) | (length.high >> 1),
                low: (length.high & 1) << 63,
            }
        }
    }
}

/// One length: its last bit is set, in one of the halves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Length {
    high: u64,
    low: u64,
}

/// A set of lengths.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Lengths {
    /// 1 to 64: bit `64 - length`.
    high: u64,
    /// 65 to 127: bit `128 - length`.
    low: u64,
}

impl Length {
    /// Of 1 to 127 bits.
    #[must_use]
    pub const fn of(length: u8) -> Length {
        if length <= 64 {
            Length {
                high: 1 << (64 - length as u32),
                low: 0,
            }
        } else {
            Length {
                high: 0,
                low: 1 << (128 - length as u32),
            }
        }
    }
}

impl Lengths {
    /// Only this length, of 1 to 127 bits.
    #[must_use]
    pub const fn of(length: u8) -> Lengths {
        let Length { high, low } = Length::of(length);
        Lengths { high, low }
    }

    /// Those of both sets.
    #[must_use]
    pub const fn and(self, other: Lengths) -> Lengths {
        Lengths {
            high: self.high | other.high,
            low: self.low | other.low,
        }
    }

    /// Whether there is none.
    #[inline(always)]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.high | self.low == 0
    }

    /// Removes the longest and returns it.
    #[inline(always)]
    pub(crate) fn take_longest(&mut self) -> Option<Length> {
        if self.low != 0 {
            let low = self.low & self.low.wrapping_neg();
            self.low ^= low;
            return Some(Length { high: 0, low });
        }
        if self.high != 0 {
            let high = self.high & self.high.wrapping_neg();
            self.high ^= high;
            return Some(Length { high, low: 0 });
        }
        None
    }
}

/// The lengths of the prefixes that are aliases of a parent. A length without an alias
/// costs a search one lookup and does no harm.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Prefixes {
    /// Those of IPv4.
    pub ipv4: Lengths,
    /// Those of IPv6.
    pub ipv6: Lengths,
}

// SAFETY: four u64, no padding (asserted below).
unsafe impl Plain for Prefixes {}
const _: () = assert!(size_of::<Prefixes>() == 32);

impl Prefixes {
    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Prefixes) -> Prefixes {
        Prefixes {
            ipv4: self.ipv4.and(other.ipv4),
            ipv6: self.ipv6.and(other.ipv6),
        }
    }

    /// Of the words that they are in the header.
    #[must_use]
    pub const fn from_words([a, b, c, d]: [u64; 4]) -> Prefixes {
        Prefixes {
            ipv4: Lengths { high: a, low: b },
            ipv6: Lengths { high: c, low: d },
        }
    }

    /// As they are in the header: each word is stored by itself.
    #[must_use]
    pub const fn words(self) -> [u64; 4] {
        let Prefixes { ipv4, ipv6 } = self;
        [ipv4.high, ipv4.low, ipv6.high, ipv6.low]
    }

    /// Whether no alias is a prefix.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }
}
