//! Makes a batch of aliases: claim, wire, publish, announce.
//!
//! The claimed records are the undo log. Whatever fails, and wherever a kill
//! strikes, the aliases are taken back by [`super::retire`], which is also what
//! deletes aliases: there is one way out.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use alias_common::names;
use alias_common::record::{Record, Steer, Target, TargetKind};
use alias_common::word::Verdict;

use crate::dataplane::hook::Device;
use crate::dataplane::sys;
use crate::dataplane::{Parent, WriteLock};
use crate::error::{Refusal, Result};
use crate::model::address::{bits, network};
use crate::model::name::{alias_name, device_name, port_name};
use crate::netlink::{
    AddressSpec, Announcement, Conversation, Link, Netns, Request, RouteSpec, VethSpec, announce,
    hardware, sysctl,
};

use super::batch::{self, Batch, Item, Placement};
use super::host::Host;
use super::retire;

/// Metric of the route to an alias's network by its device in the parent's own
/// namespace: the parent's route to the same network must stay the better one.
const DEVICE_METRIC: u32 = 1000;
/// Filter blocks of our ports, by the parent's ifindex. Blocks are numbered per
/// namespace by whoever uses them; small numbers are people's.
const PORT_BLOCKS: u32 = 0xa100_0000;
/// Who made our routes, in place of an RTPROT_* of `linux/rtnetlink.h`: only what
/// carries it is deleted again. Numbers from 4 on are free for whoever wants one.
const RTPROT_ALIAS: u8 = 0xa1;
/// RT_TABLE_MAIN.
const MAIN_TABLE: u32 = 254;

/// Where published aliases lead: the steer word's target and flags.
struct Lead {
    verdict: Verdict,
    flags: u8,
    /// By position in the batch; one for all when there is one.
    targets: Vec<u32>,
}

/// Makes the aliases of a batch, all or none.
///
/// # Errors
///
/// What the kernel refused, with everything undone.
pub fn create(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    lock: &WriteLock,
) -> Result<()> {
    parent.set_unfinished(true, lock);
    for item in &batch.items {
        parent.claim(item.slot, batch::record(batch, item), lock);
    }
    let made = wire(host, link, parent, batch, lock).and_then(|lead| {
        for (n, item) in batch.items.iter().enumerate() {
            let target = lead
                .targets
                .get(n)
                .or(lead.targets.first())
                .copied()
                .unwrap_or(0);
            let verdict = if batch.enabled {
                lead.verdict
            } else {
                Verdict::Disabled
            };
            parent.publish(item.slot, verdict, target, lead.flags, lock)?;
        }
        hear_multicast(link, batch)
    });
    if let Err(refusal) = made {
        // What cannot be undone now is undone by the next writer: the records
        // say so. The first error is the one to tell.
        if take_back(host, link, parent, batch, lock).is_ok() && parent.journal().is_none() {
            parent.set_unfinished(false, lock);
        }
        return Err(refusal);
    }
    if parent.journal().is_none() {
        parent.set_unfinished(false, lock);
    }
    if let Err(refusal) = tell_neighbours(link, batch) {
        // The aliases are made. Without a carrier nobody can be told; whoever
        // comes later asks.
        let refusal = refusal.way_out("neighbours learn of it when they ask");
        let _ = writeln!(io::stderr(), "alias-ctl: warning: {refusal}");
    }
    Ok(())
}

/// Undoes a batch. An alias that had a past leaves what was counted by slot to
/// the one that takes its place again.
fn take_back(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    lock: &WriteLock,
) -> Result<()> {
    let slots: Vec<u32> = batch.items.iter().map(|item| item.slot).collect();
    match batch.items[..] {
        [only] if only.past.created != 0 => {
            retire::unwire(host, Some(link), parent, &slots, lock)?;
            parent.vacate(only.slot, lock)
        }
        _ => retire::retire(host, Some(link), parent, &slots, lock),
    }
}

