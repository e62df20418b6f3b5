//! Compares the records with what the kernel has, and puts everything right:
//! what a killed writer left behind, and what happened to parents, devices and
//! addresses meanwhile. It runs under the lock, before every change; the daemon
//! only runs it sooner. So it does not matter which event was heard of, or
//! whether any was: ARCHITECTURE.md has the table of what becomes of what.

pub mod events;
mod findings;
mod moved;
mod repair;
mod snapshot;

use events::{Events, Extent};
use findings::{ParentState, inspect};
use snapshot::Snapshot;

use crate::dataplane::listing;
use crate::error::Result;
use crate::wiring::attach;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

use super::{grow, recovery};

/// Whether there is anything to put right. Takes no lock and changes nothing.
///
/// # Errors
///
/// That of asking the kernel.
pub fn is_due(host: &mut Host, events: &Events) -> Result<bool> {
    if !host.directory.growing()?.is_empty() {
        return Ok(true);
    }
    let snapshot = Snapshot::default();
    for ifindex in host.directory.parents()? {
        if !matches!(
            inspect(host, ifindex, events, &snapshot, Extent::Whole)?,
            ParentState::Ok
        ) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts everything right. Returns what was done, a sentence each.
///
/// # Errors
///
/// The first thing the kernel refused, and the next pass tries again. The other parents
/// have been seen to; unless a growth could not be finished: then nothing but growths has.
pub fn reconcile(tx: &mut Transaction<'_>, events: &Events, extent: Extent) -> Result<Vec<String>> {
    attach::tidy_own(tx.lock())?;
    let mut done = Vec::new();
    let mut outcome = Ok(());
    for ifindex in tx.host.directory.growing()? {
        let (host, lock) = tx.parts();
        outcome = outcome.and(grow::finish(host, lock, ifindex).map(drop));
    }
    // Nothing else is right before that is.
    outcome?;
    let mut outcome = Ok(());
    let snapshot = Snapshot::default();
    for ifindex in tx.host.directory.parents()? {
        let reconciled = reconcile_parent(tx, ifindex, events, &snapshot, extent, &mut done);
        outcome = outcome.and(reconciled);
    }
    outcome
        .and_then(|()| listing::restore(tx.lock()))
        .map(|()| done)
}

/// Puts one parent right.
fn reconcile_parent(
    tx: &mut Transaction<'_>,
    ifindex: u32,
    events: &Events,
    snapshot: &Snapshot,
    extent: Extent,
    done: &mut Vec<String>,
) -> Result<()> {
    let mut case = inspect(tx.host, ifindex, events, snapshot, extent)?;
    if let ParentState::Unfinished(parent, link) = case {
        recovery::complete(&mut tx.on(&link, &parent)?)?;
        done.push(format!(
            "{}: finished what a killed command left",
            link.name
        ));
        // What was seen before is not what is there now.
        case = inspect(tx.host, ifindex, events, &Snapshot::default(), extent)?;
    }
    match case {
        ParentState::Ok | ParentState::Unfinished(..) => Ok(()),
        ParentState::Empty => attach::discard(tx.lock(), ifindex),
        ParentState::Orphaned(parent) => {
            recovery::remove_orphan(tx, parent)?;
            done.push(format!(
                "device {ifindex} is gone: its aliases went with it"
            ));
            Ok(())
        }
        ParentState::NeedsRepair(parent, link, findings) => {
            repair::repair(&mut tx.on(&link, &parent)?, &findings, done)
        }
    }
}
