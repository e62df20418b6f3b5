//! Reading the kernel's state: links, addresses and routes.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use rtnetlink::packet_core::{
    DefaultNla, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, Nla,
};
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage, Prop};
use rtnetlink::packet_route::nsid::{NsidAttribute, NsidMessage};
use rtnetlink::packet_route::route::{RouteAttribute, RouteFlags, RouteMessage};
use rtnetlink::packet_route::tc::TcMessage;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::address::Address;
use super::attribute::{attributes, u32_at};
use super::conversation::{Conversation, acknowledgement, socket_error};
use super::error::{NetlinkError, Result};
use super::link::Link;
use super::namespace::Netns;
use super::route::{NextHop, Route};
use super::traffic_control;
use crate::model::statistics::Statistics;

/// How often a dump is repeated because the tables changed under it.
const ATTEMPTS: usize = 32;
/// RTM_F_FIB_MATCH of linux/rtnetlink.h: answer with the table's entry.
const RTM_F_FIB_MATCH: u32 = 0x2000;
/// NETNSA_NSID of linux/net_namespace.h.
const NETNSA_NSID: u16 = 1;
/// Longest name of `struct ifreq` without its NUL (IFNAMSIZ - 1).
const SHORT_NAME: usize = libc::IFNAMSIZ - 1;
/// Longest alternative name with its NUL (ALTIFNAMSIZ of linux/if.h).
const ALT_NAME_LIMIT: usize = 128;

const MAIN: u8 = libc::RT_TABLE_MAIN;
const LOCAL: u8 = libc::RT_TABLE_LOCAL;

