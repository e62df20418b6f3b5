//! `attach` and `detach`.

use alias_common::limits::MAX_SLOTS;
use alias_common::record::State;

use crate::dataplane::attach::{self, AttachSpec, DEFAULT_CAPACITY, Mode};
use crate::dataplane::{Parent, WriteLock};
use crate::error::{Refusal, Result};
use crate::model::lifecycle::OnDown;
use crate::netlink::Link;

use super::host::{Host, not_attached};
use super::{device, grow, recover, retire};

/// `alias-ctl attach DEV`.
///
/// # Errors
///
/// EEXIST when it is attached; those of [`attach::attach`].
pub fn attach(device: &str, spec: &AttachSpec) -> Result<()> {
    let mut host = Host::open()?;
    let lock = recover::begin(&mut host)?;
    attach_under(&mut host, &lock, device, spec)
}

/// The same under a lock that is held, as one of several changes.
///
/// # Errors
///
/// As for [`attach`].
pub fn attach_under(
    host: &mut Host,
    lock: &WriteLock,
    device: &str,
    spec: &AttachSpec,
) -> Result<()> {
    let link = host.link(device, "attach")?;
    if Parent::open(&host.directory, link.ifindex)?.is_some() {
        return Err(
            Refusal::new(device, "attach", "it is attached", libc::EEXIST).way_out(format!(
                "see it: alias-ctl show {device}; to change it: alias-ctl set {device} --help"
            )),
        );
    }
    attach_link(host, &link, spec, lock).map(drop)
}

/// Opens the state of a parent, attaching it when it is not.
///
/// # Errors
///
/// Those of [`attach::attach`].
pub fn open_or_attach(host: &mut Host, link: &Link, lock: &WriteLock) -> Result<Parent> {
    match Parent::open(&host.directory, link.ifindex)? {
        Some(parent) => Ok(parent),
        None => {
            let spec = AttachSpec {
                mode: Mode::Native,
                capacity: DEFAULT_CAPACITY,
                max_aliases: None,
                log_level: 0,
                on_down: None,
                hook: None,
            };
            attach_link(host, link, &spec, lock)
        }
    }
}

fn attach_link(
    host: &mut Host,
    link: &Link,
    spec: &AttachSpec,
    lock: &WriteLock,
) -> Result<Parent> {
    const ARPHRD_ETHER: u16 = 1;
    if link.hardware_type != ARPHRD_ETHER {
        return Err(Refusal::new(
            &link.name,
            "attach",
            "it is no Ethernet device",
            libc::EINVAL,
        )
        .way_out("aliases live on devices with Ethernet frames"));
    }
    if device::is_ours(link) {
        return Err(Refusal::new(
            &link.name,
            "attach",
            "it is an alias's own device",
            libc::EINVAL,
        )
        .way_out("aliases live on main devices"));
    }
    check_capacity(link, spec.capacity, "attach")?;
    recover::sweep_dead_namespaces(&host.directory)?;
    attach::attach(&host.directory, link, spec, lock)
}

/// Refuses what no map can hold.
///
/// # Errors
///
/// EINVAL.
pub fn check_capacity(link: &Link, capacity: u32, operation: &str) -> Result<()> {
    if capacity == 0 || capacity > MAX_SLOTS {
        return Err(Refusal::new(
            &link.name,
            operation,
            format!("capacity {capacity} is not between 1 and {MAX_SLOTS}"),
            libc::EINVAL,
        ));
    }
    Ok(())
}

/// What of a parent shall change; `None` stays.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ParentChange {
    /// Slots below this can be created. Aliases over the limit stay.
    pub max_aliases: Option<u32>,
    /// Room for so many slots at least.
    pub capacity: Option<u32>,
    /// What becomes of its aliases when it goes down.
    pub on_down: Option<OnDown>,
}

/// `alias-ctl set DEV …`.
///
/// # Errors
///
/// ENODEV when the device is not attached.
pub fn set(device: &str, change: ParentChange) -> Result<()> {
    let mut host = Host::open()?;
    let lock = recover::begin(&mut host)?;
    let link = host.link(device, "set")?;
    let parent = host.attached(&link, "set")?;
    if let Some(capacity) = change.capacity {
        grow_to(&mut host, &link, &parent, capacity, &lock)?;
    }
    if let Some(max_aliases) = change.max_aliases {
        parent.set_limit(max_aliases, &lock);
    }
    if let Some(on_down) = change.on_down {
        parent.set_on_down(Some(on_down), &lock);
    }
    Ok(())
}

fn grow_to(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    capacity: u32,
    lock: &WriteLock,
) -> Result<()> {
    check_capacity(link, capacity, "set")?;
    let is = parent.capacity();
    if capacity < is {
        return Err(Refusal::new(
            &link.name,
            "set",
            format!("it has {is} slots, and does not shrink"),
            libc::EINVAL,
        )
        .way_out(format!(
            "detach it with its aliases (--cascade), and attach it with --capacity {capacity}"
        )));
    }
    if capacity == is {
        return Ok(());
    }
    grow::grow_to(host, link, parent, capacity, lock).map(drop)
}

/// `alias-ctl detach DEV`.
///
/// # Errors
///
/// EBUSY when it has aliases and they shall not go too.
pub fn detach(device: &str, cascade: bool) -> Result<()> {
    let mut host = Host::open()?;
    let lock = recover::begin(&mut host)?;
    detach_under(&mut host, &lock, device, cascade)
}

/// The same under a lock that is held, as one of several changes.
///
/// # Errors
///
/// As for [`detach`].
pub fn detach_under(host: &mut Host, lock: &WriteLock, device: &str, cascade: bool) -> Result<()> {
    let link = host.link(device, "detach")?;
    let parent = Parent::open(&host.directory, link.ifindex)?
        .ok_or_else(|| not_attached(&link, "detach"))?;
    let slots: Vec<u32> = parent.in_state(State::Live).map(|(slot, _)| slot).collect();
    if !slots.is_empty() && !cascade {
        return Err(Refusal::new(
            device,
            "detach",
            format!("it has {} aliases", slots.len()),
            libc::EBUSY,
        )
        .way_out(format!(
            "delete them too: alias-ctl detach {device} --cascade"
        )));
    }
    parent.set_unfinished(true, lock);
    retire::retire(host, Some(&link), &parent, &slots, lock)?;
    attach::detach(&host.directory, parent, Some(&link), lock)
}
