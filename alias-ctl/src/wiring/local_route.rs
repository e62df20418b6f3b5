//! The local route by which a stack takes all addresses of a prefix for its own. Such an
//! alias has no address on any device, and nothing is announced.

use std::collections::HashSet;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::model::address::Address;
use crate::model::prefix::Prefix;
use crate::netlink::outcome::{all_done, all_gone};
use crate::netlink::{Conversation, Link, Request, RouteSpec};

use super::host::Host;
use super::routes::{LOCAL_TABLE, RTPROT_ALIAS};

/// Metric of our local routes: others' to the same prefix stay beside them.
const METRIC: u32 = 1000;

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
        let is_local = record.is(TargetKind::Local);
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

/// The prefixes that our routes make local in a namespace, each with its device.
///
/// # Errors
///
/// What the kernel said.
pub fn all(netlink: &mut Conversation) -> Result<HashSet<(u32, Prefix)>> {
    let routes = netlink.local_routes(RTPROT_ALIAS)?;
    let each = routes.into_iter().flat_map(|route| {
        let prefix = Prefix {
            network: route.dst,
            len: route.prefix_len,
        };
        let devices: Vec<u32> = route.hops.iter().map(|hop| hop.ifindex).collect();
        devices.into_iter().map(move |device| (device, prefix))
    });
    Ok(each.collect())
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
