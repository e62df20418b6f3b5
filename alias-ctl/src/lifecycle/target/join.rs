//! `--join`: the device of another alias.

use alias_common::key::Vlan;
use alias_common::record::{Record, Steer, TargetKind};

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::netlink::Link;
use crate::wiring::batch::{Batch, Placement};
use crate::wiring::host::Host;
use crate::wiring::join;
use crate::wiring::transaction::On;

use super::lead::{Lead, Targets};

/// Finds the alias whose device it is.
///
/// # Errors
///
/// ENODEV when there is none, EINVAL for one that has no device here.
pub fn check(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    alias: &str,
    vlan: Vlan,
) -> Result<Placement> {
    let refused = |reason: &str, errno| {
        Refusal::new(alias, "join", reason.to_owned(), errno)
            .hint("name an alias of the same parent that has a device of its own")
    };
    let (owner_link, slot) = host.alias(alias, "join")?;
    let slot = slot.ok_or_else(|| refused("it is no alias's name", libc::EINVAL))?;
    if owner_link.ifindex != link.ifindex {
        return Err(refused("it is an alias of another parent", libc::EINVAL));
    }
    if !parent.is_live(slot) {
        return Err(refused("there is no such alias", libc::ENODEV));
    }
    let record = parent.record(slot);
    if !record.is(TargetKind::Device) {
        return Err(refused("it has no device of its own", libc::EINVAL));
    }
    if record.vlan() != vlan {
        return Err(refused("it is scoped to another VLAN", libc::EINVAL));
    }
    Ok(Placement::Join(slot))
}

/// Writes the target into a record.
pub const fn record(record: &mut Record, owner: u32) {
    record.link = owner;
}

/// Whether a record's device is that of the alias in a slot.
#[must_use]
pub const fn same(record: &Record, owner: u32) -> bool {
    record.link == owner
}

/// Puts the addresses on the device.
///
/// # Errors
///
/// What the kernel refused.
pub fn wire(on: &mut On<'_>, batch: &Batch, owner: u32) -> Result<Lead> {
    let owner = on.parent.record(owner);
    join::join(on, batch, &owner)?;
    Ok(Lead {
        targets: Targets::One(owner.port_ifindex),
        flags: if owner.netns_inode == 0 {
            0
        } else {
            Steer::PEER
        },
    })
}

/// Takes the addresses off devices that stay.
///
/// # Errors
///
/// What the kernel refused.
pub fn unwire(host: &mut Host, going: &[(u32, Record)]) -> Result<()> {
    join::leave(host, going)
}
