//! Changes to links: veth pairs, alternative names, state and properties.

use std::os::fd::RawFd;

use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage, Prop,
};

use super::request::Request;

/// A wanted veth pair: the port here, the device wherever it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethSpec {
    /// Name of the port, at most 15 bytes, in the conversation's namespace.
    pub port_name: String,
    /// Name of the device, at most 15 bytes.
    pub device_name: String,
    /// Ethernet address of the device. The port gets a random one from the kernel:
    /// nothing is addressed to it, and two links that share an address confuse readers.
    pub mac: [u8; 6],
    /// MTU of both ends in bytes.
    pub mtu: u32,
    /// Group of both ends; [`Request::delete_group`] in the port's namespace removes them.
    pub group: u32,
    /// Namespace of the device, open until the request was sent; `None` is the port's.
    pub device_netns: Option<RawFd>,
}

/// Wanted properties of a link; `None` stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// IFF_* of linux/if.h, of which only the bits in `mask` count.
    pub flags: u32,
    /// The bits of `flags` to change.
    pub mask: u32,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// Packets its transmit queue holds.
    pub tx_queue_len: Option<u32>,
    /// Ethernet address.
    pub mac: Option<[u8; 6]>,
}

impl Request {
    /// Changes several properties at once. When one of them is refused, those before
    /// it may have changed. Errors: those of [`Request::set_up`], [`Request::set_mtu`]
    /// and [`Request::set_mac`], ERANGE for the queue's length.
    pub fn configure(ifindex: u32, settings: &LinkSettings) -> Self {
        let mut message = message_for(ifindex);
        message.header.flags = LinkFlags::from_bits_retain(settings.flags & settings.mask);
        message.header.change_mask = LinkFlags::from_bits_retain(settings.mask);
        let attributes = &mut message.attributes;
        let mac = settings.mac.map(|mac| LinkAttribute::Address(mac.to_vec()));
        attributes.extend(mac);
        attributes.extend(settings.mtu.map(LinkAttribute::Mtu));
        attributes.extend(settings.tx_queue_len.map(LinkAttribute::TxQueueLen));
        let message = RouteNetlinkMessage::SetLink(message);
        Self::new(message, 0, link_object(ifindex), "configure")
    }

    /// Makes a pair, both ends down, with one queue each way. Errors: EEXIST when
    /// a name is taken, ERANGE when it is too long, EINVAL for a character in it, the
    /// MTU or the namespace, EADDRNOTAVAIL for a group or zero Ethernet address.
    ///
    /// IFF_UP for both ends in this message fails with ENOTCONN (the first end is
    /// opened before it has a peer), and IPv6 address generation is not looked at here.
    pub fn create_veth(spec: &VethSpec) -> Self {
        let mut peer = veth_end(&spec.device_name, spec);
        peer.attributes
            .push(LinkAttribute::Address(spec.mac.to_vec()));
        peer.attributes
            .extend(spec.device_netns.map(LinkAttribute::NetNsFd));

        let mut port = veth_end(&spec.port_name, spec);
        port.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        Self::new(
            RouteNetlinkMessage::NewLink(port),
            NLM_F_CREATE | NLM_F_EXCL,
            spec.device_name.clone(),
            "create veth pair",
        )
    }

    /// Adds an alternative name of at most 127 bytes; ':' is allowed. Errors:
    /// EEXIST when any link of the namespace has the name, ENODEV.
    pub fn add_altname(ifindex: u32, name: &str) -> Self {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND;
        let message = RouteNetlinkMessage::NewLinkProp(altname_message(ifindex, name));
        Self::new(message, flags, name, "add altname")
    }

    /// Removes an alternative name. Errors: ENOENT when the link has no such name, ENODEV.
    pub fn del_altname(ifindex: u32, name: &str) -> Self {
        let message = RouteNetlinkMessage::DelLinkProp(altname_message(ifindex, name));
        Self::new(message, 0, name, "delete altname")
    }

    /// Turns IPv6 address generation off, so that the link gets no link-local
    /// address. Errors: EAFNOSUPPORT when the link has no IPv6 at all (booted without,
    /// or the MTU is below 1280), ENODEV.
    ///
    /// It is a message of its own, before [`Self::set_up`]: within one message the
    /// kernel (6.18) changes the flags before the address family options, so a link
    /// that is operational at once has its link-local address already. A veth happens
    /// not to be, because its carrier is handled after the message.
    pub fn quiet(ifindex: u32) -> Self {
        let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let families = vec![AfSpecUnspec::Inet6(vec![mode])];
        let attribute = LinkAttribute::AfSpecUnspec(families);
        Self::change(ifindex, attribute, "turn IPv6 address generation off")
    }

    /// Sets IFF_UP. Errors: ENODEV, or what the driver says.
    ///
    /// Each link that IPv6 is not disabled on gets a route to ff00::/8 when its carrier
    /// comes, and the kernel (6.18) walks those of all links to add it: thousands of
    /// links in one namespace are quadratic. [`Self::quiet`] does not avoid that; the
    /// sysctl `ipv6/conf/LINK/disable_ipv6` before this request does.
    pub fn set_up(ifindex: u32) -> Self {
        Self::flags(ifindex, LinkFlags::Up, "set up")
    }

