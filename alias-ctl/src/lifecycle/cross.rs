//! A parent whose pins an older version made goes over to this one: a generation of this
//! version is built beside it, and takes its place as when a parent grows. What the versions
//! do not share is made again from the records.

use alias_common::ABI_VERSION;
use alias_common::header::Header;
use alias_common::table::Geometry;

use crate::dataplane::growth::{self, Old};
use crate::dataplane::registry::Registered;
use crate::dataplane::{Parent, WriteLock, abi, listing, registry};
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::model::declaration::Hook;
use crate::netlink::Link;
use crate::wiring::hooks;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

use super::{families, grow, recovery};

/// Brings a parent over from a version that can be read.
///
/// # Errors
///
/// EOPNOTSUPP for a version without a reader; ENOMEM, or what else the kernel refused: then
/// the parent is as it was.
pub fn cross(tx: &mut Transaction<'_>, link: &Link, version: u32) -> Result<()> {
    let old = Old::of(&tx.host.directory, version, link.ifindex)?;
    let is_first =
        tx.host.directory.parents()?.is_empty() && Registered::all(tx.lock())?.is_empty();
    let gone_over = bring(tx, link, &old);
    if gone_over.is_err() && is_first {
        // There is nothing of this version but what was made for it.
        registry::forget(tx.lock())?;
        tx.lock().clear_shared()?;
    }
    gone_over?;
    let parent = tx.host.attached(link, "upgrade")?;
    recovery::complete(&mut tx.on(link, &parent)?)?;
    tx.lock().drop_other(version, link.ifindex)
}

fn bring(tx: &mut Transaction<'_>, link: &Link, old: &Old) -> Result<()> {
    registry::carry(tx.lock(), old.version())?;
    families::list_registered(tx)?;
    listing::make(tx.lock())?;
    let capacity = old.pins().capacity();
    match build(tx, link, old, capacity) {
        // In another order the same addresses may not find places in an index as large.
        Err(refusal) if refusal.errno == Parent::NO_PLACE => {
            let next = Geometry::for_capacity(capacity).next_capacity();
            build(tx, link, old, next.ok_or(refusal)?)
        }
        done => done,
    }
}

fn build(tx: &mut Transaction<'_>, link: &Link, old: &Old, capacity: u32) -> Result<()> {
    let (host, lock) = tx.parts();
    // Once the programs run there is no way back.
    let targets = hooks::there(host, old.targets())?;
    let hook = match old.pins().header().flags & Header::CLSACT {
        0 => Hook::Tcx,
        _ => Hook::Clsact,
    };
    for point in hooks::points(hook, link, &targets) {
        point.prepare()?;
    }
    interrupt::check(&link.name, "upgrade")?;
    let built = growth::build(lock, old, (&link.name, link.ifindex), capacity);
    // Whether it was built says what runs: the rest is done, or all of it undone.
    let finished = grow::finish(host, lock, link.ifindex);
    built.and(finished)?;
    match host.directory.parents()?.contains(&link.ifindex) {
        true => Ok(()),
        false => Err(Refusal::new(
            &link.name,
            "upgrade",
            "its XDP program is not attached",
            libc::ENODEV,
        )
        .hint(format!(
            "its aliases are in pins of version {}; detach it with the alias-ctl that made them",
            old.version()
        ))),
    }
}

/// Removes what other versions have of parents that have gone over: a kill came before that.
///
/// # Errors
///
/// That of removing it.
pub fn clear(host: &Host, lock: &WriteLock) -> Result<()> {
    let own = host.directory.parents()?;
    for version in abi::READABLE.into_iter().filter(|v| *v != ABI_VERSION) {
        for ifindex in host.directory.parents_of(version)? {
            if own.contains(&ifindex) {
                lock.drop_other(version, ifindex)?;
            }
        }
    }
    Ok(())
}
