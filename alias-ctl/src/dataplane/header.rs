//! A parent's page of facts: as it is made, opened and checked.

use std::os::fd::AsFd;
use std::path::Path;

use alias_common::ABI_VERSION;
use alias_common::header::Header;
use alias_common::names;

use super::shape::{self, check, foreign, open_pin};
use super::shared::Shared;
use super::sys;
use crate::error::{Refusal, Result};
use crate::model::declaration::Mode;
use crate::model::lifecycle::OnDown;

/// A device's name as the header has it.
#[must_use]
pub fn padded_name(name: &str) -> [u8; 16] {
    let mut padded = [0; 16];
    // The kernel's names have at most 15 bytes (IFNAMSIZ of `linux/if.h`).
    for (to, from) in padded.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    padded
}

/// Where the engine of a parent runs: never [`Mode::BestEffort`].
#[must_use]
pub const fn mode(header: &Header) -> Mode {
    if header.flags & Header::TC != 0 {
        Mode::Tc
    } else if header.flags & Header::GENERIC != 0 {
        Mode::Generic
    } else {
        Mode::Native
    }
}

/// What a mode's engine is attached as.
#[must_use]
pub const fn hook_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Native | Mode::Generic | Mode::BestEffort => "XDP",
        Mode::Tc => "tcx",
    }
}

/// The header's flag for a mode that was chosen.
#[must_use]
pub const fn mode_flag(mode: Mode) -> u32 {
    match mode {
        Mode::Native | Mode::BestEffort => 0,
        Mode::Generic => Header::GENERIC,
        Mode::Tc => Header::TC,
    }
}

/// The header's flag for a choice.
#[must_use]
pub const fn on_down_flag(on_down: OnDown) -> u32 {
    match on_down {
        OnDown::Keep => Header::KEEP_WHEN_DOWN,
        OnDown::Delete => Header::FREE_WHEN_DOWN,
    }
}

pub(super) fn header_at(path: &Path) -> Result<Option<Shared<Header>>> {
    let Some(map) = open_pin(path, names::HEADER)? else {
        return Ok(None);
    };
    check(path, &map, shape::HEADER)?;
    let header: Shared<Header> = Shared::map(map.as_fd(), 1, names::HEADER)
        .map_err(|error| Refusal::io(path.display().to_string(), "map", &error))?;
    if header.read(0).abi_version != ABI_VERSION {
        return Err(foreign(path, names::HEADER, "another ABI version"));
    }
    Ok(Some(header))
}

/// Writes the header of maps that were just made.
pub fn initialise(path: &Path, header: &Header) -> Result<()> {
    let map = sys::obj_get(&path.join(names::HEADER))
        .map_err(|error| Refusal::io(path.display().to_string(), "open", &error))?;
    let shared: Shared<Header> = Shared::map(map.as_fd(), 1, names::HEADER)
        .map_err(|error| Refusal::io(path.display().to_string(), "map", &error))?;
    shared.write(0, *header);
    Ok(())
}
