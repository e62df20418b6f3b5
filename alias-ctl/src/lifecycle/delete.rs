//! Deletes the aliases that somebody names: all of them, or none.

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::IpAddr;

use alias_common::key::Vlan;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::bits::{bits, network};
use crate::model::name::{SlotRange, alias_name};
use crate::model::prefix::Prefix;
use crate::model::request::Victims;
use crate::netlink::{self, Link};
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

use super::refusals::no_such_alias;
use super::{by_address, exposure, retire};

/// An address that a deleted alias had counted where others put it.
pub struct Staying {
    /// The device that has it.
    pub device: String,
    /// The address.
    pub address: netlink::Address,
}

/// Deletes aliases, as one of several changes, and says which addresses stay.
///
/// # Errors
///
/// As for [`delete_aliases`].
pub fn delete(tx: &mut Transaction<'_>, victims: &Victims) -> Result<()> {
    let staying = delete_aliases(tx, victims)?;
    say(&staying);
    Ok(())
}

/// Says of addresses that they stay.
pub fn say(staying: &[Staying]) {
    let Some(Staying { device, address }) = staying.first() else {
        return;
    };
    let address = format!("{}/{}", address.address, address.prefix_len);
    // Nobody may be there to read it.
    let _ = match staying.len() {
        1 => writeln!(
            io::stderr(),
            "alias-ctl: note: {address} stays on {device}, where it was before the alias; \
             to take it away: ip addr del {address} dev {device}"
        ),
        count => writeln!(
            io::stderr(),
            "alias-ctl: note: {count} addresses stay where they were before their aliases: \
             {address} on {device}, and others; list them: ip addr show dev {device}"
        ),
    };
}

/// Deletes aliases. Returns the addresses that stay, for they were there before.
///
/// # Errors
///
/// ENODEV for an alias that is not there, EADDRNOTAVAIL for an address, EBUSY
/// when others have joined its device, or when it keeps an address of the parent's from
/// a prefix. Then none is deleted.
pub fn delete_aliases(tx: &mut Transaction<'_>, victims: &Victims) -> Result<Vec<Staying>> {
    let host = &mut *tx.host;
    let mut going: Vec<(Link, Parent, Vec<u32>)> = Vec::new();
    match victims {
        Victims::Named(names) => {
            for name in names {
                let (link, named) = if let Some(named) = by_address::Named::read(name) {
                    let (link, _, slot) = by_address::find_one(host, named, name, "delete")?;
                    (link, slot..=slot)
                } else if let Some(range) = SlotRange::parse(name)? {
                    (host.link(&range.parent, "delete")?, range.slots)
                } else {
                    let (link, slot) = host.alias(name, "delete")?;
                    let slot = slot.ok_or_else(|| all_meant(&link))?;
                    (link, slot..=slot)
                };
                let known = going
                    .iter()
                    .position(|(known, ..)| known.ifindex == link.ifindex);
                let at = match known {
                    Some(at) => at,
                    None => {
                        let parent = host.attached(&link, "delete")?;
                        going.push((link, parent, Vec::new()));
                        going.len() - 1
                    }
                };
                let (link, parent, slots) = &mut going[at];
                for slot in named {
                    slots.push(present(link, parent, slot)?);
                }
            }
        }
        Victims::Address {
            device,
            address,
            vlan,
        } => {
            let link = host.link(device, "delete")?;
            let parent = host.attached(&link, "delete")?;
            let slot = parent
                .slot_of(*address, *vlan)
                .ok_or_else(|| no_such_address(&link, &parent, *address, *vlan))?;
            going.push((link, parent, vec![slot]));
        }
        Victims::Listed { device, list, vlan } => {
            let link = host.link(device, "delete")?;
            let parent = host.attached(&link, "delete")?;
            let addresses = list.addresses().map(Address::from).enumerate();
            let slots = addresses.map(|(n, address)| {
                parent.slot_of(address, *vlan).ok_or_else(|| Refusal {
                    object: list.object(n),
                    ..not_listed(&link, &parent, address, list.prefix_len, *vlan)
                })
            });
            let slots = slots.collect::<Result<_>>()?;
            going.push((link, parent, slots));
        }
        Victims::Range {
            device,
            range,
            vlan,
        } => {
            let link = host.link(device, "delete")?;
            let parent = host.attached(&link, "delete")?;
            let slots = (0..range.count).map(|n| {
                let address = Address::from(range.nth(n));
                parent.slot_of(address, *vlan).ok_or_else(|| {
                    let refusal = no_such_address(&link, &parent, address, *vlan);
                    let hint = format!("nothing was deleted; {}", refusal.hint);
                    refusal.hint(hint)
                })
            });
            // The first that no alias has ends it, however long it is.
            let slots = slots.collect::<Result<_>>()?;
            going.push((link, parent, slots));
        }
        Victims::All(device) => {
            let link = host.link(device, "delete")?;
            let parent = host.attached(&link, "delete")?;
            let slots = parent.live_by_slot().map(|(slot, _)| slot).collect();
            going.push((link, parent, slots));
        }
    }
    for (link, parent, slots) in &mut going {
        slots.sort_unstable();
        slots.dedup();
        refuse_shared_devices(link, parent, slots)?;
        let change = exposure::Change {
            going: slots,
            disabled: &[],
        };
        exposure::refuse_exposing(host, link, parent, "delete", change)?;
    }
    let mut staying = Vec::new();
    for (link, parent, slots) in &going {
        staying.extend(stay(tx.host, link, parent, slots)?);
        let mut on = tx.on(link, parent)?;
        on.parent.set_unfinished(true);
        retire::retire(&mut on, slots)?;
        on.parent.set_unfinished(false);
    }
    Ok(staying)
}

