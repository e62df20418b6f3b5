//! Routes: as wanted, as observed, and the requests between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteScope, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::attribute::{attributes, ip, u16_at, u32_at};
use super::request::Request;
use crate::model::route::TcpMetrics;

// Attribute numbers of linux/rtnetlink.h.
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTAX_WINDOW: u16 = 3;
const RTAX_RTT: u16 = 4;
const RTAX_ADVMSS: u16 = 8;

/// Bytes of `struct rtmsg`.
const HEADER: usize = 12;
/// Bytes of `struct rtnexthop`.
const NEXT_HOP: usize = 8;

/// A wanted unicast route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// Destination; bits beyond the prefix must be zero.
    pub dst: IpAddr,
    /// Prefix length in bits; 0 is the default route.
    pub prefix_len: u8,
    /// Index of the link it leaves by; `None`: the one the gateway is reached by.
    pub ifindex: Option<u32>,
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

impl RouteSpec {
    /// What says exactly this route. All hops of a multipath route are meant when
    /// none is named.
    pub fn of(route: &Route) -> Self {
        let only = match route.hops[..] {
            [hop] => Some(hop),
            _ => None,
        };
        Self {
            dst: route.dst,
            prefix_len: route.prefix_len,
            ifindex: only.map(|hop| hop.ifindex),
            // One of the other family (RTA_VIA) is told by its device alone.
            gateway: only
                .and_then(|hop| hop.gateway)
                .filter(|gateway| gateway.is_ipv4() == route.dst.is_ipv4()),
            prefsrc: route.prefsrc,
            table: route.table,
            metric: route.metric,
            protocol: route.protocol,
        }
    }
}

/// A route as observed. Source: RTM_NEWROUTE of rtnetlink(7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Destination; the unspecified address for a default route.
    pub dst: IpAddr,
    /// Prefix length in bits.
    pub prefix_len: u8,
    /// Where it leads: one, several for a multipath route, none for a blackhole.
    pub hops: Vec<NextHop>,
    /// Preferred source address.
    pub prefsrc: Option<IpAddr>,
    /// Table: 254 is main, 255 local.
    pub table: u32,
    /// Metric.
    pub metric: Option<u32>,
    /// Who made it, RTPROT_*: 2 is the kernel.
    pub protocol: u8,
    /// Type, RTN_*: 1 unicast, 6 blackhole, 7 unreachable.
    pub kind: u8,
    /// What TCP is told of it.
    pub tcp: TcpMetrics,
}

/// One way that a route leads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NextHop {
    /// Index of the link it leaves by.
    pub ifindex: u32,
    /// Next hop, of either family; `None` when the destination is on the link.
    pub gateway: Option<IpAddr>,
}

impl Route {
    /// From the bytes after the netlink header; `None` for other families.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let [family, prefix_len, _, _, table, protocol, _, kind] = *payload.first_chunk()?;
        let unspecified = match i32::from(family) {
            libc::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            libc::AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        let mut route = Self {
            dst: unspecified,
            prefix_len,
            hops: Vec::new(),
            prefsrc: None,
            table: u32::from(table),
            metric: None,
            protocol,
            kind,
            tcp: TcpMetrics::default(),
        };
        let mut hop = NextHop::default();
        for (kind, value) in attributes(payload.get(HEADER..)?) {
            match kind {
                RTA_DST => route.dst = ip(value)?,
                RTA_OIF => hop.ifindex = u32_at(value, 0)?,
                RTA_GATEWAY | RTA_VIA => hop.gateway = gateway(kind, value),
                RTA_MULTIPATH => route.hops = next_hops(value),
                RTA_METRICS => route.tcp = tcp_metrics(value),
                RTA_PRIORITY => route.metric = u32_at(value, 0),
                RTA_PREFSRC => route.prefsrc = ip(value),
                RTA_TABLE => route.table = u32_at(value, 0)?,
                _ => {}
            }
        }
        if hop.ifindex != 0 {
            route.hops = vec![hop];
        }
        Some(route)
    }
}

/// RTA_GATEWAY is the address; RTA_VIA has its family in front.
fn gateway(kind: u16, value: &[u8]) -> Option<IpAddr> {
    match kind {
        RTA_VIA => ip(value.get(2..)?),
        _ => ip(value),
    }
}

fn next_hops(mut rest: &[u8]) -> Vec<NextHop> {
    let mut hops = Vec::new();
    while let (Some(length), Some(ifindex)) = (u16_at(rest, 0), u32_at(rest, 4)) {
        let Some(value) = rest.get(NEXT_HOP..usize::from(length)) else {
            break;
        };
        let found = attributes(value).find(|(kind, _)| matches!(*kind, RTA_GATEWAY | RTA_VIA));
        hops.push(NextHop {
            ifindex,
            gateway: found.and_then(|(kind, value)| gateway(kind, value)),
        });
        rest = rest
            .get(usize::from(length).next_multiple_of(4)..)
            .unwrap_or(&[]);
    }
    hops
}

