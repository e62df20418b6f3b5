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

use events::{Extent, Heard};
use findings::{Case, look};
use snapshot::Snapshot;

use crate::dataplane::{WriteLock, listing};
use crate::error::Result;
use crate::wiring::attach;
use crate::wiring::host::Host;

use super::{grow, recovery};

/// Whether there is anything to put right. Takes no lock and changes nothing.
///
/// # Errors
///
/// That of asking the kernel.
pub fn is_due(host: &mut Host, heard: &Heard) -> Result<bool> {
    if !host.directory.growing()?.is_empty() {
        return Ok(true);
    }
    let snapshot = Snapshot::default();
    for ifindex in host.directory.parents()? {
        if !matches!(
            look(host, ifindex, heard, &snapshot, Extent::Whole)?,
            Case::Well
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
pub fn reconcile(
    host: &mut Host,
    lock: &WriteLock,
    heard: &Heard,
    extent: Extent,
) -> Result<Vec<String>> {
    attach::tidy_own(&host.directory, lock)?;
    let mut done = Vec::new();
    let mut outcome = Ok(());
    for ifindex in host.directory.growing()? {
        outcome = outcome.and(grow::finish(host, ifindex, lock).map(drop));
    }
    // Nothing else is right before that is.
    outcome?;
    let mut outcome = Ok(());
    let snapshot = Snapshot::default();
    for ifindex in host.directory.parents()? {
        let seen_to = see_to(host, ifindex, heard, &snapshot, extent, lock, &mut done);
        outcome = outcome.and(seen_to);
    }
    outcome
        .and_then(|()| listing::restore(&host.directory, lock))
        .map(|()| done)
}

/// Puts one parent right.
fn see_to(
    host: &mut Host,
    ifindex: u32,
    heard: &Heard,
    snapshot: &Snapshot,
    extent: Extent,
    lock: &WriteLock,
    done: &mut Vec<String>,
) -> Result<()> {
    let mut case = look(host, ifindex, heard, snapshot, extent)?;
    if let Case::Unfinished(parent, link) = case {
        recovery::complete(host, &link, &parent, lock)?;
        done.push(format!(
            "{}: finished what a killed command left",
            link.name
        ));
        // What was seen before is not what is there now.
        case = look(host, ifindex, heard, &Snapshot::default(), extent)?;
    }
    match case {
        Case::Well | Case::Unfinished(..) => Ok(()),
        Case::Empty => attach::discard(&host.directory, ifindex, lock),
        Case::Orphaned(parent) => {
            recovery::bury(host, parent, lock)?;
            done.push(format!(
                "device {ifindex} is gone: its aliases went with it"
            ));
            Ok(())
        }
        Case::Ailing(parent, link, findings) => {
            repair::repair(host, &parent, &link, &findings, lock, done)
        }
    }
}
