//! What the devices of aliases hear of what is said to everybody, beside announcements.

use alias_common::hearer::Hear;
use alias_common::record::TargetKind;

use crate::error::{Refusal, Result};
use crate::model::hearing::word;
use crate::model::name::alias_name;
use crate::netlink::Link;
use crate::wiring::batch::Batch;
use crate::wiring::hearing;
use crate::wiring::transaction::On;

/// Whether an alias of this kind has a device of its own that could hear.
#[must_use]
pub const fn can_hear(kind: TargetKind) -> bool {
    match kind {
        TargetKind::Device | TargetKind::To => true,
        TargetKind::Join | TargetKind::Local | TargetKind::Drop => false,
    }
}

/// Refuses hearing to aliases without a device of their own.
///
/// # Errors
///
/// EINVAL.
pub fn check(link: &Link, batch: &Batch) -> Result<()> {
    if batch.hear.is_nothing() || can_hear(batch.placement.kind()) {
        return Ok(());
    }
    let slot = batch.items.first().map_or(0, |item| item.slot);
    let hint = match batch.placement.kind() {
        TargetKind::Join => "give it to the alias whose device it has joined",
        _ => "the host's own stack hears it anyway; give the alias a device: --device, --netns",
    };
    Err(Refusal::new(
        alias_name(&link.name, slot),
        format!("hear {}", word(batch.hear)),
        "it has no device of its own",
        libc::EINVAL,
    )
    .hint(hint))
}

/// Lets the device of a live alias hear something else.
///
/// # Errors
///
/// EINVAL when it has none; what the kernel refused.
pub fn change(on: &mut On<'_>, slot: u32, hear: Hear) -> Result<()> {
    let parent = on.parent;
    if parent.record(slot).hear() == hear {
        return Ok(());
    }
    // Killed in between, the next writer lists who hears.
    parent.set_unfinished(true);
    parent.amend(slot, |record| record.hear = hear.0);
    hearing::follow(on.host, Some(on.link), parent)?;
    parent.set_unfinished(false);
    Ok(())
}
