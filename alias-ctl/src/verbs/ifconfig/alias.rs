//! `ifconfig eth0:0 …`, and aliases that are named by their address.

use std::io::{self, Write};
use std::net::IpAddr;

use alias_common::hearer::Hear;
use alias_common::key::Vlan;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::lifecycle::delete::{self, Staying, others_address};
use crate::lifecycle::verdict;
use crate::lifecycle::{add, change, refusals};
use crate::model::address::Interface;
use crate::model::alias_request::{Addresses, AliasRequest, Target};
use crate::model::bits::network;
use crate::model::ifconfig::{AddressChange, Configure, Given, Length, Mask, fits_network};
use crate::model::name::alias_name;
use crate::model::request::{Change, Victims};
use crate::netlink::{Address, Link, Request};
use crate::wiring::host::Host;
use crate::wiring::presence;
use crate::wiring::transaction::Transaction;

use super::addresses::{absent, find, own_address, remove};
use super::label;

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
            label::refuse_loopback(link, &name, &given)?;
            put(tx, link, Some(slot), &given, asked).map(drop)
        }
        Some(AddressChange::Remask(mask, broadcast)) => {
            let address = address_in(tx.host, link, slot)?;
            let length = match mask {
                Some(Mask::Bits(bits)) if bits > 32 && address.address.is_ipv4() => {
                    return Err(too_long(&name));
                }
                Some(Mask::Bits(bits)) => Length::Said(bits),
                Some(Mask::Known) => Length::Known(address.prefix_len),
                None => Length::Said(address.prefix_len),
            };
            let given = Given {
                address: address.address,
                length,
                broadcast,
            };
            put(tx, link, Some(slot), &given, asked).map(drop)
        }
        Some(
            AddressChange::Remove(address)
            | AddressChange::Del(address)
            | AddressChange::RemoveLogical(address),
        ) => {
            if address_in(tx.host, link, slot)?.address != address {
                return Err(absent(link, address));
            }
            delete(tx, link, &name)
        }
        Some(
            AddressChange::Add(given)
            | AddressChange::AddFirst(given)
            | AddressChange::AddLogical(given),
        ) => {
            label::refuse_loopback(link, &name, &given)?;
            if slot_of(tx.host, link, given.address)? == Some(slot) {
                // Said again.
                return put(tx, link, Some(slot), &given, asked).map(drop);
            }
            Err(
                Refusal::new(&name, "ifconfig", "an alias has one address", libc::EINVAL)
                    .hint(one_more(link, &given)),
            )
        }
        None if asked.plumb && !is_live(tx.host, link, slot)? => {
            note(&format!(
                "{name} is made when it gets its address: alias-ctl ifconfig {name} ADDRESS"
            ));
            Ok(())
        }
        None => {
            if !asked.tcp.is_empty() {
                let change = Change {
                    tcp: asked.tcp.clone(),
                    ..Change::default()
                };
                change::set(tx, &name, &change)?;
            }
            raise_if_asked(tx, link, slot, asked)?;
            deprecate_if_asked(tx, link, slot, asked)
        }
    }
}

