//! `ifconfig eth0:0 …`, and aliases that are named by their address.

use std::net::IpAddr;

use alias_common::key::Vlan;

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::lifecycle::delete;
use crate::lifecycle::verdict;
use crate::lifecycle::{add, change, refusals};
use crate::model::address::Interface;
use crate::model::alias_request::{Addresses, AliasRequest, Target};
use crate::model::ifconfig::{AddressChange, Configure, Given, broadcast_of};
use crate::model::name::alias_name;
use crate::model::request::{Change, Victims};
use crate::model::tcp_options::TcpChange;
use crate::netlink::Link;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

/// Changes the alias in a slot, makes it, or deletes it.
pub(super) fn configure(
    tx: &mut Transaction<'_>,
    link: &Link,
    slot: u32,
    asked: &Configure,
) -> Result<()> {
    let name = alias_name(&link.name, slot);
    refuse_device_words(link, &name, asked)?;
    let goes = asked.link.up == Some(false);
    match asked.address {
        Some(AddressChange::Delete | AddressChange::Clear) => delete(tx, link, &name),
        None if goes => delete(tx, link, &name),
        Some(_) if goes => Err(Refusal::new(
            &name,
            "ifconfig",
            "an alias that is down does not exist: it cannot get an address",
            libc::EINVAL,
        )
        .hint("nothing was changed; leave the address or the word down out")),
        Some(AddressChange::Assign(given)) => {
            put(tx, link, Some(slot), &given, &asked.tcp)?;
            enable_if_asked(tx, &name, asked)
        }
        Some(AddressChange::Remask(mask, broadcast)) => {
            let address = address_in(tx.host, link, slot)?;
            let prefix_len = match mask {
                Some(mask) if mask <= 32 || address.address.is_ipv6() => mask,
                Some(_) => return Err(too_long(&name)),
                None => address.prefix_len,
            };
            if let (Some(broadcast), IpAddr::V4(v4)) = (broadcast, address.address)
                && broadcast != broadcast_of(v4, prefix_len)
            {
                return Err(Refusal::new(
                    broadcast.to_string(),
                    "ifconfig",
                    "an alias's broadcast address is that of its network",
                    libc::EINVAL,
                ));
            }
            let given = Given {
                address: address.address,
                prefix_len,
                broadcast,
            };
            put(tx, link, Some(slot), &given, &asked.tcp)?;
            enable_if_asked(tx, &name, asked)
        }
        Some(AddressChange::Remove(address) | AddressChange::Del(address)) => {
            if address_in(tx.host, link, slot)?.address != address {
                return Err(absent(link, address));
            }
            delete(tx, link, &name)
        }
        Some(AddressChange::Add(_)) => {
            Err(
                Refusal::new(&name, "ifconfig", "an alias has one address", libc::EINVAL).hint(
                    format!(
                        "nothing was changed; for another alias name the device, as in: ifconfig {} add ADDRESS",
                        link.name
                    ),
                ),
            )
        }
        None => {
            if !asked.tcp.is_empty() {
                let change = Change {
                    tcp: asked.tcp.clone(),
                    ..Change::default()
                };
                change::set(tx, &name, &change)?;
            }
            enable_if_asked(tx, &name, asked)
        }
    }
}

/// Gives an address to a slot, or to the lowest free one.
pub(super) fn put(
    tx: &mut Transaction<'_>,
    link: &Link,
    slot: Option<u32>,
    given: &Given,
    tcp: &TcpChange,
) -> Result<()> {
    let address = given.address.into();
    let wanted = AliasRequest {
        addresses: Addresses::One { address, slot },
        prefix_len: given.prefix_len,
        vlan: Vlan::NONE,
        target: Target::Local,
        announce: true,
        tcp: tcp.clone(),
    };
    add::on_parent(tx, link, |on| {
        let taken = on.parent.slot_of(address, Vlan::NONE).is_some();
        if !taken && on.host.netlink.has_address(link.ifindex, given.address)? {
            // `add --local` would count it where it is; who says ifconfig wants a
            // second one.
            return Err(refusals::own_address(link, address)
                .hint("nothing was changed; give another address"));
        }
        if let Some(slot) = slot
            && on.parent.is_live(slot)
        {
            let change = Change {
                address: Some((given.address.into(), Some(given.prefix_len))),
                announce: true,
                tcp: tcp.clone(),
                ..Change::default()
            };
            return change::set_slot(on, slot, &change);
        }
        add::add_to(on, &wanted)
    })
}

/// The alias of a device that has this address, if there is one.
pub(super) fn slot_of(host: &Host, link: &Link, address: IpAddr) -> Result<Option<u32>> {
    let parent = Parent::open(&host.directory, link.ifindex)?;
    Ok(parent.and_then(|parent| parent.slot_of(address, Vlan::NONE)))
}

/// The refusal for an address that is not there.
pub(super) fn absent(link: &Link, address: IpAddr) -> Refusal {
    Refusal::new(
        address.to_string(),
        "delete",
        format!("{} does not have it", link.name),
        libc::EADDRNOTAVAIL,
    )
    .hint(format!(
        "nothing was changed; list them: alias-ctl ifconfig {}",
        link.name
    ))
}

fn too_long(name: &str) -> Refusal {
    Refusal::new(
        name,
        "ifconfig",
        "an IPv4 address has 32 bits",
        libc::EINVAL,
    )
}

fn address_in(host: &Host, link: &Link, slot: u32) -> Result<Interface> {
    let missing = || refusals::no_such_alias(link, slot, "ifconfig");
    let parent = Parent::open(&host.directory, link.ifindex)?.ok_or_else(missing)?;
    if !parent.is_live(slot) {
        return Err(missing());
    }
    let record = parent.record(slot);
    let address = address_of(&record).ip().ok_or_else(|| {
        Refusal::new(
            alias_name(&link.name, slot),
            "ifconfig",
            "it is a prefix, or its address is of another family",
            libc::EAFNOSUPPORT,
        )
    })?;
    Ok(Interface {
        address,
        prefix_len: record.prefix_len,
    })
}

fn enable_if_asked(tx: &mut Transaction<'_>, name: &str, asked: &Configure) -> Result<()> {
    if asked.link.up == Some(true) {
        verdict::enable(tx, name, true)?;
    }
    Ok(())
}

/// Deletes an alias. The name may be that of an address which others labelled so.
fn delete(tx: &mut Transaction<'_>, link: &Link, name: &str) -> Result<()> {
    let deleted = delete::delete(tx, &Victims::Named(vec![name.to_owned()]));
    let Err(refusal) = deleted else {
        return Ok(());
    };
    if refusal.errno == libc::ENODEV {
        let addresses = tx.host.netlink.addresses(Some(link.ifindex))?;
        let foreign = addresses
            .iter()
            .find(|address| address.label.as_deref() == Some(name));
        if let Some(address) = foreign {
            let hint = format!(
                "others made it: ip addr del {}/{} dev {}",
                address.address, address.prefix_len, link.name
            );
            return Err(refusal.hint(hint));
        }
    }
    Err(refusal)
}

/// What a device has once for all its aliases cannot be changed in one of them.
fn refuse_device_words(link: &Link, name: &str, asked: &Configure) -> Result<()> {
    let reason = if asked.detach {
        "a device is detached, not an alias"
    } else if asked.link.touches_device() {
        "an alias shares its device's settings, and has none of its own"
    } else {
        return Ok(());
    };
    Err(
        Refusal::new(name, "ifconfig", reason, libc::EOPNOTSUPP).hint(format!(
            "nothing was changed; say it of the device: {}",
            link.name
        )),
    )
}
