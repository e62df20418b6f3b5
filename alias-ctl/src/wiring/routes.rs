//! Routes and addresses of our own: how they are marked; and the end of routes.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::error::Result;
use crate::netlink::outcome::all_gone;
use crate::netlink::{Conversation, Request, RouteSpec};

/// Who made our routes, in place of an RTPROT_* of `linux/rtnetlink.h`: only what
/// carries it is deleted unasked. Numbers from 4 on are free for whoever wants one.
pub const RTPROT_ALIAS: u8 = 0xa1;
/// The same of addresses on parents, in place of an IFAPROT_* of `linux/if_addr.h`: by it
/// they are found when nothing else tells of them.
pub const IFAPROT_ALIAS: u8 = RTPROT_ALIAS;
/// RT_TABLE_MAIN.
pub const MAIN_TABLE: u32 = 254;
/// RT_TABLE_LOCAL.
pub const LOCAL_TABLE: u32 = 255;
/// RTN_UNICAST.
pub const RTN_UNICAST: u8 = 1;

/// Takes away the routes through aliases that leave a device which stays. IPv4
/// routes go by themselves with the address that is their source; IPv6 routes
/// stay and forget it, so this comes before the addresses are taken away.
///
/// # Errors
///
/// What the kernel refused.
pub fn close(netlink: &mut Conversation, ifindex: u32, sources: &HashSet<IpAddr>) -> Result<()> {
    if sources.is_empty() {
        return Ok(());
    }
    let requests: Vec<Request> = netlink
        .routes(Some(ifindex), Some(RTPROT_ALIAS))?
        .iter()
        .filter(|route| {
            route
                .prefsrc
                .is_some_and(|source| sources.contains(&source))
        })
        .map(|route| Request::delete_route(&RouteSpec::of(route)))
        .collect();
    Ok(all_gone(netlink.batch(&requests)?)?)
}
