//! How every change begins, and what is done about a writer that was killed.

use std::collections::HashSet;
use std::io::{self, Write};

use alias_common::header::Header;
use alias_common::record::State;

use crate::dataplane::{Directory, Parent, WriteLock, attach, registry};
use crate::error::Result;
use crate::netlink::{Link, Netns};

use super::enable::verdict_of;
use super::host::Host;
use super::reconcile::{Extent, Heard, reconcile};
use super::{isno, prefix, retire, set, types};

/// The right to change this namespace's state, after what a killed writer left
/// is put in order. Every verb that changes something begins with it, and looks
/// at devices only afterwards: what it saw before may be another's.
///
/// # Errors
///
/// That of locking and of putting in order.
pub fn begin(host: &mut Host) -> Result<WriteLock> {
    let lock = host.directory.lock()?;
    for done in recover(host, &lock)? {
        // What others have changed is told before what this command does.
        let _ = writeln!(io::stderr(), "alias-ctl: note: {done}");
    }
    Ok(lock)
}

/// Makes this namespace's state whole. Returns what was done, a sentence each.
///
/// # Errors
///
/// What the kernel refused; the state is left for the next try.
pub fn recover(host: &mut Host, lock: &WriteLock) -> Result<Vec<String>> {
    let done = reconcile(host, lock, &Heard::default(), Extent::Usual)?;
    types::finish(host, lock).map(|()| done)
}

/// The device went, or moved to another namespace. Nothing reaches its aliases;
/// their devices must not stay behind.
pub(super) fn bury(host: &mut Host, parent: Parent, lock: &WriteLock) -> Result<()> {
    let mut slots = unfinished(&parent);
    slots.extend(parent.live().map(|(slot, _)| slot));
    retire::retire(host, None, &parent, &slots, lock)?;
    attach::detach(&host.directory, parent, None, lock)
}

/// Finishes what was begun.
pub(super) fn complete(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    lock: &WriteLock,
) -> Result<()> {
    if parent.header().unfinished == Header::COMMITTED {
        let complete: Vec<u32> = parent
            .in_state(State::Pending)
            .map(|(slot, _)| slot)
            .collect();
        parent.commit(complete.into_iter(), lock);
    }
    restore_verdicts(parent, lock);
    if let Some(change) = parent.journal() {
        set::finish(host, link, parent, &change, lock)?;
    }
    retire::retire(host, Some(link), parent, &unfinished(parent), lock)?;
    isno::restore(host, link, parent, lock)?;
    if !parent.header().prefixes.is_empty() {
        prefix::settle(host, link, parent, lock)?;
    }
    parent.set_unfinished(false, lock);
    Ok(())
}

/// Gives each live alias the verdict that its record says: a kill may have come
/// between the two when it was enabled or disabled.
fn restore_verdicts(parent: &Parent, lock: &WriteLock) {
    for (slot, record) in parent.live() {
        parent.set_verdict(slot, verdict_of(&record), lock);
    }
}

/// Slots that somebody was at.
fn unfinished(parent: &Parent) -> Vec<u32> {
    [State::Pending, State::Retiring]
        .into_iter()
        .flat_map(|state| {
            parent
                .in_state(state)
                .map(|(slot, _)| slot)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Removes what namespaces that are gone left on bpffs. What cannot be locked is
/// at work, and what a name or a process leads to is alive.
///
/// # Errors
///
/// That of removing it.
pub fn sweep_dead_namespaces(directory: &Directory) -> Result<()> {
    let siblings = directory.siblings()?;
    if siblings.is_empty() {
        return Ok(());
    }
    let alive: HashSet<u64> = Netns::all()
        .filter_map(|netns| netns.cookie().ok())
        .collect();
    for sibling in siblings
        .into_iter()
        .filter(|sibling| !alive.contains(&sibling.cookie()))
    {
        let Some(lock) = sibling.try_lock()? else {
            continue;
        };
        attach::tidy(&sibling, &lock)?;
        for ifindex in sibling.parents()? {
            match Parent::open(&sibling, ifindex) {
                Ok(Some(parent)) if !parent.is_alive() => {
                    attach::detach(&sibling, parent, None, &lock)?;
                }
                _ => {}
            }
        }
        registry::forget(&sibling, &lock)?;
        sibling.clear_shared(&lock)?;
    }
    Ok(())
}
