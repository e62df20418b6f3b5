//! How every change begins.

use std::io::{self, Write};

use crate::error::Result;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

use super::families;
use super::reconcile::events::{Events, Extent};
use super::reconcile::reconcile;

/// Begins a change of this namespace's state, after what a killed writer left
/// is put in order. Every verb that changes something begins with it, and looks
/// at devices only afterwards: what it saw before may be another's.
///
/// # Errors
///
/// That of locking and of putting in order.
pub fn begin(host: &mut Host) -> Result<Transaction<'_>> {
    let mut tx = Transaction::wait(host)?;
    for done in recover(&mut tx)? {
        // Changes by others are reported before this command's own.
        let _ = writeln!(io::stderr(), "alias-ctl: note: {done}");
    }
    Ok(tx)
}

/// Makes this namespace's state whole. Returns what was done, a sentence each.
///
/// # Errors
///
/// What the kernel refused; the state is left for the next try.
pub fn recover(tx: &mut Transaction<'_>) -> Result<Vec<String>> {
    let done = reconcile(tx, &Events::default(), Extent::Usual)?;
    families::finish(tx).map(|()| done)
}
