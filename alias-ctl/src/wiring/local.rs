//! `local` aliases: addresses on the parent itself.

use std::collections::HashSet;
use std::net::IpAddr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::bits::{bits, network};
use crate::model::name::alias_name;
use crate::netlink::outcome::{all_done, all_gone};
use crate::netlink::{AddressSpec, Link, Request, RouteSpec};

use super::batch::{Batch, of_kind};
use super::host::Host;
use super::local_route;
use super::presence;
use super::progress::batch as batch_of;
use super::routes::{self, IFAPROT_ALIAS, MAIN_TABLE, RTPROT_ALIAS};
use super::transaction::On;

/// Metric of the route to a `local` alias's network: behind the operator's own.
const ROUTE_METRIC: u32 = 1000;

/// Puts addresses on the parent itself, as host addresses: the kernel then has
/// no primary among them whose removal takes the others along. The network's
/// route is ours, and goes with its last alias.
///
/// # Errors
///
/// What the kernel refused.
pub fn assign(host: &mut Host, link: &Link, batch: &Batch) -> Result<()> {
    let assigned = || {
        let wanted = batch.items.iter().filter(|item| item.assign);
        wanted.filter_map(|item| Some((item.slot, item.address.ip()?)))
    };
    name_shortly(host, link, assigned())?;
    let requests: Vec<Request> = assigned()
        .map(|(slot, ip)| {
            Request::add_address(&address(link, slot, ip)).about(alias_name(&link.name, slot))
        })
        .collect();
    all_done(batch_of(
        &mut host.netlink,
        "adding addresses",
        batch.items.len(),
        &requests,
    )?)?;
    let opened: Vec<Request> = batch
        .items
        .iter()
        .filter_map(|item| local_route::open(link.ifindex, item.address))
        .collect();
    local_route::open_all(&mut host.netlink, &opened)?;
    let networks = assigned().map(|(_, ip)| (network(ip, batch.prefix_len), batch.prefix_len));
    add_routes(host, link, networks.collect())
}

/// Puts on the parent again what it lost when it went down: addresses of IPv6, and
/// routes of both families.
///
/// # Errors
///
/// What the kernel refused.
pub fn assign_again(on: &mut On<'_>) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let opened: Vec<Request> = parent
        .live()
        .filter(|(_, record)| record.is(TargetKind::Local))
        .filter_map(|(_, record)| local_route::open(link.ifindex, address_of(&record)))
        .collect();
    // One that is refused, as where IPv6 is off, keeps none from the others.
    let opened = local_route::open_all(&mut on.host.netlink, &opened);
    let assigned: Vec<(u32, IpAddr, u8)> = parent
        .live()
        .filter(|(_, record)| record.is(TargetKind::Local))
        .filter(|(_, record)| record.flags & Record::ADDRESSED != 0)
        .filter_map(|(slot, record)| Some((slot, address_of(&record).ip()?, record.prefix_len)))
        .collect();
    name_shortly(
        on.host,
        link,
        assigned.iter().map(|(slot, ip, _)| (*slot, *ip)),
    )?;
    let requests: Vec<Request> = assigned
        .iter()
        .map(|(slot, ip, _)| Request::add_address(&address(link, *slot, *ip)))
        .collect();
    let results = on.host.netlink.batch(&requests)?;
    // Addresses of IPv4 have stayed.
    let there = |errno| errno == libc::EEXIST;
    let refused = results
        .into_iter()
        .filter(|result| !result.as_ref().is_err_and(|error| there(error.errno())));
    let added = all_done(refused.collect()).map_err(Refusal::from);
    let (mut networks, ipv6): (Vec<_>, Vec<_>) = assigned
        .iter()
        .map(|(_, ip, prefix_len)| (network(*ip, *prefix_len), *prefix_len))
        .partition(|(network, _)| network.is_ipv4());
    let routed = add_routes(on.host, link, std::mem::take(&mut networks));
    opened
        .and(added)
        .and_then(|()| add_routes(on.host, link, ipv6))
        .map_err(|refusal| presence::ipv6_is_off(&link.name, refusal))
        .and(routed)
}

