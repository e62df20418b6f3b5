//! Takes aliases away: on `del`, when making them failed, and when a killed
//! writer left them half made or half deleted. Every step may find its work
//! done, and does not mind.

use alias_common::record::{Record, State, TargetKind};

use crate::dataplane::ParentMut;
use crate::dataplane::hearers::hears;
use crate::dataplane::table::grace_period;
use crate::dataplane::tcp_options::clear_idle;
use crate::error::Result;
use crate::netlink::Link;
use crate::wiring::hearing;
use crate::wiring::host::Host;
use crate::wiring::progress::Progress;
use crate::wiring::sockets;
use crate::wiring::transaction::On;

use super::{settle, target};

/// Times that every alias is gone over: marked, taken out of the index, freed.
const STAGES: usize = 3;

/// Takes aliases away, in any state.
///
/// # Errors
///
/// The first thing the kernel refused. The records stay, and the next writer
/// tries again.
pub fn retire(on: &mut On<'_>, slots: &[u32]) -> Result<()> {
    take_away(on.host, Some(on.link), on.parent, slots)
}

/// Takes away aliases of a parent that is gone, and with it what was on it.
///
/// # Errors
///
/// As for [`retire`].
pub fn retire_orphans(host: &mut Host, parent: ParentMut<'_>, slots: &[u32]) -> Result<()> {
    take_away(host, None, parent, slots)
}

fn take_away(
    host: &mut Host,
    link: Option<&Link>,
    parent: ParentMut<'_>,
    slots: &[u32],
) -> Result<()> {
    if slots.is_empty() {
        return Ok(());
    }
    let is_prefix = |slot: &u32| parent.record(*slot).flags & Record::PREFIX != 0;
    let had_prefix = !parent.header().prefixes.is_empty() && slots.iter().any(is_prefix);
    let mut progress = Progress::new("deleting", slots.len(), STAGES);
    let had_options = take_out(host, link, parent, slots, &mut progress)?;
    parent.release(slots, || progress.step(1))?;
    drop(progress);
    if had_options {
        clear_idle(parent)?;
    }
    if let Some(link) = link.filter(|_| had_prefix) {
        settle::settle(link, parent)?;
    }
    Ok(())
}

/// Takes aliases out of use, but keeps their records and what was counted.
/// Afterwards no program run is left that could count more.
///
/// # Errors
///
/// As for [`retire`].
pub fn unwire(on: &mut On<'_>, slots: &[u32]) -> Result<()> {
    let mut progress = Progress::new("deleting", slots.len(), STAGES - 1);
    take_out(on.host, Some(on.link), on.parent, slots, &mut progress).map(drop)
}

/// The same. Returns whether one of them had TCP options.
fn take_out(
    host: &mut Host,
    link: Option<&Link>,
    parent: ParentMut<'_>,
    slots: &[u32],
    progress: &mut Progress,
) -> Result<bool> {
    // Those that are more than a record and a place in the index.
    let mut going: Vec<(u32, Record)> = Vec::new();
    let mut had_options = false;
    for &slot in slots {
        let record = parent.record(slot);
        let has_options = !record.tcp.is_empty();
        had_options |= has_options;
        if has_options || !record.is(TargetKind::Drop) {
            going.push((slot, record));
        }
        parent.set_state(slot, State::Retiring);
        progress.step(1);
    }
    parent.unpublish(slots, || progress.step(1));
    if going.iter().any(|(_, record)| hears(record)) {
        hearing::follow(host, link, parent)?;
    }
    sockets::revoke(host, parent, &going)?;
    target::unwire(host, link, parent, &going)?;
    grace_period()?;
    Ok(had_options)
}
