//! `set` of an alias.

use crate::error::Result;
use crate::lifecycle::{change, transaction, way_back};
use crate::model::request::Change;
use crate::wiring::host::Host;

/// `alias-ctl set NAME …`.
///
/// # Errors
///
/// ENODEV when there is no such alias, EBUSY when others have joined its device,
/// and those of `add`. Then the alias is as it was.
pub fn set(name: &str, change: &Change) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    change::set(&mut tx, name, change)?;
    way_back::tell(tx.host);
    Ok(())
}
