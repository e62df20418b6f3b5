//! Addresses, prefixes and ranges as users write them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alias_common::alias_type::TypeRow;
use alias_common::key::Family;

use super::bits::{bits, invalid, network, split};
use super::prefix::Prefix;
use super::typed::Typed;
use crate::error::Result;

/// An alias's address, of whatever family.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Address {
    /// IPv4.
    V4(Ipv4Addr),
    /// IPv6.
    V6(Ipv6Addr),
    /// All addresses that begin with a prefix of IPv4 or IPv6.
    Prefix(Prefix),
    /// Of a family that was registered.
    Typed(Typed),
}

impl Address {
    /// The IP address, if it is one, and not a prefix or of another family.
    #[must_use]
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Address::V4(v4) => Some(IpAddr::V4(v4)),
            Address::V6(v6) => Some(IpAddr::V6(v6)),
            Address::Prefix(_) | Address::Typed(_) => None,
        }
    }

    /// Whether a device that has it needs IPv6.
    #[must_use]
    pub fn is_ipv6(self) -> bool {
        self.family() == Family::IPV6
    }

    /// The prefix, if it is one.
    #[must_use]
    pub const fn prefix(self) -> Option<Prefix> {
        match self {
            Address::Prefix(prefix) => Some(prefix),
            _ => None,
        }
    }

    /// Its family.
    #[must_use]
    pub const fn family(self) -> Family {
        Family(self.alias_type().family)
    }

    /// What is known of its family; the name only for those that are built in.
    #[must_use]
    pub const fn alias_type(self) -> TypeRow {
        match self {
            Address::V4(_) => TypeRow::BUILT_IN[0],
            Address::V6(_) => TypeRow::BUILT_IN[1],
            Address::Prefix(prefix) => match prefix.network {
                IpAddr::V4(_) => TypeRow::BUILT_IN[0],
                IpAddr::V6(_) => TypeRow::BUILT_IN[1],
            },
            Address::Typed(typed) => typed.alias_type(),
        }
    }

    /// In network order, padded with zero bytes, as records and keys hold it.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        match self {
            Address::V4(v4) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&v4.octets());
                bytes
            }
            Address::V6(v6) => v6.octets(),
            Address::Prefix(prefix) => Address::from(prefix.network).bytes(),
            Address::Typed(typed) => typed.bytes,
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Address {
        match address {
            IpAddr::V4(v4) => Address::V4(v4),
            IpAddr::V6(v6) => Address::V6(v6),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::V4(v4) => v4.fmt(f),
            Address::V6(v6) => v6.fmt(f),
            Address::Prefix(prefix) => prefix.fmt(f),
            Address::Typed(typed) => typed.fmt(f),
        }
    }
}

/// An IP address and how much of it is the network's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interface {
    /// The address.
    pub address: IpAddr,
    /// Prefix length; all bits when the user gave none.
    pub prefix_len: u8,
}

/// Reads `ADDR` or `ADDR/LEN`.
///
/// # Errors
///
/// EINVAL for what is no address, and for addresses that are nobody's own:
/// multicast, broadcast, loopback and the unspecified one.
pub fn parse(text: &str) -> Result<Interface> {
    let (address, prefix_len) = split(text)?;
    usable(text, address)?;
    Ok(Interface {
        address,
        prefix_len: prefix_len.unwrap_or(bits(address)),
    })
}

fn usable(text: &str, address: IpAddr) -> Result<()> {
    let kind = match address {
        _ if address.is_multicast() => "a multicast address",
        _ if address.is_unspecified() => "the unspecified address",
        _ if address.is_loopback() => "a loopback address",
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "an IPv4-mapped address",
        _ => return Ok(()),
    };
    Err(invalid(
        text,
        format!("{kind} cannot be an alias"),
        "give a unicast address",
    ))
}

/// Consecutive addresses, by their first and their number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    /// The first.
    pub first: IpAddr,
    /// How many; at least 1.
    pub count: u64,
    /// The prefix length of each, where its text says one: that of `A-B/24`.
    pub prefix_len: Option<u8>,
}

