//! Whether what aliases answer leaves on the wire that it was asked on. A device sends for
//! every alias of its parent and VLAN in its namespace, so it is the namespace's routes that
//! decide; the kernel is asked for the way from the alias to those that its parent reaches.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::os::fd::AsFd;

use alias_common::key::Vlan;
use alias_common::names;
use alias_common::record::{Port, Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::dataplane::{Parent, sys};
use crate::error::{Refusal, Result};
use crate::model::bits::{bits, network};
use crate::model::name::alias_name;
use crate::netlink::{Conversation, Link};

use super::host::Host;
use super::reach::{Peers, is_of_one_link, some_of};
use super::veth;

/// Failed duplicate address detection (linux/if_addr.h): such an address is not used.
const IFA_F_DADFAILED: u32 = 0x08;

/// Whom an alias is to answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Peer {
    /// Those of a network on the parent's link.
    Neighbours {
        /// Its first address.
        network: IpAddr,
        /// In bits.
        prefix_len: u8,
    },
    /// Those that the parent reaches by a gateway.
    Behind {
        /// Where the parent's route leads.
        network: IpAddr,
        /// In bits; 0 for a default route.
        prefix_len: u8,
        /// Its gateway.
        gateway: IpAddr,
        /// The parent.
        by: String,
    },
    /// Anybody: the parent has no network of this family, or not of this VLAN.
    Anybody,
}

/// Why they get no answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Why {
    /// No route.
    NoRoute,
    /// The route is by a device that is down (`up` false), or whose other end is.
    Down {
        /// Its name.
        device: String,
        /// Whether it is up itself.
        up: bool,
    },
    /// The route is by another device: that of the alias `of`, or nobody's here.
    Elsewhere {
        /// Its name.
        device: String,
        /// The alias.
        of: Option<String>,
    },
    /// The parent, by which this host's answers leave, has no link-local address to ask
    /// its neighbours from.
    NoLinkLocal,
}

/// An alias that does not answer somebody.
#[derive(Clone, Debug)]
pub struct Silent {
    /// Its slot.
    pub slot: u32,
    /// What it answers from.
    pub source: IpAddr,
    /// Its device, as its namespace calls that one.
    pub device: String,
    /// The ifindex of that.
    pub device_ifindex: u32,
    /// The namespace of its device, by inode; 0 for the parent's.
    pub netns_inode: u64,
    /// Whom it does not answer.
    pub peer: Peer,
    /// Why.
    pub why: Why,
}

/// What an alias answers from, and by which device.
struct Holder {
    slot: u32,
    source: IpAddr,
    prefix_len: u8,
    vlan: Vlan,
    device: u32,
    inode: u64,
}

impl Holder {
    fn of(slot: u32, record: &Record) -> Option<Holder> {
        if !record.has_device() || record.flags & Record::ENABLED == 0 {
            return None;
        }
        let address = address_of(record);
        let (source, prefix_len) = match (address.ip(), address.prefix()) {
            (Some(ip), _) => (ip, record.prefix_len),
            (None, Some(prefix)) => (prefix.network, prefix.len),
            // A registered family, of whose ways nothing is known.
            (None, None) => return None,
        };
        Some(Holder {
            slot,
            source,
            prefix_len,
            vlan: record.vlan(),
            device: record.device_ifindex,
            inode: record.netns_inode,
        })
    }
}

/// Aliases of a parent that somebody gets no answer from, each with the first such peer. A
/// namespace that no name and no process leads to is not looked into.
///
/// # Errors
///
/// That of asking the kernel.
pub fn silent<'a>(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
) -> Result<Vec<Silent>> {
    // Without aliases that have devices nothing is asked.
    let mut groups: BTreeMap<(u64, u64), Vec<Holder>> = BTreeMap::new();
    for (slot, record) in aliases {
        if let Some(holder) = Holder::of(*slot, record) {
            let key = (record.netns_cookie, record.netns_inode);
            groups.entry(key).or_default().push(holder);
        }
    }
    let mut found = Vec::new();
    if groups.is_empty() {
        return Ok(found);
    }
    let peers = Peers::of(host, link)?;
    let elsewhere = groups.keys().filter(|(cookie, _)| *cookie != 0);
    let namespaces = veth::namespaces(elsewhere.map(|(cookie, inode)| (*inode, *cookie)));
    for ((cookie, _), holders) in groups {
        if cookie == 0 {
            beside(host, link, &peers, &holders, &mut found)?;
        } else if let Some(netns) = namespaces.get(&cookie) {
            let mut inside = Inside {
                host,
                link,
                parent,
                netlink: Conversation::open_in(netns)?,
                cookie,
                devices: HashMap::new(),
            };
            for holder in &holders {
                found.extend(inside.examine(&peers, holder)?);
            }
        }
    }
    found.sort_by_key(|silent| silent.slot);
    Ok(found)
}

