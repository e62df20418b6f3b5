//! `set`: changes an alias in place of deleting and adding it. Slot, place in
//! the listing and counters stay.
//!
//! What the alias shall become stands in the journal before the first step, so a
//! kill at any point leaves the old alias or, after the next command, the new
//! one. While it is changed, its packets are the parent's.

use alias_common::record::{Record, State, TargetKind};

use crate::dataplane::isno::clear_idle;
use crate::dataplane::parent::address_of;
use crate::dataplane::{Parent, WriteLock};
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::bits::bits;
use crate::model::isno::TcpChange;
use crate::model::name::alias_name;
use crate::model::wish::{Addresses, Target, Wish};
use crate::netlink::Link;

use super::batch::{self, Batch, Item, Past};
use super::del::no_such_alias;
use super::host::Host;
use super::{Change, create, grow, isno, prefix, recover, resolve, retire};

/// `alias-ctl set NAME …`.
///
/// # Errors
///
/// ENODEV when there is no such alias, EBUSY when others have joined its device,
/// and those of `add`. Then the alias is as it was.
pub fn set(name: &str, change: &Change) -> Result<()> {
    let mut host = Host::open()?;
    let lock = recover::begin(&mut host)?;
    set_under(&mut host, &lock, name, change)
}

/// The same under a lock that is held, as one of several changes.
///
/// # Errors
///
/// As for [`set`].
pub fn set_under(host: &mut Host, lock: &WriteLock, name: &str, change: &Change) -> Result<()> {
    let (link, slot) = host.alias(name, "set")?;
    let slot = slot.ok_or_else(|| {
        Refusal::new(name, "set", "that is a device, not an alias", libc::EINVAL)
            .way_out(format!("name an alias: {name}:0"))
    })?;
    let parent = host.attached(&link, "set")?;
    if !parent.is_live(slot) {
        return Err(no_such_alias(&link, slot, "set"));
    }
    set_slot(host, &link, &parent, slot, change, lock)
}

/// The same of a live alias that was found.
///
/// # Errors
///
/// As for [`set`].
pub fn set_slot(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    slot: u32,
    change: &Change,
    lock: &WriteLock,
) -> Result<()> {
    if !link.up {
        return Err(resolve::parent_down(link, "set"));
    }
    let set = |host: &mut Host, parent: &Parent| set_once(host, link, parent, slot, change, lock);
    grow::until_all_fit(host, link, parent, lock, set).map(drop)
}

fn set_once(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    slot: u32,
    change: &Change,
    lock: &WriteLock,
) -> Result<()> {
    let old = parent.record(slot);
    let wanted = wanted(host, link, parent, slot, change)?;
    let new = batch::record(&wanted, &wanted.items[0]);
    if is_same(&old, &new) && resolve::is_intact(host, link, &old)? {
        return isno::change(host, link, parent, slot, new.tcp, lock);
    }
    replace(host, link, parent, wanted, lock)
}

/// Makes an alias again whose device or address somebody took away.
///
/// # Errors
///
/// As for [`set`].
pub fn rebuild(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    slot: u32,
    lock: &WriteLock,
) -> Result<()> {
    let wanted = resolve::of_record(host, slot, &parent.record(slot))?;
    replace(host, link, parent, wanted, lock)
}

/// Changes the TCP options of an alias that is to stay as it is.
///
/// # Errors
///
/// As for [`set`].
pub fn set_options(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    slot: u32,
    change: &TcpChange,
    lock: &WriteLock,
) -> Result<()> {
    if change.is_empty() {
        return Ok(());
    }
    let old = parent.record(slot);
    let mut batch = resolve::of_record(host, slot, &old)?;
    batch.items[0].tcp = change.applied_to(old.tcp);
    isno::check(host, link, parent, &batch, change)?;
    isno::change(host, link, parent, slot, batch.items[0].tcp, lock)
}

