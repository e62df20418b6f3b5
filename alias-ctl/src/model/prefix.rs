//! A prefix that is one alias.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bits::{bits, network, split};
use crate::error::{Refusal, Result};

/// All addresses that begin with these bits: fewer than all of an address's.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    /// The first of them; what is behind the prefix is zero.
    pub network: IpAddr,
    /// Number of bits.
    pub len: u8,
}

/// Addresses that are nobody's own: a prefix must have none of them in it.
const RESERVED: [(IpAddr, u8, &str); 7] = [
    (
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        32,
        "the unspecified address",
    ),
    (
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)),
        8,
        "loopback addresses",
    ),
    (
        IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)),
        4,
        "multicast addresses",
    ),
    (IpAddr::V4(Ipv4Addr::BROADCAST), 32, "the broadcast address"),
    // With the unspecified address.
    (
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        127,
        "the loopback address",
    ),
    (
        IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)),
        96,
        "IPv4-mapped addresses",
    ),
    (
        IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)),
        8,
        "multicast addresses",
    ),
];

impl Prefix {
    /// Reads `NETWORK/LENGTH`.
    ///
    /// # Errors
    ///
    /// EINVAL for what is none, for bits that are set behind the prefix, for one
    /// address, and for addresses that are nobody's own.
    pub fn parse(text: &str) -> Result<Prefix> {
        let invalid = |reason: String, hint: String| {
            Err(Refusal::new(text, "read prefix", reason, libc::EINVAL).hint(hint))
        };
        let (address, len) = split(text)?;
        let Some(len) = len else {
            let len = if address.is_ipv4() { 24 } else { 64 };
            let hint = format!(
                "write PREFIX/LENGTH, for example {}/{len}",
                network(address, len)
            );
            return invalid("a prefix needs its length".into(), hint);
        };
        if len == bits(address) {
            let hint = format!("it is an alias as it stands: {address}, without --prefix");
            return invalid("that is one address".into(), hint);
        }
        let first = network(address, len);
        if first != address {
            let hint = format!(
                "did you mean {first}/{len}? An address with its network's length goes without --prefix"
            );
            return invalid("bits are set behind the prefix".into(), hint);
        }
        let prefix = Prefix {
            network: first,
            len,
        };
        let reserved = RESERVED
            .iter()
            .find(|(reserved, len, _)| prefix.overlaps(*reserved, *len));
        match reserved {
            Some((_, _, what)) => invalid(
                format!("it has {what} in it"),
                "give a prefix of unicast addresses".into(),
            ),
            None => Ok(prefix),
        }
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.network.is_ipv4() == address.is_ipv4() && network(address, self.len) == self.network
    }

    fn overlaps(self, other: IpAddr, len: u8) -> bool {
        let shorter = self.len.min(len);
        self.network.is_ipv4() == other.is_ipv4()
            && network(self.network, shorter) == network(other, shorter)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_is_refused() {
        for (text, refused) in [
            ("198.51.100.0/24", None),
            ("198.51.100.254/31", None),
            ("128.0.0.0/2", None),
            ("2001:db8:1::/48", None),
            ("2001:db8::fffe/127", None),
            ("2001:db8:1::/65", None),
            ("198.51.100.0", Some("a prefix needs its length")),
            ("198.51.100.7/32", Some("that is one address")),
            ("2001:db8::7/128", Some("that is one address")),
            ("198.51.100.7/24", Some("bits are set behind the prefix")),
            ("2001:db8:1::1/48", Some("bits are set behind the prefix")),
            ("198.51.100.0/33", Some("the prefix length is out of range")),
            ("198.51.100.0/0", Some("the prefix length is out of range")),
            ("192.0.0.0/2", Some("it has multicast addresses in it")),
            ("240.0.0.0/4", Some("it has the broadcast address in it")),
            ("127.1.0.0/16", Some("it has loopback addresses in it")),
            ("64.0.0.0/2", Some("it has loopback addresses in it")),
            ("0.0.0.0/8", Some("it has the unspecified address in it")),
            ("::/16", Some("it has the loopback address in it")),
            (
                "::ffff:192.0.2.0/120",
                Some("it has IPv4-mapped addresses in it"),
            ),
            ("ff02::/16", Some("it has multicast addresses in it")),
            ("fe00::/7", Some("it has multicast addresses in it")),
            ("eth0/24", Some("not an IPv4 or IPv6 address")),
        ] {
            match (Prefix::parse(text), refused) {
                (Ok(prefix), None) => assert_eq!(prefix.to_string(), text),
                (Err(refusal), Some(reason)) => {
                    assert_eq!(refusal.reason, reason, "{text}");
                    assert_eq!(refusal.errno, libc::EINVAL, "{text}");
                    assert!(!refusal.hint.is_empty(), "{text}");
                }
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_in_it() {
        for (prefix, address, expected) in [
            ("198.51.100.0/24", "198.51.100.255", true),
            ("198.51.100.0/24", "198.51.101.0", false),
            ("198.51.100.0/24", "2001:db8::1", false),
            ("2001:db8:1::/48", "2001:db8:1:ffff::", true),
            ("2001:db8:1::/48", "2001:db8:2::", false),
        ] {
            let prefix = Prefix::parse(prefix).unwrap();
            let found = prefix.contains(address.parse().unwrap());
            assert_eq!(found, expected, "{prefix} {address}");
        }
    }
}
