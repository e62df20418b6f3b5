//! `local` aliases: addresses on the parent itself.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::dataplane::{Parent, ParentMut};
use crate::error::{Refusal, Result};
use crate::model::bits::{bits, network};
use crate::model::name::alias_name;
use crate::netlink::outcome::{all_done, all_gone};
use crate::netlink::{self, Address, AddressSpec, Conversation, Link, Request, Route};

use super::batch::{Batch, of_kind};
use super::host::Host;
use super::local_form::{self, Assigned, Form};
use super::local_label::{name_no_more, name_shortly};
use super::local_network::{self, Network};
use super::local_order;
use super::local_route;
use super::presence;
use super::progress;
use super::routes;
use super::sysctl;
use super::transaction::On;

/// What a bar says of it.
const ADDING: &str = "adding addresses";

/// Puts addresses on the parent itself, and sees to the routes of their networks.
///
/// # Errors
///
/// What the kernel refused.
pub fn assign(on: &mut On<'_>, batch: &Batch) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let assigned: Vec<Assigned> = batch
        .items
        .iter()
        .filter(|item| item.assign)
        .filter_map(|item| {
            Some(Assigned {
                slot: item.slot,
                ip: item.address.ip()?,
                prefix_len: batch.prefix_len,
                created: item.past.created,
                deprecated: batch.deprecates(item.address),
            })
        })
        .collect();
    let opened: Vec<Request> = batch
        .items
        .iter()
        .filter_map(|item| local_route::open(link.ifindex, item.address))
        .collect();
    put(on.host, link, parent, &assigned, |netlink, requests| {
        progress::make_each(netlink, (&link.name, ADDING), assigned.len(), requests)
    })?;
    local_route::open_all(&mut on.host.netlink, &opened)?;
    // One that was there before may be the oldest of its network.
    if assigned.iter().any(|one| one.created != 0) {
        put_in_order(on, &assigned)?;
    }
    Ok(())
}

