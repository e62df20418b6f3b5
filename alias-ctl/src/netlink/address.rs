//! Addresses of links: as wanted, as observed, and the requests between.

use std::net::{IpAddr, Ipv4Addr};

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::attribute::{attributes, ip, text, u32_at};
use super::request::Request;

// Attribute numbers of linux/if_addr.h.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;

/// Bytes of `struct ifaddrmsg`.
const HEADER: usize = 8;

/// A wanted address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSpec {
    /// Index of the link in the conversation's namespace.
    pub ifindex: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits, at most 32 or 128.
    pub prefix_len: u8,
    /// IPv4 label of at most 15 bytes ("eth0:0"); the kernel ignores it for IPv6.
    pub label: Option<String>,
    /// Make no route to the prefix (IFA_F_NOPREFIXROUTE).
    pub no_prefix_route: bool,
    /// Metric of the route to the prefix (IFA_RT_PRIORITY); `None` is the kernel's default.
    pub metric: Option<u32>,
    /// Use an IPv6 address at once, without duplicate address detection (IFA_F_NODAD).
    pub no_dad: bool,
    /// Preferred for 0 seconds (IFA_F_DEPRECATED): IPv6 takes it for no source while it has
    /// another; IPv4 keeps the flag and does not look at it.
    pub deprecated: bool,
    /// Scope of an IPv4 address: RT_SCOPE_HOST and no more, so that no route takes it for
    /// its source by itself. Else the usual one.
    pub host_scope: bool,
    /// IPv4 broadcast address; none is set when `None`.
    pub broadcast: Option<Ipv4Addr>,
    /// Who made it (IFA_PROTO, Linux 5.18): IFAPROT_* of linux/if_addr.h, or a private
    /// number; 0 says nothing. Older kernels do not keep it.
    pub protocol: u8,
}

/// An address as observed. Source: RTM_NEWADDR of rtnetlink(7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Index of its link.
    pub ifindex: u32,
    /// The address of this host (of a point-to-point link: the near end).
    pub address: IpAddr,
    /// Prefix length in bits.
    pub prefix_len: u8,
    /// IPv4 label; the kernel gives the link's name when none was set.
    pub label: Option<String>,
    /// IPv4 broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// Scope, RT_SCOPE_* of linux/rtnetlink.h.
    pub scope: u8,
    /// IFA_F_* of linux/if_addr.h.
    pub flags: u32,
    /// Metric of the route to the prefix, as in [`AddressSpec::metric`].
    pub metric: Option<u32>,
    /// Who made it, as in [`AddressSpec::protocol`].
    pub protocol: u8,
}

impl Address {
    /// From the bytes after the netlink header; `None` without an address.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let (mut local, mut prefix, mut label, mut broadcast) = (None, None, None, None);
        let (mut flags, mut protocol) = (u32::from(*payload.get(2)?), 0);
        let mut metric = None;
        for (kind, value) in attributes(payload.get(HEADER..)?) {
            match kind {
                IFA_LOCAL => local = ip(value),
                IFA_ADDRESS => prefix = ip(value),
                IFA_LABEL => label = Some(text(value)),
                IFA_BROADCAST => broadcast = <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from),
                IFA_FLAGS => flags = u32_at(value, 0)?,
                IFA_RT_PRIORITY => metric = u32_at(value, 0),
                IFA_PROTO => protocol = *value.first()?,
                _ => {}
            }
        }
        Some(Self {
            ifindex: u32_at(payload, 4)?,
            // IPv6 sends IFA_LOCAL for point-to-point only.
            address: local.or(prefix)?,
            prefix_len: *payload.get(1)?,
            label,
            broadcast,
            scope: *payload.get(3)?,
            flags,
            metric,
            protocol,
        })
    }

    /// As it would be wanted, to delete it: its label is not looked at then.
    pub fn spec(&self) -> AddressSpec {
        AddressSpec {
            ifindex: self.ifindex,
            address: self.address,
            prefix_len: self.prefix_len,
            label: None,
            no_prefix_route: false,
            metric: None,
            no_dad: false,
            deprecated: false,
            host_scope: false,
            broadcast: None,
            protocol: 0,
        }
    }

    /// Whether another address of the same IPv4 subnet came first (IFA_F_SECONDARY):
    /// the kernel deletes it with that one unless `promote_secondaries` is set.
    pub fn is_secondary(&self) -> bool {
        self.address.is_ipv4() && self.flags & AddressFlags::Secondary.bits() != 0
    }

    /// Whether it is no source of what the host says (IFA_F_DEPRECATED).
    pub fn is_deprecated(&self) -> bool {
        self.flags & AddressFlags::Deprecated.bits() != 0
    }

    /// Whether it was to be used at once, without looking for duplicates (IFA_F_NODAD).
    pub fn is_quiet(&self) -> bool {
        self.flags & AddressFlags::Nodad.bits() != 0
    }

    /// Whether it is an IPv4 address that the host speaks from: its scope is global.
    pub fn is_source(&self) -> bool {
        self.address.is_ipv4() && self.scope == u8::from(AddressScope::Universe)
    }

    /// As it would be wanted, to change it in its place.
    pub fn as_wanted(&self) -> AddressSpec {
        let is = |flag: AddressFlags| self.flags & flag.bits() != 0;
        AddressSpec {
            label: self.label.clone(),
            no_prefix_route: is(AddressFlags::Noprefixroute),
            no_dad: is(AddressFlags::Nodad),
            deprecated: self.is_deprecated(),
            host_scope: self.scope == u8::from(AddressScope::Host),
            metric: self.metric,
            broadcast: self.broadcast,
            protocol: self.protocol,
            ..self.spec()
        }
    }
}

