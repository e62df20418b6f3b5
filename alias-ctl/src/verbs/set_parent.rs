//! `set` of a device: what holds for all its aliases.

use crate::error::Result;
use crate::lifecycle::{grow, transaction};
use crate::model::request::ParentChange;
use crate::wiring::host::Host;

/// `alias-ctl set DEV …`.
///
/// # Errors
///
/// ENODEV when the device is not attached.
pub fn set_parent(device: &str, change: ParentChange) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    let link = tx.host.link(device, "set")?;
    let parent = tx.host.attached(&link, "set")?;
    let mut on = tx.on(&link, &parent)?;
    match (change.log_level, change.capacity) {
        (Some(level), capacity) => grow::set_log_level(&mut on, level, capacity)?,
        (None, Some(capacity)) => grow::enlarge(&mut on, capacity)?,
        (None, None) => {}
    }
    if let Some(max_aliases) = change.max_aliases {
        on.parent.set_limit(max_aliases);
    }
    if let Some(on_down) = change.on_down {
        on.parent.set_on_down(Some(on_down));
    }
    Ok(())
}
