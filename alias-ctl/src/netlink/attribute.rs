//! Reading netlink attributes of the messages the kernel sends.
//!
//! Only the attributes asked for are looked at: a full typed decode of a message
//! fails as a whole when a newer kernel changes one attribute nobody here needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::packet_core::{NLA_HEADER_SIZE, NLA_TYPE_MASK};

/// The attributes in `bytes` as (type without flag bits, value), up to the first
/// that is malformed.
pub(super) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { rest: bytes }
}

/// Iterator of [`attributes`].
pub(super) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.rest, 0)?);
        let kind = u16_at(self.rest, 2)? & NLA_TYPE_MASK;
        let value = self.rest.get(NLA_HEADER_SIZE..length)?;
        // The last attribute may come without its padding.
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    }
}

/// The host-order u16 at `offset`.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*field))
}

/// The host-order u32 at `offset`.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*field))
}

/// The host-order u64 at `offset`.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u64::from_ne_bytes(*field))
}

/// A NUL-terminated string; bytes that are not UTF-8 are replaced.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&value[..end.unwrap_or(value.len())]).into_owned()
}

/// An address by its length: 4 bytes are IPv4, 16 are IPv6.
pub(super) fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(octets).into());
    }
    let octets = <[u8; 16]>::try_from(value).ok()?;
    Some(Ipv6Addr::from(octets).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One attribute with its padding.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(NLA_HEADER_SIZE + value.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn walks_padded_nested_and_truncated() {
        let mut bytes = attribute(1, b"abc\0");
        bytes.extend(attribute(2 | 0x8000, &[7]));
        let all: Vec<_> = attributes(&bytes).collect();
        assert_eq!(all, [(1, &b"abc\0"[..]), (2, &[7][..])]);
        assert_eq!(text(all[0].1), "abc");

        for (name, broken) in [
            ("longer than the buffer", vec![9, 0, 1, 0, 0, 0, 0, 0]),
            ("shorter than its header", vec![3, 0, 1, 0]),
            ("no header", vec![4, 0]),
        ] {
            assert_eq!(attributes(&broken).count(), 0, "{name}");
        }
    }

    #[test]
    fn address_by_length() {
        assert_eq!(ip(&[192, 0, 2, 1]), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(ip(&[0; 16]), Some(Ipv6Addr::UNSPECIFIED.into()));
        assert_eq!(ip(&[0; 5]), None);
    }
}