/// Of aliases beside their parent, those of IPv6 whose answers leave by a parent that has
/// no link-local address. The kernel asks for a neighbour from the packet's own source
/// only if that is on the device, else from a link-local address, else not at all
/// (`ndisc_solicit`).
fn beside(
    host: &mut Host,
    link: &Link,
    peers: &Peers,
    holders: &[Holder],
    found: &mut Vec<Silent>,
) -> Result<()> {
    if holders.iter().all(|holder| holder.source.is_ipv4()) {
        return Ok(());
    }
    let own = host.netlink.addresses(Some(link.ifindex))?;
    let asks_from = |address: &crate::netlink::Address| {
        is_of_one_link(address.address) && address.flags & IFA_F_DADFAILED == 0
    };
    if own.iter().any(asks_from) {
        return Ok(());
    }
    for holder in holders.iter().filter(|holder| holder.source.is_ipv6()) {
        let neighbours = peers.neighbours(holder.source, holder.vlan);
        let own = neighbours
            .iter()
            .find(|(net, len)| network(holder.source, *len) == *net);
        let Some(&(network, prefix_len)) = own else {
            continue;
        };
        let way = leaves(&mut host.netlink, holder.source, network, prefix_len)?;
        if way == Way::By(link.ifindex) {
            found.push(Silent {
                slot: holder.slot,
                source: holder.source,
                device: link.name.clone(),
                device_ifindex: link.ifindex,
                netns_inode: 0,
                peer: Peer::Neighbours {
                    network,
                    prefix_len,
                },
                why: Why::NoLinkLocal,
            });
        }
    }
    Ok(())
}

/// What the kernel says of a way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    By(u32),
    None,
    /// The source is not the namespace's, which is found elsewhere; or all that was asked
    /// for is.
    Unknown,
}

/// The device by which packets from an address to a network leave.
fn leaves(
    netlink: &mut Conversation,
    source: IpAddr,
    network: IpAddr,
    prefix_len: u8,
) -> Result<Way> {
    for destination in some_of(network, prefix_len) {
        if let Some(way) = way(netlink, source, destination)? {
            return Ok(way);
        }
    }
    Ok(Way::Unknown)
}

/// `None`: the destination is the namespace's own.
fn way(netlink: &mut Conversation, source: IpAddr, destination: IpAddr) -> Result<Option<Way>> {
    match netlink.way(Some(source), destination) {
        Ok(Some(route)) if route.kind == libc::RTN_LOCAL => Ok(None),
        Ok(Some(route)) => Ok(Some(match route.hops.first() {
            Some(hop) => Way::By(hop.ifindex),
            None => Way::None,
        })),
        Ok(None) => Ok(Some(Way::None)),
        Err(error) if error.errno() == libc::EINVAL => Ok(Some(Way::Unknown)),
        Err(error) => Err(error.into()),
    }
}

/// A namespace that has devices of a parent's aliases.
struct Inside<'a> {
    host: &'a mut Host,
    link: &'a Link,
    parent: &'a Parent,
    netlink: Conversation,
    cookie: u64,
    /// What was found of devices, by ifindex.
    devices: HashMap<u32, Device>,
}

/// A device of a namespace.
#[derive(Clone)]
struct Device {
    link: Link,
    owner: Owner,
}

/// Whose a device is.
#[derive(Clone)]
enum Owner {
    /// An alias's of the parent, in that VLAN.
    Ours(Vlan, String),
    /// An alias's of another parent.
    Theirs(String),
    Nobody,
}

