//! What `ifconfig` lists: devices, their aliases in creation order behind each, and
//! addresses that others labelled, marked as theirs.
//!
//! One dump of links, one of addresses, and the records: nothing is asked for each
//! alias.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::net::IpAddr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::lifecycle::delete::others_address;
use crate::lifecycle::refusals;
use crate::model::ifconfig::{Family, Listing, State, Style, broadcast_of};
use crate::model::name::alias_name;
use crate::model::statistics::Statistics;
use crate::model::tcp_options;
use crate::netlink::{Address, Conversation, Link, Netns};
use crate::render::ifconfig::{AliasView, DeviceView, InetView, render};
use crate::render::output::write;
use crate::wiring::host::Host;
use crate::wiring::veth;

use super::object::{Object, find};

/// `alias-ctl ifconfig [-a] [DEVICE|ALIAS]`.
///
/// # Errors
///
/// ENODEV for a device or an alias that is not there.
pub(super) fn list(listing: &Listing) -> Result<()> {
    let mut host = Host::open()?;
    let wanted = match &listing.name {
        None => None,
        Some(name) => Some(find(&mut host, name)?),
    };
    let mut links = host.netlink.links_with_statistics()?;
    let mut states = States::of(links.iter().map(|(link, _)| link));
    let only = wanted.as_ref().map(|found| match found {
        Object::Main(link) | Object::Alias(link, _) | Object::Label(link, _) => link.ifindex,
    });
    links.retain(|(link, _)| match only {
        Some(only) => only == link.ifindex,
        // An alias's device is shown as the alias.
        None => !veth::is_ours(link),
    });
    let mut addresses: HashMap<u32, Vec<Address>> = HashMap::new();
    for address in host.netlink.addresses(only)? {
        addresses.entry(address.ifindex).or_default().push(address);
    }
    let mut devices = Vec::with_capacity(links.len());
    for (link, statistics) in links {
        let parent = Parent::open(&host.directory, link.ifindex)?;
        let on_it = addresses.remove(&link.ifindex).unwrap_or_default();
        let records = records(parent.as_ref());
        states.look_for(
            records
                .iter()
                .filter(|(slot, _)| match &wanted {
                    Some(Object::Alias(_, wanted)) => slot == wanted,
                    _ => true,
                })
                .map(|(_, record)| record),
        );
        devices.push(view(&link, statistics, &records, &on_it, &states));
    }
    for device in &mut devices {
        narrow(device, listing, &wanted);
    }
    devices.retain_mut(|device| {
        // An alias may be down on a device that is up.
        device.only_aliases |= listing.state == State::Down && device.is_up();
        is_in(device.is_up(), listing.state) || !device.aliases.is_empty()
    });
    let has_names = matches!(listing.style, Style::Linux | Style::Solaris);
    if matches!(wanted, Some(Object::Main(_))) && has_names {
        // Who names a device means it alone. BSD's aliases are addresses of it.
        devices.iter_mut().for_each(|device| device.aliases.clear());
    }
    if let Some(Object::Alias(link, slot)) = &wanted
        && devices.iter().all(|device| device.aliases.is_empty())
    {
        return Err(refusals::no_such_alias(link, *slot, "ifconfig"));
    }
    if matches!(wanted, Some(Object::Alias(..) | Object::Label(..))) {
        for device in &mut devices {
            device.only_aliases = true;
        }
    }
    write(&render(&devices, listing.form, listing.style))
}

fn is_in(up: bool, state: State) -> bool {
    match state {
        State::Any => true,
        State::Up => up,
        State::Down => !up,
    }
}

/// Leaves of a device what was asked for.
fn narrow(device: &mut DeviceView, listing: &Listing, wanted: &Option<Object>) {
    let of_family = |address: &IpAddr| match listing.family {
        None => true,
        Some(Family::Inet) => address.is_ipv4(),
        Some(Family::Inet6) => address.is_ipv6(),
    };
    device.inet.retain(|inet| of_family(&inet.address));
    let mut aliases = mem::take(&mut device.aliases);
    aliases.retain(|alias| {
        let shown = match &alias.inet {
            Some(inet) => of_family(&inet.address),
            None => listing.family.is_none(),
        };
        let named = match wanted {
            Some(Object::Alias(link, slot)) => alias.name == alias_name(&link.name, *slot),
            Some(Object::Label(_, address)) => Some(&alias.name) == address.label.as_ref(),
            _ => true,
        };
        shown && named && is_in(alias.is_up(device), listing.state)
    });
    device.aliases = aliases;
}

/// The records of a device's aliases in creation order.
fn records(parent: Option<&Parent>) -> Vec<(u32, Record)> {
    let mut records: Vec<(u32, Record)> = parent.map_or(Vec::new(), |p| p.live_by_slot().collect());
    records.sort_by_key(|(_, record)| record.created);
    records
}

/// IFF_* of the devices that aliases have, here and in other namespaces.
struct States {
    here: HashMap<u32, u32>,
    /// By the namespace's cookie.
    elsewhere: HashMap<u64, HashMap<u32, u32>>,
}

