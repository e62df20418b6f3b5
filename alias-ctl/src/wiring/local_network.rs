//! The networks of `local` aliases: the route to each, whose source is its oldest alias, so
//! that what the host says there comes from an address that its neighbours can answer.
//!
//! A network of IPv4 whose aliases have their own prefix length has that route from the
//! kernel. Those of IPv6, and of aliases that stand apart, are made here.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use crate::error::Result;
use crate::model::bits::{bits, network};
use crate::netlink::outcome::all_gone;
use crate::netlink::{Address, Conversation, Link, Request, Route, RouteSpec};

use super::host::Host;
use super::local_form::{Assigned, Form, ROUTE_METRIC};
use super::routes::{MAIN_TABLE, RTPROT_ALIAS};

/// RTPROT_KERNEL.
pub(super) const BY_KERNEL: u8 = 2;

/// A network and its bits.
pub type Network = (IpAddr, u8);

/// The network of an alias; `None` for one that is alone in it.
#[must_use]
pub fn of(assigned: &Assigned) -> Option<Network> {
    let len = assigned.prefix_len;
    (len < bits(assigned.ip)).then(|| (network(assigned.ip, len), len))
}

/// What is wanted of the route to a network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// Its source; `None` where an address of the host's own is in the network.
    source: Option<IpAddr>,
    /// Ours is to be there, whoever else leads there.
    ours: bool,
}

/// What is wanted of the routes to the networks of these aliases, of a device with these
/// addresses.
#[must_use]
pub fn wanted(addresses: &[Address], assigned: &[Assigned]) -> BTreeMap<Network, Wanted> {
    let of_aliases: HashSet<IpAddr> = assigned.iter().map(|one| one.ip).collect();
    let own: Vec<IpAddr> = addresses
        .iter()
        .filter(|found| !of_aliases.contains(&found.address))
        .map(|found| found.address)
        .collect();
    let apart: HashSet<IpAddr> = addresses
        .iter()
        .filter(|found| Form::of(found) == Form::Apart)
        .map(|found| found.address)
        .collect();
    let mut oldest: BTreeMap<Network, &Assigned> = BTreeMap::new();
    for one in assigned {
        if let Some(network) = of(one) {
            let known = oldest.entry(network).or_insert(one);
            if one.age() < known.age() {
                *known = one;
            }
        }
    }
    let wanted = |((destination, len), oldest): (Network, &Assigned)| {
        let is_inside = |own: &IpAddr| {
            own.is_ipv4() == destination.is_ipv4() && network(*own, len) == destination
        };
        let wanted = Wanted {
            source: (!own.iter().any(is_inside)).then_some(oldest.ip),
            ours: oldest.ip.is_ipv6() || apart.contains(&oldest.ip),
        };
        ((destination, len), wanted)
    };
    oldest.into_iter().map(wanted).collect()
}

/// Whether a route is one that was made here. One that somebody made through an alias
/// (`route add … dev eth0:1`) has that alias as its source, which is of another network.
pub(super) fn is_ours(route: &Route) -> bool {
    let is_inside = |source: IpAddr| {
        source.is_ipv4() == route.dst.is_ipv4() && network(source, route.prefix_len) == route.dst
    };
    route.protocol == RTPROT_ALIAS
        && route.metric == Some(ROUTE_METRIC)
        && route.prefsrc.is_none_or(is_inside)
        && route.hops.iter().all(|hop| hop.gateway.is_none())
}

/// How many routes of the main table somebody made through aliases.
///
/// # Errors
///
/// What the kernel refused.
pub fn made_through_aliases(netlink: &mut Conversation) -> Result<usize> {
    let routes = netlink.routes(None, Some(RTPROT_ALIAS))?;
    Ok(routes.iter().filter(|route| !is_ours(route)).count())
}