impl Conversation {
    /// All links of the namespace.
    ///
    /// Errors: EINTR when links kept changing during every attempt, else the
    /// kernel's answer or the socket's error. The same holds for the other dumps.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        self.dump("links", Link::parse, || {
            RouteNetlinkMessage::GetLink(link_query())
        })
    }

    /// Packets that each link of a kind was to transmit and dropped, by ifindex.
    ///
    /// Errors: as for [`Self::links`].
    pub fn transmit_drops(&mut self, kind: &str) -> Result<HashMap<u32, u64>> {
        let links = self.dump("link statistics", Link::parse, || {
            RouteNetlinkMessage::GetLink(LinkMessage::default())
        })?;
        let of_kind = links
            .into_iter()
            .filter(|link| link.kind.as_deref() == Some(kind));
        Ok(of_kind
            .map(|link| (link.ifindex, link.tx_dropped))
            .collect())
    }

    /// All links of the namespace with what they have counted.
    ///
    /// Errors: as for [`Self::links`].
    pub fn links_with_statistics(&mut self) -> Result<Vec<(Link, Statistics)>> {
        self.dump(
            "link statistics",
            |payload| Some((Link::parse(payload)?, Statistics::parse(payload))),
            || RouteNetlinkMessage::GetLink(LinkMessage::default()),
        )
    }

    /// The link with this index, or `None`.
    ///
    /// Errors: the kernel's answer or the socket's error.
    pub fn link_by_index(&mut self, ifindex: u32) -> Result<Option<Link>> {
        let mut query = link_query();
        query.header.index = ifindex;
        self.one_link(query, format!("link {ifindex}"))
    }

    /// The link with this name or alternative name ("eth0:3"), or `None`.
    ///
    /// Errors: the kernel's answer or the socket's error.
    pub fn link_by_name(&mut self, name: &str) -> Result<Option<Link>> {
        // An empty or over-long name would be EINVAL or ERANGE; no link has one.
        if name.is_empty() || name.len() >= ALT_NAME_LIMIT || name.contains('\0') {
            return Ok(None);
        }
        let mut query = link_query();
        query
            .attributes
            .push(if name.len() > SHORT_NAME || name.contains(':') {
                alternative_name(name)
            } else {
                LinkAttribute::IfName(name.to_owned())
            });
        self.one_link(query, name.to_owned())
    }

    /// The IPv4 and IPv6 addresses of one link, or of all. Empty when the link is gone.
    pub fn addresses(&mut self, ifindex: Option<u32>) -> Result<Vec<Address>> {
        let mut addresses = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let found = self.dump(
                "addresses",
                |payload| of_family(payload, family).then(|| Address::parse(payload))?,
                || {
                    let mut query = AddressMessage::default();
                    query.header.family = family;
                    query.header.index = ifindex.unwrap_or(0);
                    RouteNetlinkMessage::GetAddress(query)
                },
            );
            addresses.extend(empty_when_gone(found, ifindex)?);
        }
        Ok(addresses)
    }

    /// The IPv4 and IPv6 routes of the main table; of one link and of one maker
    /// (RTPROT_*) if asked. Empty when the link is gone. Cached routes are not
    /// among them.
    pub fn routes(&mut self, ifindex: Option<u32>, protocol: Option<u8>) -> Result<Vec<Route>> {
        let mut routes = self.routes_of(MAIN, AddressFamily::Inet, ifindex, protocol)?;
        routes.extend(self.routes_of(MAIN, AddressFamily::Inet6, ifindex, protocol)?);
        Ok(routes)
    }

    /// Whether a route of the main table leads to just this network by a link.
    pub fn has_route(&mut self, ifindex: u32, network: IpAddr, prefix_len: u8) -> Result<bool> {
        let family = match network {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        let routes = self.routes_of(MAIN, family, Some(ifindex), None)?;
        let is_it = |route: &Route| route.dst == network && route.prefix_len == prefix_len;
        Ok(routes.iter().any(is_it))
    }

    /// The filter blocks of what links receive, by ifindex, of those that have joined one.
    ///
    /// Errors: as for [`Self::links`].
    pub fn ingress_blocks(&mut self) -> Result<HashMap<u32, u32>> {
        let joined = self.dump("qdiscs", traffic_control::ingress_block, || {
            RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default())
        })?;
        Ok(joined.into_iter().collect())
    }

    /// The links that have a clsact qdisc whose filters they share with no other link.
    ///
    /// Errors: as for [`Self::links`].
    pub fn clsact_links(&mut self) -> Result<Vec<u32>> {
        self.dump("qdiscs", traffic_control::clsact_of_its_own, || {
            RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default())
        })
    }

    /// Routes that a protocol made in the table of local addresses.
    ///
    /// Errors: the kernel's answer or the socket's error.
    pub fn local_routes(&mut self, protocol: u8) -> Result<Vec<Route>> {
        let by = Some(protocol);
        let mut routes = self.routes_of(LOCAL, AddressFamily::Inet, None, by)?;
        routes.extend(self.routes_of(LOCAL, AddressFamily::Inet6, None, by)?);
        Ok(routes)
    }

    fn routes_of(
        &mut self,
        table: u8,
        family: AddressFamily,
        ifindex: Option<u32>,
        protocol: Option<u8>,
    ) -> Result<Vec<Route>> {
        let found = self.dump(
            "routes",
            |payload| of_family(payload, family).then(|| Route::parse(payload))?,
            || {
                let mut query = RouteMessage::default();
                query.header.address_family = family;
                query.header.table = table;
                query.header.protocol = protocol.unwrap_or(libc::RTPROT_UNSPEC).into();
                query.attributes.extend(ifindex.map(RouteAttribute::Oif));
                RouteNetlinkMessage::GetRoute(query)
            },
        );
        let mut routes = match found {
            // A namespace that never had a route has no table.
            Err(error) if error.errno() == libc::ENOENT => Vec::new(),
            found => empty_when_gone(found, ifindex)?,
        };
        // A kernel without IPv6 answers with what it has, and does not filter.
        routes.retain(|route: &Route| {
            route.table == u32::from(table) && protocol.is_none_or(|by| route.protocol == by)
        });
        Ok(routes)
    }

    /// Whether a link that is up has this very address: asked of the one address,
    /// however many the link has. IPv4 has no such question, and the table of local
    /// addresses is looked up instead; a rule in front of it that leads elsewhere
    /// hides the address.
    ///
    /// Errors: the kernel's answer or the socket's error.
    pub fn has_address(&mut self, ifindex: u32, address: IpAddr) -> Result<bool> {
        let found = match address {
            IpAddr::V4(v4) => {
                let mut query = RouteMessage::default();
                query.header.address_family = AddressFamily::Inet;
                query.header.destination_prefix_length = 32;
                query.header.flags = RouteFlags::from_bits_retain(RTM_F_FIB_MATCH);
                query.attributes = vec![
                    RouteAttribute::Destination(v4.into()),
                    RouteAttribute::Oif(ifindex),
                ];
                let query = RouteNetlinkMessage::GetRoute(query);
                self.one(query, v4.to_string(), |payload| {
                    let route = Route::parse(payload)?;
                    // A whole prefix may be local; its first address is not one of a link.
                    let whole = route.dst == address && route.prefix_len == 32;
                    let local = route.kind == libc::RTN_LOCAL && whole;
                    let by = |hop: &NextHop| hop.ifindex == ifindex;
                    (local && route.hops.iter().any(by)).then_some(())
                })
            }
            IpAddr::V6(v6) => {
                let mut query = AddressMessage::default();
                query.header.family = AddressFamily::Inet6;
                query.header.index = ifindex;
                query.attributes = vec![AddressAttribute::Address(address)];
                let query = RouteNetlinkMessage::GetAddress(query);
                self.one(query, v6.to_string(), |_| Some(()))
            }
        };
        match found {
            // No route at all; no such address; the link went meanwhile.
            Err(error)
                if matches!(
                    error.errno(),
                    libc::ENETUNREACH
                        | libc::EHOSTUNREACH
                        | libc::EADDRNOTAVAIL
                        | libc::ENODEV
                        | libc::EAFNOSUPPORT
                        | libc::EACCES
                        | libc::EINVAL
                ) =>
            {
                Ok(false)
            }
            found => Ok(found?.is_some()),
        }
    }

    /// The way on which a packet from one address to another leaves, or from the address
    /// that the kernel chooses, as its rules and tables have it; `None`: none, and the packet is not sent.
    ///
    /// Errors: EINVAL when the source is not an address of the namespace; the kernel's
    /// answer or the socket's error.
    pub fn way(&mut self, source: Option<IpAddr>, destination: IpAddr) -> Result<Option<Route>> {
        let (family, bits) = match destination {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        let mut query = RouteMessage::default();
        query.header.address_family = family;
        query.header.destination_prefix_length = bits;
        query.attributes = vec![RouteAttribute::Destination(destination.into())];
        if let Some(source) = source {
            query.header.source_prefix_length = bits;
            query.attributes.push(RouteAttribute::Source(source.into()));
        }
        let query = RouteNetlinkMessage::GetRoute(query);
        match self.one(query, destination.to_string(), Route::parse) {
            Err(error)
                if matches!(
                    error.errno(),
                    libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::ENETDOWN
                ) =>
            {
                Ok(None)
            }
            found => found,
        }
    }

    fn one_link(&mut self, query: LinkMessage, object: String) -> Result<Option<Link>> {
        let found = self.one(RouteNetlinkMessage::GetLink(query), object, Link::parse);
        match found {
            Err(error) if error.errno() == libc::ENODEV => Ok(None),
            result => result,
        }
    }

    /// The number by which this namespace knows another one (IFLA_LINK_NETNSID
    /// names it so); `None` when it has given it none.
    ///
    /// Errors: the kernel's answer or the socket's error.
    pub fn netns_id(&mut self, netns: &Netns) -> Result<Option<i32>> {
        let mut query = NsidMessage::default();
        let fd = netns.as_raw_fd().cast_unsigned();
        query.attributes.push(NsidAttribute::Fd(fd));
        let parse = |payload: &[u8]| {
            // struct rtgenmsg, padded, is in front of the attributes.
            let (_, value) =
                attributes(payload.get(4..)?).find(|(kind, _)| *kind == NETNSA_NSID)?;
            u32_at(value, 0).map(u32::cast_signed)
        };
        let id = self.one(
            RouteNetlinkMessage::GetNsId(query),
            "network namespace".into(),
            parse,
        )?;
        Ok(id.filter(|id| *id >= 0))
    }

    /// Asks for one object; `None` when the answer holds none.
    fn one<T>(
        &mut self,
        query: RouteNetlinkMessage,
        object: String,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>> {
        let sequence = self.ask(query, NLM_F_REQUEST)?;
        let mut answered = None;
        while answered.is_none() {
            let received = self.receive(libc::MSG_DONTWAIT, |answer| {
                if answer.sequence != sequence {
                    return;
                }
                answered = Some(if answer.kind == NLMSG_ERROR {
                    acknowledgement(&answer, |errno| {
                        NetlinkError::new(object.clone(), "read", errno)
                    })
                    .map(|()| None)
                } else {
                    Ok(parse(answer.payload))
                });
            });
            received.map_err(|error| receive_error(&error))?;
        }
        answered.unwrap_or(Ok(None))
    }

    fn dump<T>(
        &mut self,
        object: &'static str,
        parse: impl Fn(&[u8]) -> Option<T>,
        query: impl Fn() -> RouteNetlinkMessage,
    ) -> Result<Vec<T>> {
        for _ in 0..ATTEMPTS {
            let sequence = self.ask(query(), NLM_F_REQUEST | NLM_F_DUMP)?;
            let mut found = Vec::new();
            let mut consistent = true;
            let mut end = None;
            while end.is_none() {
                // Waits never: each read makes the kernel queue the dump's next part.
                let received = self.receive(libc::MSG_DONTWAIT, |answer| {
                    if answer.sequence != sequence {
                        return;
                    }
                    consistent &= answer.flags & NLM_F_DUMP_INTR == 0;
                    if matches!(answer.kind, NLMSG_DONE | NLMSG_ERROR) {
                        end = Some(acknowledgement(&answer, |errno| {
                            NetlinkError::new(object, "list", errno)
                        }));
                    } else {
                        found.extend(parse(answer.payload));
                    }
                });
                received.map_err(|error| receive_error(&error))?;
            }
            if let Some(Err(error)) = end {
                return Err(error);
            }
            if consistent {
                return Ok(found);
            }
        }
        Err(NetlinkError::new(object, "list", libc::EINTR).with_detail("they keep changing"))
    }
}

/// IFLA_ALT_IFNAME on its own, as RTM_GETLINK takes it.
fn alternative_name(name: &str) -> LinkAttribute {
    let name = Prop::AltIfName(name.to_owned());
    let mut value = vec![0; name.value_len()];
    name.emit_value(&mut value);
    LinkAttribute::Other(DefaultNla::new(name.kind(), value))
}

/// A query without statistics, which are half of each answer.
fn link_query() -> LinkMessage {
    let mut query = LinkMessage::default();
    let mask = vec![LinkExtentMask::SkipStats];
    query.attributes.push(LinkAttribute::ExtMask(mask));
    query
}

/// The family is the first byte of both `struct ifaddrmsg` and `struct rtmsg`. A
/// kernel without IPv6 answers an IPv6 dump with all families it has.
fn of_family(payload: &[u8], family: AddressFamily) -> bool {
    payload.first() == Some(&u8::from(family))
}

fn empty_when_gone<T>(found: Result<Vec<T>>, ifindex: Option<u32>) -> Result<Vec<T>> {
    match found {
        Err(error) if ifindex.is_some() && error.errno() == libc::ENODEV => Ok(Vec::new()),
        result => result,
    }
}

fn receive_error(error: &io::Error) -> NetlinkError {
    // EAGAIN here would be an answer that the kernel had no memory for.
    match error.raw_os_error() {
        Some(libc::EAGAIN) => socket_error("receive", libc::ENOBUFS),
        errno => socket_error("receive", errno.unwrap_or(libc::EIO)),
    }
}
