//! `add`, `set` and `del` of an alias whose family has to be asked for: which types
//! there are is only known under the lock.

use alias_common::key::Vlan;

use crate::error::Result;
use crate::lifecycle::families::Named;
use crate::lifecycle::{add, change, delete, transaction};
use crate::model::address::Address;
use crate::model::alias_request::{Addresses, AliasRequest};
use crate::model::request::{Change, Spelled, TypedPlacement, Victims};
use crate::model::typed::Typed;
use crate::wiring::host::Host;

/// `alias-ctl add NAME ADDRESS --family FAMILY …`; loads the family when it is in
/// the types' directories.
///
/// # Errors
///
/// EAFNOSUPPORT for a family that is nowhere; those of [`add::add`].
pub fn add(name: &str, spelled: &Spelled, placement: &TypedPlacement) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    let named = Named::find(tx.host, &spelled.family, "add")?;
    let address = Typed::parse(&spelled.text, &named.row)?;
    let wanted = AliasRequest {
        addresses: Addresses::One {
            address: Address::Typed(address),
            slot: None,
        },
        prefix_len: address.bits,
        vlan: placement.vlan,
        hear: placement.hear,
        tcp: placement.tcp.clone(),
        target: placement.target.clone(),
        // No protocol would carry the news.
        announce: false,
    };
    named.registered_for(&mut tx, |tx| add::add(tx, name, &wanted))
}

/// `alias-ctl set NAME ADDRESS --family FAMILY …`.
///
/// # Errors
///
/// As for [`add`](fn@add), and those of [`change::set`].
pub fn set(name: &str, spelled: &Spelled, change: &Change) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    let named = Named::find(tx.host, &spelled.family, "set")?;
    let address = Typed::parse(&spelled.text, &named.row)?;
    let change = Change {
        address: Some((Address::Typed(address), Some(address.bits))),
        announce: false,
        ..change.clone()
    };
    named.registered_for(&mut tx, |tx| change::set(tx, name, &change))
}

/// `alias-ctl del DEVICE ADDRESS --family FAMILY`.
///
/// # Errors
///
/// EAFNOSUPPORT for a family that is nowhere; those of [`delete::delete`].
pub fn del(device: &str, spelled: &Spelled, vlan: Vlan) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    let named = Named::find(tx.host, &spelled.family, "delete")?;
    let address = Typed::parse(&spelled.text, &named.row)?;
    let victims = Victims::Address {
        device: device.to_owned(),
        address: Address::Typed(address),
        vlan,
    };
    delete::delete(&mut tx, &victims)
}
