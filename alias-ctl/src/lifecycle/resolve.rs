//! From what a user wishes to a [`Batch`]: names are looked up, slots chosen,
//! and everything that can be known beforehand is refused here.

use std::collections::HashSet;
use std::net::IpAddr;

use alias_common::key::Vlan;
use alias_common::limits::{MAX_ALIASES, MAX_SLOTS};
use alias_common::record::Record;
use alias_common::tcp_options::TcpOptions;

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::alias_request::{Addresses, AliasRequest, Target};
use crate::model::name::alias_name;
use crate::netlink::Link;
use crate::wiring::batch::{Batch, Item, Past, Placement};
use crate::wiring::host::Host;

use super::labels::{self, Labels};
use super::refusals::own_address;
use super::{exposure, hearing, target, tcp_options};

/// Looks up and checks what a request names. `None`: the alias is there already,
/// just so.
///
/// # Errors
///
/// ENOSPC over the limit and when there are too few free slots, EINVAL for a slot that
/// there is none of, EEXIST for an address that is taken, and those of the target.
pub fn resolve(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    wanted: &AliasRequest,
) -> Result<Option<Batch>> {
    let placement = target::check(host, link, parent, wanted, None)?;
    if let Addresses::One {
        address,
        slot: Some(slot),
    } = wanted.addresses
        && is_there(link, parent, slot, address, wanted, &placement)?
    {
        return Ok(None);
    }
    let mut items = choose_slots(host, link, parent, wanted)?;
    refuse_taken(host, link, parent, wanted, &mut items, None)?;
    let batch = Batch {
        items,
        prefix_len: wanted.prefix_len,
        vlan: wanted.vlan,
        placement,
        announce: wanted.announce,
        hear: wanted.hear,
        enabled: true,
        declared: false,
        deprecated: None,
    };
    hearing::check(link, &batch)?;
    tcp_options::check(host, link, parent, &batch, &wanted.tcp)?;
    Ok(Some(batch))
}

/// Whether the slot holds this very alias.
fn is_there(
    link: &Link,
    parent: &Parent,
    slot: u32,
    address: Address,
    wanted: &AliasRequest,
    placement: &Placement,
) -> Result<bool> {
    if !parent.is_live(slot) {
        return Ok(false);
    }
    let record = parent.record(slot);
    let mac = match placement {
        Placement::To(_, mac) => mac.unwrap_or_default(),
        _ => record.mac,
    };
    let is = address_of(&record);
    let other = if is != address {
        format!("it exists with address {is}")
    } else if record.vlan() != wanted.vlan {
        "it exists on another VLAN".to_owned()
    } else if record.prefix_len != wanted.prefix_len {
        format!("it exists with length {}", record.prefix_len)
    } else if !target::same(&record, placement) {
        "it exists with another target".to_owned()
    } else if record.mac != mac {
        "it exists with another --mac".to_owned()
    } else {
        return Ok(true);
    };
    let name = alias_name(&link.name, slot);
    Err(
        Refusal::new(&name, "add", other, libc::EEXIST).hint(format!(
            "change it: alias-ctl set {name} …; or delete it: alias-ctl del {name}"
        )),
    )
}

/// A slot whose name others gave to an address of theirs is taken.
fn choose_slots(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    wanted: &AliasRequest,
) -> Result<Vec<Item>> {
    let tcp = wanted.tcp.applied_to(TcpOptions::default());
    let item = |slot, address| Item {
        slot,
        address,
        assign: true,
        tcp,
        past: Past::default(),
    };
    match &wanted.addresses {
        Addresses::One {
            address,
            slot: Some(slot),
        } => {
            refuse_no_slot(link, *slot)?;
            refuse_over_limit(link, parent, 1)?;
            labels::refuse_used(host, link, *slot, *address, wanted)?;
            Ok(vec![item(*slot, *address)])
        }
        Addresses::One {
            address,
            slot: None,
        } => {
            refuse_over_limit(link, parent, 1)?;
            let slot = labels::lowest_free(link, parent)?;
            let slot = slot.ok_or_else(|| no_slots(link, 1, 0))?;
            Ok(vec![item(slot, *address)])
        }
        Addresses::Range { range, start } => {
            let labels = Labels::of(host, link)?;
            let free = free_slots(link, parent, &labels, *start, range.count)?;
            Ok((0u64..)
                .zip(free)
                .map(|(n, slot)| item(slot, range.nth(n).into()))
                .collect())
        }
        Addresses::Listed { list, start } => {
            let addresses = list.addresses();
            let labels = Labels::of(host, link)?;
            let free = free_slots(link, parent, &labels, *start, addresses.len() as u64)?;
            Ok(addresses
                .zip(free)
                .map(|(address, slot)| item(slot, address.into()))
                .collect())
        }
    }
}

/// The lowest free slots from `start` on.
fn free_slots(
    link: &Link,
    parent: &Parent,
    labels: &Labels,
    start: u32,
    count: u64,
) -> Result<Vec<u32>> {
    refuse_over_limit(link, parent, count)?;
    let from = start.max(parent.lowest_free(start).unwrap_or(MAX_SLOTS));
    if count > u64::from(MAX_SLOTS.saturating_sub(from)) {
        return Err(no_slots(link, count, start));
    }
    let free: Vec<u32> = (from..MAX_SLOTS)
        .filter(|slot| parent.is_free(*slot) && !labels.have(*slot))
        .take(usize::try_from(count).unwrap_or(usize::MAX))
        .collect();
    if (free.len() as u64) < count {
        return Err(no_slots(link, count, start));
    }
    Ok(free)
}

