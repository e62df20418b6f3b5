//! Makes the aliases of a request, on a parent that is attached for them when it is not.

use crate::dataplane::{Parent, ParentMut, WriteLock};
use crate::error::{Refusal, Result};
use crate::model::alias_request::{Addresses, AliasRequest};
use crate::netlink::Link;
use crate::wiring::attach;
use crate::wiring::host::Host;

use super::attachment::open_or_attach;
use super::{change, create, grow, refusals, replace, resolve, target};

/// Makes aliases under a name, as one of several changes.
///
/// # Errors
///
/// Those of [`resolve::resolve`] and [`create::create`].
pub fn add(host: &mut Host, lock: &WriteLock, name: &str, wanted: &AliasRequest) -> Result<()> {
    let (link, slot) = host.alias(name, "add")?;
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
    on_parent(host, &link, lock, |host, parent| {
        add_to(host, &link, parent.edit(lock)?, &wanted)
    })
}

/// Works on a parent that is up, attached for it when it is not.
///
/// # Errors
///
/// EIO when it is down; those of attaching and of the work.
pub fn on_parent(
    host: &mut Host,
    link: &Link,
    lock: &WriteLock,
    work: impl FnOnce(&mut Host, &Parent) -> Result<()>,
) -> Result<()> {
    if !link.up {
        return Err(refusals::parent_down(link, "add"));
    }
    let was_attached = Parent::peek(&host.directory, link.ifindex)?.is_some();
    let parent = open_or_attach(host, link, lock)?;
    let done = work(host, &parent);
    if done.is_err() && !was_attached {
        // Refused means that nothing has changed: not the parent either.
        attach::detach(lock, parent, Some(link))?;
    }
    done
}

/// Makes the aliases of a request.
///
/// # Errors
///
/// As for [`add`].
pub fn add_to(
    host: &mut Host,
    link: &Link,
    parent: ParentMut<'_>,
    wanted: &AliasRequest,
) -> Result<()> {
    if let Some(batch) = resolve::resolve(host, link, &parent, wanted)? {
        let lock = parent.lock();
        let grown = grow::make_room(host, link, &parent, batch.slots_end(), lock)?;
        let parent = grown.as_ref().unwrap_or(&parent);
        return grow::until_all_fit(host, link, parent, lock, |host, parent| {
            create::create(host, link, parent.edit(lock)?, &batch)
        })
        .map(drop);
    }
    // It is there already, just so; but perhaps somebody took its device away.
    match wanted.addresses {
        Addresses::One {
            slot: Some(slot), ..
        } => {
            if !target::is_intact(host, link, &parent.record(slot))? {
                replace::rebuild(host, link, parent, slot)?;
            }
            change::set_options(host, link, parent, slot, &wanted.tcp)
        }
        _ => Ok(()),
    }
}
