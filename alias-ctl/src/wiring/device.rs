//! Alias devices: veth pairs whose one end is the alias's, named `eth0:0`, and
//! whose other end is the port beside the parent. Made and removed here.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd};

use alias_common::names;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::{Parent, sys};
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::model::address::Address;
use crate::model::name::{alias_name, device_name, port_name};
use crate::netlink::outcome::{all_done, all_gone};
use crate::netlink::{Conversation, Link, Netns, Request, VethSpec};

use super::batch::{Batch, Item, of_kind};
use super::host::Host;
use super::sysctl::{accept_by_any_route, ask_no_routers, silence_ipv6};
use super::transaction::On;
use super::veth::{
    DELETION_GROUP, PORT_GROUP, device_address, is_ours, link_local, namespace, netnsid,
};
use super::{description, local_route, port, progress};

/// Makes veth pairs, names and addresses the device ends, hangs `alias_tx` on
/// the ports. Returns the ports' ifindexes.
///
/// # Errors
///
/// What the kernel refused; what is half made is for [`remove`].
pub fn make(on: &mut On<'_>, batch: &Batch, netns: Option<&Netns>) -> Result<Vec<u32>> {
    let (link, parent) = (on.link, on.parent);
    let about = |item: &Item| alias_name(&link.name, item.slot);
    let pairs: Vec<Request> = batch
        .items
        .iter()
        .map(|item| {
            Request::create_veth(&VethSpec {
                port_name: port_name(link.ifindex, item.slot),
                device_name: device_name(link.ifindex, item.slot),
                mac: link.mac,
                mtu: link.mtu,
                group: PORT_GROUP,
                device_netns: netns.map(Netns::as_raw_fd),
            })
            .about(about(item))
        })
        .collect();
    progress::make(
        &mut on.host.netlink,
        (&link.name, "making devices"),
        pairs.len(),
        &pairs,
    )?;
    let ends = find_ends(on.host, link, batch)?;
    for (item, (port, device)) in batch.items.iter().zip(&ends) {
        let note = |record: &mut Record| {
            record.port_ifindex = port.ifindex;
            record.device_ifindex = *device;
            record.netnsid = netnsid(port);
        };
        parent.amend(item.slot, note);
    }
    let ends: Vec<(u32, u32)> = ends
        .into_iter()
        .map(|(port, device)| (port.ifindex, device))
        .collect();
    configure(link, parent.fixed().interface_id, batch, netns, &ends)?;
    // A port has no address and no neighbour discovery: without IPv6 it is also
    // quicker to bring up, by far when there are thousands.
    for item in &batch.items {
        interrupt::check(&link.name, "add")?;
        silence_ipv6(&port_name(link.ifindex, item.slot))?;
    }
    port::attach(on, batch, &ends)?;
    let ups: Vec<Request> = ends
        .iter()
        .zip(&batch.items)
        .map(|((port, _), item)| Request::set_up(*port).about(about(item)))
        .collect();
    all_done(on.host.netlink.batch(&ups)?)?;
    Ok(ends.into_iter().map(|(port, _)| port).collect())
}

/// Refuses names of devices to make that others have, which the kernel would refuse when
/// the parent has grown for them.
///
/// # Errors
///
/// EEXIST, naming the alias and the name.
pub fn refuse_used_names(on: &mut On<'_>, batch: &Batch, netns: Option<&Netns>) -> Result<()> {
    let (link, names) = (on.link, |links: Vec<Link>| -> HashSet<String> {
        let names = |link: Link| link.altnames.into_iter().chain([link.name]);
        links.into_iter().flat_map(names).collect()
    });
    let here = names(on.host.netlink.links()?);
    let elsewhere = match netns {
        Some(netns) => {
            Some(names(netns.within(|| -> Result<_> {
                Ok(Conversation::new()?.links()?)
            })??))
        }
        None => None,
    };
    let there = elsewhere.as_ref().unwrap_or(&here);
    for item in &batch.items {
        let alias = alias_name(&link.name, item.slot);
        let port = port_name(link.ifindex, item.slot);
        let device = device_name(link.ifindex, item.slot);
        let used = [(&here, &port), (there, &device), (there, &alias)]
            .into_iter()
            .find(|(names, name)| names.contains(*name));
        if let Some((_, name)) = used {
            let reason = format!("another device has the name {name}");
            return Err(Refusal::new(&alias, "add", reason, libc::EEXIST)
                .hint("nothing was added; rename that one, or name another slot"));
        }
    }
    Ok(())
}

/// The port of each alias of the batch, and its device's ifindex.
fn find_ends(host: &mut Host, link: &Link, batch: &Batch) -> Result<Vec<(Link, u32)>> {
    let vanished = |name: &str| Refusal::new(name, "find port", "it vanished", libc::ENODEV);
    let ends = |port: Link| {
        let device = port.link_ifindex.ok_or_else(|| vanished(&port.name))?;
        Ok((port, device))
    };
    if let [item] = batch.items[..] {
        let name = port_name(link.ifindex, item.slot);
        let port = host
            .netlink
            .link_by_name(&name)?
            .ok_or_else(|| vanished(&name))?;
        return Ok(vec![ends(port)?]);
    }
    let mut by_name: HashMap<String, Link> = host
        .netlink
        .links()?
        .into_iter()
        .map(|link| (link.name.clone(), link))
        .collect();
    batch
        .items
        .iter()
        .map(|item| {
            let name = port_name(link.ifindex, item.slot);
            ends(by_name.remove(&name).ok_or_else(|| vanished(&name))?)
        })
        .collect()
}

