//! What `ifconfig` lists: devices, their aliases in creation order behind each, and
//! addresses that others labelled, marked as theirs.
//!
//! One dump of links, one of addresses, and the records: nothing is asked for each
//! alias.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::lifecycle::refusals;
use crate::model::ifconfig::{Family, Listing, State, Style, broadcast_of};
use crate::model::name::alias_name;
use crate::model::statistics::Statistics;
use crate::netlink::{Address, Link};
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
    let links: Vec<(Link, Statistics)> = host
        .netlink
        .links_with_statistics()?
        .into_iter()
        .filter(|(link, _)| match &wanted {
            Some(Object::Main(wanted) | Object::Alias(wanted, _)) => wanted.ifindex == link.ifindex,
            // An alias's device is shown as the alias.
            None => !veth::is_ours(link),
        })
        .collect();
    let mut addresses: HashMap<u32, Vec<Address>> = HashMap::new();
    let only = wanted.as_ref().map(|found| match found {
        Object::Main(link) | Object::Alias(link, _) => link.ifindex,
    });
    for address in host.netlink.addresses(only)? {
        addresses.entry(address.ifindex).or_default().push(address);
    }
    let mut devices = Vec::with_capacity(links.len());
    for (link, statistics) in links {
        let parent = Parent::open(&host.directory, link.ifindex)?;
        let on_it = addresses.remove(&link.ifindex).unwrap_or_default();
        devices.push(view(&link, statistics, parent.as_ref(), &on_it));
    }
    for device in &mut devices {
        narrow(device, listing, &wanted);
    }
    devices.retain_mut(|device| {
        // An alias may be down on a device that is up.
        device.only_aliases |= listing.state == State::Down && device.is_up();
        is_in(device.is_up(), listing.state) || !device.aliases.is_empty()
    });
    if matches!(wanted, Some(Object::Main(_))) && listing.style == Style::Linux {
        // Who names a device means it alone. BSD's aliases are addresses of it.
        devices.iter_mut().for_each(|device| device.aliases.clear());
    }
    if let Some(Object::Alias(link, slot)) = &wanted {
        if devices.iter().all(|device| device.aliases.is_empty()) {
            return Err(refusals::no_such_alias(link, *slot, "ifconfig"));
        }
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
    let up = device.is_up();
    device.aliases.retain(|alias| {
        let shown = match &alias.inet {
            Some(inet) => of_family(&inet.address),
            None => listing.family.is_none(),
        };
        let named = match wanted {
            Some(Object::Alias(link, slot)) => alias.name == alias_name(&link.name, *slot),
            _ => true,
        };
        shown && named && is_in(up && alias.enabled, listing.state)
    });
}

/// A device with everything on it.
fn view(
    link: &Link,
    statistics: Statistics,
    parent: Option<&Parent>,
    addresses: &[Address],
) -> DeviceView {
    let mut records: Vec<(u32, Record)> = parent.map_or(Vec::new(), |p| p.live().collect());
    records.sort_by_key(|(_, record)| record.created);
    // Addresses that are on the device because an alias is.
    let ours: HashSet<IpAddr> = records
        .iter()
        .filter(|(_, record)| record.is(TargetKind::Local) && record.flags & Record::ADDRESSED != 0)
        .filter_map(|(_, record)| address_of(record).ip())
        .collect();
    let (own, foreign): (Vec<&Address>, Vec<&Address>) = addresses
        .iter()
        .filter(|address| !ours.contains(&address.address))
        .partition(|address| {
            address
                .label
                .as_deref()
                .is_none_or(|label| label == link.name)
        });
    let mut aliases: Vec<AliasView> = records
        .iter()
        .map(|(slot, record)| alias_view(link, *slot, record))
        .collect();
    aliases.extend(foreign.into_iter().map(|address| AliasView {
        name: address.label.clone().unwrap_or_default(),
        inet: Some(inet(address)),
        address: address.address.to_string(),
        enabled: true,
        note: Some("not made here, left alone".into()),
    }));
    DeviceView {
        name: link.name.clone(),
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
    }
}

fn alias_view(link: &Link, slot: u32, record: &Record) -> AliasView {
    let address = address_of(record);
    let broadcasts = link.flags & libc::IFF_BROADCAST.cast_unsigned() != 0;
    AliasView {
        name: alias_name(&link.name, slot),
        inet: address.ip().map(|ip| InetView {
            address: ip,
            prefix_len: record.prefix_len,
            broadcast: match ip {
                IpAddr::V4(v4) if broadcasts && record.prefix_len < 31 => {
                    Some(broadcast_of(v4, record.prefix_len))
                }
                _ => None,
            },
            scope: 0,
        }),
        address: address.to_string(),
        enabled: record.flags & Record::ENABLED != 0,
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
