//! Makes a batch of aliases: claim, wire, publish, announce.
//!
//! The claimed records are the undo log. Whatever fails, and wherever a kill
//! strikes, the aliases are taken back by [`super::retire`], which is also what
//! deletes aliases: there is one way out.

use std::io::{self, Write};

use crate::dataplane::tcp_options::clear_idle;
use crate::dataplane::{Parent, WriteLock};
use crate::error::Result;
use crate::netlink::Link;
use crate::wiring::batch::Batch;
use crate::wiring::host::Host;
use crate::wiring::progress::Progress;
use crate::wiring::{neighbour, sockets};

use super::{retire, settle, target, verdict};

/// Makes the aliases of a batch, all or none.
///
/// # Errors
///
/// What the kernel refused, with everything undone.
pub fn create(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    lock: &WriteLock,
) -> Result<()> {
    parent.set_unfinished(true, lock);
    let mut progress = Progress::new("adding", batch.items.len(), 2);
    for item in &batch.items {
        parent.claim(item.slot, target::record(batch, item), lock);
        progress.step(1);
    }
    let verdict = verdict::of(batch.placement.kind(), batch.enabled);
    let made = target::wire(host, link, parent, batch, lock).and_then(|lead| {
        if batch.has_prefix() {
            settle::settle(host, link, parent, lock)?;
        }
        for (n, item) in batch.items.iter().enumerate() {
            parent.publish(item.slot, verdict, lead.target(n), lead.flags, lock)?;
            progress.step(1);
        }
        let tuned = batch.items.iter().filter(|item| !item.tcp.is_empty());
        sockets::grant(host, link, parent, tuned.map(|item| item.slot), lock)?;
        neighbour::hear(link, batch)?;
        parent.commit(batch.items.iter().map(|item| item.slot), lock);
        Ok(())
    });
    drop(progress);
    if let Err(refusal) = made {
        // What cannot be undone now is undone by the next writer: the records
        // say so. The first error is the one to tell.
        if take_back(host, link, parent, batch, lock).is_ok() && parent.pending_change().is_none() {
            parent.set_unfinished(false, lock);
        }
        return Err(refusal);
    }
    if parent.pending_change().is_none() {
        parent.set_unfinished(false, lock);
    }
    if let Err(refusal) = neighbour::tell(link, batch) {
        // The aliases are made.
        let _ = writeln!(io::stderr(), "alias-ctl: warning: {refusal}");
    }
    Ok(())
}

/// Undoes a batch. An alias that had a past leaves what was counted by slot to
/// the one that takes its place again.
fn take_back(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    lock: &WriteLock,
) -> Result<()> {
    let slots: Vec<u32> = batch.items.iter().map(|item| item.slot).collect();
    retire::unwire(host, Some(link), parent, &slots, lock)?;
    for item in &batch.items {
        parent.free(item.slot, item.past.kept, lock)?;
    }
    if batch.items.iter().any(|item| !item.tcp.is_empty()) {
        clear_idle(parent, lock)?;
    }
    if batch.has_prefix() {
        settle::settle(host, link, parent, lock)?;
    }
    Ok(())
}
