//! `route` and `netstat -r`: routes through aliases. A route is one message to
//! the kernel, so there is nothing to undo.

mod listing;
pub mod way;

use crate::dataplane::WriteLock;
use crate::error::{Refusal, Result};
use crate::lifecycle::transaction;
use crate::model::route::{Action, RouteWish};
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
pub fn change(action: Action, wish: &RouteWish) -> Result<()> {
    let mut host = Host::open()?;
    let lock = transaction::begin(&mut host)?;
    change_under(&mut host, &lock, action, wish)
}

/// The same under a lock that is held: the alias cannot go meanwhile.
///
/// # Errors
///
/// As for [`change`].
fn change_under(
    host: &mut Host,
    _lock: &WriteLock,
    action: Action,
    wish: &RouteWish,
) -> Result<()> {
    let way = match &wish.device {
        Some(name) => way::find(host, name, wish.destination)?,
        None => Way::UNNAMED,
    };
    match action {
        Action::Add => add(host, wish, way),
        Action::Delete => delete(host, wish, way),
    }
}

fn add(host: &mut Host, wish: &RouteWish, way: Way) -> Result<()> {
    let spec = RouteSpec {
        dst: wish.destination,
        prefix_len: wish.prefix_len,
        ifindex: way.ifindex,
        gateway: wish.gateway,
        prefsrc: way.source,
        table: MAIN_TABLE,
        metric: wish.metric,
        protocol: way.protocol(),
    };
    let added = host.netlink.run(Request::add_route(&spec));
    added.map_err(|error| refusal(wish, "add route", &error))
}

/// Takes away the one route that agrees with all that was said; of several the
/// one with the smallest metric, which is the one in use.
fn delete(host: &mut Host, wish: &RouteWish, way: Way) -> Result<()> {
    let found = host
        .netlink
        .routes(way.ifindex, None)?
        .into_iter()
        .filter(|route| agrees(route, wish, way))
        .min_by_key(|route| route.metric.unwrap_or(0))
        .ok_or_else(|| {
            Refusal::new(
                shown(wish),
                "delete route",
                "there is no such route",
                libc::ESRCH,
            )
            .way_out("list them: alias-ctl route -n")
        })?;
    let deleted = host
        .netlink
        .run(Request::delete_route(&RouteSpec::of(&found)));
    deleted.map_err(|error| refusal(wish, "delete route", &error))
}

fn agrees(route: &Route, wish: &RouteWish, way: Way) -> bool {
    let said_and_other = |said: bool, same: bool| said && !same;
    let gateway = match route.hops[..] {
        [hop] => hop.gateway,
        _ => None,
    };
    route.kind == RTN_UNICAST
        && route.dst == wish.destination
        && route.prefix_len == wish.prefix_len
        && !said_and_other(wish.gateway.is_some(), gateway == wish.gateway)
        && !said_and_other(
            wish.metric.is_some(),
            route.metric.unwrap_or(0) == wish.metric.unwrap_or(0),
        )
        && !said_and_other(way.is_shared, route.prefsrc == way.source)
}

fn shown(wish: &RouteWish) -> String {
    match wish.prefix_len {
        0 => "default".into(),
        length => format!("{}/{length}", wish.destination),
    }
}

fn refusal(wish: &RouteWish, operation: &str, error: &NetlinkError) -> Refusal {
    let refusal = Refusal::new(shown(wish), operation, error.reason(), error.errno());
    match error.errno() {
        libc::EEXIST => refusal
            .way_out("see it: alias-ctl route -n; give another metric, or delete that route first"),
        libc::ENETUNREACH | libc::EHOSTUNREACH => refusal.way_out(
            "the gateway must be in a network of the alias: give the alias a prefix length, \
             or add a route to the gateway first",
        ),
        libc::ENETDOWN => refusal.way_out("bring the device up: ip link set dev DEVICE up"),
        _ => refusal,
    }
}
