//! `--local`: the parent's own stack.

use alias_common::key::Vlan;
use alias_common::record::Record;

use crate::dataplane::ParentMut;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::alias_request::{Addresses, AliasRequest};
use crate::netlink::Link;
use crate::wiring::batch::{Batch, Placement};
use crate::wiring::host::Host;
use crate::wiring::transaction::On;
use crate::wiring::{local, local_route};

use super::lead::Lead;

/// Refuses what the parent's stack cannot have.
///
/// # Errors
///
/// EINVAL for a VLAN, EOPNOTSUPP for an address that is not of IP.
pub fn check(link: &Link, wanted: &AliasRequest) -> Result<Placement> {
    if wanted.vlan != Vlan::NONE {
        return Err(Refusal::new(
            &link.name,
            "add",
            "a local alias cannot be scoped to a VLAN: the parent's stack has no address there",
            libc::EINVAL,
        )
        .hint("give it a device: --device"));
    }
    let is_typed = matches!(
        wanted.addresses,
        Addresses::One {
            address: Address::Typed(_),
            ..
        }
    );
    if is_typed {
        return Err(Refusal::new(
            &link.name,
            "add",
            "only an IP alias can be local: the parent's stack has no address of this family",
            libc::EOPNOTSUPP,
        )
        .hint("give it a device: --device; or another one: --to DEV"));
    }
    Ok(Placement::Local)
}

/// Puts the addresses on the parent.
///
/// # Errors
///
/// What the kernel refused.
pub fn wire(on: &mut On<'_>, batch: &Batch) -> Result<Lead> {
    local::assign(on, batch)?;
    Ok(Lead::nowhere())
}

/// Whether the address is there, and the route to its network.
///
/// # Errors
///
/// What the kernel said when it was asked.
pub fn is_intact(host: &mut Host, link: &Link, record: &Record) -> Result<bool> {
    match address_of(record).ip() {
        Some(address) => Ok(host.netlink.has_address(link.ifindex, address)?
            && local::has_route(host, link, record)?),
        None => local_route::have_routes(host, link, std::iter::once(record)),
    }
}

/// Takes the addresses off the parent.
///
/// # Errors
///
/// What the kernel refused.
pub fn unwire(
    host: &mut Host,
    link: &Link,
    parent: ParentMut<'_>,
    going: &[(u32, Record)],
) -> Result<()> {
    local::unassign(host, link, parent, going)
}
