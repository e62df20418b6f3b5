//! `detach`.

use crate::error::Result;
use crate::lifecycle::{attachment, transaction};
use crate::wiring::host::Host;

/// `alias-ctl detach DEV`.
///
/// # Errors
///
/// EBUSY when it has aliases and they shall not go too.
pub fn detach(device: &str, cascade: bool) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    attachment::detach(&mut tx, device, cascade)
}
