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
    recover(&mut tx)?;
    Ok(tx)
}

/// Makes this namespace's state whole. What others have changed, and what could not be put
/// right, is told before what this command does; neither stops it.
///
/// # Errors
///
/// That of reading the namespace's state.
pub fn recover(tx: &mut Transaction<'_>) -> Result<()> {
    let pass = reconcile(tx, &Events::default(), Extent::Usual)?;
    let families = families::finish(tx);
    let refusals = pass.failed.into_iter().chain(families.err());
    let told = refusals.map(|refusal| refusal.to_string());
    for note in pass.done.into_iter().chain(told) {
        let _ = writeln!(io::stderr(), "alias-ctl: note: {note}");
    }
    Ok(())
}
