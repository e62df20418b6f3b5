//! Takes aliases away: on `del`, when making them failed, and when a killed
//! writer left them half made or half deleted. Every step may find its work
//! done, and does not mind.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd;

use alias_common::names;
use alias_common::record::{Record, State, Target, TargetKind};

use crate::dataplane::hook::Device;
use crate::dataplane::parent::address_of;
use crate::dataplane::sys::{self, AttachType};
use crate::dataplane::table::grace_period;
use crate::dataplane::{Parent, WriteLock};
use crate::error::{Refusal, Result};
use crate::model::address::{bits, network};
use crate::model::name::port_name;
use crate::netlink::{Conversation, Link, Netns, Request, hardware};

use super::create::{device_address, local_address, local_route};
use super::host::Host;

/// Link group of both ends of our veth pairs, from the message that makes them
/// on: what is not in it is not ours, whatever its name. "alias" on a telephone's
/// keys.
pub const PORT_GROUP: u32 = 0x0002_5427;
/// Group that ports are put into to be deleted together: one by one costs a
/// grace period each.
const DELETION_GROUP: u32 = PORT_GROUP + 1;

/// Whether a device is one end of an alias's veth pair.
#[must_use]
pub fn is_ours(link: &Link) -> bool {
    link.kind.as_deref() == Some("veth") && matches!(link.group, PORT_GROUP | DELETION_GROUP)
}

/// Takes aliases away, in any state. `link` is the parent; `None` when it is
/// gone, and with it what was on it.
///
/// # Errors
///
/// The first thing the kernel refused. The records stay, and the next writer
/// tries again.
pub fn retire(
    host: &mut Host,
    link: Option<&Link>,
    parent: &Parent,
    slots: &[u32],
    lock: &WriteLock,
) -> Result<()> {
    if slots.is_empty() {
        return Ok(());
    }
    unwire(host, link, parent, slots, lock)?;
    parent.release(slots, lock)
}

/// Takes aliases out of use, but keeps their records and what was counted.
/// Afterwards no program run is left that could count more.
///
/// # Errors
///
/// As for [`retire`].
pub fn unwire(
    host: &mut Host,
    link: Option<&Link>,
    parent: &Parent,
    slots: &[u32],
    lock: &WriteLock,
) -> Result<()> {
    let going: Vec<(u32, Record)> = slots
        .iter()
        .map(|slot| (*slot, parent.record(*slot)))
        .collect();
    for &slot in slots {
        parent.set_state(slot, State::Retiring, lock);
        parent.unpublish(slot, lock);
    }
    if let Some(link) = link {
        unassign_local(host, link, parent, &going)?;
        forget_multicast(link, parent, &going);
    }
    unassign_joined(host, &going)?;
    remove_devices(host, parent, &going)?;
    release_targets(host, parent, &going, lock)?;
    grace_period()
}

fn of_kind(going: &[(u32, Record)], kind: TargetKind) -> impl Iterator<Item = &(u32, Record)> {
    going
        .iter()
        .filter(move |(_, record)| record.target == kind as u8)
}

