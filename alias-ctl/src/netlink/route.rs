//! Routes: as wanted, as observed, and the requests between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteScope, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::attribute::{attributes, ip, u32_at};
use super::request::Request;

// Attribute numbers of linux/rtnetlink.h.
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_TABLE: u16 = 15;

/// Bytes of `struct rtmsg`.
const HEADER: usize = 12;

/// A wanted unicast route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// Destination; bits beyond the prefix must be zero.
    pub dst: IpAddr,
    /// Prefix length in bits; 0 is the default route.
    pub prefix_len: u8,
    /// Index of the link it leaves by.
    pub ifindex: u32,
    /// Next hop, of the destination's family; `None` when the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// Source address of packets that have none yet.
    pub prefsrc: Option<IpAddr>,
    /// Table: 254 is main.
    pub table: u32,
    /// Metric; `None` is the kernel's default (IPv4 0, IPv6 1024).
    pub metric: Option<u32>,
    /// Who made it, RTPROT_* of linux/rtnetlink.h: 4 (static) or a private one.
    pub protocol: u8,
}

/// A route as observed. Source: RTM_NEWROUTE of rtnetlink(7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Destination; the unspecified address for a default route.
    pub dst: IpAddr,
    /// Prefix length in bits.
    pub prefix_len: u8,
    /// Index of the link it leaves by; `None` for a multipath or blackhole route.
    pub oif: Option<u32>,
    /// Next hop of the same family.
    pub gateway: Option<IpAddr>,
    /// Preferred source address.
    pub prefsrc: Option<IpAddr>,
    /// Table: 254 is main, 255 local.
    pub table: u32,
    /// Metric.
    pub metric: Option<u32>,
    /// Who made it, RTPROT_*: 2 is the kernel.
    pub protocol: u8,
    /// Scope, RT_SCOPE_*.
    pub scope: u8,
    /// Type, RTN_*: 1 unicast, 2 local, 3 broadcast.
    pub kind: u8,
}

impl Route {
    /// From the bytes after the netlink header; `None` for other families.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let [family, prefix_len, _, _, table, protocol, scope, kind] = *payload.first_chunk()?;
        let unspecified = match i32::from(family) {
            libc::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            libc::AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        let mut route = Self {
            dst: unspecified,
            prefix_len,
            oif: None,
            gateway: None,
            prefsrc: None,
            table: u32::from(table),
            metric: None,
            protocol,
            scope,
            kind,
        };
        for (kind, value) in attributes(payload.get(HEADER..)?) {
            match kind {
                RTA_DST => route.dst = ip(value)?,
                RTA_OIF => route.oif = u32_at(value, 0),
                RTA_GATEWAY => route.gateway = ip(value),
                RTA_PRIORITY => route.metric = u32_at(value, 0),
                RTA_PREFSRC => route.prefsrc = ip(value),
                RTA_TABLE => route.table = u32_at(value, 0)?,
                _ => {}
            }
        }
        Some(route)
    }
}

impl Request {
    /// Adds a route. Errors: EEXIST when there is one with the same destination,
    /// table and metric, EINVAL for bits beyond the prefix or a source that is not
    /// ours, ENETDOWN when the link is down, ENODEV.
    pub fn add_route(spec: &RouteSpec) -> Self {
        let message = RouteNetlinkMessage::NewRoute(route_message(spec));
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        Self::new(message, flags, route_object(spec), "add route")
    }

    /// Removes the route that agrees with all of `spec`. Errors: ESRCH when there is none.
    pub fn delete_route(spec: &RouteSpec) -> Self {
        let message = RouteNetlinkMessage::DelRoute(route_message(spec));
        Self::new(message, 0, route_object(spec), "delete route")
    }
}

fn route_message(spec: &RouteSpec) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = match spec.dst {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    header.destination_prefix_length = spec.prefix_len;
    // The header has one byte; RTA_TABLE below holds for every table.
    header.table = u8::try_from(spec.table).unwrap_or(libc::RT_TABLE_UNSPEC);
    header.protocol = spec.protocol.into();
    header.kind = RouteType::Unicast;
    header.scope = match (spec.dst, spec.gateway) {
        (IpAddr::V4(_), None) => RouteScope::Link,
        _ => RouteScope::Universe,
    };

    let attributes = &mut message.attributes;
    if spec.prefix_len > 0 {
        attributes.push(RouteAttribute::Destination(spec.dst.into()));
    }
    attributes.push(RouteAttribute::Oif(spec.ifindex));
    attributes.push(RouteAttribute::Table(spec.table));
    attributes.extend(spec.gateway.map(|ip| RouteAttribute::Gateway(ip.into())));
    attributes.extend(spec.prefsrc.map(|ip| RouteAttribute::PrefSource(ip.into())));
    attributes.extend(spec.metric.map(RouteAttribute::Priority));
    message
}

fn route_object(spec: &RouteSpec) -> String {
    format!("{}/{}", spec.dst, spec.prefix_len)
}
