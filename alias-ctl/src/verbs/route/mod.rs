//! `route` and `netstat -r`: routes through aliases. A route is one message to
//! the kernel, so there is nothing to undo.

mod listing;
pub mod way;

use crate::error::{Refusal, Result};
use crate::lifecycle::transaction;
use crate::model::route::{Action, RouteRequest};
use crate::netlink::{NetlinkError, Request, Route, RouteSpec};
use crate::wiring::host::Host;
use crate::wiring::routes::{MAIN_TABLE, RTN_UNICAST};

use way::Way;

pub use listing::list;

/// `alias-ctl route add …` and `alias-ctl route del …`.
///
/// # Errors
///
/// ENODEV for a name that is neither an alias nor a device, EOPNOTSUPP for an
/// alias that nothing can be sent by from here, EAFNOSUPPORT for one of the other
/// family, EEXIST, ESRCH when there is no such route, and what the kernel refused.
pub fn change(action: Action, wanted: &RouteRequest) -> Result<()> {
    let mut host = Host::open()?;
    // Under the lock, so that the alias cannot go meanwhile.
    let tx = transaction::begin(&mut host)?;
    let host = &mut *tx.host;
    let way = match &wanted.device {
        Some(name) => way::find(host, name, wanted.destination)?,
        None => Way::UNNAMED,
    };
    match action {
        Action::Add => add(host, wanted, way),
        Action::Delete => delete(host, wanted, way),
    }
}

fn add(host: &mut Host, wanted: &RouteRequest, way: Way) -> Result<()> {
    let spec = RouteSpec {
        dst: wanted.destination,
        prefix_len: wanted.prefix_len,
        ifindex: way.ifindex,
        gateway: wanted.gateway,
        prefsrc: way.source,
        table: MAIN_TABLE,
        metric: wanted.metric,
        protocol: way.protocol(),
    };
    let added = host.netlink.run(Request::add_route(&spec));
    added.map_err(|error| refusal(wanted, "add route", &error))
}

/// Takes away the one route that agrees with all that was said; of several the
/// one with the smallest metric, which is the one in use.
fn delete(host: &mut Host, wanted: &RouteRequest, way: Way) -> Result<()> {
    let found = host
        .netlink
        .routes(way.ifindex, None)?
        .into_iter()
        .filter(|route| agrees(route, wanted, way))
        .min_by_key(|route| route.metric.unwrap_or(0))
        .ok_or_else(|| {
            Refusal::new(
                shown(wanted),
                "delete route",
                "there is no such route",
                libc::ESRCH,
            )
            .hint("list them: alias-ctl route -n")
        })?;
    let deleted = host
        .netlink
        .run(Request::delete_route(&RouteSpec::of(&found)));
    deleted.map_err(|error| refusal(wanted, "delete route", &error))
}

fn agrees(route: &Route, wanted: &RouteRequest, way: Way) -> bool {
    let said_and_other = |said: bool, same: bool| said && !same;
    let gateway = match route.hops[..] {
        [hop] => hop.gateway,
        _ => None,
    };
    route.kind == RTN_UNICAST
        && route.dst == wanted.destination
        && route.prefix_len == wanted.prefix_len
        && !said_and_other(wanted.gateway.is_some(), gateway == wanted.gateway)
        && !said_and_other(
            wanted.metric.is_some(),
            route.metric.unwrap_or(0) == wanted.metric.unwrap_or(0),
        )
        && !said_and_other(way.is_shared, route.prefsrc == way.source)
}

fn shown(wanted: &RouteRequest) -> String {
    match wanted.prefix_len {
        0 => "default".into(),
        length => format!("{}/{length}", wanted.destination),
    }
}

fn refusal(wanted: &RouteRequest, operation: &str, error: &NetlinkError) -> Refusal {
    let refusal = Refusal::new(shown(wanted), operation, error.reason(), error.errno());
    match error.errno() {
        libc::EEXIST => refusal
            .hint("see it: alias-ctl route -n; give another metric, or delete that route first"),
        libc::ENETUNREACH | libc::EHOSTUNREACH => refusal.hint(
            "the gateway must be in a network of the alias: give the alias a prefix length, \
             or add a route to the gateway first",
        ),
        libc::ENETDOWN => refusal.hint("bring the device up: ip link set dev DEVICE up"),
        _ => refusal,
    }
}
