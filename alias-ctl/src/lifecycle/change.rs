//! What an alias shall become: what a change names, and else what it is.

use alias_common::hearer::Hear;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::alias_request::{Addresses, AliasRequest, Target};
use crate::model::bits::bits;
use crate::model::name::alias_name;
use crate::model::request::Change;
use crate::model::tcp_options::TcpChange;
use crate::netlink::Link;
use crate::wiring::batch::{Batch, Item, Past, Placement};
use crate::wiring::host::Host;
use crate::wiring::transaction::{On, Transaction};

use super::delete::{self, Staying};
use super::refusals::{self, device_not_alias, no_such_alias};
use super::{exposure, grow, hearing, replace, resolve, target, tcp_options, verdict};

/// Changes an alias, as one of several changes.
///
/// # Errors
///
/// ENODEV when there is no such alias, EBUSY when others have joined its device,
/// and those of `add`. Then the alias is as it was.
pub fn set(tx: &mut Transaction<'_>, name: &str, change: &Change) -> Result<()> {
    let (link, slot) = tx.host.alias(name, "set")?;
    let slot = slot.ok_or_else(|| device_not_alias(name, "set"))?;
    let parent = tx.host.attached(&link, "set")?;
    if !parent.is_live(slot) {
        return Err(no_such_alias(&link, slot, "set"));
    }
    let staying = delete::stay(tx.host, &link, &parent, &[slot])?;
    set_slot(&mut tx.on(&link, &parent)?, slot, change)?;
    let moved = change.address.map(|(address, _)| address);
    let is_left = |staying: &Staying| moved.is_some_and(|to| to != staying.address.address.into());
    let left: Vec<Staying> = staying.into_iter().filter(is_left).collect();
    delete::say(&left);
    Ok(())
}

/// The same of a live alias that was found.
///
/// # Errors
///
/// As for [`set`].
pub fn set_slot(on: &mut On<'_>, slot: u32, change: &Change) -> Result<()> {
    if !on.link.up {
        return Err(refusals::parent_down(on.link, "set"));
    }
    grow::until_all_fit(on, 0, |on| set_once(on, slot, change)).map(drop)
}

fn set_once(on: &mut On<'_>, slot: u32, change: &Change) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let old = parent.record(slot);
    let wanted = wanted(on.host, link, &parent, slot, change)?;
    let new = target::record(&wanted, &wanted.items[0]);
    if is_same(&old, &new, &wanted.placement) && target::is_intact(on.host, link, &old)? {
        tcp_options::change(on, slot, new.tcp)?;
        hearing::change(on, slot, new.hear())?;
        // Who gives the address that it has wants it heard where it is.
        if change.address.is_some() && change.announce {
            verdict::announce_again(link, slot, &old);
        }
        return Ok(());
    }
    replace::replace(on, wanted)
}

/// Changes the TCP options of an alias that is to stay as it is.
///
/// # Errors
///
/// As for [`set`].
pub fn set_options(on: &mut On<'_>, slot: u32, change: &TcpChange) -> Result<()> {
    if change.is_empty() {
        return Ok(());
    }
    let old = on.parent.record(slot);
    let mut batch = resolve::of_record(on.host, slot, &old)?;
    batch.items[0].tcp = change.applied_to(old.tcp);
    tcp_options::check(on.host, on.link, &on.parent, &batch, change)?;
    tcp_options::change(on, slot, batch.items[0].tcp)
}