/// Adds the routes to networks that `local` aliases are in, each once.
fn add_routes(host: &mut Host, link: &Link, mut networks: Vec<(IpAddr, u8)>) -> Result<()> {
    networks.sort_unstable();
    networks.dedup();
    for (destination, prefix_len) in networks {
        if prefix_len == bits(destination) {
            continue;
        }
        let route = route_to(link, destination, prefix_len);
        match host.netlink.run(Request::add_route(&route)) {
            // The parent's own, or an earlier alias's; or another device's.
            Err(error) if error.errno() == libc::EEXIST => {
                let netlink = &mut host.netlink;
                if !netlink.has_route(link.ifindex, destination, prefix_len)? {
                    netlink.run(Request::add_route_beside(&route))?;
                }
            }
            result => result?,
        }
    }
    Ok(())
}

/// Whether the route to an alias's network is there, if it needs one.
///
/// # Errors
///
/// That of asking the kernel.
pub fn has_route(host: &mut Host, link: &Link, record: &Record) -> Result<bool> {
    let Some(ip) = address_of(record).ip() else {
        return Ok(true);
    };
    let destination = network(ip, record.prefix_len);
    if record.flags & Record::ADDRESSED == 0 || record.prefix_len >= bits(ip) {
        return Ok(true);
    }
    Ok(host
        .netlink
        .has_route(link.ifindex, destination, record.prefix_len)?)
}

/// Takes the addresses away again, and the routes that no alias needs any more.
///
/// # Errors
///
/// What the kernel refused.
pub fn unassign(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    going: &[(u32, Record)],
) -> Result<()> {
    let sources = of_kind(going, TargetKind::Local)
        .filter_map(|(_, record)| address_of(record).ip())
        .collect();
    routes::close(&mut host.netlink, link.ifindex, &sources)?;
    let closed: Vec<Request> = of_kind(going, TargetKind::Local)
        .filter_map(|(_, record)| local_route::close(link.ifindex, address_of(record)))
        .collect();
    local_route::close_all(&mut host.netlink, &closed)?;
    let assigned: Vec<(u32, &Record, IpAddr)> = of_kind(going, TargetKind::Local)
        .filter(|(_, record)| record.flags & Record::ADDRESSED != 0)
        .filter_map(|(slot, record)| Some((*slot, record, address_of(record).ip()?)))
        .collect();
    if assigned.is_empty() {
        return Ok(());
    }
    let requests: Vec<Request> = assigned
        .iter()
        .map(|(slot, _, ip)| Request::delete_address(&address(link, *slot, *ip)))
        .collect();
    all_gone(batch_of(
        &mut host.netlink,
        "deleting addresses",
        requests.len(),
        &requests,
    )?)?;
    name_no_more(host, link, parent)?;
    let route_of = |record: &Record| {
        let destination = network(address_of(record).ip()?, record.prefix_len);
        (record.prefix_len < bits(destination)).then_some((destination, record.prefix_len))
    };
    let still_wanted: HashSet<(IpAddr, u8)> = parent
        .live()
        .filter(|(_, record)| record.is(TargetKind::Local))
        .filter_map(|(_, record)| route_of(&record))
        .collect();
    let unwanted: HashSet<(IpAddr, u8)> = assigned
        .iter()
        .filter_map(|(_, record, _)| route_of(record))
        .collect();
    let unwanted: HashSet<(IpAddr, u8)> = unwanted.difference(&still_wanted).copied().collect();
    if unwanted.is_empty() {
        return Ok(());
    }
    // A route through an alias that stays has a source: somebody asked for it, and
    // it may have been there before ours could be made.
    let requests: Vec<Request> = host
        .netlink
        .routes(Some(link.ifindex), Some(RTPROT_ALIAS))?
        .iter()
        .filter(|route| route.prefsrc.is_none())
        .filter(|route| unwanted.contains(&(route.dst, route.prefix_len)))
        .map(|route| Request::delete_route(&RouteSpec::of(route)))
        .collect();
    Ok(all_gone(host.netlink.batch(&requests)?)?)
}

