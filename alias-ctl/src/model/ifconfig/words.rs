//! Single words of the grammar: values.

use std::net::{IpAddr, Ipv4Addr};

use crate::error::{Refusal, Result};
use crate::model::address;
use crate::model::netmask;

use super::{Broadcast, Family, Mask};

/// The refusal that names a word.
pub(super) fn refused(word: &str, reason: &str, errno: i32) -> Refusal {
    Refusal::new(word, "ifconfig", reason, errno)
}

pub(super) fn family(word: &str) -> Option<Family> {
    Some(match word {
        "inet" => Family::Inet,
        "inet6" => Family::Inet6,
        _ => return None,
    })
}

/// A flag word: hexadecimal digits, with or without `0x`.
pub(super) fn flag_word(word: &str) -> Option<u64> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}

/// An address, and the length behind a slash. `0` is the address 0, as
/// inet_aton(3) has it.
pub(super) fn address(word: &str) -> Option<(IpAddr, Option<&str>)> {
    let (address, length) = match word.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (word, None),
    };
    let address = match address {
        "0" => Ipv4Addr::UNSPECIFIED.into(),
        text => text.parse().ok()?,
    };
    Some((address, length))
}

/// The length of a network's prefix, of at most `all` bits.
pub(super) fn prefix_len(word: &str, all: u8) -> Result<u8> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    plain
        .then(|| word.parse().ok())
        .flatten()
        .filter(|length| (1..=all).contains(length))
        .ok_or_else(|| {
            refused(word, "the prefix length is out of range", libc::EINVAL)
                .hint(format!("write a number between 1 and {all}"))
        })
}

/// A mask that leaves a network: [`netmask::parse`] without the empty one, or
/// Solaris's `+`.
pub(super) fn mask(word: &str) -> Result<Mask> {
    if word == "+" {
        return Ok(Mask::Known);
    }
    match netmask::parse(word)? {
        0 => Err(refused(
            word,
            "a mask without a bit names no network",
            libc::EINVAL,
        )),
        length => Ok(Mask::Bits(length)),
    }
}

/// A broadcast address, or Solaris's `+`.
pub(super) fn broadcast(word: &str) -> Result<Broadcast> {
    if word == "+" {
        return Ok(Broadcast::Network);
    }
    word.parse()
        .map(Broadcast::Said)
        .map_err(|_| refused(word, "not an IPv4 address", libc::EINVAL))
}

/// A unicast address of a network. A loopback address is one only where `loopback`.
pub(super) fn unicast(address: IpAddr, loopback: bool) -> Result<IpAddr> {
    if loopback && address.is_loopback() {
        return Ok(address);
    }
    if let IpAddr::V4(v4) = address {
        // Classes D and E have no networks.
        netmask::of_class(v4)?;
    }
    address::parse(&address.to_string()).map(|found| found.address)
}

/// A number that is not below `least`.
pub(super) fn number(key: &str, word: &str, least: u32) -> Result<u32> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    plain
        .then(|| word.parse().ok())
        .flatten()
        .filter(|number| *number >= least)
        .ok_or_else(|| refused(word, &format!("{key} takes a number"), libc::EINVAL))
}

/// A station's Ethernet address.
pub(super) fn mac(word: &str) -> Result<[u8; 6]> {
    let byte = |part: &str| {
        let plain = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| u8::from_str_radix(part, 16).ok()).flatten()
    };
    let bytes: Option<Vec<u8>> = word.split(':').map(byte).collect();
    let mac = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
    // The group bit (IEEE 802.3, 3.2.3).
    mac.filter(|mac| mac[0] & 1 == 0 && *mac != [0; 6])
        .ok_or_else(|| refused(word, "not a station's Ethernet address", libc::EINVAL))
}
