//! `del`.

use crate::error::Result;
use crate::lifecycle::{delete, transaction};
use crate::model::request::Victims;
use crate::wiring::host::Host;

/// `alias-ctl del …`.
///
/// # Errors
///
/// ENODEV for an alias that is not there, EADDRNOTAVAIL for an address, EBUSY
/// when others have joined its device, or when it keeps an address of the parent's from
/// a prefix. Then none is deleted.
pub fn del(victims: &Victims) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    delete::delete(&mut tx, victims)
}
