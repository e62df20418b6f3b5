//! Whether what alias devices were given is still there: addresses, and the routes that
//! make a prefix local. An `ip addr flush`, a link that goes down with IPv6, an MTU below
//! 1280 and back, a network manager take them away; here they are missed, and put back.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use alias_common::link_local;
use alias_common::record::Record;

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::name::alias_name;
use crate::model::prefix::Prefix;
use crate::netlink::{Conversation, Netns, Request};

use super::device;
use super::host::Host;
use super::local_route;
use super::sysctl::{accept_by_any_route, ask_no_routers};
use super::transaction::On;
use super::veth::{self, namespace};

/// An alias whose packets are a device's.
struct Holder {
    slot: u32,
    address: Address,
    prefix_len: u8,
    port: u32,
    device: u32,
    beside: bool,
}

impl Holder {
    fn of(slot: u32, record: &Record) -> Option<Holder> {
        let is_one = record.has_device();
        is_one.then(|| Holder {
            slot,
            address: address_of(record),
            prefix_len: record.prefix_len,
            port: record.port_ifindex,
            device: record.device_ifindex,
            beside: record.netns_cookie == 0,
        })
    }
}

/// What a namespace has.
struct There {
    addresses: HashSet<(u32, IpAddr)>,
    prefixes: HashSet<(u32, Prefix)>,
}

impl There {
    fn read(netlink: &mut Conversation, with_prefixes: bool) -> Result<There> {
        let addresses = netlink.addresses(None)?;
        let prefixes = match with_prefixes {
            true => local_route::all(netlink)?,
            false => HashSet::new(),
        };
        Ok(There {
            addresses: addresses
                .into_iter()
                .map(|found| (found.ifindex, found.address))
                .collect(),
            prefixes,
        })
    }

    fn has(&self, holder: &Holder, interface_id: u32) -> bool {
        let own = if let Some(prefix) = holder.address.prefix() {
            self.prefixes.contains(&(holder.device, prefix))
        } else if let Some(ip) = holder.address.ip() {
            self.addresses.contains(&(holder.device, ip))
        } else {
            return true;
        };
        let link_local = Ipv6Addr::from(link_local::address(interface_id, holder.port));
        own && (!holder.address.is_ipv6()
            || self.addresses.contains(&(holder.device, link_local.into())))
    }
}

/// Slots of aliases whose device lacks what it was given. A namespace that no name and no
/// process leads to is not looked into.
///
/// # Errors
///
/// That of asking the kernel.
pub fn missing<'a>(
    host: &mut Host,
    parent: &Parent,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
) -> Result<Vec<u32>> {
    let interface_id = parent.fixed().interface_id;
    let mut missing = Vec::new();
    let groups = by_namespace(aliases);
    let namespaces = namespaces(&groups);
    for group in groups {
        let with_prefixes = group
            .holders
            .iter()
            .any(|holder| holder.address.prefix().is_some());
        let there = group.within(host, &namespaces, |netlink| {
            There::read(netlink, with_prefixes)
        })?;
        let Some(there) = there else { continue };
        let lacks = group
            .holders
            .iter()
            .filter(|holder| !there.has(holder, interface_id));
        missing.extend(lacks.map(|holder| holder.slot));
    }
    Ok(missing)
}

/// Gives the devices of aliases again what they lack.
///
/// # Errors
///
/// The first that was refused, with the alias's name; the others have theirs.
pub fn put_back(on: &mut On<'_>, slots: &[u32]) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let interface_id = parent.fixed().interface_id;
    let aliases: Vec<(u32, Record)> = slots
        .iter()
        .map(|slot| (*slot, parent.record(*slot)))
        .collect();
    let mut outcome = Ok(());
    let groups = by_namespace(aliases.iter());
    let namespaces = namespaces(&groups);
    for group in groups {
        let put = group.within(on.host, &namespaces, |netlink| {
            let mut outcome = Ok(());
            for holder in &group.holders {
                let put = put(netlink, interface_id, holder, false);
                let name = alias_name(&link.name, holder.slot);
                outcome = outcome.and(put.map_err(|refusal| named(name, refusal)));
            }
            outcome
        });
        outcome = outcome.and(put.map(drop));
    }
    outcome
}

