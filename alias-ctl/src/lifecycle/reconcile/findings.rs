//! What of a parent's records does not fit what the kernel has. Looks, and
//! changes nothing: the daemon looks without the lock, and takes it only when
//! there is something to put right.

use std::collections::{HashMap, HashSet};

use alias_common::header::Header;
use alias_common::record::{Record, TargetKind};
use rustix::time::{ClockId, clock_gettime};

use crate::dataplane::Parent;
use crate::dataplane::header::padded_name;
use crate::dataplane::parent::{address_of, holds_on};
use crate::error::Result;
use crate::model::lifecycle::OnDown;
use crate::netlink::{Address, Link};
use crate::wiring::host::Host;
use crate::wiring::local_form::Assigned;
use crate::wiring::{
    attach, hearing, hooks, local, local_network, local_route, port, presence, veth,
};

use super::events::{Events, Extent};
use super::snapshot::Snapshot;

/// Up to so many records every pass compares every alias; beyond, those of single
/// commands do so once a second, so that a script of thousands stays linear.
const FEW: u32 = 1024;

/// How it stands with a parent.
pub(super) enum ParentState {
    /// All fits.
    Ok,
    /// Without its header a directory says nothing.
    Empty,
    /// The device was deleted, or moved to another namespace.
    Orphaned(Parent),
    /// A writer is at work, or was killed at it.
    Unfinished(Parent, Link),
    /// There is something to put right.
    NeedsRepair(Parent, Link, Findings),
}

/// What is to be put right with one parent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Findings {
    /// It was compared as a whole at this second since boot, and need not be again
    /// in the same one.
    pub(super) looked_at: Option<u32>,
    /// Somebody has detached its XDP program.
    pub(super) program_detached: bool,
    /// Its MAC is another one.
    pub(super) mac: bool,
    /// Its name is another one.
    pub(super) name: bool,
    /// It is down and keeps its aliases (true), or was and is up again (false).
    pub(super) was_down: Option<bool>,
    /// The route to a `local` alias's network is gone.
    pub(super) unrouted: bool,
    /// The address of a `local` alias is no longer on the parent.
    pub(super) unassigned: bool,
    /// An alias's address stands before one of the host's own, or of an older alias, or apart
    /// from the others without need.
    pub(super) misplaced: bool,
    /// The route to a `local` alias's network has another source than it is to have.
    pub(super) unsourced: bool,
    /// Aliases whose device lost their address, or the route of their prefix.
    pub(super) bare: Vec<u32>,
    /// A device hears multicast, and the parent's all-multicast mode was ended.
    pub(super) deaf: bool,
    /// Somebody has taken a tc program off the parent or off a `--to` device.
    pub(super) detached: bool,
    /// Ports of device aliases that lost theirs.
    pub(super) detached_ports: Vec<u32>,
    /// Aliases that go, by slot, each group with the reason.
    pub(super) going: Vec<(u32, Reason)>,
    /// Aliases whose device is in another namespace now, and the port's view of it.
    pub(super) moved: Vec<(u32, Option<i32>)>,
    /// Device aliases whose port has not the parent's MTU.
    pub(super) resized: Vec<u32>,
    /// Devmap keys whose device got another name.
    pub(super) renamed_targets: Vec<(u32, String)>,
    /// Devmap keys whose device is gone, and the one that has its name now.
    pub(super) new_targets: Vec<(u32, Link)>,
}

/// Why an alias goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// Its parent went down.
    Down,
    /// Its device was deleted, or that device's namespace.
    Device,
}

impl Findings {
    fn is_nothing(&self) -> bool {
        *self == Findings::default()
    }
}