/// Gives an address to a slot, or to the lowest free one, and what is asked for beside it.
/// Returns the slot. An address that others put on the device is taken over where it is.
pub(super) fn put(
    tx: &mut Transaction<'_>,
    link: &Link,
    slot: Option<u32>,
    given: &Given,
    asked: &Configure,
) -> Result<u32> {
    let is_logical = matches!(asked.address, Some(AddressChange::AddLogical(_)));
    let mut left = None;
    add::on_parent(tx, link, 1, |on| {
        let parent = on.parent;
        let address = given.address.into();
        let holder = parent.slot_of(address, Vlan::NONE);
        let there = there(on.host, link, &parent, holder, given)?;
        let prefix_len = match &there {
            Some(there) => prefix_len_there(link, given, there)?,
            None => prefix_len(on.host, link, given)?,
        };
        if let (Some(broadcast), IpAddr::V4(v4)) = (given.broadcast, given.address) {
            fits_network(broadcast, v4, prefix_len)?;
        }
        // An alias that is said twice is one.
        let again = if is_logical { None } else { holder };
        if let Some(slot) = slot.or(again).filter(|slot| parent.is_live(*slot)) {
            let old = parent.record(slot);
            refuse_loss(link, slot, &old, given, asked)?;
            let change = Change {
                address: Some((address, Some(prefix_len))),
                announce: true,
                tcp: asked.tcp.clone(),
                ..Change::default()
            };
            change::set_slot(on, slot, &change)?;
            left = others_address(&old).filter(|old| *old != given.address);
            return Ok(());
        }
        let wanted = AliasRequest {
            addresses: Addresses::One { address, slot },
            prefix_len,
            vlan: Vlan::NONE,
            target: Target::Local,
            announce: true,
            hear: Hear::NOTHING,
            tcp: asked.tcp.clone(),
        };
        add::add_to(on, &wanted)
    })?;
    let slot = slot_of(tx.host, link, given.address)?.ok_or_else(|| absent(link, given.address))?;
    if let Some(old) = left {
        let staying = Staying {
            device: link.name.clone(),
            address: find(tx.host, link, old)?,
        };
        leave(tx.host, link, vec![staying])?;
    }
    raise_if_asked(tx, link, slot, asked)?;
    deprecate_if_asked(tx, link, slot, asked)?;
    Ok(slot)
}

/// The address that is on the device because others put it there. The device's own, which
/// `ifconfig DEVICE` shows, becomes no alias in passing.
fn there(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    holder: Option<u32>,
    given: &Given,
) -> Result<Option<Address>> {
    let is_ours =
        holder.is_some_and(|slot| others_address(&parent.record(slot)) != Some(given.address));
    if is_ours || !host.netlink.has_address(link.ifindex, given.address)? {
        return Ok(None);
    }
    let own = own_address(host, link)?;
    if holder.is_none() && own.is_some_and(|own| own.address == given.address) {
        return Err(
            refusals::own_address(link, given.address.into()).hint(format!(
                "nothing was changed; give another address; to count it where it is: \
                 alias-ctl add {} {} --local",
                link.name, given.address
            )),
        );
    }
    find(host, link, given.address).map(Some)
}

/// How much of an address is its network's: Solaris's `+` asks the device.
pub(super) fn prefix_len(host: &mut Host, link: &Link, given: &Given) -> Result<u8> {
    let (Length::Said(length) | Length::Usual(length) | Length::Known(length)) = given.length;
    if !matches!(given.length, Length::Known(_)) {
        return Ok(length);
    }
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let networks = addresses.iter().filter(|found| {
        let len = found.prefix_len;
        found.address.is_ipv4()
            && len < 32
            && network(found.address, len) == network(given.address, len)
    });
    Ok(networks
        .map(|found| found.prefix_len)
        .max()
        .unwrap_or(length))
}

/// The same of an address that is there: only what it has may be said.
fn prefix_len_there(link: &Link, given: &Given, there: &Address) -> Result<u8> {
    match given.length {
        Length::Said(said) if said != there.prefix_len => Err(Refusal::new(
            format!("{}/{said}", given.address),
            "ifconfig",
            format!(
                "{} has it with a prefix of {} bits, and others put it there",
                link.name, there.prefix_len
            ),
            libc::EEXIST,
        )
        .hint(format!(
            "nothing was changed; say /{0}, or take it away first: ip addr del {1}/{0} dev {2}",
            there.prefix_len, there.address, link.name
        ))),
        _ => Ok(there.prefix_len),
    }
}

/// An alias does not lose its address to one of another family, nor to `plumb`.
fn refuse_loss(
    link: &Link,
    slot: u32,
    old: &Record,
    given: &Given,
    asked: &Configure,
) -> Result<()> {
    let Some(has) = address_of(old).ip() else {
        return Ok(());
    };
    let name = alias_name(&link.name, slot);
    if has.is_ipv4() != given.address.is_ipv4() {
        let family = if has.is_ipv4() { "IPv4" } else { "IPv6" };
        let reason = format!("an alias has one address, and would lose its {family} one, {has}");
        return Err(
            Refusal::new(&name, "ifconfig", reason, libc::EINVAL).hint(one_more(link, given))
        );
    }
    if asked.plumb && has != given.address {
        let reason = format!("it is plumbed already, with {has}");
        return Err(Refusal::new(&name, "plumb", reason, libc::EEXIST).hint(one_more(link, given)));
    }
    Ok(())
}

