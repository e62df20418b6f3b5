//! Words that the command line and the configuration file have in common.

use alias_common::key::Vlan;

use crate::error::{Refusal, Result};

use super::alias_request::Target;
use super::declaration::{Hook, Mode};
use super::lifecycle::OnDown;

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
            .hint("write it like 02:00:00:00:00:01")
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
            .hint("write ID, or OUTER.INNER for two tags")
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

/// The word for a mode, as `attach --mode` takes it.
#[must_use]
pub const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Native => "native",
        Mode::Generic => "generic",
        Mode::Tc => "tc",
        Mode::BestEffort => "best-effort",
    }
}

/// The word for where tc programs hang, as `attach --tc` takes it.
#[must_use]
pub const fn tc_word(tc: Hook) -> &'static str {
    match tc {
        Hook::Tcx => "tcx",
        Hook::Clsact => "clsact",
    }
}

/// The word for what becomes of aliases, as `attach --on-parent-down` takes it.
#[must_use]
pub const fn on_down_word(on_down: OnDown) -> &'static str {
    match on_down {
        OnDown::Delete => "delete",
        OnDown::Keep => "keep",
    }
}

/// The word for a target, as `show` prints it.
#[must_use]
pub const fn target_word(target: &Target) -> &'static str {
    match target {
        Target::Device { .. } => "device",
        Target::Join { .. } => "join",
        Target::To { .. } => "to",
        Target::Local => "local",
        Target::Drop => "drop",
    }
}

/// Levels of the journal by their words.
pub const LOG_LEVELS: [(&str, u8); 4] = [("off", 0), ("warn", 2), ("info", 3), ("debug", 4)];

/// The word for a level of the journal, as `attach --log` takes it.
#[must_use]
pub fn log_word(level: u8) -> &'static str {
    let found = LOG_LEVELS.iter().find(|(_, known)| *known == level);
    found.map_or("unknown", |(word, _)| word)
}
