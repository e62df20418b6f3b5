//! What a route leads to: a host, a network, or everything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::Result;
use crate::model::bits::{bits, network};
use crate::model::netmask;

use super::refused;

/// `-host` or `-net`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    Host,
    Net,
}

/// A destination before it is known how much of it counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Target<'a> {
    /// `default`, `ADDRESS` or `ADDRESS/LENGTH`.
    pub(super) text: &'a str,
    pub(super) scope: Option<Scope>,
    /// From a netmask or a prefix length that stands by itself; and its word.
    pub(super) mask: Option<(u8, &'a str)>,
    /// IPv6, for `default`.
    pub(super) inet6: bool,
}

impl Target<'_> {
    /// First address and prefix length in bits.
    ///
    /// # Errors
    ///
    /// EINVAL for what is no address, two lengths, a length that does not go
    /// with `-host`, bits behind the prefix.
    pub(super) fn read(&self) -> Result<(IpAddr, u8)> {
        let text = self.text;
        if text == "default" {
            return self.default_route();
        }
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| refused(text, "not an IPv4 or IPv6 address"))?;
        if address.is_ipv4() == self.inet6 {
            return Err(refused(text, "it is an address of the other family"));
        }
        let length = match (length, self.mask) {
            (Some(_), Some((_, word))) => {
                return Err(refused(word, "the destination has its length already"));
            }
            (Some(length), None) => {
                let all_digits = length.bytes().all(|byte| byte.is_ascii_digit());
                let length = all_digits.then(|| length.parse().ok()).flatten();
                Some(length.ok_or_else(|| refused(text, "the prefix length is no number"))?)
            }
            (None, mask) => mask.map(|(length, _)| length),
        };
        if length.is_some_and(|length| length > bits(address)) {
            return Err(refused(text, "the prefix length is out of range"));
        }
        let length = match (self.scope, length) {
            (Some(Scope::Host), Some(length)) if length != bits(address) => {
                return Err(refused(text, "a host has no netmask"));
            }
            (Some(Scope::Host), _) => bits(address),
            (_, Some(length)) => length,
            (scope, None) => implied_length(text, address, scope)?,
        };
        let first = network(address, length);
        if first != address {
            let reason = format!("bits are set behind the prefix: {first}/{length} was meant?");
            return Err(refused(text, reason));
        }
        Ok((address, length))
    }

    fn default_route(&self) -> Result<(IpAddr, u8)> {
        if self.scope == Some(Scope::Host) {
            return Err(refused("-host", "the default route leads to no host"));
        }
        if let Some((length, word)) = self.mask
            && length != 0
        {
            return Err(refused(word, "the default route has no netmask"));
        }
        Ok(match self.inet6 {
            true => (Ipv6Addr::UNSPECIFIED.into(), 0),
            false => (Ipv4Addr::UNSPECIFIED.into(), 0),
        })
    }
}

/// The length of a destination that comes without: the unspecified address is
/// everything, a network has its class's length, and an address whose host part
/// by class is zero is a network's.
fn implied_length(text: &str, address: IpAddr, scope: Option<Scope>) -> Result<u8> {
    if address.is_unspecified() {
        return Ok(0);
    }
    match (address, scope) {
        (IpAddr::V4(v4), Some(Scope::Net)) => netmask::of_class(v4),
        (IpAddr::V6(_), Some(Scope::Net)) => {
            Err(refused(text, "an IPv6 network needs its prefix length"))
        }
        (IpAddr::V4(v4), _) => Ok(netmask::of_class(v4)
            .ok()
            .filter(|length| network(address, *length) == address)
            .unwrap_or(32)),
        (IpAddr::V6(_), _) => Ok(128),
    }
}
