//! `add`, `set` and `del` of an alias whose family has to be asked for: which types
//! there are is only known under the lock.

use alias_common::key::Vlan;

use crate::error::Result;
use crate::model::address::Address;
use crate::model::isno::TcpChange;
use crate::model::typed::Typed;
use crate::model::wish::{Addresses, Target, Wish};

use super::del::Victims;
use super::host::Host;
use super::types::Named;
use super::{Change, add, del, recover, set};

/// An address as a user spelled it, and the family it is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spelled {
    /// Name or number of the family.
    pub family: String,
    /// The address.
    pub text: String,
}

/// What a user wants of an alias beside its address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Placement {
    /// The VLAN it is scoped to.
    pub vlan: Vlan,
    /// TCP options, which are refused: TCP knows no such addresses.
    pub tcp: TcpChange,
    /// What happens to its packets.
    pub target: Target,
}

/// `alias-ctl add NAME ADDRESS --family FAMILY …`; loads the family when it is in
/// the types' directories.
///
/// # Errors
///
/// EAFNOSUPPORT for a family that is nowhere; those of [`add::add`].
pub fn add(name: &str, spelled: &Spelled, placement: &Placement) -> Result<()> {
    let mut host = Host::open()?;
    let lock = recover::begin(&mut host)?;
    let named = Named::find(&host, &spelled.family, "add")?;
    let address = Typed::parse(&spelled.text, &named.row)?;
    let wish = Wish {
        addresses: Addresses::One {
            address: Address::Typed(address),
            slot: None,
        },
        prefix_len: address.bits,
        vlan: placement.vlan,
        tcp: placement.tcp.clone(),
        target: placement.target.clone(),
        // No protocol would carry the news.
        announce: false,
    };
    named.registered_for(&mut host, &lock, |host| {
        add::add_under(host, &lock, name, &wish)
    })
}

/// `alias-ctl set NAME ADDRESS --family FAMILY …`.
///
/// # Errors
///
/// As for [`add`], and those of [`set::set`].
pub fn set(name: &str, spelled: &Spelled, change: &Change) -> Result<()> {
    let mut host = Host::open()?;
    let lock = recover::begin(&mut host)?;
    let named = Named::find(&host, &spelled.family, "set")?;
    let address = Typed::parse(&spelled.text, &named.row)?;
    let change = Change {
        address: Some((Address::Typed(address), Some(address.bits))),
        announce: false,
        ..change.clone()
    };
    named.registered_for(&mut host, &lock, |host| {
        set::set_under(host, &lock, name, &change)
    })
}

/// `alias-ctl del DEVICE ADDRESS --family FAMILY`.
///
/// # Errors
///
/// EAFNOSUPPORT for a family that is nowhere; those of [`del::del`].
pub fn del(device: &str, spelled: &Spelled, vlan: Vlan) -> Result<()> {
    let mut host = Host::open()?;
    let lock = recover::begin(&mut host)?;
    let named = Named::find(&host, &spelled.family, "delete")?;
    let address = Typed::parse(&spelled.text, &named.row)?;
    let victims = Victims::Address {
        device: device.to_owned(),
        address: Address::Typed(address),
        vlan,
    };
    del::del_under(&mut host, &lock, &victims)
}