/// How an address becomes an alias beside those that are there.
fn one_more(link: &Link, given: &Given) -> String {
    let (Length::Said(length) | Length::Usual(length) | Length::Known(length)) = given.length;
    let family = if given.address.is_ipv6() {
        "inet6 "
    } else {
        ""
    };
    format!(
        "nothing was changed; a slot of its own: alias-ctl ifconfig {} {family}add {}/{length}",
        link.name, given.address
    )
}

/// What becomes of addresses whose aliases are gone, and that others had put there: one
/// that was labelled as an alias goes as such always did, any other stays.
pub(super) fn leave(host: &mut Host, link: &Link, staying: Vec<Staying>) -> Result<()> {
    let is_labelled = |staying: &Staying| {
        let label = staying.address.label.as_deref();
        label.is_some_and(|label| label.contains(':'))
    };
    let (labelled, others): (Vec<Staying>, Vec<Staying>) =
        staying.into_iter().partition(is_labelled);
    for staying in labelled {
        remove(host, link, &staying.address)?;
    }
    delete::say(&others);
    Ok(())
}

/// Says what is as it should be, and not as one would think.
pub(super) fn note(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "alias-ctl: note: {text}");
}

/// The alias of a device that has this address, if there is one.
pub(super) fn slot_of(host: &Host, link: &Link, address: IpAddr) -> Result<Option<u32>> {
    let parent = Parent::open(&host.directory, link.ifindex)?;
    Ok(parent.and_then(|parent| parent.slot_of(address, Vlan::NONE)))
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

fn is_live(host: &Host, link: &Link, slot: u32) -> Result<bool> {
    let parent = Parent::open(&host.directory, link.ifindex)?;
    Ok(parent.is_some_and(|parent| parent.is_live(slot)))
}

/// `up`: its packets are matched, and a device of its own is up and has its address.
fn raise_if_asked(
    tx: &mut Transaction<'_>,
    link: &Link,
    slot: u32,
    asked: &Configure,
) -> Result<()> {
    if asked.link.up != Some(true) {
        return Ok(());
    }
    verdict::enable(tx, &alias_name(&link.name, slot), true)?;
    let parent = tx.host.attached(link, "ifconfig")?;
    presence::raise(tx.host, &parent, slot)
}

/// `deprecated`: the kernel takes the address for no source of what the host says.
fn deprecate_if_asked(
    tx: &mut Transaction<'_>,
    link: &Link,
    slot: u32,
    asked: &Configure,
) -> Result<()> {
    let Some(deprecated) = asked.deprecated else {
        return Ok(());
    };
    let address = address_in(tx.host, link, slot)?.address;
    let parent = tx.host.attached(link, "ifconfig")?;
    if !parent.record(slot).is(TargetKind::Local) {
        let word = if deprecated {
            "deprecated"
        } else {
            "-deprecated"
        };
        let reason = "only an address of the device's own stack can be another's source";
        return Err(Refusal::new(word, "ifconfig", reason, libc::EOPNOTSUPP)
            .hint("leave the word out; what is on an alias's device, its namespace decides"));
    }
    let found = find(tx.host, link, address)?;
    let request = Request::prefer_address(&found.as_wanted(), !deprecated);
    let request = request.about(alias_name(&link.name, slot));
    tx.host.netlink.run(request)?;
    // So it is put back with it, should others take it away.
    tx.on(link, &parent)?.parent.amend(slot, |record| {
        record.flags &= !Record::DEPRECATED;
        record.flags |= u32::from(deprecated) * Record::DEPRECATED;
    });
    Ok(())
}

/// Deletes an alias. The name may be that of an address which others labelled so.
fn delete(tx: &mut Transaction<'_>, link: &Link, name: &str) -> Result<()> {
    let victims = Victims::Named(vec![name.to_owned()]);
    let refusal = match delete::delete_aliases(tx, &victims) {
        Ok(staying) => return leave(tx.host, link, staying),
        Err(refusal) => refusal,
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
