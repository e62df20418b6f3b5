//! The kinds of targets, a file for each with the same words: `check` finds what a user
//! names, `record` writes it down and `same` compares, `wire` makes what it needs in the
//! kernel, `is_intact` looks for that, `unwire` takes it away. Which kind it is, is asked
//! here.

pub mod device;
pub mod drop;
pub mod join;
pub mod lead;
pub mod local;
pub mod to;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::{Parent, ParentMut, header, table};
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::alias_request::{Addresses, AliasRequest, Target};
use crate::model::declaration::Mode;
use crate::model::name::alias_name;
use crate::netlink::Link;
use crate::wiring::batch::{Batch, Item, Placement};
use crate::wiring::host::Host;
use crate::wiring::transaction::On;
use crate::wiring::{neighbour, veth};

use lead::Lead;

/// Finds what a target names. The alias in the slot `exclude` is about to be
/// changed, and does not stand in its own way.
///
/// # Errors
///
/// Those of each target: an unknown namespace, device or alias, a device that
/// cannot take the packets. EOPNOTSUPP for an alias type beside an engine that asks none.
pub fn check(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    wanted: &AliasRequest,
    exclude: Option<u32>,
) -> Result<Placement> {
    refuse_types_at_tc(link, parent, wanted)?;
    match &wanted.target {
        Target::Device { netns } => device::check(host, netns.as_deref()),
        Target::Join { alias } => join::check(host, link, parent, alias, wanted.vlan),
        Target::To { device, mac } => {
            to::check(host, link, parent, (device, *mac), wanted.vlan, exclude)
        }
        Target::Local => local::check(link, wanted),
        Target::Drop => Ok(drop::check()),
    }
}

/// The programs of alias types are XDP's.
fn refuse_types_at_tc(link: &Link, parent: &Parent, wanted: &AliasRequest) -> Result<()> {
    let is_typed = matches!(
        wanted.addresses,
        Addresses::One {
            address: Address::Typed(_),
            ..
        }
    );
    if !is_typed || header::mode(&parent.header()) != Mode::Tc {
        return Ok(());
    }
    let reason = format!("{} is in mode tc, which asks no alias type", link.name);
    Err(
        Refusal::new(&link.name, "add", reason, libc::EOPNOTSUPP).hint(format!(
            "nothing was added; detach it, and: alias-ctl attach {} --mode generic",
            link.name
        )),
    )
}

/// What a record says, found again.
///
/// # Errors
///
/// What it names is gone.
pub fn again(host: &mut Host, record: &Record) -> Result<Placement> {
    match record.kind() {
        Some(TargetKind::Device) => Ok(Placement::Device(veth::namespace(record)?)),
        Some(TargetKind::Join) => Ok(Placement::Join(record.link)),
        Some(TargetKind::To) => to::again(host, record),
        Some(TargetKind::Local) => Ok(Placement::Local),
        Some(TargetKind::Drop) | None => Ok(Placement::Drop),
    }
}

/// What a user would have to name to get the target that an alias has, so that it
/// is checked anew; `None` for a device, which nothing else depends on.
///
/// # Errors
///
/// ENODEV when it is gone.
pub fn named(host: &mut Host, link: &Link, record: &Record) -> Result<Option<Target>> {
    match record.kind() {
        Some(TargetKind::Device) => Ok(None),
        Some(TargetKind::Join) => Ok(Some(Target::Join {
            alias: alias_name(&link.name, record.link),
        })),
        Some(TargetKind::To) => to::named(host, record).map(Some),
        Some(TargetKind::Local) => Ok(Some(Target::Local)),
        Some(TargetKind::Drop) | None => Ok(Some(Target::Drop)),
    }
}

/// The record of an alias to make.
#[must_use]
pub fn record(batch: &Batch, item: &Item) -> Record {
    let mut record = Record {
        target: batch.placement.kind() as u8,
        flags: if batch.enabled { Record::ENABLED } else { 0 }
            | if item.assign { Record::ADDRESSED } else { 0 }
            | if batch.announce { Record::ANNOUNCE } else { 0 }
            | if batch.declared { Record::DECLARED } else { 0 }
            | if batch.deprecates(item.address) {
                Record::DEPRECATED
            } else {
                0
            },
        hear: batch.hear.0,
        tcp: item.tcp,
        ..Record::default()
    };
    item.past.note(&mut record);
    table::set_address(&mut record, item.address, batch.prefix_len, batch.vlan);
    match &batch.placement {
        Placement::Device(netns) => device::record(&mut record, netns.as_ref()),
        Placement::Join(owner) => join::record(&mut record, *owner),
        Placement::To(device, mac) => to::record(&mut record, device, *mac),
        Placement::Local | Placement::Drop => {}
    }
    record
}

/// Whether a record leads where a target does.
#[must_use]
pub fn same(record: &Record, placement: &Placement) -> bool {
    record.is(placement.kind())
        && match placement {
            Placement::Device(netns) => device::same(record, netns.as_ref()),
            Placement::Join(owner) => join::same(record, *owner),
            Placement::To(device, _) => to::same(record, device),
            Placement::Local | Placement::Drop => true,
        }
}

/// Makes what the aliases of a batch need in the kernel.
///
/// # Errors
///
/// What the kernel refused.
pub fn wire(on: &mut On<'_>, batch: &Batch) -> Result<Lead> {
    match &batch.placement {
        Placement::Device(netns) => device::wire(on, batch, netns.as_ref()),
        Placement::Join(owner) => join::wire(on, batch, *owner),
        Placement::To(device, mac) => to::wire(on, batch, device, *mac),
        Placement::Local => local::wire(on, batch),
        Placement::Drop => Ok(drop::wire()),
    }
}

/// Whether everything is there that an alias needs outside the index: its device,
/// or its address on the parent.
///
/// # Errors
///
/// What the kernel said when it was asked.
pub fn is_intact(host: &mut Host, link: &Link, record: &Record) -> Result<bool> {
    match record.kind() {
        Some(TargetKind::Device | TargetKind::Join) => device::is_intact(host, record),
        Some(TargetKind::To) => to::is_intact(host, record),
        Some(TargetKind::Local) => local::is_intact(host, link, record),
        Some(TargetKind::Drop) | None => Ok(true),
    }
}

/// Takes away what aliases of all kinds had in the kernel: addresses before the devices
/// that they are on. `link` is the parent; `None` when it is gone, and with it what was
/// on it.
///
/// # Errors
///
/// The first thing that the kernel refused.
pub fn unwire(
    host: &mut Host,
    link: Option<&Link>,
    parent: ParentMut<'_>,
    going: &[(u32, Record)],
) -> Result<()> {
    if let Some(link) = link {
        local::unwire(host, link, parent, going)?;
        neighbour::forget(link, &parent, going);
    }
    join::unwire(host, going)?;
    device::unwire(host, &parent, going)?;
    to::unwire(parent, going)
}
