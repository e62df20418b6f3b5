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
    let lock = transaction::begin(&mut host)?;
    let link = host.link(device, "set")?;
    let parent = host.attached(&link, "set")?;
    if let Some(capacity) = change.capacity {
        grow::enlarge(&mut host, &link, &parent, capacity, &lock)?;
    }
    if let Some(max_aliases) = change.max_aliases {
        parent.edit(&lock)?.set_limit(max_aliases);
    }
    if let Some(on_down) = change.on_down {
        parent.edit(&lock)?.set_on_down(Some(on_down));
    }
    Ok(())
}