/// Puts a batch of one in the place of the alias in its slot.
fn replace(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    mut wanted: Batch,
    lock: &WriteLock,
) -> Result<()> {
    let slot = wanted.items[0].slot;
    let old = parent.record(slot);
    let new = batch::record(&wanted, &wanted.items[0]);
    refuse_shared_device(link, parent, slot)?;
    parent.set_unfinished(true, lock);
    parent.set_journal(
        Some(Record {
            replaces: slot,
            ..new
        }),
        lock,
    );
    let past = take_down(host, link, parent, slot, lock)?;
    wanted.items[0].past = past;
    let result = create::create(host, link, parent, &wanted, lock);
    if result.is_err() && parent.state(slot) != State::Live {
        // Refused is refused: with the old alias gone too, the new one must not
        // come to life at the next command. What is left over, that one clears.
        if put_back(host, link, parent, slot, &old, past, lock).is_err() {
            parent.set_journal(None, lock);
            return result;
        }
    }
    clear_idle(parent, lock)?;
    if old.flags & Record::PREFIX != 0 {
        prefix::settle(host, link, parent, lock)?;
    }
    parent.set_journal(None, lock);
    parent.set_unfinished(false, lock);
    result
}

/// Makes the alias of a record in a vacated slot. When that fails, what it had
/// counted goes too: the slot's next alias is another.
fn put_back(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    slot: u32,
    record: &Record,
    past: Past,
    lock: &WriteLock,
) -> Result<()> {
    let made = resolve::of_record(host, slot, record).and_then(|mut batch| {
        batch.items[0].past = past;
        create::create(host, link, parent, &batch, lock)
    });
    if made.is_err() && parent.state(slot) == State::Free {
        parent.free(slot, false, lock)?;
    }
    made
}

/// Finishes a change whose changer was killed. What cannot be made any more,
/// because its namespace or device went meanwhile, stays deleted.
///
/// # Errors
///
/// What the kernel refused in taking the old alias down.
pub fn finish(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    change: &Record,
    lock: &WriteLock,
) -> Result<()> {
    let slot = change.replaces;
    if change.flags & Record::TCP_ONLY != 0 {
        if parent.state(slot) == State::Live {
            parent.amend(slot, |record| record.tcp = change.tcp, lock);
        }
        parent.set_journal(None, lock);
        return Ok(());
    }
    // Live is either the alias before the first step or after the last one.
    if parent.state(slot) != State::Live {
        let past = take_down(host, link, parent, slot, lock)?;
        // Refused: then it is deleted, and the listing says so.
        let _ = put_back(host, link, parent, slot, change, past, lock);
    }
    parent.set_journal(None, lock);
    Ok(())
}

