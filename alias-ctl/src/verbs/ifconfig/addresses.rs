//! The addresses that a device has, whoever put them there.

use std::net::IpAddr;

use alias_common::key::Vlan;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::model::bits::network;
use crate::netlink::{Address, Link, Request, sysctl};
use crate::wiring::host::Host;

/// The device's own: not an alias's label, and so nobody's alias.
pub(super) fn is_own(link: &Link, address: &Address) -> bool {
    address
        .label
        .as_deref()
        .is_none_or(|label| label == link.name)
}

/// The address that `ifconfig eth0 …` means: the first IPv4 one that is the
/// device's own.
pub(super) fn own_address(host: &mut Host, link: &Link) -> Result<Option<Address>> {
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let parent = Parent::open(&host.directory, link.ifindex)?;
    let is_alias = |address: &Address| {
        // A long label is cut by nobody: such an alias has the device's.
        let slot = parent
            .as_ref()
            .and_then(|p| p.slot_of(address.address, Vlan::NONE));
        slot.is_some() && address.prefix_len == 32
    };
    let mut own = addresses
        .into_iter()
        .filter(|address| address.address.is_ipv4() && is_own(link, address));
    Ok(own.find(|address| !is_alias(address)))
}

pub(super) fn find(host: &mut Host, link: &Link, address: IpAddr) -> Result<Address> {
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let found = addresses.into_iter().find(|found| found.address == address);
    found.ok_or_else(|| absent(link, address))
}

/// The refusal for an address that is not there.
pub(super) fn absent(link: &Link, address: IpAddr) -> Refusal {
    Refusal::new(
        address.to_string(),
        "delete",
        format!("{} does not have it", link.name),
        libc::EADDRNOTAVAIL,
    )
    .hint(format!(
        "nothing was changed; list them: alias-ctl ifconfig {}",
        link.name
    ))
}

/// Removes one address and no other: without this the kernel removes all of the
/// same subnet that came after a subnet's first.
pub(super) fn remove(host: &mut Host, link: &Link, address: &Address) -> Result<()> {
    let subnet = |of: &Address| (of.prefix_len, network(of.address, of.prefix_len));
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let depend = !address.is_secondary()
        && addresses
            .iter()
            .any(|other| other.is_secondary() && subnet(other) == subnet(address));
    let _promotion = if depend { Promotion::of(link)? } else { None };
    Ok(host.netlink.run(Request::delete_address(&address.spec()))?)
}

/// Makes the kernel promote secondary addresses while it lives.
struct Promotion {
    path: String,
}

impl Promotion {
    /// `None`: it does so anyway.
    fn of(link: &Link) -> Result<Option<Promotion>> {
        let path = |of: &str| format!("ipv4/conf/{of}/promote_secondaries");
        let on = |path: &str| Ok::<_, Refusal>(sysctl::read(path)? != "0");
        let own = path(&link.name);
        if on(&own)? || on(&path("all"))? {
            return Ok(None);
        }
        sysctl::write(&own, "1")?;
        Ok(Some(Promotion { path: own }))
    }
}

impl Drop for Promotion {
    fn drop(&mut self) {
        // Left on, it spares an address one day; there is nobody to tell.
        let _ = sysctl::write(&self.path, "0");
    }
}