impl States {
    fn of<'a>(links: impl Iterator<Item = &'a Link>) -> States {
        States {
            here: flags_of(links),
            elsewhere: HashMap::new(),
        }
    }

    /// Looks into the namespaces that devices of these aliases are in, each once. One that
    /// cannot be looked into has none of them.
    fn look_for<'a>(&mut self, records: impl Iterator<Item = &'a Record>) {
        let inodes: HashSet<u64> = records
            .filter(|record| record.has_device() && record.netns_inode != 0)
            .map(|record| record.netns_inode)
            .collect();
        if inodes.is_empty() {
            return;
        }
        for netns in Netns::all().filter(|netns| inodes.contains(&netns.inode())) {
            let Ok(cookie) = netns.cookie() else { continue };
            if self.elsewhere.contains_key(&cookie) {
                continue;
            }
            let links = Conversation::open_in(&netns).and_then(|mut there| there.links());
            if let Ok(links) = links {
                self.elsewhere.insert(cookie, flags_of(links.iter()));
            }
        }
    }

    /// Of the device that an alias is on; none of them when it is gone, and `None` for an
    /// alias without a device.
    fn flags(&self, record: &Record) -> Option<u32> {
        let devices = match record.netns_inode {
            0 => Some(&self.here),
            _ => self.elsewhere.get(&record.netns_cookie),
        };
        let flags = devices.and_then(|devices| devices.get(&record.device_ifindex));
        record.has_device().then(|| flags.copied().unwrap_or(0))
    }
}

fn flags_of<'a>(links: impl Iterator<Item = &'a Link>) -> HashMap<u32, u32> {
    links.map(|link| (link.ifindex, link.flags)).collect()
}

/// A device with everything on it.
fn view(
    link: &Link,
    statistics: Statistics,
    records: &[(u32, Record)],
    addresses: &[Address],
    states: &States,
) -> DeviceView {
    // Addresses that are on the device because an alias is, and those that aliases found.
    let made: HashSet<IpAddr> = records
        .iter()
        .filter(|(_, record)| record.is(TargetKind::Local) && record.flags & Record::ADDRESSED != 0)
        .filter_map(|(_, record)| address_of(record).ip())
        .collect();
    let found: HashSet<IpAddr> = records
        .iter()
        .filter_map(|(_, record)| others_address(record))
        .collect();
    let is_own = |address: &Address| {
        let label = address.label.as_deref();
        label.is_none_or(|label| label == link.name)
    };
    let (own, foreign): (Vec<&Address>, Vec<&Address>) = addresses
        .iter()
        .filter(|address| !made.contains(&address.address))
        .partition(|address| is_own(address));
    let there: HashMap<IpAddr, &Address> = addresses
        .iter()
        .map(|address| (address.address, address))
        .collect();
    let mut aliases: Vec<AliasView> = records
        .iter()
        .map(|(slot, record)| {
            let address = address_of(record).ip();
            let there = address.and_then(|address| there.get(&address).copied());
            let device = states.flags(record);
            alias_view(link, *slot, record, there, device)
        })
        .collect();
    let foreign = foreign
        .into_iter()
        .filter(|address| !found.contains(&address.address));
    aliases.extend(foreign.map(|address| AliasView {
        name: address.label.clone().unwrap_or_default(),
        inet: Some(inet(address)),
        address: address.address.to_string(),
        enabled: true,
        device: None,
        note: Some("not made here, left alone".into()),
        tcp: Vec::new(),
    }));
    DeviceView {
        name: link.name.clone(),
        ifindex: link.ifindex,
        flags: link.flags,
        hardware_type: link.hardware_type,
        mac: link.mac,
        mtu: link.mtu,
        tx_queue_len: link.tx_queue_len,
        inet: own.into_iter().map(inet).collect(),
        statistics,
        aliases,
        only_aliases: false,
    }
}

fn inet(address: &Address) -> InetView {
    InetView {
        address: address.address,
        prefix_len: address.prefix_len,
        broadcast: address.broadcast,
        scope: address.scope,
        deprecated: address.is_deprecated(),
    }
}

fn alias_view(
    link: &Link,
    slot: u32,
    record: &Record,
    there: Option<&Address>,
    device: Option<u32>,
) -> AliasView {
    let address = address_of(record);
    let broadcasts = link.flags & libc::IFF_BROADCAST.cast_unsigned() != 0;
    let made = |ip: IpAddr| InetView {
        address: ip,
        prefix_len: record.prefix_len,
        broadcast: match ip {
            IpAddr::V4(v4) if broadcasts && record.prefix_len < 31 => {
                Some(broadcast_of(v4, record.prefix_len))
            }
            _ => None,
        },
        scope: 0,
        deprecated: there.is_some_and(Address::is_deprecated),
    };
    AliasView {
        name: alias_name(&link.name, slot),
        inet: match (others_address(record), there) {
            (Some(_), Some(there)) => Some(inet(there)),
            _ => address.ip().map(made),
        },
        address: address.to_string(),
        enabled: record.flags & Record::ENABLED != 0,
        device,
        tcp: tcp_options::listed(&record.tcp).collect(),
        note: match record.kind() {
            Some(TargetKind::Local) | None => None,
            Some(TargetKind::Device) => Some("has a device of its own".into()),
            Some(TargetKind::Join) => Some(format!(
                "on the device of {}",
                alias_name(&link.name, record.link)
            )),
            Some(TargetKind::To) => Some("leads to another device".into()),
            Some(TargetKind::Drop) => Some("is dropped".into()),
        },
    }
}