/// A slot is a name: it may be any that the names of devices have room for.
fn refuse_no_slot(link: &Link, slot: u32) -> Result<()> {
    if slot < MAX_SLOTS {
        return Ok(());
    }
    Err(Refusal::new(
        alias_name(&link.name, slot),
        "add",
        format!("slots are below {MAX_SLOTS}"),
        libc::EINVAL,
    )
    .hint("nothing was added; use a lower slot"))
}

/// The limit counts aliases, whatever their slots are.
fn refuse_over_limit(link: &Link, parent: &Parent, wanted: u64) -> Result<()> {
    let limit = parent.limit();
    let fits = |taken: u32| wanted <= u64::from(limit.saturating_sub(taken));
    if fits(parent.records_end()) {
        return Ok(());
    }
    let taken = parent.count();
    if fits(taken) {
        return Ok(());
    }
    let (errno, reason) = match (limit, wanted) {
        (0, 1) => (libc::EINVAL, "its limit 0 allows no alias".to_owned()),
        _ => (
            libc::ENOSPC,
            format!("{wanted} more wanted, and it has {taken} aliases of its limit {limit}"),
        ),
    };
    let more = match limit < MAX_ALIASES {
        true => format!("raise it: alias-ctl set {} --max-aliases NUMBER", link.name),
        false => "make them on another device".into(),
    };
    let hint = match taken {
        0 => format!("nothing was added; {more}"),
        _ => format!("nothing was added; delete some, or {more}"),
    };
    Err(Refusal::new(&link.name, "add", reason, errno).hint(hint))
}

fn no_slots(link: &Link, wanted: u64, start: u32) -> Refusal {
    let (from, lower) = match start {
        0 => (String::new(), ""),
        _ => (format!(" from {start} on"), "begin lower (--start), or "),
    };
    Refusal::new(
        &link.name,
        "add",
        format!("{wanted} slots wanted{from}, and there are fewer free below {MAX_SLOTS}"),
        libc::ENOSPC,
    )
    .hint(format!(
        "nothing was added; {lower}make them on another device"
    ))
}

/// Those of the parent's own addresses that aliases are to get. A device may have
/// thousands, so that one address is asked for by itself.
fn own_addresses(
    host: &mut Host,
    link: &Link,
    vlan: Vlan,
    items: &[Item],
) -> Result<HashSet<IpAddr>> {
    let netlink = &mut host.netlink;
    Ok(match items {
        // No address of the parent's is in a VLAN.
        _ if vlan != Vlan::NONE => HashSet::new(),
        [item] => match item.address.ip() {
            Some(ip) if netlink.has_address(link.ifindex, ip)? => HashSet::from([ip]),
            _ => HashSet::new(),
        },
        _ => {
            let all = netlink.addresses(Some(link.ifindex))?;
            all.into_iter().map(|found| found.address).collect()
        }
    })
}

/// Refuses addresses that are another alias's, or the parent's own. An address
/// that the parent has already may be counted as `local`; it stays as it is. The
/// alias in the slot `exclude` is about to be changed, and does not count.
///
/// # Errors
///
/// EEXIST, naming who has it.
pub fn refuse_taken(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    wanted: &AliasRequest,
    items: &mut [Item],
    exclude: Option<u32>,
) -> Result<()> {
    let own = own_addresses(host, link, wanted.vlan, items)?;
    let object = |n: usize, address: Address| match &wanted.addresses {
        Addresses::Listed { list, .. } => list.object(n),
        _ => address.to_string(),
    };
    for (n, item) in items.iter_mut().enumerate() {
        if let Some(slot) = parent.slot_of(item.address, wanted.vlan)
            && Some(slot) != exclude
        {
            return Err(Refusal::new(
                object(n, item.address),
                "add",
                format!("it is the address of {}", alias_name(&link.name, slot)),
                libc::EEXIST,
            )
            .hint("nothing was added; give another address, or delete that alias first"));
        }
        if let Some(prefix) = item.address.prefix()
            && wanted.vlan == Vlan::NONE
            && wanted.target != Target::Local
            && let Some(address) = exposure::swallowed(host, link, parent, prefix, exclude)?
        {
            let reason = format!("{}'s own address {address} is in it", link.name);
            return Err(
                Refusal::new(prefix.to_string(), "add", reason, libc::EEXIST).hint(format!(
                    "nothing was added; an alias of its own goes before the prefix: alias-ctl add {} {address} --local",
                    link.name
                )),
            );
        }
        if item.address.ip().is_some_and(|ip| own.contains(&ip)) {
            if wanted.target != Target::Local {
                let hint = "count it where it is with --local, or take it away from the device";
                return Err(Refusal {
                    object: object(n, item.address),
                    ..own_address(link, item.address).hint(hint)
                });
            }
            item.assign = false;
        }
    }
    Ok(())
}

/// The batch of one that makes what a record says, as a change that was begun is
/// finished or taken back.
///
/// # Errors
///
/// What the record names is gone.
pub fn of_record(host: &mut Host, slot: u32, record: &Record) -> Result<Batch> {
    let placement = target::again(host, record)?;
    let item = Item {
        slot,
        address: address_of(record),
        assign: record.flags & Record::ADDRESSED != 0,
        tcp: record.tcp,
        past: Past::of(record),
    };
    Ok(Batch {
        items: vec![item],
        prefix_len: record.prefix_len,
        vlan: record.vlan(),
        placement,
        announce: record.flags & Record::ANNOUNCE != 0,
        hear: record.hear(),
        enabled: record.flags & Record::ENABLED != 0,
        declared: record.flags & Record::DECLARED != 0,
        deprecated: Some(record.flags & Record::DEPRECATED != 0),
    })
}