    /// Sets IFF_UP and, before it, what the link is for, of at most 255 bytes. Errors: EINVAL
    /// for a longer text, and those of [`Request::set_up`].
    pub fn set_up_described(ifindex: u32, description: String) -> Self {
        let mut message = message_for(ifindex);
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        let attribute = LinkAttribute::IfAlias(description);
        message.attributes.push(attribute);
        let message = RouteNetlinkMessage::SetLink(message);
        Self::new(message, 0, link_object(ifindex), "set up")
    }

    /// Says what the link is for, in at most 255 bytes. Errors: EINVAL for a longer text,
    /// ENODEV.
    pub fn describe(ifindex: u32, description: String) -> Self {
        let attribute = LinkAttribute::IfAlias(description);
        Self::change(ifindex, attribute, "describe")
    }

    /// Sets or clears IFF_ALLMULTI. Errors: ENODEV.
    pub fn set_all_multicast(ifindex: u32, on: bool) -> Self {
        let mut message = message_for(ifindex);
        message.header.change_mask = LinkFlags::Allmulti;
        if on {
            message.header.flags = LinkFlags::Allmulti;
        }
        Self::new(
            RouteNetlinkMessage::SetLink(message),
            0,
            link_object(ifindex),
            "set all-multicast mode",
        )
    }

    /// Clears IFF_UP. Errors: ENODEV.
    pub fn set_down(ifindex: u32) -> Self {
        Self::flags(ifindex, LinkFlags::empty(), "set down")
    }

    /// Sets the MTU in bytes. Errors: EINVAL out of the driver's range or too large
    /// for its XDP program, ENODEV.
    pub fn set_mtu(ifindex: u32, mtu: u32) -> Self {
        Self::change(ifindex, LinkAttribute::Mtu(mtu), "set MTU")
    }

    /// Sets the Ethernet address. Errors: EADDRNOTAVAIL when it is a group address
    /// or zero, EBUSY when the driver wants the link down, ENODEV.
    pub fn set_mac(ifindex: u32, mac: [u8; 6]) -> Self {
        let attribute = LinkAttribute::Address(mac.to_vec());
        Self::change(ifindex, attribute, "set MAC address")
    }

    /// Sets the group number. Errors: ENODEV.
    pub fn set_group(ifindex: u32, group: u32) -> Self {
        Self::change(ifindex, LinkAttribute::Group(group), "set group")
    }

    /// Moves the link to the namespace behind `netns`, open until the request was
    /// sent. It loses its addresses and goes down. Errors: EEXIST when its name is
    /// taken there, EINVAL when the device cannot move, ENODEV.
    pub fn set_netns(ifindex: u32, netns: RawFd) -> Self {
        Self::change(
            ifindex,
            LinkAttribute::NetNsFd(netns),
            "set network namespace",
        )
    }

    /// Deletes a link; of a veth, both ends. Errors: ENODEV, EOPNOTSUPP for a
    /// device that is not made by software.
    pub fn delete_link(ifindex: u32) -> Self {
        let message = RouteNetlinkMessage::DelLink(message_for(ifindex));
        Self::new(message, 0, link_object(ifindex), "delete")
    }

    /// Deletes all links of a group in the conversation's namespace and the other
    /// ends of its veths, wherever they are. Errors: ENODEV when there is none, EPERM
    /// for group 0, EOPNOTSUPP (and nothing is deleted) when one of them cannot be.
    pub fn delete_group(group: u32) -> Self {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        let message = RouteNetlinkMessage::DelLink(message);
        Self::new(message, 0, format!("link group {group}"), "delete")
    }

    fn change(ifindex: u32, attribute: LinkAttribute, operation: &'static str) -> Self {
        let mut message = message_for(ifindex);
        message.attributes.push(attribute);
        let message = RouteNetlinkMessage::SetLink(message);
        Self::new(message, 0, link_object(ifindex), operation)
    }

    fn flags(ifindex: u32, flags: LinkFlags, operation: &'static str) -> Self {
        let mut message = message_for(ifindex);
        message.header.flags = flags;
        message.header.change_mask = LinkFlags::Up;
        let message = RouteNetlinkMessage::SetLink(message);
        Self::new(message, 0, link_object(ifindex), operation)
    }
}

/// What both ends have in common.
fn veth_end(name: &str, spec: &VethSpec) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Mtu(spec.mtu),
        LinkAttribute::Group(spec.group),
        LinkAttribute::NumTxQueues(1),
        LinkAttribute::NumRxQueues(1),
    ];
    message
}

fn altname_message(ifindex: u32, name: &str) -> LinkMessage {
    let mut message = message_for(ifindex);
    let names = vec![Prop::AltIfName(name.to_owned())];
    message.attributes.push(LinkAttribute::PropList(names));
    message
}

fn message_for(ifindex: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message
}

fn link_object(ifindex: u32) -> String {
    format!("link {ifindex}")
}