/// The alias as it shall be: what the change names, else what it is.
fn wanted(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    slot: u32,
    change: &Change,
) -> Result<Batch> {
    let old = parent.record(slot);
    let (address, prefix_len) = change.address.unwrap_or((address_of(&old), None));
    let prefix_len = prefix_len.unwrap_or_else(|| {
        // A length says nothing about an address of another family, and that of a
        // prefix nothing about an address.
        let is_kept = address == address_of(&old)
            || address.family() == old.family() && old.flags & Record::PREFIX == 0;
        match address.ip() {
            Some(ip) if !is_kept => bits(ip),
            _ => old.prefix_len,
        }
    });
    let vlan = change.vlan.unwrap_or(old.vlan());
    let same = || target::named(host, link, &old);
    let placement = match change
        .target
        .clone()
        .map_or_else(same, |named| Ok(Some(named)))?
    {
        Some(Target::Join { alias }) if alias == alias_name(&link.name, slot) => {
            return Err(Refusal::new(
                alias,
                "set",
                "an alias cannot join itself",
                libc::EINVAL,
            ));
        }
        Some(target) => {
            let wanted = alias_request(address, prefix_len, vlan, target, change.announce);
            target::check(host, link, parent, &wanted, Some(slot))?
        }
        None => target::again(host, &old)?,
    };
    // Only whether the address is free on the parent depends on the target.
    let target = match placement.kind() {
        TargetKind::Local => Target::Local,
        _ => Target::Drop,
    };
    let wanted = alias_request(address, prefix_len, vlan, target, change.announce);
    let mut items = [Item {
        slot,
        address,
        assign: true,
        tcp: change.tcp.applied_to(old.tcp),
        past: Past::default(),
    }];
    let keeps_address = address == address_of(&old) && vlan == old.vlan();
    let is_the_parents = old.is(TargetKind::Local) && old.flags & Record::ADDRESSED == 0;
    if keeps_address && is_the_parents && placement.kind() != TargetKind::Local {
        return Err(refusals::own_address(link, address)
            .hint("nothing was changed; it can only be counted where it is"));
    }
    // A prefix that was the stack's may have the parent's own addresses in it, which
    // another target would take.
    let stays_free = keeps_address
        && old.is(TargetKind::Local)
        && (placement.kind() == TargetKind::Local || address.prefix().is_none());
    if stays_free {
        items[0].assign = old.flags & Record::ADDRESSED != 0;
    } else {
        resolve::refuse_taken(host, link, parent, &wanted, &mut items, Some(slot))?;
    }
    if !keeps_address {
        let change = exposure::Change {
            going: &[slot],
            disabled: &[],
        };
        exposure::refuse_exposing(host, link, parent, "set", change)?;
    }
    // What has no device any more hears nothing.
    let kept = match hearing::can_hear(placement.kind()) {
        true => old.hear(),
        false => Hear::NOTHING,
    };
    let hear = change.hear.unwrap_or(kept);
    let batch = Batch {
        items: items.to_vec(),
        prefix_len,
        vlan,
        placement,
        announce: change.announce,
        hear,
        enabled: old.flags & Record::ENABLED != 0,
        declared: old.flags & Record::DECLARED != 0,
        deprecated: (old.is(TargetKind::Local) && old.flags & Record::ADDRESSED != 0)
            .then_some(old.flags & Record::DEPRECATED != 0)
            .filter(|_| address.is_ipv6() == address_of(&old).is_ipv6()),
    };
    hearing::check(link, &batch)?;
    tcp_options::check(host, link, parent, &batch, &change.tcp)?;
    Ok(batch)
}

fn alias_request(
    address: Address,
    prefix_len: u8,
    vlan: alias_common::key::Vlan,
    target: Target,
    announce: bool,
) -> AliasRequest {
    AliasRequest {
        addresses: Addresses::One {
            address,
            slot: None,
        },
        prefix_len,
        vlan,
        target,
        announce,
        hear: Hear::NOTHING,
        tcp: TcpChange::default(),
    }
}

/// Whether an alias is what a batch of one would make, but for its TCP options.
fn is_same(old: &Record, new: &Record, placement: &Placement) -> bool {
    let what = |record: &Record| {
        (
            record.family,
            record.address,
            (record.prefix_len, record.flags & Record::PREFIX),
            record.vlan(),
            record.mac,
        )
    };
    what(old) == what(new) && target::same(old, placement)
}
