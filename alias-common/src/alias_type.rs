//! Alias types: the address families that a namespace's aliases may be of (map
//! `types`, one for all parents of the namespace).

use crate::Plain;
use crate::key::Family;

/// Rows of the map `types`.
pub const MAX_TYPES: u32 = 16;

/// Bytes of the longest address.
pub const MAX_ADDRESS: u8 = 16;

/// One address family. The first rows are [`TypeRow::BUILT_IN`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct TypeRow {
    /// Its number, as the listing prints it; 0 when the row is free.
    pub family: u16,
    /// Ethertype of its frames (IEEE 802 numbers), in host byte order.
    pub ethertype: u16,
    /// Bytes of an address, at most [`MAX_ADDRESS`].
    pub address_len: u8,
    /// An [`AddressFormat`].
    pub format: u8,
    /// Bits of an address.
    pub address_bits: u8,
    /// Zero.
    pub reserved: u8,
    /// Its name, padded with zero bytes; at most 15.
    pub name: [u8; 16],
}

impl TypeRow {
    /// The types that exist from the start.
    pub const BUILT_IN: [TypeRow; 2] = [
        TypeRow {
            family: Family::IPV4.0,
            ethertype: 0x0800,
            address_len: 4,
            format: AddressFormat::Ipv4 as u8,
            address_bits: 32,
            reserved: 0,
            name: *b"ip\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        },
        TypeRow {
            family: Family::IPV6.0,
            ethertype: 0x86dd,
            address_len: 16,
            format: AddressFormat::Ipv6 as u8,
            address_bits: 128,
            reserved: 0,
            name: *b"ipv6\0\0\0\0\0\0\0\0\0\0\0\0",
        },
    ];
}

// SAFETY: u16 x2, u8 x4, 16 bytes: 24 without padding (asserted below).
unsafe impl Plain for TypeRow {}
const _: () = assert!(size_of::<TypeRow>() == 24);

/// How an address is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum AddressFormat {
    /// Four bytes: `192.0.2.1`.
    Ipv4 = 1,
    /// Sixteen bytes: `2001:db8::1` (RFC 5952).
    Ipv6 = 2,
    /// One number, the first byte its highest: `16000`.
    Decimal = 3,
    /// Bytes: `02:00:5e:00:53:01`. At most 13, which is what fits a line.
    Colons = 4,
    /// Bytes: `02005e005301`.
    Hex = 5,
}

impl AddressFormat {
    /// The format with this number.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Option<AddressFormat> {
        Some(match number {
            1 => AddressFormat::Ipv4,
            2 => AddressFormat::Ipv6,
            3 => AddressFormat::Decimal,
            4 => AddressFormat::Colons,
            5 => AddressFormat::Hex,
            _ => return None,
        })
    }

    /// Whether it can print an address of so many bytes.
    #[must_use]
    pub const fn fits(self, address_len: u8) -> bool {
        match self {
            AddressFormat::Ipv4 => address_len == 4,
            AddressFormat::Ipv6 => address_len == 16,
            AddressFormat::Decimal | AddressFormat::Hex => {
                address_len >= 1 && address_len <= MAX_ADDRESS
            }
            AddressFormat::Colons => address_len >= 1 && address_len <= 13,
        }
    }
}