impl Range {
    /// Reads `A-B`, `A-B/LENGTH` or a prefix. A prefix stands for all its addresses.
    ///
    /// # Errors
    ///
    /// EINVAL for what is neither, and for a range that runs backwards.
    pub fn parse(text: &str) -> Result<Range> {
        let form = "write FIRST-LAST, FIRST-LAST/LENGTH or PREFIX/LENGTH, for example 198.18.0.0-198.18.3.255";
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (parse(first.trim())?, parse(last.trim())?);
            let said = |end: Interface, text: &str| text.contains('/').then_some(end.prefix_len);
            let lengths = text
                .split_once('-')
                .map(|(a, b)| (said(first, a), said(last, b)));
            let prefix_len = match lengths {
                Some((Some(_), None)) => {
                    return Err(invalid(
                        text,
                        "only the first end has a prefix length",
                        form,
                    ));
                }
                Some((Some(a), Some(b))) if a != b => {
                    return Err(invalid(text, "the ends have two prefix lengths", form));
                }
                lengths => lengths.and_then(|(_, last)| last),
            };
            let (first, last) = (first.address, last.address);
            let count = match (first, last) {
                (IpAddr::V4(a), IpAddr::V4(b)) if a <= b => u128::from(b.to_bits() - a.to_bits()),
                (IpAddr::V6(a), IpAddr::V6(b)) if a <= b => b.to_bits() - a.to_bits(),
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                    return Err(invalid(
                        text,
                        "the two ends are of different families",
                        form,
                    ));
                }
                _ => return Err(invalid(text, "the range runs backwards", form)),
            };
            let range = Range::new(text, first, count)?;
            return Ok(Range {
                prefix_len,
                ..range
            });
        }
        let (_, length) = text
            .split_once('/')
            .ok_or_else(|| invalid(text, "not a range", form))?;
        let found = parse(text)?;
        let first = network(found.address, found.prefix_len);
        if first != found.address {
            return Err(invalid(
                text,
                "bits are set behind the prefix",
                &format!("did you mean {first}/{length}?"),
            ));
        }
        let host_bits = u32::from(bits(first) - found.prefix_len);
        let count = 1u128
            .checked_shl(host_bits)
            .map_or(u128::MAX, |count| count - 1);
        Range::new(text, first, count)
    }

    fn new(text: &str, first: IpAddr, steps: u128) -> Result<Range> {
        let count = u64::try_from(steps)
            .ok()
            .and_then(|steps| steps.checked_add(1));
        match count {
            Some(count) => Ok(Range {
                first,
                count,
                prefix_len: None,
            }),
            None => Err(invalid(
                text,
                "the range has more addresses than anything can hold",
                "give a smaller range",
            )),
        }
    }

    /// The `n`th address.
    #[must_use]
    pub fn nth(&self, n: u64) -> IpAddr {
        match self.first {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits().wrapping_add(n as u32)).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().wrapping_add(u128::from(n))).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("192.0.2.10", Some(("192.0.2.10", 32))),
            ("192.0.2.10/24", Some(("192.0.2.10", 24))),
            ("2001:db8::1", Some(("2001:db8::1", 128))),
            ("2001:db8::1/64", Some(("2001:db8::1", 64))),
            ("192.0.2.10/33", None),
            ("192.0.2.10/0", None),
            ("192.0.2.10/", None),
            ("192.0.2.10/-1", None),
            ("192.0.2.300", None),
            ("192.0.2", None),
            ("", None),
            ("224.0.0.1", None),
            ("255.255.255.255", None),
            ("0.0.0.0", None),
            ("127.0.0.1", None),
            ("::", None),
            ("::1", None),
            ("ff02::1", None),
            ("::ffff:192.0.2.1", None),
        ] {
            let found = parse(text)
                .ok()
                .map(|i| (i.address.to_string(), i.prefix_len));
            assert_eq!(found, expected.map(|(a, l)| (a.to_owned(), l)), "{text}");
        }
    }

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("198.18.0.0-198.18.0.0", Some((1, "198.18.0.0"))),
            ("198.18.0.0-198.18.1.255", Some((512, "198.18.1.255"))),
            ("198.18.0.0/15", Some((131_072, "198.19.255.255"))),
            ("198.18.0.1/32", Some((1, "198.18.0.1"))),
            ("2001:db8::/112", Some((65_536, "2001:db8::ffff"))),
            ("2001:db8::1-2001:db8::10", Some((16, "2001:db8::10"))),
            ("198.18.1.0-198.18.0.0", None),
            ("198.18.0.1/15", None),
            ("198.18.0.0", None),
            ("198.18.0.0-2001:db8::1", None),
            ("2001:db8::/32", None),
            ("198.18.0.0/24-198.18.0.9", None),
            ("198.18.0.0/24-198.18.0.9/25", None),
            ("198.18.0.0-198.18.0.9/33", None),
        ] {
            let found = Range::parse(text)
                .ok()
                .map(|r| (r.count, r.nth(r.count - 1).to_string()));
            assert_eq!(
                found,
                expected.map(|(n, last)| (n, last.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn lengths_of_ranges() {
        for (text, expected) in [
            ("198.51.100.20-198.51.100.60/24", Some(24)),
            ("198.51.100.20/24-198.51.100.60/24", Some(24)),
            ("198.51.100.20-198.51.100.60/32", Some(32)),
            ("198.51.100.20 - 198.51.100.60/24", Some(24)),
            ("2001:db8::1-2001:db8::10/64", Some(64)),
            ("198.51.100.20-198.51.100.60", None),
            // That is how many there are.
            ("198.51.100.0/24", None),
        ] {
            assert_eq!(Range::parse(text).unwrap().prefix_len, expected, "{text}");
        }
    }
}