impl Request {
    /// Adds an address. Errors: EEXIST when the link (IPv4: with the same prefix)
    /// has it, EINVAL for a prefix length out of range, ERANGE for a long label,
    /// EACCES when IPv6 is off on the link, ENODEV.
    pub fn add_address(spec: &AddressSpec) -> Self {
        Self::new_address(spec, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// The same, where one that the link has already is no error.
    pub fn put_address(spec: &AddressSpec) -> Self {
        Self::new_address(spec, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Makes an address that is there preferred, or deprecated (preferred for 0 seconds):
    /// the kernel takes it for no source then. It stays in any case. Errors: those of
    /// [`Request::add_address`].
    pub fn prefer_address(spec: &AddressSpec, preferred: bool) -> Self {
        let spec = AddressSpec {
            deprecated: !preferred,
            ..spec.clone()
        };
        let mut message = wanted(&spec);
        if preferred {
            message.attributes.push(preferred_for(u32::MAX));
        }
        Self::new(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_REPLACE,
            address_object(&spec),
            "change address",
        )
    }

    fn new_address(spec: &AddressSpec, create: u16) -> Self {
        Self::new(
            RouteNetlinkMessage::NewAddress(wanted(spec)),
            create,
            address_object(spec),
            "add address",
        )
    }

    /// Removes an address; link, address and prefix length count. Errors:
    /// EADDRNOTAVAIL when the link does not have it, ENODEV.
    pub fn delete_address(spec: &AddressSpec) -> Self {
        let message = RouteNetlinkMessage::DelAddress(address_message(spec));
        Self::new(message, 0, address_object(spec), "delete address")
    }
}

/// The message that makes an address.
fn wanted(spec: &AddressSpec) -> AddressMessage {
    let mut message = address_message(spec);
    let mut flags = AddressFlags::empty();
    flags.set(AddressFlags::Noprefixroute, spec.no_prefix_route);
    flags.set(AddressFlags::Nodad, spec.no_dad);
    message.header.scope = match spec.address {
        IpAddr::V4(address) if address.is_loopback() || spec.host_scope => AddressScope::Host,
        _ => AddressScope::Universe,
    };
    // The header has room for the low 8 flags only.
    message.attributes.push(AddressAttribute::Flags(flags));
    message
        .attributes
        .extend(spec.label.clone().map(AddressAttribute::Label));
    message
        .attributes
        .extend(spec.broadcast.map(AddressAttribute::Broadcast));
    message
        .attributes
        .extend(spec.metric.map(AddressAttribute::RoutePriority));
    let deprecated = spec.deprecated.then(|| preferred_for(0));
    message.attributes.extend(deprecated);
    let protocol = (spec.protocol != 0).then(|| AddressProtocol::from(spec.protocol));
    message
        .attributes
        .extend(protocol.map(AddressAttribute::Protocol));
    message
}

/// Lifetimes of an address that stays in any case.
fn preferred_for(seconds: u32) -> AddressAttribute {
    let mut lifetimes = CacheInfo::default();
    // INFINITY_LIFE_TIME of net/addrconf.h.
    lifetimes.ifa_valid = u32::MAX;
    lifetimes.ifa_preferred = seconds;
    AddressAttribute::CacheInfo(lifetimes)
}

fn address_message(spec: &AddressSpec) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match spec.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.index = spec.ifindex;
    message.header.prefix_len = spec.prefix_len;
    message.attributes = vec![
        AddressAttribute::Local(spec.address),
        AddressAttribute::Address(spec.address),
    ];
    message
}

fn address_object(spec: &AddressSpec) -> String {
    format!("{}/{}", spec.address, spec.prefix_len)
}
