//! The aliases of a device: whether everything is there that their packets need,
//! and what was lost so far.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::lifecycle::way_back;
use crate::model::bits::{bits, network};
use crate::model::finding::{Findings, Level};
use crate::model::name::alias_name;
use crate::netlink::{Address, Link, Route, namespace};
use crate::wiring::host::Host;
use crate::wiring::way_back::silent;
use crate::wiring::{local, local_route, port, presence, veth};

use super::asked;

/// What becomes of an address that is missed.
const PUT_BACK: &str = "the daemon, or the next command that changes something, puts it back; to be rid of it: alias-ctl del";

/// An alias's name and what to do about it.
type Found = (String, String);

pub(super) fn examine(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    findings: &mut Findings,
) -> Result<()> {
    let links = links(host)?;
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let all_routes = host.netlink.routes(Some(link.ifindex), None)?;
    in_order(link, parent, &addresses, &all_routes, findings);
    let own: HashSet<IpAddr> = addresses.iter().map(|found| found.address).collect();
    let routes: HashSet<(IpAddr, u8)> = all_routes
        .iter()
        .map(|route| (route.dst, route.prefix_len))
        .collect();
    let prefixes = local_route::routed(host, link)?;
    let mut obstacles = Obstacles::default();
    for (slot, record) in parent.live_by_slot() {
        let name = alias_name(&link.name, slot);
        match record.kind() {
            Some(TargetKind::Device) => obstacles.device(name, &record, &links),
            Some(TargetKind::To) => obstacles.target(link, name, &record, &links),
            Some(TargetKind::Local) => match address_of(&record).prefix() {
                Some(prefix) if prefixes.contains(&prefix) => {}
                Some(prefix) => {
                    let hint = format!("alias-ctl add {name} {prefix} --prefix --local");
                    obstacles.no_route.push((name, hint));
                }
                None => obstacles.local(name, &record, &own, &routes),
            },
            // A joined device is examined as its owner's.
            Some(TargetKind::Join | TargetKind::Drop) | None => {}
        }
    }
    let is_there = |port: u32| links.get(&port).is_some_and(veth::is_ours);
    let ports = parent
        .live()
        .filter(|(_, record)| record.is(TargetKind::Device))
        .map(|(slot, record)| (slot, record.port_ifindex))
        .filter(|(_, port)| is_there(*port));
    let detached = port::detached(host, link, ports)?;
    obstacles.detached = detached
        .into_iter()
        .map(|(slot, port)| {
            let port = links.get(&port).map_or("", |port| &port.name);
            let hint = format!(
                "the next command that changes something hangs it there again; if it does not, another qdisc is in the way: tc qdisc show dev {port}"
            );
            (alias_name(&link.name, slot), hint)
        })
        .collect();
    let live: Vec<(u32, Record)> = parent.live_by_slot().collect();
    let gone: HashSet<u32> = live
        .iter()
        .filter(|(_, record)| !is_there(record.port_ifindex))
        .map(|(slot, _)| *slot)
        .collect();
    let with_device = live.iter().filter(|(slot, _)| !gone.contains(slot));
    let mut dead = gone.clone();
    for slot in presence::missing(host, parent, with_device)? {
        let name = alias_name(&link.name, slot);
        obstacles.bare.push((name, PUT_BACK.into()));
        dead.insert(slot);
    }
    dead.extend(live.iter().filter_map(|(slot, record)| {
        let port = links.get(&record.port_ifindex)?;
        (record.has_device() && !(port.up && port.running)).then_some(*slot)
    }));
    obstacles.tell(findings);
    let healthy = live.iter().filter(|(slot, _)| !dead.contains(slot));
    unanswering(host, link, parent, healthy, findings)?;
    let there = live.iter().filter(|(slot, record)| {
        // A local one has no port that could be there.
        match address_of(record)
            .ip()
            .filter(|_| record.is(TargetKind::Local))
        {
            Some(ip) => own.contains(&ip),
            None => record.is(TargetKind::Local) || !dead.contains(slot),
        }
    });
    asked::examine(host, link, there, findings)?;
    losses(link, parent, findings)
}

/// Those that somebody gets no answer from, though nothing of their own is missing.
fn unanswering<'a>(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
    findings: &mut Findings,
) -> Result<()> {
    let names = namespace::names();
    let silent = silent(host, link, parent, aliases)?;
    findings.problems_of(silent.iter().map(|silent| {
        let (name, what) = (
            alias_name(&link.name, silent.slot),
            way_back::what(link, silent),
        );
        (name, what, way_back::hint(link, &names, silent))
    }));
    Ok(())
}

/// Whether the host speaks from its own addresses, and where an alias has a network to itself
/// from the oldest one in it.
fn in_order(
    link: &Link,
    parent: &Parent,
    addresses: &[Address],
    routes: &[Route],
    findings: &mut Findings,
) {
    let assigned = local::all(parent);
    let (placed, settled) = local::are_in_order(link, addresses, routes, &assigned);
    let hint = "the daemon, or the next command that changes something, puts them in order";
    if !placed {
        let what = "addresses of its aliases stand before its own: the host speaks from them";
        findings.problem(&link.name, what, hint);
    }
    if !settled {
        let what = "a route to a network of its aliases has another source than the oldest of them";
        findings.problem(&link.name, what, hint);
    }
}

