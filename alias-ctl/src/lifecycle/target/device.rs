//! `--device`: a device of its own, here or in another namespace.

use alias_common::record::{Record, Steer};

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::netlink::Netns;
use crate::wiring::batch::{Batch, Placement};
use crate::wiring::host::Host;
use crate::wiring::transaction::On;
use crate::wiring::{device, veth};

use super::lead::{Lead, Targets};

/// Finds the namespace that is named.
///
/// # Errors
///
/// ENOENT when there is none.
pub fn check(host: &Host, netns: Option<&str>) -> Result<Placement> {
    let Some(name) = netns else {
        return Ok(Placement::Device(None));
    };
    let netns = open_netns(name)?;
    // Asked here, where it can be refused; it is remembered.
    netns.cookie()?;
    Ok(Placement::Device(
        (netns.inode() != host.netns.inode()).then_some(netns),
    ))
}

/// Opens a namespace that a user named.
///
/// # Errors
///
/// ENOENT when there is none.
pub fn open_netns(spec: &str) -> Result<Netns> {
    Netns::open(spec).map_err(|error| match error.errno() {
        libc::ENOENT => Refusal::new(
            format!("network namespace {spec}"),
            "open",
            "unknown: no name in /run/netns, no path, no process",
            libc::ENOENT,
        )
        .hint(format!("list them: ip netns; make it: ip netns add {spec}")),
        _ => error.into(),
    })
}

/// Writes the target into a record.
pub fn record(record: &mut Record, netns: Option<&Netns>) {
    if let Some(netns) = netns {
        record.netns_inode = netns.inode();
        record.netns_cookie = netns.cookie().unwrap_or_default();
    }
}

/// Whether a record's device is in a namespace; `None`: the parent's.
#[must_use]
pub fn same(record: &Record, netns: Option<&Netns>) -> bool {
    let cookie = netns.and_then(|netns| netns.cookie().ok());
    record.netns_cookie == cookie.unwrap_or_default()
}

/// Makes the devices.
///
/// # Errors
///
/// What the kernel refused.
pub fn wire(on: &mut On<'_>, batch: &Batch, netns: Option<&Netns>) -> Result<Lead> {
    let ports = device::make(on, batch, netns)?;
    Ok(Lead {
        targets: Targets::Each(ports),
        flags: if netns.is_some() { Steer::PEER } else { 0 },
    })
}

/// Whether the device is there.
///
/// # Errors
///
/// What the kernel said when it was asked.
pub fn is_intact(host: &mut Host, record: &Record) -> Result<bool> {
    let port = host.netlink.link_by_index(record.port_ifindex)?;
    Ok(port.is_some_and(|port| veth::is_ours(&port)))
}

/// Takes the devices away.
///
/// # Errors
///
/// What the kernel refused.
pub fn unwire(host: &mut Host, parent: &Parent, going: &[(u32, Record)]) -> Result<()> {
    device::remove(host, parent, going)
}
