//! A parent comes to run this binary's programs. The generation that has them takes the
//! place of the one before as when a parent grows ([`super::grow`]), with as much room: so
//! a kill, a refusal and a look meanwhile find what they find then.

use crate::dataplane::abi::{self, READABLE};
use crate::dataplane::build::{self, Build};
use crate::dataplane::listing;
use crate::dataplane::parent::holds_on;
use crate::dataplane::{Directory, Parent};
use crate::error::{Refusal, Result};
use crate::netlink::Link;
use crate::wiring::host::Host;
use crate::wiring::transaction::{On, Transaction};

use super::{cross, grow};

/// A parent, and whose programs it runs.
pub struct Standing {
    /// The device.
    pub link: Link,
    /// What the build of its programs is called.
    pub build: String,
    /// What there is to do.
    pub due: Due,
}

/// What an upgrade of a parent is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// Nothing: it runs this binary's programs.
    Nothing,
    /// Its programs are of another build.
    Programs,
    /// Its pins are of this version of the ABI, another than this binary's.
    Version(u32),
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
        let others = abi::of_others(&host.directory)?;
        let others = others.into_iter().map(|(_, ifindex)| ifindex);
        for ifindex in host.directory.parents()?.into_iter().chain(others) {
            links.extend(host.netlink.link_by_index(ifindex)?);
        }
    }
    links.into_iter().map(|link| standing(host, link)).collect()
}

fn standing(host: &Host, link: Link) -> Result<Standing> {
    if let Some(version) = abi::other_version(&host.directory, link.ifindex)? {
        return Ok(Standing {
            link,
            build: format!("pins of version {version}"),
            due: Due::Version(version),
        });
    }
    let parent = host.attached(&link, OPERATION)?;
    let found = Build::of(parent.path())?;
    let due = match Build::is_own(parent.path())? {
        true => Due::Nothing,
        false => Due::Programs,
    };
    Ok(Standing {
        link,
        build: build::name(found.as_ref()),
        due,
    })
}

/// What it is called in refusals.
pub const OPERATION: &str = "upgrade";

/// Has a parent run this binary's programs, on what it has: aliases, counters and devices
/// stay as they are, and packets flow.
///
/// # Errors
///
/// EBUSY when its XDP program is not attached; EOPNOTSUPP for pins of a version that cannot
/// be read; what growing is refused for. Then it goes on as before.
pub fn upgrade(tx: &mut Transaction<'_>, standing: &Standing) -> Result<()> {
    let link = &standing.link;
    match standing.due {
        Due::Nothing => Ok(()),
        Due::Programs => {
            let parent = tx.host.attached(link, OPERATION)?;
            renew(&mut tx.on(link, &parent)?)
        }
        Due::Version(version) if READABLE.contains(&version) => cross::cross(tx, link, version),
        Due::Version(version) => Err(abi::refusal(&link.name, OPERATION, version)),
    }
}

/// Why a parent is none that can be upgraded, as far as that is known beforehand.
#[must_use]
pub fn refused(standing: &Standing) -> Option<Refusal> {
    match standing.due {
        Due::Version(version) if !READABLE.contains(&version) => {
            Some(abi::refusal(&standing.link.name, OPERATION, version))
        }
        Due::Version(_) | Due::Nothing | Due::Programs => None,
    }
}

fn renew(on: &mut On<'_>) -> Result<()> {
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

/// The other namespaces that have parents whose devices are there, by their cookies.
///
/// # Errors
///
/// That of reading the directory.
pub fn others(directory: &Directory) -> Result<Vec<u64>> {
    let mut others = Vec::new();
    for sibling in directory.siblings()? {
        let own = sibling.parents()?;
        // What a namespace that is gone left holds on to nothing.
        let is_there = |ifindex: &u32| holds_on(&sibling.parent(*ifindex), *ifindex);
        if own.iter().any(is_there) || !abi::of_others(&sibling)?.is_empty() {
            others.push(sibling.cookie());
        }
    }
    Ok(others)
}
