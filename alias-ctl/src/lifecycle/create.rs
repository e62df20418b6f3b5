//! Makes a batch of aliases: claim, wire, publish, announce.
//!
//! The claimed records are the undo log. Whatever fails, and wherever a kill
//! strikes, the aliases are taken back by [`super::retire`], which is also what
//! deletes aliases: there is one way out.

use std::io::{self, Write};

use crate::dataplane::tcp_options::clear_idle;
use crate::error::Result;
use crate::interrupt;
use crate::wiring::batch::Batch;
use crate::wiring::progress::Progress;
use crate::wiring::transaction::On;
use crate::wiring::{hearing, neighbour, sockets};

use super::{asked, retire, settle, target, verdict};

/// Makes the aliases of a batch, all or none.
///
/// # Errors
///
/// What the kernel refused, with everything undone.
pub fn create(on: &mut On<'_>, batch: &Batch) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    parent.set_unfinished(true);
    let mut progress = Progress::new("adding", batch.items.len(), 2);
    let verdict = verdict::of(batch.placement.kind(), batch.enabled);
    let claimed = batch.items.iter().try_for_each(|item| {
        progress.step(1);
        parent.claim(item.slot, target::record(batch, item))
    });
    let made = claimed
        .and_then(|()| interrupt::check(&link.name, "add"))
        .and_then(|()| target::wire(on, batch))
        .and_then(|lead| {
            if batch.has_prefix() {
                settle::settle(link, parent)?;
            }
            for (n, item) in batch.items.iter().enumerate() {
                interrupt::check(&link.name, "add")?;
                parent.publish(item.slot, verdict, lead.target(n), lead.flags)?;
                progress.step(1);
            }
            let tuned = batch.items.iter().filter(|item| !item.tcp.is_empty());
            sockets::grant(on, tuned.map(|item| item.slot))?;
            neighbour::hear(link, batch)?;
            interrupt::check(&link.name, "add")?;
            if batch.hears() {
                hearing::follow(on.host, Some(link), parent)?;
            }
            parent.commit(batch.items.iter().map(|item| item.slot));
            Ok(())
        });
    drop(progress);
    if let Err(refusal) = made {
        // What cannot be undone now is undone by the next writer: the records
        // say so. The first error is the one to tell.
        return Err(match take_back(on, batch) {
            Ok(()) => {
                if parent.pending_change().is_none() {
                    parent.set_unfinished(false);
                }
                refusal
            }
            Err(left) => refusal.hint(format!(
                "not all of it could be taken back ({left}): the next command that changes \
                 something does"
            )),
        });
    }
    if parent.pending_change().is_none() {
        parent.set_unfinished(false);
    }
    let slots = batch.items.iter().map(|item| (link.ifindex, item.slot));
    on.host.made.extend(slots);
    if interrupt::noted().is_some() {
        return Ok(());
    }
    if let Err(refusal) = neighbour::tell(link, batch) {
        // The aliases are made.
        let _ = writeln!(io::stderr(), "alias-ctl: warning: {refusal}");
    }
    asked::tell(on, batch);
    Ok(())
}

/// Undoes a batch. An alias that had a past leaves what was counted by slot to
/// the one that takes its place again.
fn take_back(on: &mut On<'_>, batch: &Batch) -> Result<()> {
    let parent = on.parent;
    let slots: Vec<u32> = batch.items.iter().map(|item| item.slot).collect();
    retire::unwire(on, &slots)?;
    for item in &batch.items {
        parent.free(item.slot, item.past.kept)?;
    }
    if batch.items.iter().any(|item| !item.tcp.is_empty()) {
        clear_idle(parent)?;
    }
    if batch.has_prefix() {
        settle::settle(on.link, parent)?;
    }
    Ok(())
}