impl Inside<'_> {
    /// The first peer that gets no answer from an alias.
    fn examine(&mut self, peers: &Peers, holder: &Holder) -> Result<Option<Silent>> {
        let Some((peer, why)) = self.first_unanswered(peers, holder)? else {
            return Ok(None);
        };
        let device = self.device(holder.device)?;
        Ok(device.map(|device| Silent {
            slot: holder.slot,
            source: holder.source,
            device: device.link.name,
            device_ifindex: holder.device,
            netns_inode: holder.inode,
            peer,
            why,
        }))
    }

    fn first_unanswered(&mut self, peers: &Peers, holder: &Holder) -> Result<Option<(Peer, Why)>> {
        let neighbours = peers.neighbours(holder.source, holder.vlan);
        let its_own = |(net, len): &&(IpAddr, u8)| network(holder.source, *len) == *net;
        let own: Vec<(IpAddr, u8)> = neighbours.iter().filter(its_own).copied().collect();
        // Where it is in no network of the parent's, one that it answers will do.
        let is_foreign = own.is_empty();
        let mut first = None;
        for (network, prefix_len) in if is_foreign { neighbours } else { own } {
            let way = leaves(&mut self.netlink, holder.source, network, prefix_len)?;
            let why = self.judge(way, holder.vlan)?;
            let Some(why) = why else {
                first = None;
                if is_foreign {
                    break;
                }
                continue;
            };
            let peer = Peer::Neighbours {
                network,
                prefix_len,
            };
            first = first.or(Some((peer, why)));
            if !is_foreign {
                return Ok(first);
            }
        }
        if first.is_some() {
            return Ok(first);
        }
        if holder.vlan != Vlan::NONE || !peers.reach(holder.source) {
            return self.any_route(holder);
        }
        for (network, prefix_len, gateway, sample) in &peers.behind {
            if sample.is_ipv4() != holder.source.is_ipv4() {
                continue;
            }
            let way = way(&mut self.netlink, holder.source, *sample)?;
            if let Some(why) = self.judge(way.unwrap_or(Way::Unknown), holder.vlan)? {
                let peer = Peer::Behind {
                    network: *network,
                    prefix_len: *prefix_len,
                    gateway: *gateway,
                    by: self.link.name.clone(),
                };
                return Ok(Some((peer, why)));
            }
        }
        Ok(None)
    }

    /// Where nothing is known of who asks, a route to anybody will do.
    fn any_route(&mut self, holder: &Holder) -> Result<Option<(Peer, Why)>> {
        if holder.prefix_len < bits(holder.source) {
            return Ok(None);
        }
        let routes = self.netlink.routes(None, None)?;
        let leads = routes.iter().any(|route| {
            route.dst.is_ipv4() == holder.source.is_ipv4()
                && route.kind == libc::RTN_UNICAST
                && !is_of_one_link(route.dst)
                && route.dst != holder.source
        });
        Ok((!leads).then_some((Peer::Anybody, Why::NoRoute)))
    }

    /// What is wrong with a way.
    fn judge(&mut self, way: Way, vlan: Vlan) -> Result<Option<Why>> {
        let ifindex = match way {
            Way::By(ifindex) => ifindex,
            Way::None => return Ok(Some(Why::NoRoute)),
            Way::Unknown => return Ok(None),
        };
        let Some(device) = self.device(ifindex)? else {
            return Ok(None);
        };
        let name = device.link.name;
        let elsewhere = |of| {
            let device = name.clone();
            Ok(Some(Why::Elsewhere { device, of }))
        };
        match device.owner {
            Owner::Nobody => return elsewhere(None),
            Owner::Theirs(alias) => return elsewhere(Some(alias)),
            Owner::Ours(tag, alias) if tag != vlan => return elsewhere(Some(alias)),
            Owner::Ours(..) => {}
        }
        let (up, running) = (device.link.up, device.link.running);
        Ok((!(up && running)).then_some(Why::Down { device: name, up }))
    }

    /// A device of the namespace; `None`: it is gone.
    fn device(&mut self, ifindex: u32) -> Result<Option<Device>> {
        if let Some(known) = self.devices.get(&ifindex) {
            return Ok(Some(known.clone()));
        }
        let Some(link) = self.netlink.link_by_index(ifindex)? else {
            return Ok(None);
        };
        let owner = self.owner(&link)?;
        let device = Device { link, owner };
        self.devices.insert(ifindex, device.clone());
        Ok(Some(device))
    }

    fn owner(&mut self, device: &Link) -> Result<Owner> {
        let Some(port) = device.link_ifindex.filter(|_| veth::is_ours(device)) else {
            return Ok(Owner::Nobody);
        };
        if let Some((slot, record)) = self.behind(self.parent, port, device)? {
            return Ok(Owner::Ours(
                record.vlan(),
                alias_name(&self.link.name, slot),
            ));
        }
        for ifindex in self.host.directory.parents()? {
            let Some(other) = Parent::open(&self.host.directory, ifindex)? else {
                continue;
            };
            if let Some((slot, _)) = self.behind(&other, port, device)? {
                let link = self.host.netlink.link_by_index(ifindex)?;
                let name = link.map_or_else(|| ifindex.to_string(), |link| link.name);
                return Ok(Owner::Theirs(alias_name(&name, slot)));
            }
        }
        Ok(Owner::Nobody)
    }

    /// The alias of a parent whose device is behind a port.
    fn behind(&self, parent: &Parent, port: u32, device: &Link) -> Result<Option<(u32, Record)>> {
        let ports = parent.object(names::PORT)?;
        let found = sys::map_lookup::<{ size_of::<Port>() }>(ports.as_fd(), port)
            .map_err(|error| Refusal::io(format!("port {port}"), "look up", &error))?;
        let id = found.and_then(|value| value.first_chunk().copied());
        let slot = id.and_then(|id| parent.slot_of_id(u32::from_ne_bytes(id)));
        let Some(slot) = slot.filter(|slot| parent.is_live(*slot)) else {
            return Ok(None);
        };
        let record = parent.record(slot);
        let is_it = record.is(TargetKind::Device)
            && record.device_ifindex == device.ifindex
            && record.netns_cookie == self.cookie;
        Ok(is_it.then_some((slot, record)))
    }
}