/// The address of a `local` alias.
fn address(link: &Link, slot: u32, address: IpAddr) -> AddressSpec {
    AddressSpec {
        ifindex: link.ifindex,
        address,
        prefix_len: bits(address),
        label: address.is_ipv4().then(|| label_of(link, slot)),
        no_prefix_route: true,
        metric: None,
        no_dad: true,
        broadcast: None,
        protocol: IFAPROT_ALIAS,
    }
}

/// What other tools call an alias of IPv4: by its name, where that fits. An address
/// without a label of its own has the device's, and the old `ifconfig DEVICE` would take it
/// for the device's own.
fn label_of(link: &Link, slot: u32) -> String {
    let fits = |label: &String| label.len() < libc::IFNAMSIZ;
    let labels = [
        alias_name(&link.name, slot),
        alias_name(&short_name(link), slot),
    ];
    labels.into_iter().find(fits).unwrap_or_else(|| {
        // As the kernel does when a device is renamed.
        let end = format!(":{slot}");
        let room = libc::IFNAMSIZ - 1 - end.len();
        let name: String = link.name.chars().take(room).collect();
        name + &end
    })
}

/// A name of a parent whose own is too long for labels of its aliases: other tools cut a
/// label at its colon and ask for the device that is before it.
fn short_name(link: &Link) -> String {
    format!("al{}", link.ifindex)
}

/// Whether a label may be that of an alias of this device.
pub(super) fn is_label_of(link: &Link, label: &str) -> bool {
    label.rsplit_once(':').is_some_and(|(name, slot)| {
        let is_slot = !slot.is_empty() && slot.bytes().all(|byte| byte.is_ascii_digit());
        is_slot && (link.name.starts_with(name) || short_name(link) == name)
    })
}

/// Takes the short name away of a parent that has no aliases any more.
pub(super) fn forget_short_name(host: &mut Host, link: &Link) -> Result<()> {
    let short = short_name(link);
    if !link.altnames.contains(&short) {
        return Ok(());
    }
    let request = Request::del_altname(link.ifindex, &short);
    Ok(all_gone(host.netlink.batch(&[request])?)?)
}

/// Whether an alias's label needs the parent's short name.
fn needs_short_name(link: &Link, slot: u32, address: IpAddr) -> bool {
    address.is_ipv4() && alias_name(&link.name, slot).len() >= libc::IFNAMSIZ
}

/// Gives the parent its short name if one of these aliases needs it.
fn name_shortly(
    host: &mut Host,
    link: &Link,
    mut aliases: impl Iterator<Item = (u32, IpAddr)>,
) -> Result<()> {
    let short = short_name(link);
    if link.answers_to(&short) || !aliases.any(|(slot, ip)| needs_short_name(link, slot, ip)) {
        return Ok(());
    }
    match host.netlink.run(Request::add_altname(link.ifindex, &short)) {
        // Another device's, or given meanwhile: the label is one all the same.
        Err(error) if error.errno() == libc::EEXIST => Ok(()),
        named => Ok(named?),
    }
}

/// Takes the short name away with the last alias that needed it.
fn name_no_more(host: &mut Host, link: &Link, parent: &Parent) -> Result<()> {
    let short = short_name(link);
    let is_needed = |(slot, record): (u32, Record)| {
        let ip = address_of(&record).ip();
        record.is(TargetKind::Local) && ip.is_some_and(|ip| needs_short_name(link, slot, ip))
    };
    if !link.altnames.contains(&short) || parent.live().any(is_needed) {
        return Ok(());
    }
    let request = Request::del_altname(link.ifindex, &short);
    Ok(all_gone(host.netlink.batch(&[request])?)?)
}

/// The route of a `local` alias's network.
fn route_to(link: &Link, destination: IpAddr, prefix_len: u8) -> RouteSpec {
    RouteSpec {
        dst: destination,
        prefix_len,
        ifindex: Some(link.ifindex),
        gateway: None,
        prefsrc: None,
        table: MAIN_TABLE,
        metric: Some(ROUTE_METRIC),
        protocol: RTPROT_ALIAS,
    }
}
