//! Makes the aliases of a request, on a parent that is attached for them when it is not.

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::model::alias_request::{Addresses, AliasRequest};
use crate::netlink::Link;
use crate::wiring::batch::Placement;
use crate::wiring::transaction::{On, Transaction};
use crate::wiring::{attach, device};

use super::attachment::open_or_attach;
use super::{change, create, grow, hearing, refusals, replace, resolve, target};

/// Makes aliases under a name, as one of several changes.
///
/// # Errors
///
/// Those of [`resolve::resolve`] and [`create::create`].
pub fn add(tx: &mut Transaction<'_>, name: &str, wanted: &AliasRequest) -> Result<()> {
    let (link, slot) = tx.host.alias(name, "add")?;
    let mut wanted = wanted.clone();
    match (&mut wanted.addresses, slot) {
        (Addresses::One { slot: wanted, .. }, slot) => *wanted = slot,
        (_, None) => {}
        (_, Some(_)) => {
            let reason = "many addresses need a device, not a slot";
            return Err(
                Refusal::new(name, "add", reason, libc::EINVAL).hint(format!(
                    "name the first slot apart: alias-ctl add {} … --start NUMBER",
                    link.name
                )),
            );
        }
    }
    let count = wanted.addresses.count();
    on_parent(tx, &link, count, |on| add_to(on, &wanted))
}

/// Works on a parent that is up, attached for it, with room for so many aliases, when it is
/// not.
///
/// # Errors
///
/// EIO when it is down; those of attaching and of the work.
pub fn on_parent(
    tx: &mut Transaction<'_>,
    link: &Link,
    count: u64,
    work: impl FnOnce(&mut On<'_>) -> Result<()>,
) -> Result<()> {
    if !link.up {
        return Err(refusals::parent_down(link, "add"));
    }
    let was_attached = Parent::peek(&tx.host.directory, link.ifindex)?.is_some();
    let parent = open_or_attach(tx, link, count)?;
    let done = work(&mut tx.on(link, &parent)?);
    let Err(refusal) = done else { return Ok(()) };
    // It may have grown, and its first generation is gone.
    drop(parent);
    if !was_attached && let Some(parent) = Parent::open(&tx.host.directory, link.ifindex)? {
        // Refused means that nothing has changed: not the parent either. But what could not
        // be taken back yet only its records know.
        let is_clean = parent.header().unfinished == 0;
        if is_clean && let Err(left) = attach::detach(tx.lock(), parent, Some(link)) {
            return Err(refusal.and_hint(&format!("the device stays attached: {left}")));
        }
    }
    Err(refusal)
}

/// Makes the aliases of a request.
///
/// # Errors
///
/// As for [`add`].
pub fn add_to(on: &mut On<'_>, wanted: &AliasRequest) -> Result<()> {
    if let Some(batch) = resolve::resolve(on.host, on.link, &on.parent, wanted)? {
        if let Placement::Device(netns) = &batch.placement
            && on.parent.room(batch.records()) < batch.records()
        {
            device::refuse_used_names(on, &batch, netns.as_ref())?;
        }
        return grow::until_all_fit(on, batch.records(), |on| create::create(on, &batch)).map(drop);
    }
    // It is there already, just so; but perhaps somebody took its device away.
    match wanted.addresses {
        Addresses::One {
            slot: Some(slot), ..
        } => {
            let record = on.parent.record(slot);
            if !target::is_intact(on.host, on.link, &record)? {
                replace::rebuild(on, slot)?;
            }
            if !wanted.hear.is_nothing() {
                hearing::change(on, slot, wanted.hear)?;
            }
            change::set_options(on, slot, &wanted.tcp)
        }
        _ => Ok(()),
    }
}
