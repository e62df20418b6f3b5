//! Labels of addresses: what other tools call an alias. A slot whose name one of them
//! gave to an address is taken, for both would mean the same `eth0:0`.

use std::collections::HashSet;

use alias_common::key::Vlan;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::alias_request::{AliasRequest, Target};
use crate::model::name::{AliasName, alias_name};
use crate::netlink::{Link, hardware};
use crate::wiring::host::Host;

/// The slots of a parent whose names are labels on it; of its aliases too.
pub(super) struct Labels(HashSet<u32>);

impl Labels {
    /// Reads them all.
    pub(super) fn of(host: &mut Host, link: &Link) -> Result<Labels> {
        let addresses = host.netlink.addresses(Some(link.ifindex))?;
        let slots = addresses.iter().filter_map(|address| {
            let name = AliasName::parse(address.label.as_deref()?).ok()?;
            name.slot.filter(|_| name.parent == link.name)
        });
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
    Err(Refusal::new(
        &name,
        "add",
        format!(
            "others gave this name to {}/{}",
            found.address, found.prefix_len
        ),
        libc::EEXIST,
    )
    .hint(format!(
        "nothing was added; name another slot, or only {0}; or take that address over: \
         alias-ctl add {name} {1}/{2} --local",
        link.name, found.address, found.prefix_len
    )))
}