/// Looks at one parent, and at its aliases as far as is wanted.
///
/// # Errors
///
/// That of asking the kernel.
pub(super) fn inspect(
    host: &mut Host,
    ifindex: u32,
    events: &Events,
    snapshot: &Snapshot,
    extent: Extent,
) -> Result<ParentState> {
    let header = match Parent::peek(&host.directory, ifindex) {
        Ok(Some(header)) => header,
        Ok(None) => return Ok(ParentState::Empty),
        // Not of this version, or spoilt: whoever names this parent is told.
        Err(_) => return Ok(ParentState::Ok),
    };
    let link = host.netlink.link_by_index(ifindex)?;
    let attached = holds_on(&host.directory.parent(ifindex), ifindex);
    let link = link.filter(|link| attached || attach::is_noted(link, &header));
    let now = seconds_since_boot();
    let many = header.records_end > FEW;
    let due = extent == Extent::Usual && many && header.looked_at != now;
    let whole = extent == Extent::Whole || due || !many;
    if let Some(link) = &link {
        let as_noted = link.mac == header.mac
            && padded_name(&link.name) == header.name
            && link.up
            && header.flags & Header::WAS_DOWN == 0
            && !events.down.contains_key(&ifindex);
        if header.unfinished == 0 && as_noted && attached && !whole {
            return Ok(ParentState::Ok);
        }
    }
    let Ok(Some(parent)) = Parent::open(&host.directory, ifindex) else {
        return Ok(ParentState::Ok);
    };
    let Some(link) = link else {
        return Ok(ParentState::Orphaned(parent));
    };
    if header.unfinished != 0 {
        return Ok(ParentState::Unfinished(parent, link));
    }
    let mut findings = Findings {
        looked_at: due.then_some(now),
        program_detached: !attached,
        mac: link.mac != header.mac,
        name: padded_name(&link.name) != header.name,
        ..Findings::default()
    };
    let live: Vec<(u32, Record)> = parent.live().collect();
    let outcome = apply_down_policy(host, &header, &link, events);
    let freed = outcome.freed;
    findings.was_down = outcome.was_down;
    findings.going.extend(
        live.iter()
            .filter(|(_, record)| record.created <= freed)
            .map(|(slot, _)| (*slot, Reason::Down)),
    );
    if whole {
        let staying = || live.iter().filter(|(_, record)| record.created > freed);
        devices(host, &link, staying(), snapshot, &mut findings)?;
        if outcome.has_addresses {
            let mut lost = lost(host, &link, staying(), snapshot)?;
            (findings.misplaced, findings.unsourced) = (lost.misplaced, lost.unsourced);
            let records = staying().map(|(_, record)| record);
            lost.routes |= !local_route::have_routes(host, &link, records)?;
            let keeps = host.on_down(&header) == OnDown::Keep;
            if keeps && (lost.routes || lost.every_ipv6_address) {
                // Nobody saw it, but so a device looks that was down.
                findings.was_down = Some(false);
            } else {
                findings.unrouted = lost.routes;
                findings.unassigned = !are_assigned(host, ifindex, staying(), snapshot)?;
            }
        }
        let gone: HashSet<u32> = findings.going.iter().map(|(slot, _)| *slot).collect();
        let moved: HashSet<u32> = findings.moved.iter().map(|(slot, _)| *slot).collect();
        let with_device =
            staying().filter(|(slot, _)| !gone.contains(slot) && !moved.contains(slot));
        findings.deaf = hearing::is_deaf(&link, &parent);
        findings.bare = presence::missing(host, &parent, with_device)?;
        targets(host, &parent, &live, snapshot, &mut findings)?;
        detached(host, &link, &parent, &live, snapshot, &mut findings)?;
    }
    Ok(if findings.is_nothing() {
        ParentState::Ok
    } else {
        ParentState::NeedsRepair(parent, link, findings)
    })
}

/// Whether a pass looks at all aliases of all parents.
///
/// # Errors
///
/// That of reading the namespace's state.
pub(super) fn looks_at_all(host: &Host, extent: Extent) -> Result<bool> {
    let now = seconds_since_boot();
    let is_left_out = |ifindex: &u32| {
        let header = Parent::peek(&host.directory, *ifindex).ok().flatten();
        header.is_some_and(|header| header.records_end > FEW && header.looked_at == now)
    };
    let parents = host.directory.parents()?;
    Ok(extent == Extent::Whole || !parents.iter().any(is_left_out))
}

/// What a parent that is down, or was, means for its aliases.
struct DownPolicyOutcome {
    /// Those up to this creation number are freed; 0 for none.
    freed: u64,
    /// As in [`Findings`].
    was_down: Option<bool>,
    /// The parent has its addresses: one that is missing was taken away.
    has_addresses: bool,
}

fn apply_down_policy(
    host: &Host,
    header: &Header,
    link: &Link,
    events: &Events,
) -> DownPolicyOutcome {
    let went_down = events.down.get(&link.ifindex).copied();
    let noted = header.flags & Header::WAS_DOWN != 0;
    if link.up && went_down.is_none() && !noted {
        return DownPolicyOutcome {
            freed: 0,
            was_down: None,
            has_addresses: true,
        };
    }
    match host.on_down(header) {
        OnDown::Delete => DownPolicyOutcome {
            freed: if link.up {
                went_down.unwrap_or(0)
            } else {
                u64::MAX
            },
            was_down: noted.then_some(false),
            has_addresses: !noted,
        },
        OnDown::Keep => DownPolicyOutcome {
            freed: 0,
            was_down: (link.up || !noted).then_some(!link.up),
            has_addresses: false,
        },
    }
}

/// What the kernel takes from a device that goes down, of what `local` aliases need.
struct Lost {
    /// The route to a network.
    routes: bool,
    /// All their addresses of IPv6, of which there are some.
    every_ipv6_address: bool,
    /// As in [`Findings`].
    misplaced: bool,
    /// As in [`Findings`].
    unsourced: bool,
}

