//! Names that look like an alias's and are none here: labels that other tools give to
//! addresses, and those that a user would like to give. They are refused with the command
//! that does it.

use std::net::IpAddr;

use crate::error::{Refusal, Result};
use crate::model::ifconfig::{AddressChange, Configure, Given, Length};
use crate::netlink::{Address, Link};
use crate::wiring::host::Host;

/// The refusal to change what others labelled.
pub(super) fn of_others(link: &Link, address: &Address, asked: &Configure) -> Refusal {
    let there = format!("{}/{}", address.address, address.prefix_len);
    let refusal = Refusal::new(
        &asked.name,
        "ifconfig",
        format!("it is no slot, but the label that others gave to {there}"),
        libc::ENODEV,
    );
    let goes = asked.link.up == Some(false);
    let way = match asked.address {
        Some(AddressChange::Assign(given)) => by_hand(link, &asked.name, &given),
        None if !goes => format!("name the device: {}", link.name),
        Some(
            AddressChange::Add(_)
            | AddressChange::AddFirst(_)
            | AddressChange::AddLogical(_)
            | AddressChange::Remask(..),
        ) => format!("name the device: {}", link.name),
        _ => format!("others made it: ip addr del {there} dev {}", link.name),
    };
    refusal.hint(format!("nothing was changed; {way}"))
}

/// The refusal for a name that is none, with what gives an address such a label.
pub(super) fn of_nobody(host: &mut Host, asked: &Configure, refusal: Refusal) -> Result<Refusal> {
    let refusal = Refusal {
        object: asked.name.clone(),
        ..refusal
    };
    let Some((device, suffix)) = asked.name.split_once(':') else {
        return Ok(refusal);
    };
    let is_label =
        asked.name.len() < libc::IFNAMSIZ && suffix.starts_with(|c: char| c.is_ascii_alphabetic());
    let (true, Some(AddressChange::Assign(given))) = (is_label, asked.address) else {
        return Ok(refusal);
    };
    let Some(link) = host.netlink.link_by_name(device)? else {
        return Ok(refusal);
    };
    let way = by_hand(&link, &asked.name, &given);
    Ok(refusal.hint(format!(
        "nothing was changed; an alias is {device}:NUMBER; a label of your own: {way}"
    )))
}

/// Refuses aliases of the loopback device: no packet comes in by it from elsewhere.
pub(super) fn refuse_loopback(link: &Link, name: &str, given: &Given) -> Result<()> {
    if link.flags & libc::IFF_LOOPBACK.cast_unsigned() == 0 {
        return Ok(());
    }
    Err(Refusal::new(
        name,
        "ifconfig",
        "packets for an address of the loopback device come in by others: there is nothing to count",
        libc::EOPNOTSUPP,
    )
    .hint(format!(
        "nothing was changed; do it with: {}",
        by_hand(link, name, given)
    )))
}

/// What gives a device an address with a label.
fn by_hand(link: &Link, name: &str, given: &Given) -> String {
    let (Length::Said(length) | Length::Usual(length) | Length::Known(length)) = given.length;
    let add = format!("ip addr add {}/{length} dev {}", given.address, link.name);
    match given.address {
        IpAddr::V4(_) if name != link.name => format!("{add} label {name}"),
        _ => add,
    }
}
