//! IP addresses as bits: how many there are, and those that are a network's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Refusal, Result};

/// Number of bits of an address.
#[must_use]
pub const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The network of an address.
#[must_use]
pub fn network(address: IpAddr, prefix_len: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(prefix_len))
                .unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(prefix_len))
                .unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// The refusal for words that are no address.
pub(super) fn invalid(text: &str, reason: impl Into<String>, hint: &str) -> Refusal {
    Refusal::new(text, "read address", reason, libc::EINVAL).hint(hint)
}

/// Reads `ADDR` or `ADDR/LEN`, whatever address it is.
///
/// # Errors
///
/// EINVAL for what is no address, or no length of it.
pub(super) fn split(text: &str) -> Result<(IpAddr, Option<u8>)> {
    let form = "write ADDRESS or ADDRESS/LENGTH, for example 192.0.2.10/24";
    let (address, prefix_len) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address
        .parse()
        .map_err(|_| invalid(text, "not an IPv4 or IPv6 address", form))?;
    let read = |length: &str| {
        let length = length.parse().ok();
        length
            .filter(|length| (1..=bits(address)).contains(length))
            .ok_or_else(|| invalid(text, "the prefix length is out of range", form))
    };
    Ok((address, prefix_len.map(read).transpose()?))
}