/// All links, by ifindex. A dump shows what the kernel has yet to note of a carrier that
/// came or went; to ask for one link makes it note that (`rtnl_getlink`).
fn links(host: &mut Host) -> Result<HashMap<u32, Link>> {
    let mut links: HashMap<u32, Link> = host
        .netlink
        .links()?
        .into_iter()
        .map(|link| (link.ifindex, link))
        .collect();
    for link in links.values_mut() {
        if veth::is_ours(link)
            && link.up
            && !link.running
            && let Some(again) = host.netlink.link_by_index(link.ifindex)?
        {
            *link = again;
        }
    }
    Ok(links)
}

/// What stands in the way of packets, by kind.
#[derive(Default)]
struct Obstacles {
    gone: Vec<Found>,
    detached: Vec<Found>,
    down: Vec<Found>,
    no_target: Vec<Found>,
    target_down: Vec<Found>,
    narrow: Vec<Found>,
    no_address: Vec<Found>,
    bare: Vec<Found>,
    no_route: Vec<Found>,
}

impl Obstacles {
    fn device(&mut self, name: String, record: &Record, links: &HashMap<u32, Link>) {
        let port = links.get(&record.port_ifindex);
        let Some(port) = port.filter(|port| veth::is_ours(port)) else {
            let hint = "the next command that changes something deletes it; then add it again";
            self.gone.push((name, hint.into()));
            return;
        };
        let beside = record.netns_cookie == 0;
        // A veth has a carrier while its other end is up.
        if !(port.up && port.running) {
            let hint = if beside {
                format!("ip link set dev {name} up")
            } else {
                "bring it up in its namespace".into()
            };
            self.down.push((name, hint));
        }
    }

    fn target(&mut self, link: &Link, name: String, record: &Record, links: &HashMap<u32, Link>) {
        match links.get(&record.port_ifindex) {
            None => {
                let hint = format!("give it another: alias-ctl set {name} --to DEVICE");
                self.no_target.push((name, hint));
            }
            Some(device) if !device.up => {
                let hint = format!("ip link set dev {} up", device.name);
                self.target_down.push((name, hint));
            }
            Some(device) if device.mtu < link.mtu => {
                let hint = format!("ip link set dev {} mtu {}", device.name, link.mtu);
                self.narrow.push((name, hint));
            }
            Some(_) => {}
        }
    }

    fn local(
        &mut self,
        name: String,
        record: &Record,
        own: &HashSet<IpAddr>,
        routes: &HashSet<(IpAddr, u8)>,
    ) {
        let Some(ip) = address_of(record).ip() else {
            return;
        };
        let len = record.prefix_len;
        if !own.contains(&ip) {
            let hint = match record.flags & Record::ADDRESSED != 0 {
                true => PUT_BACK.into(),
                false => {
                    format!("it was there before the alias: put it back, or: alias-ctl del {name}")
                }
            };
            self.no_address.push((name, hint));
        } else if record.flags & Record::ADDRESSED != 0
            && len < bits(ip)
            && !routes.contains(&(network(ip, len), len))
        {
            let hint = format!("alias-ctl add {name} {ip}/{len} --local");
            self.no_route.push((name, hint));
        }
    }

    fn tell(&self, findings: &mut Findings) {
        for (found, what) in [
            (&self.gone, "its device is gone: its packets are dropped"),
            (
                &self.detached,
                "alias_tx was taken off its port: what its device sends does not leave",
            ),
            (&self.down, "its device is down: its packets are dropped"),
            (
                &self.no_target,
                "its --to device is gone: its packets are dropped",
            ),
            (
                &self.target_down,
                "its --to device is down: its packets are dropped",
            ),
            (
                &self.narrow,
                "its --to device has a smaller MTU than the parent: large packets are lost",
            ),
            (&self.no_address, "its address is no longer on the parent"),
            (
                &self.bare,
                "its device has lost its address: nobody answers for it",
            ),
            (
                &self.no_route,
                "the route to its network is gone: it reaches its neighbours by another, or not at all",
            ),
        ] {
            findings.each(Level::Problem, found, what);
        }
    }
}

/// What was dropped that somebody may have wanted.
fn losses(link: &Link, parent: &Parent, findings: &mut Findings) -> Result<()> {
    let (mut lost, mut spoofed, mut disabled) = (Vec::new(), Vec::new(), 0);
    for (slot, record) in parent.live_by_slot() {
        let figures = parent.figures(slot, &record)?.rest;
        let name = || alias_name(&link.name, slot);
        if figures.no_target + figures.lost > 0 {
            lost.push((name(), format!("see NO-TARGET: alias-ctl stats {}", name())));
        }
        if figures.spoof > 0 {
            let hint = format!("see SPOOF: alias-ctl stats {}", name());
            spoofed.push((name(), hint));
        }
        disabled += u32::from(record.flags & Record::ENABLED == 0);
    }
    findings.each(
        Level::Note,
        &lost,
        "packets for it were lost, because its device was gone, down or full",
    );
    findings.each(
        Level::Note,
        &spoofed,
        "its device sent frames that were not its own; they were dropped",
    );
    if disabled > 0 {
        findings.note(
            &link.name,
            format!("{disabled} aliases are disabled: their packets are the device's own"),
            "alias-ctl enable ALIAS",
        );
    }
    Ok(())
}
