//! Alias devices and their ports by their marks: whose they are, where their other end
//! is, and what addresses they get.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use alias_common::link_local;
use alias_common::record::{Record, TargetKind};

use crate::error::{Refusal, Result};
use crate::netlink::{AddressSpec, Link, Netns};

/// Metric of the route to an alias's network by its device in the parent's own
/// namespace: the parent's routes to the same network must stay the better ones, its
/// `local` aliases' too.
const DEVICE_METRIC: u32 = 1001;
/// Link group of both ends of our veth pairs, from the message that makes them
/// on: what is not in it is not ours, whatever its name. "alias" on a telephone's
/// keys.
pub const PORT_GROUP: u32 = 0x0002_5427;
/// Group that ports are put into to be deleted together: one by one costs a
/// grace period each.
pub(super) const DELETION_GROUP: u32 = PORT_GROUP + 1;

/// Whether a device is one end of an alias's veth pair.
#[must_use]
pub fn is_ours(link: &Link) -> bool {
    link.kind.as_deref() == Some("veth") && matches!(link.group, PORT_GROUP | DELETION_GROUP)
}

/// Whether an alias has a device of its own beside the parent: what is lost there is
/// counted by its port.
#[must_use]
pub const fn is_beside_parent(record: &Record) -> bool {
    record.is(TargetKind::Device) && record.netns_inode == 0
}

/// Where a port's other end is, as a record keeps it: what the port's namespace
/// calls that one, plus one; 0 for its own.
#[must_use]
pub fn netnsid(port: &Link) -> u32 {
    port.link_netnsid
        .map_or(0, |id| id.cast_unsigned().wrapping_add(1))
}

/// The address of an alias on its device.
#[must_use]
pub fn device_address(
    device: u32,
    address: IpAddr,
    prefix_len: u8,
    beside_parent: bool,
) -> AddressSpec {
    AddressSpec {
        ifindex: device,
        address,
        prefix_len,
        label: None,
        no_prefix_route: false,
        metric: beside_parent.then_some(DEVICE_METRIC),
        no_dad: true,
        deprecated: false,
        host_scope: false,
        broadcast: None,
        // It goes with its device.
        protocol: 0,
    }
}

/// What an alias device asks its neighbours from where the packet's own source is on
/// another device of the namespace: `alias_common::link_local`.
#[must_use]
pub fn link_local(interface_id: u32, port: u32, device: u32) -> AddressSpec {
    let address = link_local::address(interface_id, port);
    AddressSpec {
        // Its neighbours are found by asking; thousands of routes to fe80::/64 are nobody's
        // help.
        no_prefix_route: true,
        ..device_address(device, Ipv6Addr::from(address).into(), 64, false)
    }
}

/// The namespace of an alias device; `None`: the parent's own.
///
/// # Errors
///
/// ENOENT when it is gone.
pub fn namespace(record: &Record) -> Result<Option<Netns>> {
    if record.netns_inode == 0 {
        return Ok(None);
    }
    Netns::all()
        // An inode is given to the next namespace as soon as its own is gone.
        .filter(|netns| netns.inode() == record.netns_inode)
        .find(|netns| {
            netns
                .cookie()
                .is_ok_and(|cookie| cookie == record.netns_cookie)
        })
        .map(Some)
        .ok_or_else(|| {
            Refusal::new(
                format!("network namespace with inode {}", record.netns_inode),
                "open",
                "no name in /run/netns and no process leads there",
                libc::ENOENT,
            )
        })
}

/// Namespaces by their cookies, of those that are wanted by inode and cookie: found in one
/// walk, because there may be as many of them as aliases. One that no name and no process
/// leads to is not among them.
pub(super) fn namespaces(wanted: impl Iterator<Item = (u64, u64)>) -> HashMap<u64, Netns> {
    let mut wanted: HashMap<u64, u64> = wanted.collect();
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return found;
    }
    for netns in Netns::all() {
        let Some(cookie) = wanted.get(&netns.inode()).copied() else {
            continue;
        };
        // An inode is given to the next namespace as soon as its own is gone.
        if netns.cookie().is_ok_and(|own| own == cookie) {
            wanted.remove(&netns.inode());
            found.insert(cookie, netns);
        }
        if wanted.is_empty() {
            break;
        }
    }
    found
}