fn wire(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    lock: &WriteLock,
) -> Result<Lead> {
    let lead = |verdict, target| Lead {
        verdict,
        flags: 0,
        targets: vec![target],
    };
    match &batch.placement {
        Placement::Drop => Ok(lead(Verdict::Drop, 0)),
        Placement::Local => {
            assign_local(host, link, batch)?;
            Ok(lead(Verdict::Local, 0))
        }
        Placement::Device(netns) => {
            let ports = make_devices(host, link, parent, batch, netns.as_ref(), lock)?;
            let flags = if netns.is_some() { Steer::PEER } else { 0 };
            Ok(Lead {
                verdict: Verdict::Device,
                flags,
                targets: ports,
            })
        }
        Placement::Join(owner) => {
            let owner = parent.record(*owner);
            assign_joined(host, parent, batch, &owner, lock)?;
            let flags = if owner.netns_inode == 0 {
                0
            } else {
                Steer::PEER
            };
            Ok(Lead {
                verdict: Verdict::Device,
                flags,
                targets: vec![owner.port_ifindex],
            })
        }
        Placement::To(device, mac) => {
            let key = register_target(parent, batch, device, *mac, lock)?;
            Ok(lead(Verdict::To, key))
        }
    }
}

/// Puts addresses on the parent itself, as host addresses: the kernel then has
/// no primary among them whose removal takes the others along. The network's
/// route is ours, and goes with its last alias.
fn assign_local(host: &mut Host, link: &Link, batch: &Batch) -> Result<()> {
    let assigned = || batch.items.iter().filter(|item| item.assign);
    let requests: Vec<Request> = assigned()
        .map(|item| {
            Request::add_address(&local_address(link, item.slot, item.address))
                .about(alias_name(&link.name, item.slot))
        })
        .collect();
    all(host.netlink.batch(&requests)?)?;
    let mut networks: Vec<IpAddr> = assigned()
        .map(|item| network(item.address, batch.prefix_len))
        .collect();
    networks.sort_unstable();
    networks.dedup();
    for destination in networks {
        if batch.prefix_len == bits(destination) {
            continue;
        }
        let route = local_route(link, destination, batch.prefix_len);
        match host.netlink.run(Request::add_route(&route)) {
            // The parent's own, or an earlier alias's.
            Err(error) if error.errno() == libc::EEXIST => {}
            result => result?,
        }
    }
    Ok(())
}

/// The address of a `local` alias.
#[must_use]
pub fn local_address(link: &Link, slot: u32, address: IpAddr) -> AddressSpec {
    let label = alias_name(&link.name, slot);
    AddressSpec {
        ifindex: link.ifindex,
        address,
        prefix_len: bits(address),
        // IFNAMSIZ bounds a label; a longer one is the device's name.
        label: (label.len() < libc::IFNAMSIZ && address.is_ipv4()).then_some(label),
        no_prefix_route: true,
        metric: None,
        no_dad: true,
        broadcast: None,
    }
}

/// The route of a `local` alias's network.
#[must_use]
pub fn local_route(link: &Link, destination: IpAddr, prefix_len: u8) -> RouteSpec {
    RouteSpec {
        dst: destination,
        prefix_len,
        ifindex: link.ifindex,
        gateway: None,
        prefsrc: None,
        table: MAIN_TABLE,
        metric: Some(DEVICE_METRIC),
        protocol: RTPROT_ALIAS,
    }
}

/// Makes veth pairs, names and addresses the device ends, hangs `alias_tx` on
/// the ports. Returns the ports' ifindexes.
fn make_devices(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    netns: Option<&Netns>,
    lock: &WriteLock,
) -> Result<Vec<u32>> {
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
                group: retire::PORT_GROUP,
                device_netns: netns.map(Netns::as_raw_fd),
            })
            .about(about(item))
        })
        .collect();
    all(host.netlink.batch(&pairs)?)?;
    let ends = find_ends(host, link, batch)?;
    for (item, (port, device)) in batch.items.iter().zip(&ends) {
        let note = |record: &mut Record| {
            record.port_ifindex = *port;
            record.device_ifindex = *device;
        };
        parent.amend(item.slot, note, lock);
    }
    dress_devices(link, batch, netns, &ends)?;
    // A port has no address and no neighbour discovery: without IPv6 it is also
    // quicker to bring up, by far when there are thousands.
    for item in &batch.items {
        silence_ipv6(&port_name(link.ifindex, item.slot))?;
    }
    hang_programs(host, link, parent, batch, &ends)?;
    let ups: Vec<Request> = ends
        .iter()
        .zip(&batch.items)
        .map(|((port, _), item)| Request::set_up(*port).about(about(item)))
        .collect();
    all(host.netlink.batch(&ups)?)?;
    Ok(ends.into_iter().map(|(port, _)| port).collect())
}

