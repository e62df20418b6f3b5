//! Addresses of families that were registered: read and printed as their type says.

use std::fmt;

use alias_common::alias_type::{AddressFormat, TypeRow};
use alias_common::listing::Text;

use crate::error::{Refusal, Result};

/// An address of a family that was registered, with what is needed to print it and
/// to recognise its frames.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Typed {
    /// Number of its family.
    pub family: u16,
    /// Ethertype of the family's frames.
    pub ethertype: u16,
    /// Bytes.
    pub len: u8,
    /// Bits; an alias has all of them.
    pub bits: u8,
    /// Number of its [`AddressFormat`].
    pub format: u8,
    /// In network order, padded with zero bytes.
    pub bytes: [u8; 16],
}

impl Typed {
    /// Reads an address of this type.
    ///
    /// # Errors
    ///
    /// EINVAL for what is none.
    pub fn parse(text: &str, row: &TypeRow) -> Result<Typed> {
        let len = usize::from(row.address_len);
        let invalid = |reason: String| {
            Refusal::new(text, "read address", reason, libc::EINVAL)
                .hint(format!("write {}", form(row)))
        };
        let (digits, length) = match text.split_once('/') {
            Some((digits, length)) => (digits, Some(length)),
            None => (text, None),
        };
        if length.is_some_and(|length| length.parse() != Ok(row.address_bits)) {
            return Err(invalid(format!(
                "an alias of this family has all {} bits of its address",
                row.address_bits
            )));
        }
        let number = AddressFormat::from_number(row.format)
            .and_then(|format| number(digits, format, len))
            .ok_or_else(|| invalid(format!("not an address of family {}", name(row))))?;
        let too_long = u32::from(row.address_bits) < 128 && number >> row.address_bits != 0;
        if too_long {
            return Err(invalid(format!(
                "it does not fit the family's {} bits",
                row.address_bits
            )));
        }
        let mut bytes = [0; 16];
        bytes[..len].copy_from_slice(&number.to_be_bytes()[16 - len..]);
        Ok(Typed {
            family: row.family,
            ethertype: row.ethertype,
            len: row.address_len,
            bits: row.address_bits,
            format: row.format,
            bytes,
        })
    }

    /// What it says of its type; the name is not known here.
    #[must_use]
    pub const fn alias_type(self) -> TypeRow {
        TypeRow {
            family: self.family,
            ethertype: self.ethertype,
            address_len: self.len,
            format: self.format,
            address_bits: self.bits,
            reserved: 0,
            name: [0; 16],
        }
    }
}

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Text::default();
        text.address(self.format, &self.bytes, self.len);
        f.pad(std::str::from_utf8(text.as_bytes()).unwrap_or("?"))
    }
}

/// The address as a number, its first byte the highest.
fn number(text: &str, format: AddressFormat, len: usize) -> Option<u128> {
    let hex = |digits: &str, count: usize| {
        let all = digits.len() == count && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if all {
            u128::from_str_radix(digits, 16).ok()
        } else {
            None
        }
    };
    match format {
        AddressFormat::Ipv4 => Some(text.parse::<std::net::Ipv4Addr>().ok()?.to_bits().into()),
        AddressFormat::Ipv6 => Some(text.parse::<std::net::Ipv6Addr>().ok()?.to_bits()),
        AddressFormat::Decimal => {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let number: u128 = digits.then(|| text.parse().ok())??;
            (len == 16 || number >> (8 * len) == 0).then_some(number)
        }
        AddressFormat::Colons => {
            let parts: Vec<&str> = text.split(':').collect();
            if parts.len() != len {
                return None;
            }
            parts
                .iter()
                .try_fold(0, |number, part| Some(number << 8 | hex(part, 2)?))
        }
        AddressFormat::Hex => hex(text, 2 * len),
    }
}

/// How an address of this type is written.
fn form(row: &TypeRow) -> String {
    let len = row.address_len;
    match AddressFormat::from_number(row.format) {
        Some(AddressFormat::Ipv4) => "it like 192.0.2.1".into(),
        Some(AddressFormat::Ipv6) => "it like 2001:db8::1".into(),
        Some(AddressFormat::Decimal) => {
            format!("a decimal number of at most {} bits", row.address_bits)
        }
        Some(AddressFormat::Colons) => format!("{len} bytes like 02:5e:01"),
        Some(AddressFormat::Hex) | None => format!("{} hexadecimal digits", 2 * len),
    }
}

/// A type's name.
#[must_use]
pub fn name(row: &TypeRow) -> String {
    let end = row.name.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&row.name[..end.unwrap_or(row.name.len())]).into_owned()
}

/// Whether a word is a type's name or its family's number.
#[must_use]
pub fn is_named(row: &TypeRow, word: &str) -> bool {
    word == name(row) || word.parse() == Ok(row.family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed() {
        use AddressFormat::{Colons, Decimal, Hex, Ipv4, Ipv6};
        for (format, bits, text, expected) in [
            (Decimal, 20, "100", Some("100")),
            (Decimal, 20, "0", Some("0")),
            (Decimal, 20, "0100", Some("100")),
            (Decimal, 20, "1048575", Some("1048575")),
            (Decimal, 20, "1048575/20", Some("1048575")),
            (Decimal, 20, "1048576", None),
            (Decimal, 20, "16777216", None),
            (Decimal, 20, "100/24", None),
            (Decimal, 20, "100/", None),
            (Decimal, 20, "-1", None),
            (Decimal, 20, "+1", None),
            (Decimal, 20, "0x10", None),
            (Decimal, 20, "", None),
            (
                Decimal,
                128,
                "340282366920938463463374607431768211455",
                Some("340282366920938463463374607431768211455"),
            ),
            (
                Decimal,
                128,
                "340282366920938463463374607431768211456",
                None,
            ),
            (Colons, 48, "02:00:5E:00:53:01", Some("02:00:5e:00:53:01")),
            (Colons, 48, "02:00:5e:00:53", None),
            (Colons, 48, "02:00:5e:00:53:1", None),
            (Colons, 48, "02:00:5e:00:53:+1", None),
            (Colons, 7, "7f", Some("7f")),
            (Colons, 7, "80", None),
            (Hex, 32, "0badcafe", Some("0badcafe")),
            (Hex, 32, "badcafe", None),
            (Hex, 28, "1badcafe", None),
            (Ipv4, 32, "192.0.2.1", Some("192.0.2.1")),
            (Ipv4, 32, "192.0.2", None),
            (Ipv6, 128, "2001:DB8::1", Some("2001:db8::1")),
        ] {
            let row = TypeRow {
                family: 28,
                address_bits: bits,
                address_len: bits.div_ceil(8),
                format: format as u8,
                ..TypeRow::default()
            };
            let found = Typed::parse(text, &row).map(|address| address.to_string());
            assert_eq!(found.ok().as_deref(), expected, "{format:?} {bits} {text}");
        }
    }
}
