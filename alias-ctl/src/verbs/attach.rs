//! `attach`.

use crate::error::Result;
use crate::lifecycle::{attachment, transaction};
use crate::model::request::AttachSpec;
use crate::wiring::host::Host;

/// `alias-ctl attach DEV`.
///
/// # Errors
///
/// EEXIST when it is attached; those of [`attachment::attach`].
pub fn attach(device: &str, spec: &AttachSpec) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    attachment::attach(&mut tx, device, spec)
}
