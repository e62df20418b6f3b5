//! What is done about a writer that was killed, and about a parent that went.

use alias_common::header::Header;
use alias_common::record::State;

use crate::dataplane::{Parent, ParentMut};
use crate::error::Result;
use crate::wiring::transaction::{On, Transaction};
use crate::wiring::{attach, hearing, sockets};

use super::verdict::verdict_of;
use super::{replace, retire, settle};

/// The device went, or moved to another namespace. Nothing reaches its aliases;
/// their devices must not stay behind.
///
/// # Errors
///
/// What the kernel refused.
pub fn remove_orphan(tx: &mut Transaction<'_>, parent: Parent) -> Result<()> {
    let mut slots = unfinished(&parent);
    slots.extend(parent.live().map(|(slot, _)| slot));
    let (host, lock) = tx.parts();
    retire::retire_orphans(host, parent.edit(lock)?, &slots)?;
    attach::detach(lock, parent, None)
}

/// Finishes what was begun.
///
/// # Errors
///
/// What the kernel refused; the next writer tries again.
pub fn complete(on: &mut On<'_>) -> Result<()> {
    let parent = on.parent;
    if parent.header().unfinished == Header::COMMITTED {
        let complete: Vec<u32> = parent
            .in_state(State::Pending)
            .map(|(slot, _)| slot)
            .collect();
        parent.commit(complete.into_iter());
    }
    restore_verdicts(parent);
    if let Some(change) = parent.pending_change() {
        replace::finish(on, &change)?;
    }
    retire::retire(on, &unfinished(&parent))?;
    hearing::follow(on.host, Some(on.link), parent)?;
    sockets::restore(on)?;
    if !parent.header().prefixes.is_empty() {
        settle::settle(on.link, parent)?;
    }
    parent.set_unfinished(false);
    Ok(())
}

/// Gives each live alias the verdict that its record says: a kill may have come
/// between the two when it was enabled or disabled.
fn restore_verdicts(parent: ParentMut<'_>) {
    for (slot, record) in parent.live() {
        parent.set_verdict(slot, verdict_of(&record));
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