/// The namespace of an alias device; `None`: the parent's own.
///
/// # Errors
///
/// ENOENT when it is gone.
pub fn device_namespace(record: &Record) -> Result<Option<Netns>> {
    if record.netns_inode == 0 {
        return Ok(None);
    }
    Netns::all()
        .find(|netns| netns.inode() == record.netns_inode)
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

/// Errors that say a thing is gone already.
fn gone(errno: i32) -> bool {
    matches!(
        errno,
        libc::ENODEV | libc::EADDRNOTAVAIL | libc::ESRCH | libc::ENOENT
    )
}

fn tolerate_gone(results: Vec<crate::netlink::Result<()>>) -> Result<()> {
    for result in results {
        match result {
            Err(error) if !gone(error.errno()) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn unassign_local(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    going: &[(u32, Record)],
) -> Result<()> {
    let assigned: Vec<&(u32, Record)> = of_kind(going, TargetKind::Local)
        .filter(|(_, record)| record.flags & Record::ADDRESSED != 0)
        .collect();
    if assigned.is_empty() {
        return Ok(());
    }
    let requests: Vec<Request> = assigned
        .iter()
        .map(|(slot, record)| {
            Request::delete_address(&local_address(link, *slot, address_of(record)))
        })
        .collect();
    tolerate_gone(host.netlink.batch(&requests)?)?;
    let route_of = |record: &Record| {
        let destination = network(address_of(record), record.prefix_len);
        (record.prefix_len < bits(destination)).then_some((destination, record.prefix_len))
    };
    let still_wanted: HashSet<(IpAddr, u8)> = parent
        .live()
        .filter(|(_, record)| record.target == TargetKind::Local as u8)
        .filter_map(|(_, record)| route_of(&record))
        .collect();
    let unwanted: HashSet<(IpAddr, u8)> = assigned
        .iter()
        .filter_map(|(_, record)| route_of(record))
        .collect();
    let requests: Vec<Request> = unwanted
        .difference(&still_wanted)
        .map(|(destination, prefix_len)| {
            Request::delete_route(&local_route(link, *destination, *prefix_len))
        })
        .collect();
    tolerate_gone(host.netlink.batch(&requests)?)
}

/// The Ethernet address of a solicited-node group (RFC 4291, 2.7.1; RFC 2464, 7).
#[must_use]
pub fn solicited_node_mac(address: Ipv6Addr) -> [u8; 6] {
    let [.., a, b, c] = address.octets();
    [0x33, 0x33, 0xff, a, b, c]
}

fn forget_multicast(link: &Link, parent: &Parent, going: &[(u32, Record)]) {
    let group = |record: &Record| match address_of(record) {
        IpAddr::V6(address)
            if record.target != TargetKind::Local as u8
                && record.target != TargetKind::Drop as u8 =>
        {
            Some(solicited_node_mac(address))
        }
        _ => None,
    };
    let unwanted: HashSet<[u8; 6]> = going
        .iter()
        .filter_map(|(_, record)| group(record))
        .collect();
    if unwanted.is_empty() {
        return;
    }
    let wanted: HashSet<[u8; 6]> = parent
        .live()
        .filter_map(|(_, record)| group(&record))
        .collect();
    for mac in unwanted.difference(&wanted) {
        // A group too many costs a NIC little, and no alias anything.
        let _ = hardware::multicast_delete(&link.name, *mac);
    }
}

/// Takes joined addresses off devices that stay.
fn unassign_joined(host: &mut Host, going: &[(u32, Record)]) -> Result<()> {
    let mut ports_going: HashSet<u32> = HashSet::new();
    ports_going.extend(of_kind(going, TargetKind::Device).map(|(_, record)| record.port_ifindex));
    let mut namespaces: Vec<u64> = Vec::new();
    let staying: Vec<&Record> = of_kind(going, TargetKind::Join)
        .map(|(_, record)| record)
        .filter(|record| record.device_ifindex != 0 && !ports_going.contains(&record.port_ifindex))
        .collect();
    namespaces.extend(staying.iter().map(|record| record.netns_inode));
    namespaces.sort_unstable();
    namespaces.dedup();
    for inode in namespaces {
        let mine: Vec<&&Record> = staying
            .iter()
            .filter(|record| record.netns_inode == inode)
            .collect();
        let requests: Vec<Request> = mine
            .iter()
            .map(|record| {
                Request::delete_address(&device_address(
                    record.device_ifindex,
                    address_of(record),
                    record.prefix_len,
                    inode == 0,
                ))
            })
            .collect();
        let results = match device_namespace(mine[0]) {
            Ok(Some(netns)) => Conversation::open_in(&netns)?.batch(&requests)?,
            Ok(None) => host.netlink.batch(&requests)?,
            // The namespace went, and the device with it.
            Err(_) => continue,
        };
        tolerate_gone(results)?;
    }
    Ok(())
}

/// Deletes ports, and with each its device.
fn remove_devices(host: &mut Host, parent: &Parent, going: &[(u32, Record)]) -> Result<()> {
    let devices: Vec<&(u32, Record)> = of_kind(going, TargetKind::Device).collect();
    let indexes = find_ports(host, parent, &devices)?;
    match indexes[..] {
        [] => {}
        [only] => tolerate_gone(host.netlink.batch(&[Request::delete_link(only)])?)?,
        _ => {
            let marks: Vec<Request> = indexes
                .iter()
                .map(|port| Request::set_group(*port, DELETION_GROUP))
                .collect();
            tolerate_gone(host.netlink.batch(&marks)?)?;
            tolerate_gone(
                host.netlink
                    .batch(&[Request::delete_group(DELETION_GROUP)])?,
            )?;
        }
    }
    let noted: Vec<u32> = devices
        .iter()
        .map(|(_, record)| record.port_ifindex)
        .filter(|port| *port != 0)
        .collect();
    if !noted.is_empty() {
        let map = parent.object(names::PORT)?;
        for port in noted {
            sys::map_delete(map.as_fd(), port)
                .map_err(|error| Refusal::io(format!("port {port}"), "forget", &error))?;
        }
    }
    Ok(())
}

/// Ifindexes of the ports that are there: by the number that was noted, for a
/// port may have been renamed, and by name, for a kill may have come before the
/// number was noted.
fn find_ports(host: &mut Host, parent: &Parent, devices: &[&(u32, Record)]) -> Result<Vec<u32>> {
    let name_of = |slot: u32| port_name(parent.ifindex(), slot);
    if let [(slot, record)] = devices[..] {
        let mut found = Vec::new();
        if record.port_ifindex != 0 {
            found.extend(host.netlink.link_by_index(record.port_ifindex)?);
        }
        found.extend(host.netlink.link_by_name(&name_of(*slot))?);
        let mut ports: Vec<u32> = found
            .iter()
            .filter(|link| is_ours(link))
            .map(|link| link.ifindex)
            .collect();
        ports.dedup();
        return Ok(ports);
    }
    if devices.is_empty() {
        return Ok(Vec::new());
    }
    let noted: HashSet<u32> = devices
        .iter()
        .map(|(_, record)| record.port_ifindex)
        .collect();
    let names: HashSet<String> = devices.iter().map(|(slot, _)| name_of(*slot)).collect();
    Ok(host
        .netlink
        .links()?
        .into_iter()
        .filter(is_ours)
        .filter(|link| noted.contains(&link.ifindex) || names.contains(&link.name))
        .map(|link| link.ifindex)
        .collect())
}

/// Frees the devmap keys that no alias leads to any more.
fn release_targets(
    host: &mut Host,
    parent: &Parent,
    going: &[(u32, Record)],
    lock: &WriteLock,
) -> Result<()> {
    let keys: HashSet<u32> = of_kind(going, TargetKind::To)
        .map(|(_, record)| record.link)
        .collect();
    for key in keys {
        let target = parent.target(key);
        if target.ifindex == 0 || super::batch::in_use(parent, key) {
            continue;
        }
        let program = parent.path().join(names::ALIAS_RETURN);
        let link = host.netlink.link_by_index(target.ifindex)?;
        let name = link.map(|link| link.name).unwrap_or_default();
        let device = Device {
            ifindex: target.ifindex,
            name: &name,
        };
        let devmap = parent.object(names::DEVMAP)?;
        let ports = parent.object(names::PORT)?;
        parent
            .hook()
            .take_off(
                &program,
                names::ALIAS_RETURN,
                device,
                AttachType::TcxIngress,
            )
            .and_then(|()| sys::map_delete(devmap.as_fd(), key))
            .and_then(|()| sys::map_delete(ports.as_fd(), target.ifindex))
            .map_err(|error| {
                Refusal::io(
                    format!("device {}", target.ifindex),
                    "release target",
                    &error,
                )
            })?;
        parent.set_target(key, Target::default(), lock);
    }
    Ok(())
}