/// Sets the device of an alias up, and gives the alias again what the kernel took from it
/// when it went down. What has no device of its own is left as it is.
///
/// # Errors
///
/// What the kernel refused; ENOENT when its namespace is gone.
pub fn raise(host: &mut Host, parent: &Parent, slot: u32) -> Result<()> {
    let record = parent.record(slot);
    let Some(holder) = Holder::of(slot, &record) else {
        return Ok(());
    };
    let interface_id = parent.fixed().interface_id;
    match namespace(&record)? {
        Some(netns) => {
            netns.within(|| put(&mut Conversation::new()?, interface_id, &holder, true))?
        }
        None => put(&mut host.netlink, interface_id, &holder, true),
    }
}

fn named(name: String, refusal: Refusal) -> Refusal {
    Refusal {
        object: name,
        operation: "put its address back".into(),
        ..refusal
    }
}

/// `up`: whether the device is to come up on the way.
fn put(netlink: &mut Conversation, interface_id: u32, holder: &Holder, up: bool) -> Result<()> {
    let Some(device) = netlink.link_by_index(holder.device)? else {
        // It is missed by the port.
        return Ok(());
    };
    let is_ipv6 = holder.address.is_ipv6();
    if is_ipv6 {
        // Where IPv6 was off and on again, the device's settings are new ones.
        let _ = ask_no_routers(&device.name);
    }
    accept_by_any_route(&device.name, holder.address)?;
    let before = device::before_up(interface_id, holder.port, holder.device, holder.address);
    let after = device::after_up(
        holder.device,
        holder.address,
        holder.prefix_len,
        holder.beside,
    );
    let up = up.then(|| Request::set_up(holder.device));
    let outcome = (before.chain(up).chain(after))
        .try_for_each(|request| netlink.run(request).map_err(Refusal::from));
    let outcome = outcome.and_then(|()| {
        let route = local_route::open(holder.device, holder.address);
        local_route::open_all(netlink, route.as_slice())
    });
    outcome.map_err(|refusal| match is_ipv6 {
        true => ipv6_is_off(&device.name, refusal),
        false => refusal,
    })
}

/// Says so where the kernel only says EACCES (`disable_ipv6`), or that there is no such
/// device or address (an MTU below 1280).
#[must_use]
pub fn ipv6_is_off(device: &str, refusal: Refusal) -> Refusal {
    match refusal.errno {
        libc::EACCES | libc::EINVAL | libc::ENODEV | libc::ENXIO | libc::ENOBUFS => Refusal {
            reason: format!("IPv6 is off on {device}"),
            ..refusal
        }
        .hint(format!(
            "sysctl -w net.ipv6.conf.{device}.disable_ipv6=0; its MTU is to be 1280 or more"
        )),
        _ => refusal,
    }
}

/// Aliases whose devices are in one namespace.
struct Group {
    /// As in the records; 0 for the parent's own.
    cookie: u64,
    inode: u64,
    holders: Vec<Holder>,
}

fn by_namespace<'a>(aliases: impl Iterator<Item = &'a (u32, Record)>) -> Vec<Group> {
    let mut groups: HashMap<u64, Group> = HashMap::new();
    for (slot, record) in aliases {
        if let Some(holder) = Holder::of(*slot, record) {
            let group = groups.entry(record.netns_cookie).or_insert_with(|| Group {
                cookie: record.netns_cookie,
                inode: record.netns_inode,
                holders: Vec::new(),
            });
            group.holders.push(holder);
        }
    }
    groups.into_values().collect()
}

fn namespaces(groups: &[Group]) -> HashMap<u64, Netns> {
    let elsewhere = groups.iter().filter(|group| group.cookie != 0);
    veth::namespaces(elsewhere.map(|group| (group.inode, group.cookie)))
}

impl Group {
    /// Does something inside; `None` when nothing leads there.
    fn within<T: Send>(
        &self,
        host: &mut Host,
        namespaces: &HashMap<u64, Netns>,
        work: impl FnOnce(&mut Conversation) -> Result<T> + Send,
    ) -> Result<Option<T>> {
        if self.cookie == 0 {
            return work(&mut host.netlink).map(Some);
        }
        let Some(netns) = namespaces.get(&self.cookie) else {
            return Ok(None);
        };
        netns.within(|| work(&mut Conversation::new()?))?.map(Some)
    }
}
