//! `enable` and `disable`.

use crate::error::Result;
use crate::lifecycle::{transaction, verdict};
use crate::wiring::host::Host;

/// Matches an alias's packets, or leaves them to the parent as if it were not.
/// Its device, address and counters stay.
///
/// # Errors
///
/// ENODEV when there is no such alias, EBUSY when it is to be disabled and keeps an
/// address of the parent's from a prefix.
pub fn enable(name: &str, enabled: bool) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    verdict::enable(&mut tx, name, enabled)
}
