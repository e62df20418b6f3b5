//! Aliases that are a prefix: what the datapath must know of them, and the local route
//! by which a stack takes all their addresses for its own. Such an alias has no address
//! on any device, and nothing is announced.

use std::collections::HashSet;
use std::net::IpAddr;

use alias_common::bits::Prefixes;
use alias_common::key::Vlan;
use alias_common::record::{Record, State, TargetKind};

use crate::dataplane::engine::Place;
use crate::dataplane::parent::address_of;
use crate::dataplane::registry::Registered;
use crate::dataplane::{Parent, WriteLock};
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::name::alias_name;
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
/// alias keeps it. The alias in the slot `besides` is about to be changed.
///
/// # Errors
///
/// What the kernel said.
pub fn swallowed(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    prefix: Prefix,
    besides: Option<u32>,
) -> Result<Option<IpAddr>> {
    let own = host.netlink.addresses(Some(link.ifindex))?;
    let mut inside = own
        .into_iter()
        .map(|found| found.address)
        .filter(|address| prefix.contains(*address));
    let change = Change {
        going: besides.as_slice(),
        disabled: &[],
    };
    Ok(inside.find(|address| !change.leaves(parent, *address)))
}

/// Aliases that are about to be taken out of use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'a> {
    /// Those that go, or become others; sorted.
    pub going: &'a [u32],
    /// Those that are disabled; sorted.
    pub disabled: &'a [u32],
}

impl Change<'_> {
    fn goes(&self, slot: u32) -> bool {
        self.going.binary_search(&slot).is_ok()
    }

    /// Whether an address of the parent's is left to it: an alias of its own goes
    /// before every prefix, or took it along.
    fn leaves(&self, parent: &Parent, address: IpAddr) -> bool {
        let Some(slot) = parent.slot_of(address, Vlan::NONE) else {
            return false;
        };
        let record = parent.record(slot);
        if self.goes(slot) {
            return record.target == TargetKind::Local as u8
                && record.flags & Record::ADDRESSED != 0;
        }
        record.flags & Record::ENABLED != 0 && self.disabled.binary_search(&slot).is_err()
    }
}

/// The parent's own addresses that would be a prefix's after a change, each with the slot
/// of one. A prefix that is disabled counts: enabling it is not to be the step that cuts
/// the host off.
///
/// # Errors
///
/// What the kernel said.
pub fn exposed(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    change: Change<'_>,
) -> Result<Vec<(IpAddr, u32)>> {
    if parent.header().prefixes.is_empty() {
        return Ok(Vec::new());
    }
    let takers: Vec<(u32, Prefix)> = parent
        .live()
        .filter(|(slot, record)| {
            record.vlan() == Vlan::NONE
                && record.target != TargetKind::Local as u8
                && !change.goes(*slot)
        })
        .filter_map(|(slot, record)| Some((slot, address_of(&record).prefix()?)))
        .collect();
    if takers.is_empty() {
        return Ok(Vec::new());
    }
    let own = host.netlink.addresses(Some(link.ifindex))?;
    let taken = own.into_iter().filter_map(|found| {
        let address = found.address;
        let taker = takers.iter().find(|(_, prefix)| prefix.contains(address))?;
        (!change.leaves(parent, address)).then_some((address, taker.0))
    });
    Ok(taken.collect())
}

/// Refuses a change after which a prefix would have an address of the parent's that now
/// an alias keeps. One that was a prefix's before stays one: it came later.
///
/// # Errors
///
/// EBUSY, naming the prefix.
pub fn refuse_exposing(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    operation: &str,
    change: Change<'_>,
) -> Result<()> {
    let after = exposed(host, link, parent, change)?;
    if after.is_empty() {
        return Ok(());
    }
    let before = exposed(host, link, parent, Change::default())?;
    newly_exposed(link, parent, operation, &before, &after)
}

/// The same with what was a prefix's before, and what is to be one's.
///
/// # Errors
///
/// As for [`refuse_exposing`].
pub fn newly_exposed(
    link: &Link,
    parent: &Parent,
    operation: &str,
    before: &[(IpAddr, u32)],
    after: &[(IpAddr, u32)],
) -> Result<()> {
    let was = |address| before.iter().any(|(known, _)| *known == address);
    let Some((address, taker)) = after.iter().find(|(address, _)| !was(*address)) else {
        return Ok(());
    };
    let keeper = parent.slot_of(*address, Vlan::NONE);
    let object = keeper.map_or_else(|| address.to_string(), |slot| alias_name(&link.name, slot));
    let taker_name = alias_name(&link.name, *taker);
    let reason = format!(
        "{}'s own address {address} would go to {taker_name}, which has prefix {}",
        link.name,
        address_of(&parent.record(*taker))
    );
    Err(
        Refusal::new(object, operation, reason, libc::EBUSY).way_out(format!(
            "nothing was changed; delete the prefix first: alias-ctl del {taker_name}"
        )),
    )
}
