//! Words that the command line and the configuration file have in common.

use alias_common::key::Vlan;

use crate::error::{Refusal, Result};

/// Reads a MAC address that frames can be sent to.
///
/// # Errors
///
/// EINVAL for what is none, and for a group's.
pub fn mac(text: &str) -> Result<[u8; 6]> {
    let byte = |part: &str| {
        let is_hex = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_hex {
            u8::from_str_radix(part, 16).ok()
        } else {
            None
        }
    };
    let bytes: Option<Vec<u8>> = text.split(':').map(byte).collect();
    let mac = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
    mac.filter(|mac| mac[0] & 1 == 0 && *mac != [0; 6])
        .ok_or_else(|| {
            Refusal::new(
                text,
                "read MAC address",
                "not a unicast MAC address",
                libc::EINVAL,
            )
            .way_out("write it like 02:00:00:00:00:01")
        })
}

/// Reads a VLAN: an id of 1 to 4094 (IEEE 802.1Q, 9.6), or two with a dot between.
/// 0 stands for none.
///
/// # Errors
///
/// EINVAL for what is none.
pub fn vlan(text: &str) -> Result<Vlan> {
    let invalid = || {
        Refusal::new(text, "read VLAN", "a VLAN id is 1 to 4094", libc::EINVAL)
            .way_out("write ID, or OUTER.INNER for two tags")
    };
    let id = |text: &str| {
        text.parse::<u16>()
            .ok()
            .filter(|id| (1..=4094).contains(id))
            .ok_or_else(invalid)
    };
    match text.split_once('.') {
        None if text == "0" => Ok(Vlan::NONE),
        None => Ok(Vlan::new(id(text)?, 0)),
        Some((outer, inner)) => Ok(Vlan::new(id(outer)?, id(inner)?)),
    }
}

/// Writes a VLAN as [`vlan`] reads it.
#[must_use]
pub fn vlan_word(vlan: Vlan) -> String {
    match vlan.inner() {
        0 => vlan.outer().to_string(),
        inner => format!("{}.{inner}", vlan.outer()),
    }
}

/// Writes a MAC address as [`mac`] reads it.
#[must_use]
pub fn mac_word(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