/// Puts addresses on a parent that has none of them, and begins the routes to their networks.
/// `batch` carries out as many requests.
fn put(
    host: &mut Host,
    link: &Link,
    parent: ParentMut<'_>,
    assigned: &[Assigned],
    batch: impl FnOnce(&mut Conversation, &[Request]) -> Result<Vec<netlink::Result<()>>>,
) -> Result<()> {
    if assigned.is_empty() {
        return Ok(());
    }
    name_shortly(host, link, assigned.iter().map(|one| (one.slot, one.ip)))?;
    let form = match assigned.iter().any(|one| one.ip.is_ipv4()) {
        true => Form::now(host, link, parent)?,
        false => Form::Whole,
    };
    let request = |one: &Assigned, form: Form| {
        Request::add_address(&one.spec(link, form)).about(alias_name(&link.name, one.slot))
    };
    let requests: Vec<Request> = assigned.iter().map(|one| request(one, form)).collect();
    let mut results = batch(&mut host.netlink, &requests)?;
    // Where an address of another scope is the first of the subnet, the kernel wants no other.
    let mut apart: Vec<Assigned> = Vec::new();
    for (result, one) in results.iter_mut().zip(assigned) {
        let is_refused = result
            .as_ref()
            .is_err_and(|error| error.errno() == libc::EINVAL);
        if is_refused && form == Form::Whole && one.ip.is_ipv4() {
            *result = host.netlink.run(request(one, Form::Apart));
            apart.push(*one);
        }
    }
    let added = all_done(results).map_err(Refusal::from);
    let needs_route = |one: &&Assigned| {
        one.ip.is_ipv6() || form == Form::Apart || apart.iter().any(|other| other.ip == one.ip)
    };
    let to_route: Vec<Assigned> = assigned.iter().filter(needs_route).copied().collect();
    // Those of IPv6, where that is off, keep none from the others.
    let (ipv4, ipv6): (Vec<Assigned>, Vec<Assigned>) =
        to_route.into_iter().partition(|one| one.ip.is_ipv4());
    let mut routed = Ok(());
    for aliases in [ipv4, ipv6] {
        let settled = match local_network::begin(host, link, &aliases) {
            Ok(true) => {
                let addresses = host.netlink.addresses(Some(link.ifindex))?;
                let all = with(parent, &aliases);
                let mut wanted = local_network::wanted(&addresses, &all);
                let here: HashSet<Network> = aliases.iter().filter_map(local_network::of).collect();
                wanted.retain(|network, _| here.contains(network));
                local_network::settle(host, link, &wanted)
            }
            Ok(false) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        routed = routed.and(settled);
    }
    added.and(routed)
}

/// Adds addresses, whatever signal comes: what was there is being put back.
fn to_the_end(
    netlink: &mut Conversation,
    requests: &[Request],
) -> Result<Vec<netlink::Result<()>>> {
    Ok(progress::batch(netlink, ADDING, requests.len(), requests)?)
}

/// All addresses that are on a parent for its aliases, and of those that are being made.
fn with(parent: ParentMut<'_>, new: &[Assigned]) -> Vec<Assigned> {
    let mut all = all(&parent);
    let known: HashSet<u32> = all.iter().map(|one| one.slot).collect();
    all.extend(new.iter().filter(|one| !known.contains(&one.slot)));
    all.sort_by_key(Assigned::age);
    all
}

/// The addresses that are on a parent for its aliases, the oldest first.
#[must_use]
pub fn all(parent: &Parent) -> Vec<Assigned> {
    let mut all: Vec<Assigned> = parent
        .live()
        .filter_map(|(slot, record)| Assigned::of(slot, &record))
        .collect();
    all.sort_by_key(Assigned::age);
    all
}

/// Puts on the parent again what it lost when it went down, or others took away: addresses,
/// and routes of both families.
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
    let there: HashSet<IpAddr> = (on.host.netlink.addresses(Some(link.ifindex))?.iter())
        .map(|found| found.address)
        .collect();
    let missing: Vec<Assigned> = all(&parent)
        .into_iter()
        .filter(|one| !there.contains(&one.ip))
        .collect();
    let (ipv4, ipv6): (Vec<Assigned>, Vec<Assigned>) =
        missing.into_iter().partition(|one| one.ip.is_ipv4());
    let put_ipv4 = put(on.host, link, parent, &ipv4, to_the_end);
    let put_ipv6 = put(on.host, link, parent, &ipv6, to_the_end);
    let ordered = put_in_order(on, &[]);
    opened
        .and(put_ipv6)
        .and(ordered)
        .map_err(|refusal| presence::ipv6_is_off(&link.name, refusal))
        .and(put_ipv4)
}

/// Puts the addresses and routes of networks in order: the host's own address first, then the
/// oldest alias's. `new` are aliases that are being made.
///
/// # Errors
///
/// What the kernel refused.
pub fn put_in_order(on: &mut On<'_>, new: &[Assigned]) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let assigned = with(parent, new);
    let mut addresses = on.host.netlink.addresses(Some(link.ifindex))?;
    let misplaced = local_order::misplaced(&addresses, &assigned);
    if !misplaced.is_empty() && local_form::keep(link, parent) {
        let mut again: Vec<Assigned> = misplaced.iter().map(|(one, _)| *one).collect();
        again.sort_by_key(Assigned::age);
        local_order::anew(on.host, link, &misplaced, |host| {
            put(host, link, parent, &again, to_the_end)
        })?;
        addresses = on.host.netlink.addresses(Some(link.ifindex))?;
    }
    let wanted = local_network::wanted(&addresses, &assigned);
    local_network::settle(on.host, link, &wanted)
}

