//! Netmasks as the historic tools wrote them, and the classes that stood in for
//! them before CIDR (RFC 791, 3.2).

use std::net::Ipv4Addr;

use crate::error::{Refusal, Result};

/// Reads a mask: dotted (`255.255.240.0`), hexadecimal (`0xfffff000`) or a
/// length (`/20`). Returns the prefix length in bits.
///
/// # Errors
///
/// EINVAL for what is no mask, and for one whose bits are not all in front.
pub fn parse(text: &str) -> Result<u8> {
    let refused = |reason: &str| {
        Refusal::new(text, "read netmask", reason, libc::EINVAL)
            .hint("write it like 255.255.255.0, 0xffffff00 or /24")
    };
    if let Some(length) = text.strip_prefix('/') {
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        return digits
            .then(|| length.parse().ok().filter(|length| *length <= 32))
            .flatten()
            .ok_or_else(|| refused("the prefix length is out of range"));
    }
    let hexadecimal = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let mask = match hexadecimal {
        // from_str_radix would take a sign.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None => text.parse().ok().map(Ipv4Addr::to_bits),
    }
    .ok_or_else(|| refused("not a netmask"))?;
    let length = mask.leading_ones();
    if length + mask.trailing_zeros().min(32 - length) != 32 {
        return Err(refused("its bits are not contiguous"));
    }
    // At most 32.
    Ok(length as u8)
}

/// The prefix length of an address's class: A is /8, B /16, C /24.
///
/// # Errors
///
/// EINVAL for classes D and E, which number no networks.
pub fn of_class(address: Ipv4Addr) -> Result<u8> {
    match address.octets()[0] {
        0..=127 => Ok(8),
        128..=191 => Ok(16),
        192..=223 => Ok(24),
        _ => Err(Refusal::new(
            address.to_string(),
            "choose netmask",
            "an address of class D or E has none",
            libc::EINVAL,
        )
        .hint("give a unicast address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (text, expected) in [
            ("255.255.255.0", Some(24)),
            ("255.255.240.0", Some(20)),
            ("255.255.255.255", Some(32)),
            ("0.0.0.0", Some(0)),
            ("128.0.0.0", Some(1)),
            ("0xffffff00", Some(24)),
            ("0XFFFFFF00", Some(24)),
            ("0x0", Some(0)),
            ("0xffffffff", Some(32)),
            ("/24", Some(24)),
            ("/0", Some(0)),
            ("/32", Some(32)),
            ("255.0.255.0", None),
            ("0.0.0.255", None),
            ("0xff", None),
            ("0x", None),
            ("0x+ffffff0", None),
            ("0x1ffffff00", None),
            ("/33", None),
            ("/+8", None),
            ("/", None),
            ("24", None),
            ("255.255.255", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn classes() {
        for (address, expected) in [
            ("10.1.2.3", Some(8)),
            ("127.0.0.1", Some(8)),
            ("166.66.66.66", Some(16)),
            ("188.88.88.88", Some(16)),
            ("199.99.99.99", Some(24)),
            ("223.255.255.255", Some(24)),
            ("224.0.0.1", None),
            ("240.0.0.1", None),
        ] {
            let found = of_class(address.parse().unwrap()).ok();
            assert_eq!(found, expected, "{address}");
        }
    }
}