/// The addresses of these aliases that others put on the parent.
///
/// # Errors
///
/// That of asking the kernel.
pub fn stay(host: &mut Host, link: &Link, parent: &Parent, slots: &[u32]) -> Result<Vec<Staying>> {
    let records = slots.iter().map(|slot| parent.record(*slot));
    let others: HashSet<IpAddr> = records.filter_map(|r| others_address(&r)).collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let addresses = host.netlink.addresses(Some(link.ifindex))?.into_iter();
    Ok(addresses
        .filter(|address| others.contains(&address.address))
        .map(|address| Staying {
            device: link.name.clone(),
            address,
        })
        .collect())
}

/// The address that an alias counts where others put it.
#[must_use]
pub fn others_address(record: &Record) -> Option<IpAddr> {
    let is_others = record.is(TargetKind::Local) && record.flags & Record::ADDRESSED == 0;
    is_others.then(|| address_of(record).ip()).flatten()
}

/// The refusal for a line of a list: what it says may be a prefix that is an alias.
fn not_listed(link: &Link, parent: &Parent, address: Address, len: u8, vlan: Vlan) -> Refusal {
    let refusal = absent(link, address);
    let prefix = address.ip().and_then(|ip| {
        let is_prefix = len < bits(ip) && network(ip, len) == ip;
        is_prefix.then_some(Prefix { network: ip, len })
    });
    match prefix.and_then(|prefix| parent.slot_of(Address::Prefix(prefix), vlan)) {
        Some(slot) => refusal.hint(format!(
            "nothing was deleted; a list has addresses only, and a prefix goes by itself: alias-ctl del {}",
            alias_name(&link.name, slot)
        )),
        None => refusal,
    }
}

/// The refusal for an address, or for what `show` calls one with its length.
fn no_such_address(link: &Link, parent: &Parent, address: Address, vlan: Vlan) -> Refusal {
    let refusal = absent(link, address);
    match address.prefix() {
        Some(prefix) if parent.slot_of(prefix.network, vlan).is_some() => refusal.hint(format!(
            "an alias has {0}, which goes without its length: alias-ctl del {1} {0}",
            prefix.network, link.name
        )),
        _ => refusal,
    }
}

fn absent(link: &Link, address: Address) -> Refusal {
    Refusal::new(
        address.to_string(),
        "delete",
        format!("no alias of {} has it", link.name),
        libc::EADDRNOTAVAIL,
    )
    .hint(format!("list them: alias-ctl show {}", link.name))
}

fn all_meant(link: &Link) -> Refusal {
    Refusal::new(
        &link.name,
        "delete",
        "that is a device, not an alias",
        libc::EINVAL,
    )
    .hint(format!(
        "all its aliases: alias-ctl del {} --all",
        link.name
    ))
}

fn present(link: &Link, parent: &Parent, slot: u32) -> Result<u32> {
    if parent.is_live(slot) {
        return Ok(slot);
    }
    Err(no_such_alias(link, slot, "delete"))
}

/// An alias whose device others have joined goes with them or not at all.
fn refuse_shared_devices(link: &Link, parent: &Parent, slots: &[u32]) -> Result<()> {
    // They are sorted.
    let goes = |slot: u32| slots.binary_search(&slot).is_ok();
    let joined = parent
        .live()
        .find(|(slot, record)| record.is(TargetKind::Join) && goes(record.link) && !goes(*slot));
    let Some((slot, record)) = joined else {
        return Ok(());
    };
    Err(Refusal::new(
        alias_name(&link.name, record.link),
        "delete",
        format!("{} has joined its device", alias_name(&link.name, slot)),
        libc::EBUSY,
    )
    .hint("delete that one first, or both in one call"))
}