/// Whether the addresses and routes of networks are in order, of a parent with these addresses
/// and routes. `(addresses, routes)`.
#[must_use]
pub fn are_in_order(
    link: &Link,
    addresses: &[Address],
    routes: &[Route],
    assigned: &[Assigned],
) -> (bool, bool) {
    let placed =
        local_order::misplaced(addresses, assigned).is_empty() || !sysctl::may_promote(&link.name);
    let wanted = local_network::wanted(addresses, assigned);
    // One that is gone is missed as such.
    let is_there =
        |network: &Network| (routes.iter()).any(|route| (route.dst, route.prefix_len) == *network);
    let settled = (wanted.iter())
        .filter(|(network, _)| is_there(network))
        .all(|(network, wanted)| local_network::is_settled(routes, *network, *wanted));
    (placed, settled)
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
    parent: ParentMut<'_>,
    going: &[(u32, Record)],
) -> Result<()> {
    let mut assigned: Vec<Assigned> = of_kind(going, TargetKind::Local)
        .filter_map(|(slot, record)| Assigned::of(*slot, record))
        .collect();
    let networks: HashSet<Network> = assigned.iter().filter_map(local_network::of).collect();
    let staying = match networks.is_empty() {
        true => Vec::new(),
        false => all(&parent),
    };
    let of_staying: HashMap<Network, u64> = staying
        .iter()
        .rev()
        .filter_map(|one| Some((local_network::of(one)?, one.age().0)))
        .collect();
    // Of these networks the oldest goes: another is the source before it is gone.
    let headless: HashSet<Network> = assigned
        .iter()
        .filter_map(|one| Some((local_network::of(one)?, one.age().0)))
        .filter(|(network, age)| of_staying.get(network).is_some_and(|next| age < next))
        .map(|(network, _)| network)
        .collect();
    if headless.iter().any(|(network, _)| network.is_ipv6()) {
        settle_some(host, link, &staying, |network| {
            network.0.is_ipv6() && headless.contains(network)
        })?;
    }
    let sources = of_kind(going, TargetKind::Local)
        .filter_map(|(_, record)| address_of(record).ip())
        .collect();
    routes::close(&mut host.netlink, link.ifindex, &sources)?;
    let closed: Vec<Request> = of_kind(going, TargetKind::Local)
        .filter_map(|(_, record)| local_route::close(link.ifindex, address_of(record)))
        .collect();
    local_route::close_all(&mut host.netlink, &closed)?;
    if assigned.is_empty() {
        return Ok(());
    }
    if networks.iter().any(|(network, _)| network.is_ipv4()) {
        // Else the kernel would take the others of a subnet with its first.
        local_form::keep(link, parent);
    }
    // Each time the first of a subnet goes, the kernel goes over all others.
    assigned.sort_by_key(|one| std::cmp::Reverse(one.age()));
    take_off(host, link, &assigned)?;
    name_no_more(host, link, &parent)?;
    let unwanted = networks
        .iter()
        .filter(|network| !of_staying.contains_key(network))
        .copied()
        .collect();
    local_network::leave(host, link, &unwanted)?;
    if headless.iter().any(|(network, _)| network.is_ipv4()) {
        let mut on = On { host, link, parent };
        put_in_order(&mut on, &[])?;
    }
    local_form::keep_no_more(link, parent)
}

/// Takes addresses off, in whichever form they are there.
fn take_off(host: &mut Host, link: &Link, assigned: &[Assigned]) -> Result<()> {
    let delete = |one: &Assigned, form: Form| Request::delete_address(&one.spec(link, form));
    let requests: Vec<Request> = assigned
        .iter()
        .map(|one| delete(one, Form::Whole))
        .collect();
    let results = progress::batch(
        &mut host.netlink,
        "deleting addresses",
        requests.len(),
        &requests,
    )?;
    let apart: Vec<Request> = results
        .iter()
        .zip(assigned)
        .filter(|(result, _)| {
            result
                .as_ref()
                .is_err_and(|error| error.errno() == libc::EADDRNOTAVAIL)
        })
        .map(|(_, one)| {
            let spec = AddressSpec {
                prefix_len: bits(one.ip),
                ..one.spec(link, Form::Apart)
            };
            Request::delete_address(&spec)
        })
        .collect();
    all_gone(results)?;
    Ok(all_gone(host.netlink.batch(&apart)?)?)
}

/// Settles the routes to some of the networks of these aliases.
fn settle_some(
    host: &mut Host,
    link: &Link,
    assigned: &[Assigned],
    which: impl Fn(&Network) -> bool,
) -> Result<()> {
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    // Those that go are on the device still, and are not the host's own.
    let known: HashSet<IpAddr> = assigned.iter().map(|one| one.ip).collect();
    let addresses: Vec<Address> = addresses
        .into_iter()
        .filter(|found| found.protocol != routes::IFAPROT_ALIAS || known.contains(&found.address))
        .collect();
    let mut wanted = local_network::wanted(&addresses, assigned);
    wanted.retain(|network, _| which(network));
    local_network::settle(host, link, &wanted)
}