/// Takes the old alias out of use and its slot free; returns what it had
/// counted, which is in the journal before it is gone from the cells.
fn take_down(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    slot: u32,
    lock: &WriteLock,
) -> Result<Past> {
    if parent.state(slot) != State::Free {
        let record = parent.record(slot);
        let beside = record.target == TargetKind::Device as u8 && record.netns_inode == 0;
        let drops = match beside {
            true => host
                .netlink
                .transmit_drops("veth")?
                .get(&record.port_ifindex)
                .copied(),
            false => None,
        };
        retire::unwire(host, Some(link), parent, &[slot], lock)?;
        // The port is gone, and its statistics with it.
        parent.add_lost(slot, drops.unwrap_or(0), lock)?;
    }
    let journal = parent.journal().unwrap_or_default();
    let past = if journal.flags & Record::HARVESTED != 0 {
        Past::of(&journal)
    } else {
        let old = parent.record(slot);
        let figures = parent.figures(slot, &old)?;
        let past = Past {
            created: old.created,
            rx: figures.rx,
            policy: figures.policy,
            kept: true,
        };
        let mut harvested = journal;
        past.note(&mut harvested);
        parent.set_journal(Some(harvested), lock);
        harvested.flags |= Record::HARVESTED;
        parent.set_journal(Some(harvested), lock);
        past
    };
    if parent.state(slot) != State::Free {
        parent.free(slot, true, lock)?;
    }
    Ok(past)
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
    let same = || target_of(host, link, &old);
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
            let wish = wish(address, prefix_len, vlan, target, change.announce);
            resolve::resolve_target(host, link, parent, &wish, Some(slot))?
        }
        None => resolve::of_record(host, slot, &old)?.placement,
    };
    // Only whether the address is free on the parent depends on the target.
    let target = match placement.kind() {
        TargetKind::Local => Target::Local,
        _ => Target::Drop,
    };
    let wish = wish(address, prefix_len, vlan, target, change.announce);
    let mut items = [Item {
        slot,
        address,
        assign: true,
        tcp: change.tcp.applied_to(old.tcp),
        past: Past::default(),
    }];
    let keeps_address = address == address_of(&old) && vlan == old.vlan();
    let is_the_parents =
        old.target == TargetKind::Local as u8 && old.flags & Record::ADDRESSED == 0;
    if keeps_address && is_the_parents && placement.kind() != TargetKind::Local {
        return Err(resolve::own_address(link, address)
            .way_out("nothing was changed; it can only be counted where it is"));
    }
    // A prefix that was the stack's may have the parent's own addresses in it, which
    // another target would take.
    let stays_free = keeps_address
        && old.target == TargetKind::Local as u8
        && (placement.kind() == TargetKind::Local || address.prefix().is_none());
    if stays_free {
        items[0].assign = old.flags & Record::ADDRESSED != 0;
    } else {
        resolve::refuse_taken(host, link, parent, &wish, &mut items, Some(slot))?;
    }
    if !keeps_address {
        let change = prefix::Change {
            going: &[slot],
            disabled: &[],
        };
        prefix::refuse_exposing(host, link, parent, "set", change)?;
    }
    let batch = Batch {
        items: items.to_vec(),
        prefix_len,
        vlan,
        placement,
        announce: change.announce,
        enabled: old.flags & Record::ENABLED != 0,
        declared: old.flags & Record::DECLARED != 0,
    };
    isno::check(host, link, parent, &batch, &change.tcp)?;
    Ok(batch)
}

/// What a user would have to name to get the target that an alias has, so that it
/// is checked anew; `None` for a device, which nothing else depends on.
fn target_of(host: &mut Host, link: &Link, record: &Record) -> Result<Option<Target>> {
    Ok(match TargetKind::from_number(record.target) {
        Some(TargetKind::Device) => None,
        Some(TargetKind::Join) => Some(Target::Join {
            alias: alias_name(&link.name, record.link),
        }),
        Some(TargetKind::To) => {
            let device = resolve::device_of(host, record)?;
            let mac = (record.mac != [0; 6]).then_some(record.mac);
            Some(Target::To {
                device: device.name,
                mac,
            })
        }
        Some(TargetKind::Local) => Some(Target::Local),
        _ => Some(Target::Drop),
    })
}

fn wish(
    address: Address,
    prefix_len: u8,
    vlan: alias_common::key::Vlan,
    target: Target,
    announce: bool,
) -> Wish {
    Wish {
        addresses: Addresses::One {
            address,
            slot: None,
        },
        prefix_len,
        vlan,
        target,
        announce,
        tcp: TcpChange::default(),
    }
}

fn is_same(old: &Record, new: &Record) -> bool {
    let what = |record: &Record| {
        let place = match TargetKind::from_number(record.target) {
            Some(TargetKind::To) => (u64::from(record.port_ifindex), record.mac),
            Some(TargetKind::Join) => (u64::from(record.link), [0; 6]),
            _ => (record.netns_cookie, [0; 6]),
        };
        (
            record.family,
            record.address,
            (record.prefix_len, record.flags & Record::PREFIX),
            record.vlan(),
            record.target,
            place,
        )
    };
    what(old) == what(new)
}

/// Changing an alias takes its device away for a moment, and the addresses that
/// others have on it.
fn refuse_shared_device(link: &Link, parent: &Parent, slot: u32) -> Result<()> {
    let joined = parent
        .live()
        .find(|(_, record)| record.target == TargetKind::Join as u8 && record.link == slot);
    let Some((other, _)) = joined else {
        return Ok(());
    };
    let name = alias_name(&link.name, slot);
    let other = alias_name(&link.name, other);
    Err(Refusal::new(
        name,
        "set",
        format!("{other} has joined its device"),
        libc::EBUSY,
    )
    .way_out(format!("change that one first: alias-ctl set {other} …")))
}
