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
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;
use crate::wiring::{attach, stray};

use super::{cross, grow, lost, recovery};

/// Whether there is anything to put right. Takes no lock and changes nothing.
///
/// # Errors
///
/// That of asking the kernel.
pub fn is_due(host: &mut Host, events: &Events) -> Result<bool> {
    if !host.directory.growing()?.is_empty() || host.directory.has_drafts()? {
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
    Ok(!stray::find(host)?.is_empty())
}

/// What came of a pass.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// What was done, a sentence each.
    pub done: Vec<String>,
    /// What was refused, at most one of each parent: the next pass tries again. It is that
    /// parent's trouble, and bars nobody from another one.
    pub failed: Vec<Refusal>,
    /// Parents whose pins were gone, by ifindex: nothing is left of them.
    pub lost: Vec<u32>,
}

/// Puts everything right.
///
/// # Errors
///
/// That of reading the namespace's state.
pub fn reconcile(tx: &mut Transaction<'_>, events: &Events, extent: Extent) -> Result<Reconciled> {
    // What is stopped in the middle of being mended would count as refused.
    interrupt::finish(|| look(tx, events, extent))
}

fn look(tx: &mut Transaction<'_>, events: &Events, extent: Extent) -> Result<Reconciled> {
    attach::tidy_own(tx.lock())?;
    let mut pass = Reconciled::default();
    tx.host.barred.clear();
    for ifindex in tx.host.directory.growing()? {
        let (host, lock) = tx.parts();
        if let Err(refusal) = grow::finish(host, lock, ifindex) {
            // Half of it is in one generation of its maps, half in the other: nothing else
            // can be done with it.
            host.barred.insert(ifindex, refusal.clone());
            pass.failed.push(refusal);
        }
    }
    if findings::looks_at_all(tx.host, extent)? {
        let cleared = lost::clear(tx)?;
        pass.done.extend(cleared.done);
        pass.failed.extend(cleared.failed);
        pass.lost = cleared.parents;
    }
    let snapshot = Snapshot::default();
    for ifindex in tx.host.directory.parents()? {
        if tx.host.barred.contains_key(&ifindex) {
            continue;
        }
        let done = &mut pass.done;
        let outcome = reconcile_parent(tx, ifindex, events, &snapshot, extent, done);
        pass.failed.extend(outcome.err());
    }
    let cleared = cross::clear(tx.host, tx.lock());
    pass.failed.extend(cleared.err());
    let listing = listing::restore(tx.lock());
    pass.failed.extend(listing.err());
    Ok(pass)
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