fn tcp_metrics(value: &[u8]) -> TcpMetrics {
    let mut tcp = TcpMetrics::default();
    for (kind, value) in attributes(value) {
        let number = u32_at(value, 0).unwrap_or(0);
        match kind {
            RTAX_ADVMSS => tcp.segment_size = number,
            RTAX_WINDOW => tcp.window = number,
            RTAX_RTT => tcp.round_trip = number,
            _ => {}
        }
    }
    tcp
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

    /// Adds a route beside those that lead to the same destination by other devices.
    /// Errors: EEXIST when this very one is there, and those of [`Self::add_route`].
    pub fn add_route_beside(spec: &RouteSpec) -> Self {
        let message = RouteNetlinkMessage::NewRoute(route_message(spec));
        let flags = NLM_F_CREATE | NLM_F_APPEND;
        Self::new(message, flags, route_object(spec), "add route")
    }

    /// Makes all addresses of a prefix local: what comes for them is for this host.
    /// Such routes are in table 255. Errors: EEXIST when this very one is there, and
    /// those of [`Self::add_route`].
    pub fn add_local_route(spec: &RouteSpec) -> Self {
        let message = RouteNetlinkMessage::NewRoute(local_route_message(spec));
        let flags = NLM_F_CREATE | NLM_F_APPEND;
        Self::new(message, flags, route_object(spec), "add local route")
    }

    /// Removes it again. Errors: ESRCH when there is none.
    pub fn delete_local_route(spec: &RouteSpec) -> Self {
        let message = RouteNetlinkMessage::DelRoute(local_route_message(spec));
        Self::new(message, 0, route_object(spec), "delete local route")
    }

    /// Removes the route that agrees with all of `spec`. Errors: ESRCH when there is none.
    pub fn delete_route(spec: &RouteSpec) -> Self {
        let mut message = route_message(spec);
        // Whatever its scope: that follows from the rest.
        message.header.scope = RouteScope::NoWhere;
        let message = RouteNetlinkMessage::DelRoute(message);
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
    attributes.extend(spec.ifindex.map(RouteAttribute::Oif));
    attributes.push(RouteAttribute::Table(spec.table));
    attributes.extend(spec.gateway.map(|ip| RouteAttribute::Gateway(ip.into())));
    attributes.extend(spec.prefsrc.map(|ip| RouteAttribute::PrefSource(ip.into())));
    attributes.extend(spec.metric.map(RouteAttribute::Priority));
    message
}

fn local_route_message(spec: &RouteSpec) -> RouteMessage {
    let mut message = route_message(spec);
    message.header.kind = RouteType::Local;
    message.header.scope = match spec.dst {
        IpAddr::V4(_) => RouteScope::Host,
        IpAddr::V6(_) => RouteScope::Universe,
    };
    message
}

fn route_object(spec: &RouteSpec) -> String {
    format!("{}/{}", spec.dst, spec.prefix_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// `struct rtmsg` of an IPv4 unicast route to a /24 in the main table.
    fn message(attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![2, 24, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0];
        bytes.extend(attributes.concat());
        bytes
    }

    #[test]
    fn parses_one_hop() {
        let metrics = [
            attribute(RTAX_ADVMSS, &1000_u32.to_ne_bytes()),
            attribute(RTAX_WINDOW, &200_u32.to_ne_bytes()),
            attribute(RTAX_RTT, &100_u32.to_ne_bytes()),
        ]
        .concat();
        let route = Route::parse(&message(&[
            attribute(RTA_DST, &[203, 0, 113, 0]),
            attribute(RTA_OIF, &7_u32.to_ne_bytes()),
            attribute(RTA_GATEWAY, &[192, 0, 2, 1]),
            attribute(RTA_PRIORITY, &5_u32.to_ne_bytes()),
            attribute(RTA_METRICS, &metrics),
        ]))
        .unwrap();
        let hop = NextHop {
            ifindex: 7,
            gateway: Some([192, 0, 2, 1].into()),
        };
        assert_eq!(route.dst, IpAddr::from([203, 0, 113, 0]));
        assert_eq!((route.hops, route.metric), (vec![hop], Some(5)));
        let tcp = TcpMetrics {
            segment_size: 1000,
            window: 200,
            round_trip: 100,
        };
        assert_eq!(route.tcp, tcp);
    }

    #[test]
    fn parses_several_hops_and_none() {
        let hop = |ifindex: u32, gateway: Vec<u8>| {
            let length = u16::try_from(NEXT_HOP + gateway.len()).unwrap();
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend([0, 0]);
            bytes.extend(ifindex.to_ne_bytes());
            bytes.extend(gateway);
            bytes
        };
        let via = [&[10, 0][..], &[0x20, 1, 0xd, 0xb8], &[0; 11], &[1]].concat();
        let hops = [
            hop(3, attribute(RTA_GATEWAY, &[192, 0, 2, 1])),
            hop(4, attribute(RTA_VIA, &via)),
            hop(5, Vec::new()),
        ]
        .concat();
        let route = Route::parse(&message(&[attribute(RTA_MULTIPATH, &hops)])).unwrap();
        let found: Vec<(u32, Option<String>)> = route
            .hops
            .iter()
            .map(|hop| (hop.ifindex, hop.gateway.map(|ip| ip.to_string())))
            .collect();
        let expected = [
            (3, Some("192.0.2.1".to_owned())),
            (4, Some("2001:db8::1".to_owned())),
            (5, None),
        ];
        assert_eq!(found, expected);
        assert_eq!(Route::parse(&message(&[])).unwrap().hops, []);
    }
}