/// The ifindexes of port and device of each alias of the batch.
fn find_ends(host: &mut Host, link: &Link, batch: &Batch) -> Result<Vec<(u32, u32)>> {
    let vanished = |name: &str| Refusal::new(name, "find port", "it vanished", libc::ENODEV);
    let ends = |port: Link| {
        let device = port.link_ifindex.ok_or_else(|| vanished(&port.name))?;
        Ok((port.ifindex, device))
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

/// Gives the device ends their alternative names and addresses, and brings them
/// up, in their namespace.
fn dress_devices(
    link: &Link,
    batch: &Batch,
    netns: Option<&Netns>,
    ends: &[(u32, u32)],
) -> Result<()> {
    let mut requests = Vec::with_capacity(ends.len() * 4);
    for (item, (_, device)) in batch.items.iter().zip(ends) {
        let name = alias_name(&link.name, item.slot);
        let address = device_address(*device, item.address, batch.prefix_len, netns.is_none());
        requests.push(Request::add_altname(*device, &name).about(&name));
        if item.address.is_ipv6() {
            requests.push(Request::quiet(*device).about(&name));
        }
        requests.push(Request::set_up(*device).about(&name));
        requests.push(Request::add_address(&address).about(&name));
    }
    let dress = || -> Result<()> {
        for item in &batch.items {
            let device = device_name(link.ifindex, item.slot);
            if item.address.is_ipv4() {
                silence_ipv6(&device)?;
            }
            if netns.is_none() {
                accept_by_parents_route(&device)?;
            }
        }
        all(Conversation::new()?.batch(&requests)?)
    };
    match netns {
        Some(netns) => netns.within(dress)?,
        None => dress(),
    }
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
        broadcast: None,
    }
}

/// No addresses of its own, no neighbour discovery. A kernel without IPv6 has no
/// such setting, and nothing to silence.
fn silence_ipv6(device: &str) -> Result<()> {
    match sysctl::write(&format!("ipv6/conf/{device}/disable_ipv6"), "1") {
        Err(error) if error.errno() == libc::ENOENT => Ok(()),
        result => Ok(result?),
    }
}

/// A device beside its parent gets packets whose way back is the parent's: strict
/// reverse path filtering (RFC 3704) would drop them, loose does not.
fn accept_by_parents_route(device: &str) -> Result<()> {
    match sysctl::write(&format!("ipv4/conf/{device}/rp_filter"), "2") {
        Err(error) if error.errno() == libc::ENOENT => Ok(()),
        result => Ok(result?),
    }
}

/// Hangs `alias_tx` on the ports: one filter for all ports of the parent.
fn hang_programs(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    ends: &[(u32, u32)],
) -> Result<()> {
    let ports = parent.object(names::PORT)?;
    let block = PORT_BLOCKS | link.ifindex;
    let mut requests = Vec::with_capacity(ends.len());
    for (item, (port, _)) in batch.items.iter().zip(ends) {
        let name = port_name(link.ifindex, item.slot);
        sys::map_update(ports.as_fd(), *port, &item.slot.to_ne_bytes())
            .map_err(|error| Refusal::io(&name, "register port", &error))?;
        requests.push(Request::join_block(*port, block).about(name));
    }
    all(host.netlink.batch(&requests)?)?;
    let program = parent.object(names::ALIAS_TX)?;
    let filter = Request::filter_block(block, program.as_raw_fd(), names::ALIAS_TX);
    match host.netlink.run(filter) {
        Err(error) if error.errno() != libc::EEXIST => Err(error.into()),
        _ => Ok(()),
    }
}

/// Puts more addresses on the device of another alias.
fn assign_joined(
    host: &mut Host,
    parent: &Parent,
    batch: &Batch,
    owner: &Record,
    lock: &WriteLock,
) -> Result<()> {
    for item in &batch.items {
        let note = |record: &mut Record| {
            record.port_ifindex = owner.port_ifindex;
            record.device_ifindex = owner.device_ifindex;
            record.netns_inode = owner.netns_inode;
        };
        parent.amend(item.slot, note, lock);
    }
    let requests: Vec<Request> = batch
        .items
        .iter()
        .map(|item| {
            Request::add_address(&device_address(
                owner.device_ifindex,
                item.address,
                batch.prefix_len,
                owner.netns_inode == 0,
            ))
        })
        .collect();
    let has_ipv6 = batch.items.iter().any(|item| item.address.is_ipv6());
    let assign = |conversation: &mut Conversation| -> Result<()> {
        if has_ipv6 {
            // The owner may be an IPv4 alias, whose device does without.
            if let Some(device) = conversation.link_by_index(owner.device_ifindex)? {
                conversation.run(Request::quiet(device.ifindex))?;
                sysctl::write(&format!("ipv6/conf/{}/disable_ipv6", device.name), "0")?;
            }
        }
        all(conversation.batch(&requests)?)
    };
    match retire::device_namespace(owner)? {
        Some(netns) => netns.within(|| assign(&mut Conversation::new()?))?,
        None => assign(&mut host.netlink),
    }
}

/// Finds or makes the devmap key of a device, and hangs `alias_return` on it.
fn register_target(
    parent: &Parent,
    batch: &Batch,
    device: &Link,
    mac: Option<[u8; 6]>,
    lock: &WriteLock,
) -> Result<u32> {
    let refused = |error: &std::io::Error| Refusal::io(&device.name, "use as target", error);
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
        parent.amend(item.slot, |record| record.link = key, lock);
    }
    let target = Target {
        ifindex: device.ifindex,
        flags: if mac.is_some() { Target::REWRITE } else { 0 },
        mac: mac.unwrap_or_default(),
        vlan_outer: batch.vlan.outer,
        vlan_inner: batch.vlan.inner,
        ..Target::default()
    };
    parent.set_target(key, target, lock);
    let devmap = parent.object(names::DEVMAP)?;
    // struct bpf_devmap_val: ifindex, then no program (a negative descriptor).
    let mut value = [0u8; 8];
    value[..4].copy_from_slice(&device.ifindex.to_ne_bytes());
    value[4..].copy_from_slice(&(-1i32).to_ne_bytes());
    sys::map_update(devmap.as_fd(), key, &value).map_err(|error| refused(&error))?;
    let ports = parent.object(names::PORT)?;
    sys::map_update(ports.as_fd(), device.ifindex, &key.to_ne_bytes())
        .map_err(|error| refused(&error))?;
    let program = parent.path().join(names::ALIAS_RETURN);
    let on = Device {
        ifindex: device.ifindex,
        name: &device.name,
    };
    parent
        .hook()
        .hang(&program, names::ALIAS_RETURN, on)
        .map_err(|error| refused(&error))?;
    Ok(key)
}

/// Makes the NIC take the solicited-node multicast of IPv6 aliases that its own
/// stack does not know of (RFC 4291, 2.7.1).
fn hear_multicast(link: &Link, batch: &Batch) -> Result<()> {
    if matches!(batch.placement, Placement::Local | Placement::Drop) {
        return Ok(());
    }
    for item in &batch.items {
        if let IpAddr::V6(address) = item.address {
            hardware::multicast_add(&link.name, retire::solicited_node_mac(address))?;
        }
    }
    Ok(())
}

fn tell_neighbours(link: &Link, batch: &Batch) -> Result<()> {
    if !batch.announce || batch.placement.kind() == TargetKind::Drop {
        return Ok(());
    }
    let news: Vec<Announcement> = batch
        .items
        .iter()
        .map(|item| Announcement {
            address: item.address,
            vlan_outer: batch.vlan.outer,
            vlan_inner: batch.vlan.inner,
        })
        .collect();
    announce(link.ifindex, link.mac, &news)?;
    Ok(())
}

/// The first refusal of a batch of requests.
pub fn all(results: Vec<crate::netlink::Result<()>>) -> Result<()> {
    results
        .into_iter()
        .collect::<crate::netlink::Result<Vec<()>>>()?;
    Ok(())
}
