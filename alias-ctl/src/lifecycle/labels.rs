//! Labels of addresses: what other tools call an alias. A slot whose name one of them
//! gave to an address is taken, for both would mean the same `eth0:0`.

use std::collections::HashSet;
use std::net::IpAddr;

use alias_common::key::Vlan;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::alias_request::{AliasRequest, Target};
use crate::model::declaration::Run;
use crate::model::name::{AliasName, alias_name};
use crate::model::plan::Live;
use crate::netlink::{self, Link, hardware};
use crate::wiring::host::Host;

/// The slots of a parent whose names are labels on it; of its aliases too.
pub(super) struct Labels(HashSet<u32>);

impl Labels {
    /// Reads them all.
    pub(super) fn of(host: &mut Host, link: &Link) -> Result<Labels> {
        let addresses = host.netlink.addresses(Some(link.ifindex))?;
        let slots = addresses.iter().filter_map(|found| slot_of(found, link));
        Ok(Labels(slots.collect()))
    }

    /// Whether a slot's name is one.
    pub(super) fn have(&self, slot: u32) -> bool {
        self.0.contains(&slot)
    }
}

/// The lowest slot that is neither an alias's nor the name of what others made.
pub(super) fn lowest_free(link: &Link, parent: &Parent) -> Result<Option<u32>> {
    let mut next = 0;
    while let Some(slot) = parent.lowest_free(next) {
        if !hardware::has_label(&alias_name(&link.name, slot))? {
            return Ok(Some(slot));
        }
        next = slot + 1;
    }
    Ok(None)
}

/// Refuses a slot whose name others gave to an address, unless that very address is to
/// be counted there.
///
/// # Errors
///
/// EEXIST, naming the address.
pub(super) fn refuse_used(
    host: &mut Host,
    link: &Link,
    slot: u32,
    address: Address,
    wanted: &AliasRequest,
) -> Result<()> {
    let name = alias_name(&link.name, slot);
    if !hardware::has_label(&name)? {
        return Ok(());
    }
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let mut labelled = addresses
        .iter()
        .filter(|found| found.label.as_deref() == Some(name.as_str()));
    let takes_over = wanted.target == Target::Local && wanted.vlan == Vlan::NONE;
    if takes_over
        && labelled
            .clone()
            .any(|found| address.ip() == Some(found.address))
    {
        return Ok(());
    }
    let Some(found) = labelled.next() else {
        return Ok(());
    };
    Err(used(&name, "add", found).hint(format!(
        "nothing was added; name another slot, or only {0}; or take that address over: \
         alias-ctl add {name} {1}/{2} --local",
        link.name, found.address, found.prefix_len
    )))
}

/// The same for aliases that a configuration makes, beside those that are live, by slot.
///
/// # Errors
///
/// EEXIST, naming the first such address and the line of the alias.
pub(super) fn refuse_declared(
    host: &mut Host,
    link: &Link,
    make: &[Run],
    live: &[Live],
) -> Result<()> {
    if make.is_empty() {
        return Ok(());
    }
    let is_aliass = |slot: u32, ip: IpAddr| {
        let at = live.binary_search_by_key(&slot, |alias| alias.slot);
        at.is_ok_and(|at| live[at].address.ip() == Some(ip))
    };
    for found in host.netlink.addresses(Some(link.ifindex))? {
        let Some(slot) = slot_of(&found, link) else {
            continue;
        };
        if is_aliass(slot, found.address) {
            continue;
        }
        let Some(run) = make.iter().find(|run| run.contains(slot)) else {
            continue;
        };
        let properties = &run.properties;
        let takes_over = properties.target == Target::Local
            && properties.vlan == Vlan::NONE
            && run.address(slot).ip() == Some(found.address);
        if !takes_over {
            return Err(used(&alias_name(&link.name, slot), "apply", &found)
                .hint("nothing was changed; declare another slot; or that address in this one, with target = \"local\", which takes it over")
                .at_line(run.line));
        }
    }
    Ok(())
}

fn used(name: &str, operation: &str, found: &netlink::Address) -> Refusal {
    let (address, len) = (found.address, found.prefix_len);
    let reason = format!("others gave this name to {address}/{len}");
    Refusal::new(name, operation, reason, libc::EEXIST)
}

/// The slot whose name is the label of an address.
fn slot_of(found: &netlink::Address, link: &Link) -> Option<u32> {
    let name = AliasName::parse(found.label.as_deref()?).ok()?;
    name.slot.filter(|_| name.parent == link.name)
}