/// Gives the device ends their alternative names, descriptions and addresses, and brings
/// them up, in their namespace.
fn configure(
    link: &Link,
    interface_id: u32,
    batch: &Batch,
    netns: Option<&Netns>,
    ends: &[(u32, u32)],
) -> Result<()> {
    let mut requests = Vec::with_capacity(ends.len() * 4);
    for (item, (port, device)) in batch.items.iter().zip(ends) {
        let name = alias_name(&link.name, item.slot);
        let before = before_up(interface_id, *port, *device, item.address);
        let after = after_up(*device, item.address, batch.prefix_len, netns.is_none());
        let description = description::of(&name, item.address);
        let all = [Request::add_altname(*device, &name)]
            .into_iter()
            .chain(before)
            .chain([Request::set_up_described(*device, description)])
            .chain(after)
            .chain(local_route::open(*device, item.address));
        requests.extend(all.map(|request| request.about(&name)));
    }
    let configure = || -> Result<()> {
        for item in &batch.items {
            interrupt::check(&link.name, "add")?;
            let device = device_name(link.ifindex, item.slot);
            if item.address.is_ipv6() {
                ask_no_routers(&device)?;
            } else {
                silence_ipv6(&device)?;
            }
            accept_by_any_route(&device, item.address)?;
        }
        let mut netlink = Conversation::new()?;
        progress::make(
            &mut netlink,
            (&link.name, "setting devices up"),
            batch.items.len(),
            &requests,
        )
    };
    match netns {
        Some(netns) => netns.within(configure)?,
        None => configure(),
    }
}

/// What a device is given before it comes up. One that is there is no error.
pub(super) fn before_up(
    interface_id: u32,
    port: u32,
    device: u32,
    address: Address,
) -> impl Iterator<Item = Request> {
    let quiet = address.is_ipv6().then(|| Request::quiet(device));
    // A prefix's device, which has no other address, finds its neighbours by it.
    let link_local = address
        .is_ipv6()
        .then(|| Request::put_address(&link_local(interface_id, port, device)));
    quiet.into_iter().chain(link_local)
}

/// What it is given when it is up, but for the route of a prefix.
pub(super) fn after_up(
    device: u32,
    address: Address,
    prefix_len: u8,
    beside: bool,
) -> impl Iterator<Item = Request> {
    let ip = address.ip();
    ip.map(|ip| Request::put_address(&device_address(device, ip, prefix_len, beside)))
        .into_iter()
}

/// Deletes ports, and with each its device.
///
/// # Errors
///
/// What the kernel refused.
pub fn remove(host: &mut Host, parent: &Parent, going: &[(u32, Record)]) -> Result<()> {
    let devices: Vec<&(u32, Record)> = of_kind(going, TargetKind::Device).collect();
    let indexes = find_ports(host, parent, &devices)?;
    delete_ports(host, &indexes)?;
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

/// Deletes ports by their ifindexes. One that is gone is as good.
///
/// # Errors
///
/// What the kernel refused.
pub(super) fn delete_ports(host: &mut Host, ports: &[u32]) -> Result<()> {
    match ports {
        [] => Ok(()),
        [only] => Ok(all_gone(
            host.netlink.batch(&[Request::delete_link(*only)])?,
        )?),
        _ => {
            let marks: Vec<Request> = ports
                .iter()
                .map(|port| Request::set_group(*port, DELETION_GROUP))
                .collect();
            all_gone(host.netlink.batch(&marks)?)?;
            let request = Request::delete_group(DELETION_GROUP);
            Ok(all_gone(host.netlink.batch(&[request])?)?)
        }
    }
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

/// Sends requests about alias devices, each in its device's namespace.
///
/// # Errors
///
/// That of talking to the kernel; what a device refused is its loss.
pub fn tell(
    host: &mut Host,
    aliases: &[(u32, Record)],
    requests_about: impl Fn(u32, &Record) -> Vec<Request>,
) -> Result<()> {
    let mut devices: Vec<&(u32, Record)> = of_kind(aliases, TargetKind::Device).collect();
    devices.sort_by_key(|(_, record)| record.netns_cookie);
    for together in devices.chunk_by(|(_, a), (_, b)| a.netns_cookie == b.netns_cookie) {
        let requests: Vec<Request> = together
            .iter()
            .flat_map(|(slot, record)| requests_about(*slot, record))
            .collect();
        // A device that is gone needs nothing, and neither does one whose
        // namespace is.
        let _ = match namespace(&together[0].1) {
            Ok(Some(netns)) => Conversation::open_in(&netns)?.batch(&requests)?,
            Ok(None) => host.netlink.batch(&requests)?,
            Err(_) => continue,
        };
    }
    Ok(())
}
