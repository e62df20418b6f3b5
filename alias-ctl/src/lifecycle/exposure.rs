//! Addresses of a parent's own that a prefix would take from it.

use std::net::IpAddr;

use alias_common::key::Vlan;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::name::alias_name;
use crate::model::prefix::Prefix;
use crate::netlink::Link;
use crate::wiring::host::Host;

/// The first of a parent's own addresses that a prefix would take away from it: no
/// alias keeps it. `exclude` is a slot to ignore: its alias is about to be changed.
///
/// # Errors
///
/// What the kernel said.
pub fn swallowed(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    prefix: Prefix,
    exclude: Option<u32>,
) -> Result<Option<IpAddr>> {
    let own = host.netlink.addresses(Some(link.ifindex))?;
    let mut inside = own
        .into_iter()
        .map(|found| found.address)
        .filter(|address| prefix.contains(*address));
    let change = Change {
        going: exclude.as_slice(),
        disabled: &[],
    };
    Ok(inside.find(|address| !change.leaves(parent, *address)))
}

/// Aliases that are about to be taken out of use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'a> {
    /// Those that go, or become others; sorted.
    pub going: &'a [u32],
    /// Those that are disabled; sorted.
    pub disabled: &'a [u32],
}

impl Change<'_> {
    fn goes(&self, slot: u32) -> bool {
        self.going.binary_search(&slot).is_ok()
    }

    /// Whether an address of the parent's is left to it: an alias of its own goes
    /// before every prefix, or took it along.
    fn leaves(&self, parent: &Parent, address: IpAddr) -> bool {
        let Some(slot) = parent.slot_of(address, Vlan::NONE) else {
            return false;
        };
        let record = parent.record(slot);
        if self.goes(slot) {
            return record.is(TargetKind::Local) && record.flags & Record::ADDRESSED != 0;
        }
        record.flags & Record::ENABLED != 0 && self.disabled.binary_search(&slot).is_err()
    }
}

/// The parent's own addresses that would be a prefix's after a change, each with the slot
/// of one. A prefix that is disabled counts: enabling it is not to be the step that cuts
/// the host off.
///
/// # Errors
///
/// What the kernel said.
pub fn exposed(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    change: Change<'_>,
) -> Result<Vec<(IpAddr, u32)>> {
    if parent.header().prefixes.is_empty() {
        return Ok(Vec::new());
    }
    let takers: Vec<(u32, Prefix)> = parent
        .live()
        .filter(|(slot, record)| {
            record.vlan() == Vlan::NONE && !record.is(TargetKind::Local) && !change.goes(*slot)
        })
        .filter_map(|(slot, record)| Some((slot, address_of(&record).prefix()?)))
        .collect();
    if takers.is_empty() {
        return Ok(Vec::new());
    }
    let own = host.netlink.addresses(Some(link.ifindex))?;
    let taken = own.into_iter().filter_map(|found| {
        let address = found.address;
        let taker = takers.iter().find(|(_, prefix)| prefix.contains(address))?;
        (!change.leaves(parent, address)).then_some((address, taker.0))
    });
    Ok(taken.collect())
}

/// Refuses a change after which a prefix would have an address of the parent's that now
/// an alias keeps. One that was a prefix's before stays one: it came later.
///
/// # Errors
///
/// EBUSY, naming the prefix.
pub fn refuse_exposing(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    operation: &str,
    change: Change<'_>,
) -> Result<()> {
    let after = exposed(host, link, parent, change)?;
    if after.is_empty() {
        return Ok(());
    }
    let before = exposed(host, link, parent, Change::default())?;
    newly_exposed(link, parent, operation, &before, &after)
}

/// The same with what was a prefix's before, and what is to be one's.
///
/// # Errors
///
/// As for [`refuse_exposing`].
pub fn newly_exposed(
    link: &Link,
    parent: &Parent,
    operation: &str,
    before: &[(IpAddr, u32)],
    after: &[(IpAddr, u32)],
) -> Result<()> {
    let was = |address| before.iter().any(|(known, _)| *known == address);
    let Some((address, taker)) = after.iter().find(|(address, _)| !was(*address)) else {
        return Ok(());
    };
    let keeper = parent.slot_of(*address, Vlan::NONE);
    let object = keeper.map_or_else(|| address.to_string(), |slot| alias_name(&link.name, slot));
    let taker_name = alias_name(&link.name, *taker);
    let reason = format!(
        "{}'s own address {address} would go to {taker_name}, which has prefix {}",
        link.name,
        address_of(&parent.record(*taker))
    );
    Err(
        Refusal::new(object, operation, reason, libc::EBUSY).hint(format!(
            "nothing was changed; delete the prefix first: alias-ctl del {taker_name}"
        )),
    )
}
