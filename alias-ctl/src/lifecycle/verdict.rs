//! What the index says of an alias: where its packets go, or that they are the
//! parent's while it is disabled.

use std::io::{self, Write};

use alias_common::record::{Record, TargetKind};
use alias_common::word::Verdict;

use crate::error::Result;
use crate::netlink::Link;
use crate::wiring::neighbour;
use crate::wiring::transaction::{On, Transaction};

use super::exposure;
use super::refusals::{device_not_alias, no_such_alias};

/// Enables or disables an alias, as one of several changes.
///
/// # Errors
///
/// ENODEV when there is no such alias, EBUSY when it is to be disabled and keeps an
/// address of the parent's from a prefix.
pub fn enable(tx: &mut Transaction<'_>, name: &str, enabled: bool) -> Result<()> {
    let operation = if enabled { "enable" } else { "disable" };
    let (link, slot) = tx.host.alias(name, operation)?;
    let slot = slot.ok_or_else(|| device_not_alias(name, operation))?;
    let parent = tx.host.attached(&link, operation)?;
    let On { host, parent, .. } = tx.on(&link, &parent)?;
    if !parent.is_live(slot) {
        return Err(no_such_alias(&link, slot, operation));
    }
    if !enabled {
        let change = exposure::Change {
            going: &[],
            disabled: &[slot],
        };
        exposure::refuse_exposing(host, &link, &parent, operation, change)?;
    }
    parent.set_unfinished(true);
    // The record first: it says what the next writer makes of the word, should
    // this one be killed in between.
    let note = |record: &mut Record| {
        record.flags &= !Record::ENABLED;
        record.flags |= if enabled { Record::ENABLED } else { 0 };
    };
    parent.amend(slot, note);
    parent.set_verdict(slot, verdict_of(&parent.record(slot)));
    parent.set_unfinished(false);
    if enabled {
        announce_again(&link, slot, &parent.record(slot));
    }
    Ok(())
}

/// Tells the neighbours where an alias is that stays as it is. That they were not told
/// undoes nothing.
pub fn announce_again(link: &Link, slot: u32, record: &Record) {
    if let Err(refusal) = neighbour::tell_again(link, &[(slot, *record)]) {
        let _ = writeln!(io::stderr(), "alias-ctl: warning: {refusal}");
    }
}

/// The verdict of a live alias's word.
#[must_use]
pub fn verdict_of(record: &Record) -> Verdict {
    let enabled = record.flags & Record::ENABLED != 0;
    match record.kind() {
        Some(kind) => of(kind, enabled),
        None if enabled => Verdict::Drop,
        None => Verdict::Disabled,
    }
}

/// The verdict of aliases with such a target.
#[must_use]
pub const fn of(kind: TargetKind, enabled: bool) -> Verdict {
    match kind {
        _ if !enabled => Verdict::Disabled,
        TargetKind::Device | TargetKind::Join => Verdict::Device,
        TargetKind::To => Verdict::To,
        TargetKind::Local => Verdict::Local,
        TargetKind::Drop => Verdict::Drop,
    }
}
