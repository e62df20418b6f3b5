//! Replaces an alias in its slot. Against deleting it and adding another, its place in the
//! listing and its counters stay.
//!
//! What the alias shall become is the pending change before the first step, so a
//! kill at any point leaves the old alias or, after the next command, the new
//! one. While it is changed, its packets are the parent's.

use alias_common::record::{Record, State, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::tcp_options::clear_idle;
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::model::name::alias_name;
use crate::netlink::Link;
use crate::wiring::batch::{Batch, Past};
use crate::wiring::transaction::On;
use crate::wiring::veth;

use super::{create, resolve, retire, settle, target};

/// Makes an alias again whose device or address somebody took away.
///
/// # Errors
///
/// As for [`replace`].
pub fn rebuild(on: &mut On<'_>, slot: u32) -> Result<()> {
    let wanted = resolve::of_record(on.host, slot, &on.parent.record(slot))?;
    replace(on, wanted)
}

/// Puts a batch of one in the place of the alias in its slot.
///
/// # Errors
///
/// EBUSY when others have joined its device, and what the kernel refused. Then the
/// alias is as it was.
pub fn replace(on: &mut On<'_>, mut wanted: Batch) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let slot = wanted.items[0].slot;
    let old = parent.record(slot);
    let new = target::record(&wanted, &wanted.items[0]);
    refuse_shared_device(link, &parent, slot)?;
    parent.set_unfinished(true);
    parent.set_pending_change(Some(Record { slot, ..new }));
    interrupt::check(&alias_name(&link.name, slot), "set").inspect_err(|_| {
        parent.set_pending_change(None);
        parent.set_unfinished(false);
    })?;
    let past = take_down(on, slot)?;
    wanted.items[0].past = past;
    let result = create::create(on, &wanted);
    if result.is_err() && parent.state(slot) != State::Live {
        // Refused is refused: with the old alias gone too, the new one must not
        // come to life at the next command. What is left over, that one clears.
        if put_back(on, slot, &old, past).is_err() {
            parent.set_pending_change(None);
            return result;
        }
    }
    clear_idle(parent)?;
    if old.flags & Record::PREFIX != 0 {
        settle::settle(link, parent)?;
    }
    parent.set_pending_change(None);
    parent.set_unfinished(false);
    result
}

/// Makes the alias of a record in a vacated slot. When that fails, what it had
/// counted goes too: the slot's next alias is another.
fn put_back(on: &mut On<'_>, slot: u32, record: &Record, past: Past) -> Result<()> {
    let parent = on.parent;
    let made = resolve::of_record(on.host, slot, record).and_then(|mut batch| {
        batch.items[0].past = past;
        interrupt::finish(|| create::create(on, &batch))
    });
    if made.is_err() && parent.state(slot) == State::Free {
        parent.free(slot, false)?;
    }
    made
}

/// Finishes a change whose changer was killed. What cannot be made any more,
/// because its namespace or device went meanwhile, stays deleted.
///
/// # Errors
///
/// What the kernel refused in taking the old alias down.
pub fn finish(on: &mut On<'_>, change: &Record) -> Result<()> {
    let parent = on.parent;
    let slot = change.slot;
    if change.flags & Record::TCP_ONLY != 0 {
        if parent.state(slot) == State::Live {
            parent.amend(slot, |record| record.tcp = change.tcp);
        }
        parent.set_pending_change(None);
        return Ok(());
    }
    // Live is either the alias before the first step or after the last one.
    if parent.state(slot) != State::Live {
        let past = take_down(on, slot)?;
        // Refused: then it is deleted, and the listing says so.
        let _ = put_back(on, slot, change, past);
    }
    parent.set_pending_change(None);
    Ok(())
}

/// Takes the old alias out of use and its slot free; returns what it had
/// counted, which is in the pending change before it is gone from the cells.
fn take_down(on: &mut On<'_>, slot: u32) -> Result<Past> {
    let parent = on.parent;
    if parent.state(slot) != State::Free {
        let record = parent.record(slot);
        let drops = match veth::is_beside_parent(&record) {
            true => on
                .host
                .netlink
                .transmit_drops("veth")?
                .get(&record.port_ifindex)
                .copied(),
            false => None,
        };
        retire::unwire(on, &[slot])?;
        // The port is gone, and its statistics with it.
        parent.add_lost(slot, drops.unwrap_or(0))?;
    }
    let pending = parent.pending_change().unwrap_or_default();
    let past = if pending.flags & Record::HARVESTED != 0 {
        Past::of(&pending)
    } else {
        let old = parent.record(slot);
        let figures = parent.figures(slot, &old)?;
        let past = Past {
            created: old.created,
            rx: figures.rx,
            policy: figures.policy,
            kept: true,
        };
        let mut harvested = pending;
        past.note(&mut harvested);
        parent.set_pending_change(Some(harvested));
        harvested.flags |= Record::HARVESTED;
        parent.set_pending_change(Some(harvested));
        past
    };
    if parent.state(slot) != State::Free {
        parent.free(slot, true)?;
    }
    Ok(past)
}

/// Changing an alias takes its device away for a moment, and the addresses that
/// others have on it.
fn refuse_shared_device(link: &Link, parent: &Parent, slot: u32) -> Result<()> {
    let joined = parent
        .live()
        .find(|(_, record)| record.is(TargetKind::Join) && record.link == slot);
    let Some((other, _)) = joined else {
        return Ok(());
    };
    let name = alias_name(&link.name, slot);
    let other = alias_name(&link.name, other);
    Err(Refusal::new(
        name,
        "set",
        format!("{other} has joined its device"),
        libc::EBUSY,
    )
    .hint(format!("change that one first: alias-ctl set {other} …")))
}
