//! Ports: the ends of alias devices' veth pairs that stay with the parent. What a device
//! sends comes in by its port, where `alias_tx` takes it; one filter serves all ports.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use alias_common::names;
use alias_common::record::{Port, State, TargetKind};

use crate::dataplane::{Parent, sys};
use crate::error::{Refusal, Result};
use crate::model::name::port_name;
use crate::netlink::outcome::all_done;
use crate::netlink::{self, FilterChain, FilterId, Link, Request};

use super::batch::Batch;
use super::host::Host;
use super::transaction::On;
use super::veth::{self};

/// Filter blocks of our ports, by the parent's ifindex, which has 31 bits: no two parents
/// share one. Blocks are numbered per namespace by whoever uses them; small numbers are
/// people's.
const PORT_BLOCKS: u32 = 1 << 31;

/// Hangs `alias_tx` on the ports of a batch, each with its other end.
///
/// # Errors
///
/// What the kernel refused.
pub fn attach(on: &mut On<'_>, batch: &Batch, ends: &[(u32, u32)]) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let ports = parent.object(names::PORT)?;
    let block = block_of(link);
    let mut requests = Vec::with_capacity(ends.len());
    for (item, (port, _)) in batch.items.iter().zip(ends) {
        let name = port_name(link.ifindex, item.slot);
        register(&ports, *port, &parent, item.slot)
            .map_err(|error| Refusal::io(&name, "register port", &error))?;
        requests.push(Request::join_block(*port, block).about(name));
    }
    all_done(on.host.netlink.batch(&requests)?)?;
    // In place of the one that is there: a block that outlived its parent's last
    // attachment would run the programs of that one.
    Ok(put_filter(on.host, link, &parent)??)
}

/// Says whose a port is.
fn register(ports: &OwnedFd, ifindex: u32, parent: &Parent, slot: u32) -> io::Result<()> {
    let record = parent.record(slot);
    let id = parent.id_of(slot);
    let owner = Port {
        key: id.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?,
        vlan_outer: record.vlan_outer,
        vlan_inner: record.vlan_inner,
        ethertype: record.ethertype,
        netns_cookie: record.netns_cookie,
        ..Port::default()
    };
    sys::map_update(ports.as_fd(), ifindex, &owner.bytes())
}

/// Says it again of an alias whose device has moved to another namespace.
///
/// # Errors
///
/// What the kernel refused.
pub fn follow(parent: &Parent, slot: u32) -> Result<()> {
    let record = parent.record(slot);
    if record.kind() != Some(TargetKind::Device) {
        // One that has joined: its owner's says it.
        return Ok(());
    }
    let ports = parent.object(names::PORT)?;
    register(&ports, record.port_ifindex, parent, slot)
        .map_err(|error| Refusal::io(format!("port {}", record.port_ifindex), "register", &error))
}

/// Device aliases, by slot, whose port does not run `alias_tx`, each with its port:
/// somebody took the qdisc off that, or the filter off all of them.
///
/// # Errors
///
/// That of asking the kernel.
pub fn detached(
    host: &mut Host,
    link: &Link,
    ports: impl Iterator<Item = (u32, u32)>,
) -> Result<Vec<(u32, u32)>> {
    let mut ports: Vec<(u32, u32)> = ports.collect();
    if ports.is_empty() {
        return Ok(ports);
    }
    let block = block_of(link);
    let blocks = host.netlink.ingress_blocks()?;
    let has_joined = |port: u32| blocks.get(&port) == Some(&block);
    let runs = ports.iter().any(|(_, port)| has_joined(*port))
        && host
            .netlink
            .run(Request::get_filter(filter_of(block)))
            .is_ok();
    ports.retain(|(_, port)| !(runs && has_joined(*port)));
    Ok(ports)
}

/// Hangs `alias_tx` on ports again.
///
/// # Errors
///
/// What the kernel refused: EEXIST when a port has a qdisc of somebody else's.
pub fn reattach(on: &mut On<'_>, ports: &[u32]) -> Result<()> {
    let block = block_of(on.link);
    let blocks = on.host.netlink.ingress_blocks()?;
    let joins: Vec<Request> = ports
        .iter()
        .filter(|port| blocks.get(*port) != Some(&block))
        .map(|port| Request::join_block(*port, block))
        .collect();
    let joined = all_done(on.host.netlink.batch(&joins)?);
    put_filter(on.host, on.link, &on.parent)??;
    Ok(joined?)
}

fn block_of(link: &Link) -> u32 {
    PORT_BLOCKS | link.ifindex
}

/// EINVAL: there is no such block (net/sched/cls_api.c), because no port has joined it.
fn put_filter(host: &mut Host, link: &Link, parent: &Parent) -> Result<netlink::Result<()>> {
    let program = parent.object(names::ALIAS_TX)?;
    let id = filter_of(block_of(link));
    let filter = Request::put_filter(id, program.as_fd(), names::ALIAS_TX);
    Ok(host.netlink.run(filter))
}

/// The only filter of a parent's block.
const fn filter_of(block: u32) -> FilterId {
    FilterId {
        chain: FilterChain::Block(block),
        priority: 1,
        handle: 1,
    }
}

/// Hangs the `alias_tx` of a parent that has grown on its ports, in place of the one
/// before.
///
/// # Errors
///
/// What the kernel refused.
pub fn replace(host: &mut Host, link: &Link, grown: &Parent) -> Result<()> {
    // The block is there as long as a port is. Which of its aliases have one is not
    // asked: a writer may have been killed before it made, or after it removed it.
    let in_use = [State::Pending, State::Live, State::Retiring];
    let ports: HashSet<u32> = in_use
        .into_iter()
        .flat_map(|state| grown.in_state(state))
        .filter(|(_, record)| record.is(TargetKind::Device))
        .map(|(_, record)| record.port_ifindex)
        .collect();
    if ports.is_empty() {
        return Ok(());
    }
    match put_filter(host, link, grown)? {
        // No port is left, or none has its qdisc.
        Err(error) if error.errno() == libc::EINVAL => {}
        done => return Ok(done?),
    }
    let block = block_of(link);
    let joins: Vec<Request> = host
        .netlink
        .links()?
        .iter()
        .filter(|link| veth::is_ours(link) && ports.contains(&link.ifindex))
        .map(|link| Request::join_block(link.ifindex, block))
        .collect();
    // The one that refuses has gone, or has a qdisc of somebody else's.
    let joined = host.netlink.batch(&joins)?;
    if joined.iter().all(std::result::Result::is_err) {
        return Ok(());
    }
    Ok(put_filter(host, link, grown)??)
}
