//! `--to` aliases: devices that exist, by their keys in the devmap.

use std::collections::HashSet;
use std::os::fd::AsFd;

use alias_common::names;
use alias_common::record::{Port, Record, Target, TargetKind};

use crate::dataplane::header::{self, padded_name};
use crate::dataplane::{Parent, ParentMut, probe, sys};
use crate::error::{Refusal, Result};
use crate::model::declaration::Mode;
use crate::netlink::Link;

use super::batch::{Batch, of_kind};
use super::hooks;

/// Whether the parent's frames may be in several fragments, which they are in native mode
/// when one page does not hold them, on a kernel that does not redirect such a frame.
#[must_use]
pub fn fragments_are_lost(link: &Link, parent: &Parent) -> bool {
    header::mode(&parent.header()) == Mode::Native
        && link.mtu > probe::LINEAR_MTU
        && !probe::redirects_fragments().unwrap_or(true)
}

/// What to say of such a parent.
#[must_use]
pub fn fragments_stay(link: &Link) -> Refusal {
    Refusal::new(
        &link.name,
        "redirect",
        format!(
            "this kernel redirects no frame of several fragments, as its MTU {} makes them",
            link.mtu
        ),
        libc::EOPNOTSUPP,
    )
    .hint(format!(
        "ip link set dev {} mtu {}; or attach with --mode generic; or boot Linux 6.3 or later",
        link.name,
        probe::LINEAR_MTU
    ))
}

/// Whether an alias leads to a devmap key.
fn in_use(parent: &Parent, key: u32) -> bool {
    in_use_except(parent, key, None)
}

/// Whether an alias other than the one in the slot `exclude` leads there.
#[must_use]
pub fn in_use_except(parent: &Parent, key: u32, exclude: Option<u32>) -> bool {
    parent.live().any(|(slot, record)| {
        record.is(TargetKind::To) && record.link == key && Some(slot) != exclude
    })
}

/// Finds or makes the devmap key of a device, and hangs `alias_return` on it.
///
/// # Errors
///
/// ENOSPC when all keys are taken; what the kernel refused.
pub fn register(
    parent: ParentMut<'_>,
    batch: &Batch,
    device: &Link,
    mac: Option<[u8; 6]>,
) -> Result<u32> {
    let known = (0..parent.targets()).find(|key| parent.target(*key).ifindex == device.ifindex);
    let free = || (0..parent.targets()).find(|key| parent.target(*key).ifindex == 0);
    let key = known.or_else(free).ok_or_else(|| {
        Refusal::new(
            &device.name,
            "use as target",
            format!("all {} targets are in use", parent.targets()),
            libc::ENOSPC,
        )
    })?;
    for item in &batch.items {
        parent.amend(item.slot, |record| record.link = key);
    }
    let target = Target {
        ifindex: device.ifindex,
        flags: if mac.is_some() { Target::REWRITE } else { 0 },
        mac: mac.unwrap_or_default(),
        vlan_outer: batch.vlan.outer(),
        vlan_inner: batch.vlan.inner(),
        name: padded_name(&device.name),
        ..Target::default()
    };
    parent.set_target(key, target);
    point(&parent, key, device)?;
    Ok(key)
}

/// Lets a devmap key lead to the device that came back with the name of the one that
/// is gone, whose frames need this MAC.
///
/// # Errors
///
/// As for [`register`].
pub fn repoint(parent: ParentMut<'_>, key: u32, device: &Link, mac: Option<[u8; 6]>) -> Result<()> {
    let old = parent.target(key);
    let target = Target {
        ifindex: device.ifindex,
        flags: if mac.is_some() { Target::REWRITE } else { 0 },
        mac: mac.unwrap_or_default(),
        ..old
    };
    let led: Vec<u32> = parent
        .live()
        .filter(|(_, record)| record.is(TargetKind::To) && record.link == key)
        .map(|(slot, _)| slot)
        .collect();
    for slot in led {
        let note = |record: &mut Record| {
            record.port_ifindex = device.ifindex;
            record.mac = target.mac;
        };
        parent.amend(slot, note);
    }
    point(&parent, key, device)?;
    parent.list_hearers();
    let ports = parent.object(names::PORT)?;
    sys::map_delete(ports.as_fd(), old.ifindex)
        .map_err(|error| Refusal::io(&device.name, "use as target", &error))?;
    // Last: until then the key is found to lead to a device that is gone.
    parent.set_target(key, target);
    Ok(())
}

/// Lets a devmap key lead to a device, and hangs `alias_return` on that.
fn point(parent: &Parent, key: u32, device: &Link) -> Result<()> {
    let refused = |error: &std::io::Error| Refusal::io(&device.name, "use as target", error);
    let devmap = parent.object(names::DEVMAP)?;
    // struct bpf_devmap_val: ifindex, then no program (a negative descriptor).
    let mut value = [0u8; 8];
    value[..4].copy_from_slice(&device.ifindex.to_ne_bytes());
    value[4..].copy_from_slice(&(-1i32).to_ne_bytes());
    sys::map_update(devmap.as_fd(), key, &value).map_err(|error| refused(&error))?;
    let ports = parent.object(names::PORT)?;
    let port = Port {
        key,
        ..Port::default()
    };
    sys::map_update(ports.as_fd(), device.ifindex, &port.bytes())
        .map_err(|error| refused(&error))?;
    hooks::on_target(parent, device.ifindex, &device.name).attach(parent.path())
}

/// Frees the devmap keys that no alias leads to any more.
///
/// # Errors
///
/// What the kernel refused.
pub fn release(parent: ParentMut<'_>, going: &[(u32, Record)]) -> Result<()> {
    let keys: HashSet<u32> = of_kind(going, TargetKind::To)
        .map(|(_, record)| record.link)
        .collect();
    for key in keys {
        let target = parent.target(key);
        if target.ifindex == 0 || in_use(&parent, key) {
            continue;
        }
        let devmap = parent.object(names::DEVMAP)?;
        let ports = parent.object(names::PORT)?;
        let name = format!("device {}", target.ifindex);
        hooks::on_target(&parent, target.ifindex, &name).detach(parent.path())?;
        sys::map_delete(devmap.as_fd(), key)
            .and_then(|()| sys::map_delete(ports.as_fd(), target.ifindex))
            .map_err(|error| Refusal::io(&name, "release target", &error))?;
        parent.set_target(key, Target::default());
    }
    Ok(())
}
