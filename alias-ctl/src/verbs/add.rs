//! `add`.

use crate::error::Result;
use crate::lifecycle::{add, transaction};
use crate::model::wish::Wish;
use crate::wiring::host::Host;

/// `alias-ctl add NAME …`; attaches the parent when it is not.
///
/// # Errors
///
/// Those of [`add::add`].
pub fn add(name: &str, wish: &Wish) -> Result<()> {
    let mut host = Host::open()?;
    let lock = transaction::begin(&mut host)?;
    add::add(&mut host, &lock, name, wish)
}
