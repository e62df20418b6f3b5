//! Aliases that are a prefix: what the datapath must know of them, and the local route
//! by which a stack takes all their addresses for its own. Such an alias has no address
//! on any device, and nothing is announced.

use std::collections::HashSet;
use std::net::IpAddr;

use alias_common::key::Vlan;
use alias_common::prefix::Prefixes;
use alias_common::record::{Record, State, TargetKind};

use crate::dataplane::engine::Place;
use crate::dataplane::parent::address_of;
use crate::dataplane::registry::Registered;
use crate::dataplane::{Parent, WriteLock};
use crate::error::Result;
use crate::model::address::Address;
use crate::model::prefix::Prefix;
use crate::netlink::outcome::{all_done, all_gone};
use crate::netlink::{Conversation, Link, Request, RouteSpec};

use super::host::Host;
use super::route::way::{LOCAL_TABLE, RTPROT_ALIAS};

/// Metric of our local routes: others' to the same prefix stay beside them.
const METRIC: u32 = 1000;

/// Makes header and engine what the parent's records need. Called with those that are
/// to be published still pending, and with those that were taken out free: so no search
/// misses a length that is in use, and a kill leaves at most one too many.
///
/// # Errors
///
/// What the kernel said of the full engine. Frames go on as before.
pub fn settle(host: &Host, link: &Link, parent: &Parent, lock: &WriteLock) -> Result<()> {
    let header = parent.header();
    let wanted = in_use(parent);
    if wanted == header.prefixes && wanted.is_empty() {
        return Ok(());
    }
    let follow = |prefixes: Prefixes| {
        let mut header = header;
        header.prefixes = prefixes;
        let place = Place {
            path: parent.path(),
            name: &link.name,
            header: &header,
            extent: parent.extent(),
        };
        place.follow(&Registered::all(&host.directory, lock)?, lock)
    };
    if wanted.is_empty() {
        // The header last: while it names a length, this is done again.
        follow(wanted)?;
        parent.set_prefixes(wanted, lock);
        return Ok(());
    }
    parent.set_prefixes(wanted, lock);
    follow(wanted)
}

/// The lengths of all records that are an alias or about to be.
fn in_use(parent: &Parent) -> Prefixes {
    [State::Live, State::Pending]
        .into_iter()
        .flat_map(|state| parent.in_state(state))
        .filter(|(_, record)| record.flags & Record::PREFIX != 0)
        .fold(Prefixes::default(), |all, (_, record)| {
            all.and(Prefixes::of(record.family(), record.prefix_len))
        })
}

/// The local route of a prefix by a device.
fn route(ifindex: u32, prefix: Prefix) -> RouteSpec {
    RouteSpec {
        dst: prefix.network,
        prefix_len: prefix.len,
        ifindex: Some(ifindex),
        gateway: None,
        prefsrc: None,
        table: LOCAL_TABLE,
        metric: Some(METRIC),
        protocol: RTPROT_ALIAS,
    }
}

/// Makes a prefix local on a device; `None` for what is none.
#[must_use]
pub fn open(ifindex: u32, address: Address) -> Option<Request> {
    Some(Request::add_local_route(&route(ifindex, address.prefix()?)))
}

/// Takes that back.
#[must_use]
pub fn close(ifindex: u32, address: Address) -> Option<Request> {
    let route = route(ifindex, address.prefix()?);
    Some(Request::delete_local_route(&route))
}

/// Sends what [`open`] made. A route that is there is as good.
///
/// # Errors
///
/// What the kernel refused.
pub fn open_all(netlink: &mut Conversation, requests: &[Request]) -> Result<()> {
    let results = netlink.batch(requests)?;
    let refused = results.into_iter().filter(|result| {
        !result
            .as_ref()
            .is_err_and(|error| error.errno() == libc::EEXIST)
    });
    Ok(all_done(refused.collect())?)
}

/// Sends what [`close`] made. A route that is gone is as good.
///
/// # Errors
///
/// What the kernel refused.
pub fn close_all(netlink: &mut Conversation, requests: &[Request]) -> Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    Ok(all_gone(netlink.batch(requests)?)?)
}

/// Of `local` aliases that are prefixes, whether each has its route.
///
/// # Errors
///
/// What the kernel said.
pub fn have_routes<'a>(
    host: &mut Host,
    link: &Link,
    mut aliases: impl Iterator<Item = &'a Record>,
) -> Result<bool> {
    let prefix_of = |record: &Record| {
        let is_local = record.target == TargetKind::Local as u8;
        is_local.then(|| address_of(record).prefix()).flatten()
    };
    let Some(first) = aliases.find_map(prefix_of) else {
        return Ok(true);
    };
    let there = routed(host, link)?;
    Ok(there.contains(&first)
        && aliases
            .filter_map(prefix_of)
            .all(|prefix| there.contains(&prefix)))
}

/// The prefixes that our routes make local on a device.
///
/// # Errors
///
/// What the kernel said.
pub fn routed(host: &mut Host, link: &Link) -> Result<HashSet<Prefix>> {
    let routes = host.netlink.local_routes(RTPROT_ALIAS)?;
    let here = routes
        .into_iter()
        .filter(|route| route.hops.iter().any(|hop| hop.ifindex == link.ifindex));
    Ok(here
        .map(|route| Prefix {
            network: route.dst,
            len: route.prefix_len,
        })
        .collect())
}

/// The first of a parent's own addresses that a prefix would take away from it: no
/// alias has it.
///
/// # Errors
///
/// What the kernel said.
pub fn swallowed(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    prefix: Prefix,
) -> Result<Option<IpAddr>> {
    let own = host.netlink.addresses(Some(link.ifindex))?;
    let mut inside = own
        .into_iter()
        .map(|found| found.address)
        .filter(|address| prefix.contains(*address));
    Ok(inside.find(|address| parent.slot_of(*address, Vlan::NONE).is_none()))
}