/// Of a network's routes by a device, whether they are as wanted.
#[must_use]
pub fn is_settled(routes: &[Route], (destination, len): Network, wanted: Wanted) -> bool {
    let (ours, others): (Vec<&Route>, Vec<&Route>) = routes
        .iter()
        .filter(|route| (route.dst, route.prefix_len) == (destination, len))
        .partition(|route| is_ours(route));
    match ours[..] {
        [] => !others.is_empty() && !wanted.ours,
        [only] => only.prefsrc == wanted.source && (wanted.ours || others.is_empty()),
        _ => false,
    }
}

/// Makes the routes to these networks what is wanted.
///
/// # Errors
///
/// What the kernel refused; the others are settled.
pub fn settle(host: &mut Host, link: &Link, networks: &BTreeMap<Network, Wanted>) -> Result<()> {
    if networks.is_empty() {
        return Ok(());
    }
    let routes = host.netlink.routes(Some(link.ifindex), None)?;
    let mut outcome = Ok(());
    for (network, wanted) in networks {
        if is_settled(&routes, *network, *wanted) {
            continue;
        }
        let old: Vec<Request> = routes
            .iter()
            .filter(|route| (route.dst, route.prefix_len) == *network && is_ours(route))
            .map(|route| Request::delete_route(&RouteSpec::of(route)))
            .collect();
        all_gone(host.netlink.batch(&old)?)?;
        let is_there = |route: &Route| (route.dst, route.prefix_len) == *network;
        if !wanted.ours
            && routes
                .iter()
                .any(|route| is_there(route) && !is_ours(route))
        {
            continue;
        }
        let mut route = route_to(link, *network, wanted.source);
        if !wanted.ours {
            // As it was: the kernel takes it away, or gives it another source.
            route.protocol = BY_KERNEL;
        }
        outcome = outcome.and(add(host, &route));
    }
    outcome
}

/// Adds the routes that the networks of new aliases need and have not. Returns whether
/// there is more to settle: a network that is new here may have an address of the host's.
///
/// # Errors
///
/// What the kernel refused.
pub(super) fn begin(host: &mut Host, link: &Link, aliases: &[Assigned]) -> Result<bool> {
    let mut first: BTreeMap<Network, IpAddr> = BTreeMap::new();
    for one in aliases {
        if let Some(network) = of(one) {
            first.entry(network).or_insert(one.ip);
        }
    }
    let mut is_new = false;
    for (network, source) in first {
        let route = route_to(link, network, Some(source));
        match host.netlink.run(Request::add_route(&route)) {
            // An earlier alias's; or another device's.
            Err(error) if error.errno() == libc::EEXIST => {
                if !host.netlink.has_route(link.ifindex, network.0, network.1)? {
                    host.netlink.run(Request::add_route_beside(&route))?;
                    is_new = true;
                }
            }
            result => {
                result?;
                is_new = true;
            }
        }
    }
    Ok(is_new)
}

fn add(host: &mut Host, route: &RouteSpec) -> Result<()> {
    match host.netlink.run(Request::add_route(route)) {
        Err(error) if error.errno() == libc::EEXIST => {
            Ok(host.netlink.run(Request::add_route_beside(route))?)
        }
        result => Ok(result?),
    }
}

/// Takes away our routes to networks that have no alias any more.
///
/// # Errors
///
/// What the kernel refused.
pub(super) fn leave(host: &mut Host, link: &Link, networks: &HashSet<Network>) -> Result<()> {
    if networks.is_empty() {
        return Ok(());
    }
    let requests: Vec<Request> = host
        .netlink
        .routes(Some(link.ifindex), Some(RTPROT_ALIAS))?
        .iter()
        .filter(|route| is_ours(route) && networks.contains(&(route.dst, route.prefix_len)))
        .map(|route| Request::delete_route(&RouteSpec::of(route)))
        .collect();
    Ok(all_gone(host.netlink.batch(&requests)?)?)
}

fn route_to(link: &Link, (dst, prefix_len): Network, source: Option<IpAddr>) -> RouteSpec {
    RouteSpec {
        dst,
        prefix_len,
        ifindex: Some(link.ifindex),
        gateway: None,
        prefsrc: source,
        table: MAIN_TABLE,
        metric: Some(ROUTE_METRIC),
        protocol: RTPROT_ALIAS,
    }
}
