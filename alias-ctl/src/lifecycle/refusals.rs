//! Refusals that several changes have in common.

use crate::error::Refusal;
use crate::model::address::Address;
use crate::model::name::alias_name;
use crate::netlink::Link;

/// The refusal for an alias that is not there.
#[must_use]
pub fn no_such_alias(link: &Link, slot: u32, operation: &str) -> Refusal {
    Refusal::new(
        alias_name(&link.name, slot),
        operation,
        "no such alias",
        libc::ENODEV,
    )
    .hint(format!("list them: alias-ctl show {}", link.name))
}

/// The refusal for a device where an alias is wanted.
#[must_use]
pub fn device_not_alias(name: &str, operation: &str) -> Refusal {
    Refusal::new(
        name,
        operation,
        "that is a device, not an alias",
        libc::EINVAL,
    )
    .hint(format!("name an alias: {name}:0"))
}

/// The refusal for a parent that is down: NET_ALIAS answered EIO.
#[must_use]
pub fn parent_down(link: &Link, operation: &str) -> Refusal {
    Refusal::new(&link.name, operation, "the device is down", libc::EIO)
        .hint(format!("bring it up: ip link set dev {} up", link.name))
}

/// The refusal for an address that is the parent's, whoever put it there.
#[must_use]
pub fn own_address(link: &Link, address: Address) -> Refusal {
    Refusal::new(
        address.to_string(),
        "add",
        format!("it is {}'s own address", link.name),
        libc::EEXIST,
    )
}
