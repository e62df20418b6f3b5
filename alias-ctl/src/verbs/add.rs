//! `add`.

use crate::error::Result;
use crate::lifecycle::{add, transaction, way_back};
use crate::model::alias_request::AliasRequest;
use crate::wiring::host::Host;

/// `alias-ctl add NAME …`; attaches the parent when it is not.
///
/// # Errors
///
/// Those of [`add::add`].
pub fn add(name: &str, wanted: &AliasRequest) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    add::add(&mut tx, name, wanted)?;
    way_back::tell(tx.host);
    Ok(())
}
