//! A parent comes to run this binary's programs. The generation that has them takes the
//! place of the one before as when a parent grows ([`super::grow`]), with as much room: so
//! a kill, a refusal and a look meanwhile find what they find then.

use crate::dataplane::build::{self, Build};
use crate::dataplane::listing;
use crate::dataplane::{Directory, Parent};
use crate::error::{Refusal, Result};
use crate::netlink::Link;
use crate::wiring::host::Host;
use crate::wiring::transaction::{On, Transaction};

use super::grow;

/// A parent, and whose programs it runs.
pub struct Standing {
    /// The device.
    pub link: Link,
    /// What the build of its programs is called.
    pub build: String,
    /// It is this binary's.
    pub is_own: bool,
}

/// The parents of these names; without any, all of the namespace.
///
/// # Errors
///
/// ENODEV for a device that is not there or not attached; EINVAL for pins that are not of
/// this version.
pub fn look(host: &mut Host, devices: &[String]) -> Result<Vec<Standing>> {
    let mut links = Vec::new();
    for device in devices {
        links.push(host.link(device, OPERATION)?);
    }
    if devices.is_empty() {
        for ifindex in host.directory.parents()? {
            links.extend(host.netlink.link_by_index(ifindex)?);
        }
    }
    links
        .into_iter()
        .map(|link| {
            let parent = host.attached(&link, OPERATION)?;
            let found = Build::of(parent.path())?;
            Ok(Standing {
                link,
                build: build::name(found.as_ref()),
                is_own: Build::is_own(parent.path())?,
            })
        })
        .collect()
}

/// What it is called in refusals.
pub const OPERATION: &str = "upgrade";

/// Has a parent run this binary's programs, on what it has: aliases, counters and devices
/// stay as they are, and packets flow.
///
/// # Errors
///
/// EBUSY when its XDP program is not attached; what growing is refused for. Then it goes on
/// as before.
pub fn upgrade(on: &mut On<'_>) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    if !parent.is_alive() {
        return Err(Refusal::new(
            &link.name,
            OPERATION,
            "its XDP program is detached, and something is in the way of attaching it again",
            libc::EBUSY,
        )
        .hint(format!("see what: alias-ctl doctor {}", link.name)));
    }
    let grown = grow::grow_to(on, parent.capacity()).map_err(|refusal| Refusal {
        operation: OPERATION.to_owned(),
        ..refusal
    })?;
    match Build::is_own(grown.path())? {
        true => Ok(()),
        false => Err(Refusal::new(
            &link.name,
            OPERATION,
            "its XDP program was detached meanwhile",
            libc::ENODEV,
        )),
    }
}

/// Has the kernel's own listing printed by this binary's programs. Whether it was not.
///
/// # Errors
///
/// What the kernel refused; the one before goes on.
pub fn upgrade_listing(tx: &Transaction<'_>) -> Result<bool> {
    let is_due = listing::is_of_another_build(tx.lock().directory())?;
    if is_due {
        listing::renew(tx.lock())?;
    }
    Ok(is_due)
}

/// Whether a parent runs programs of another build, and what that is called.
///
/// # Errors
///
/// That of reading its mark.
pub fn other_build(parent: &Parent) -> Result<Option<String>> {
    if Build::is_own(parent.path())? {
        return Ok(None);
    }
    Ok(Some(build::name(Build::of(parent.path())?.as_ref())))
}

/// The other namespaces that have parents, by their cookies.
///
/// # Errors
///
/// That of reading the directory.
pub fn others(directory: &Directory) -> Result<Vec<u64>> {
    let mut others = Vec::new();
    for sibling in directory.siblings()? {
        if !sibling.parents()?.is_empty() {
            others.push(sibling.cookie());
        }
    }
    Ok(others)
}