fn lost<'a>(
    host: &mut Host,
    link: &Link,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
    snapshot: &Snapshot,
) -> Result<Lost> {
    let (mut networks, mut ipv6) = (HashSet::new(), Vec::new());
    let mut assigned: Vec<Assigned> = aliases
        .filter_map(|(slot, record)| Assigned::of(*slot, record))
        .collect();
    assigned.sort_by_key(Assigned::age);
    for one in &assigned {
        networks.extend(local_network::of(one));
        if one.ip.is_ipv6() {
            ipv6.push((link.ifindex, one.ip));
        }
    }
    let mut in_order = (true, true);
    if !networks.is_empty() {
        let routes = host.netlink.routes(Some(link.ifindex), None)?;
        for route in &routes {
            networks.remove(&(route.dst, route.prefix_len));
        }
        let there = snapshot.addresses(host)?.iter();
        let here: Vec<Address> = there
            .filter(|found| found.ifindex == link.ifindex)
            .cloned()
            .collect();
        in_order = local::are_in_order(link, &here, &routes, &assigned);
    }
    let mut every_ipv6_address = !ipv6.is_empty();
    if every_ipv6_address {
        let there = snapshot.has(host)?;
        every_ipv6_address = ipv6.iter().all(|one| !there.contains(one));
    }
    Ok(Lost {
        routes: !networks.is_empty(),
        every_ipv6_address,
        misplaced: !in_order.0,
        unsourced: !in_order.1,
    })
}

/// Devices that are gone, moved, or of another size.
fn devices<'a>(
    host: &mut Host,
    link: &Link,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
    snapshot: &Snapshot,
    findings: &mut Findings,
) -> Result<()> {
    for (slot, record) in aliases {
        let kind = record.kind();
        if !kind.is_some_and(TargetKind::has_device) {
            continue;
        }
        let port = snapshot.links(host)?.get(&record.port_ifindex);
        let Some(port) = port.filter(|port| veth::is_ours(port)) else {
            findings.going.push((*slot, Reason::Device));
            continue;
        };
        let is_where_noted = port.link_ifindex == Some(record.device_ifindex)
            && veth::netnsid(port) == record.netnsid;
        if !is_where_noted {
            findings.moved.push((*slot, port.link_netnsid));
        }
        if port.mtu != link.mtu && kind == Some(TargetKind::Device) {
            findings.resized.push(*slot);
        }
    }
    Ok(())
}

/// Whether the addresses that were put on the parent for `local` aliases are there. One
/// that somebody else had put there is theirs to put back.
fn are_assigned<'a>(
    host: &mut Host,
    ifindex: u32,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
    snapshot: &Snapshot,
) -> Result<bool> {
    let mut own = aliases
        .filter(|(_, record)| record.is(TargetKind::Local))
        .filter(|(_, record)| record.flags & Record::ADDRESSED != 0)
        .filter_map(|(_, record)| address_of(record).ip())
        .peekable();
    if own.peek().is_none() {
        return Ok(true);
    }
    let there = snapshot.has(host)?;
    Ok(own.all(|ip| there.contains(&(ifindex, ip))))
}

/// `--to` devices that got another name, or are another device of that name.
fn targets(
    host: &mut Host,
    parent: &Parent,
    live: &[(u32, Record)],
    snapshot: &Snapshot,
    findings: &mut Findings,
) -> Result<()> {
    let uses: HashMap<u32, &Record> = live
        .iter()
        .filter(|(_, record)| record.is(TargetKind::To))
        .map(|(_, record)| (record.link, record))
        .collect();
    for key in uses.into_keys() {
        let target = parent.target(key);
        let name = unpadded(&target.name);
        let links = snapshot.links(host)?;
        match links.get(&target.ifindex) {
            Some(link) if link.name == name => {}
            Some(link) => findings.renamed_targets.push((key, link.name.clone())),
            None => {
                let replacement = links.values().find(|link| link.name == name);
                findings
                    .new_targets
                    .extend(replacement.map(|link| (key, link.clone())));
            }
        }
    }
    Ok(())
}

/// tc programs that somebody has taken off the parent, its `--to` devices or its ports.
fn detached(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    live: &[(u32, Record)],
    snapshot: &Snapshot,
    findings: &mut Findings,
) -> Result<()> {
    let mut devices = Vec::new();
    for ifindex in hooks::target_indices(parent) {
        devices.extend(snapshot.links(host)?.get(&ifindex).cloned());
    }
    for point in hooks::attach_points(parent, link, &devices) {
        findings.detached |= !point.is_attached(parent.path())?;
    }
    let links = snapshot.links(host)?;
    let is_there = |port: u32| links.get(&port).is_some_and(veth::is_ours);
    let ports: Vec<(u32, u32)> = live
        .iter()
        .filter(|(_, record)| record.is(TargetKind::Device))
        .map(|(slot, record)| (*slot, record.port_ifindex))
        .filter(|(_, port)| is_there(*port))
        .collect();
    let detached = port::detached(host, link, ports.into_iter())?;
    findings.detached_ports = detached.into_iter().map(|(_, port)| port).collect();
    Ok(())
}

/// A name of the ABI as text.
pub(super) fn unpadded(name: &[u8; 16]) -> &str {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(16);
    std::str::from_utf8(&name[..end]).unwrap_or_default()
}

fn seconds_since_boot() -> u32 {
    clock_gettime(ClockId::Boottime).tv_sec as u32
}
