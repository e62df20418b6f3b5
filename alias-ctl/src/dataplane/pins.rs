//! What pins are called, and who may open them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::{Refusal, Result};

/// What a link's name ends with.
pub(super) const LINK_SUFFIX: &str = "_link";
/// What a type's name begins with.
pub(super) const TYPE_PREFIX: &str = "type_";

/// Name under which a program's link is pinned.
#[must_use]
pub fn link_name(program: &str) -> String {
    format!("{program}{LINK_SUFFIX}")
}

/// Name under which a type's object is pinned in the namespace's directory, and its
/// program in a parent's.
#[must_use]
pub fn pin_name(family: u16, ethertype: u16) -> String {
    format!("{TYPE_PREFIX}{family}_{ethertype:04x}")
}

/// Family and ethertype of such a name.
#[must_use]
pub fn read_pin_name(name: &str) -> Option<(u16, u16)> {
    let (family, ethertype) = name.strip_prefix(TYPE_PREFIX)?.split_once('_')?;
    let ethertype = u16::from_str_radix(ethertype, 16).ok()?;
    Some((family.parse().ok()?, ethertype))
}

/// Pins are ours alone: BPF_OBJ_GET asks for the file's permissions.
pub fn restrict(draft: &Path) -> Result<()> {
    let refused = |error: io::Error| Refusal::io(draft.display().to_string(), "restrict", &error);
    for entry in fs::read_dir(draft).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(refused)?;
    }
    Ok(())
}
