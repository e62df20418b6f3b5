//! In what form the address of a `local` alias stands on its parent.
//!
//! As a plain `ip addr add` would put it, with its own prefix length and broadcast, wherever
//! that leaves the host's own traffic alone. The first address of an IPv4 subnet is the
//! source of the host's traffic into it, so as long as the device has no address of its own
//! an alias stands apart: as a host address that no route takes for its source.

use std::net::{IpAddr, Ipv4Addr};

use alias_common::record::{Record, TargetKind};

use crate::dataplane::ParentMut;
use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::model::bits::bits;
use crate::netlink::{Address, AddressSpec, Link, hardware};

use super::host::Host;
use super::local_label::label_of;
use super::routes::IFAPROT_ALIAS;
use super::sysctl;

/// Metric of the route to a `local` alias's network: behind the operator's own.
pub(super) const ROUTE_METRIC: u32 = 1000;

/// An address that is put on the parent for an alias.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Assigned {
    /// The alias's slot.
    pub slot: u32,
    /// Its address.
    pub ip: IpAddr,
    /// Bits of its network.
    pub prefix_len: u8,
    /// Creation number; 0 for one that is being made.
    pub created: u64,
    /// The host is not to speak from it.
    pub deprecated: bool,
}

impl Assigned {
    /// That of a record; `None` where it has none, or others put it there.
    #[must_use]
    pub fn of(slot: u32, record: &Record) -> Option<Assigned> {
        let is_ours = record.is(TargetKind::Local) && record.flags & Record::ADDRESSED != 0;
        let ip = address_of(record).ip().filter(|_| is_ours)?;
        Some(Assigned {
            slot,
            ip,
            prefix_len: record.prefix_len,
            created: record.created,
            deprecated: record.flags & Record::DEPRECATED != 0,
        })
    }

    /// By age: those that are being made are the youngest.
    #[must_use]
    pub const fn age(&self) -> (u64, u32) {
        (self.created.wrapping_sub(1), self.slot)
    }

    /// The address, as it is wanted in a form.
    pub(super) fn spec(&self, link: &Link, form: Form) -> AddressSpec {
        let apart = form == Form::Apart && self.ip.is_ipv4();
        let prefix_len = if apart {
            bits(self.ip)
        } else {
            self.prefix_len
        };
        let broadcasts = link.flags & libc::IFF_BROADCAST.cast_unsigned() != 0;
        AddressSpec {
            ifindex: link.ifindex,
            address: self.ip,
            prefix_len,
            label: self.ip.is_ipv4().then(|| label_of(link, self.slot)),
            // Routes of IPv6 have their source from us: the kernel would take another.
            no_prefix_route: apart || self.ip.is_ipv6(),
            metric: self.ip.is_ipv4().then_some(ROUTE_METRIC),
            no_dad: true,
            deprecated: self.deprecated,
            host_scope: apart,
            broadcast: match self.ip {
                IpAddr::V4(ip) if broadcasts && prefix_len < 31 => {
                    Some(Ipv4Addr::from(u32::from(ip) | u32::MAX >> prefix_len))
                }
                _ => None,
            },
            protocol: IFAPROT_ALIAS,
        }
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// With its own prefix length.
    Whole,
    /// A host address, of host scope.
    Apart,
}

impl Form {
    /// The form of IPv4 addresses that are put on a parent now. Sees to it that they outlive
    /// the first of their subnet; where that cannot be had they stand apart.
    ///
    /// # Errors
    ///
    /// That of asking the kernel.
    pub(super) fn now(host: &mut Host, link: &Link, parent: ParentMut<'_>) -> Result<Form> {
        Ok(match has_own(host, link)? && keep(link, parent) {
            true => Form::Whole,
            false => Form::Apart,
        })
    }

    /// The form that an address has.
    #[must_use]
    pub fn of(address: &Address) -> Form {
        match address.is_source() || address.address.is_ipv6() {
            true => Form::Whole,
            false => Form::Apart,
        }
    }
}

/// Makes the kernel keep the other addresses of a subnet when the first of them goes; false
/// where it cannot be made to.
pub(super) fn keep(link: &Link, parent: ParentMut<'_>) -> bool {
    let changed = sysctl::promote(&link.name);
    if changed == Some(true) {
        parent.set_promotes(true);
    }
    changed.is_some()
}

/// Takes that back when no alias needs it any more.
pub(super) fn keep_no_more(link: &Link, parent: ParentMut<'_>) -> Result<()> {
    let is_noted = parent.header().flags & alias_common::header::Header::PROMOTES != 0;
    let needs_it = |(slot, record): (u32, Record)| {
        Assigned::of(slot, &record).is_some_and(|assigned| assigned.ip.is_ipv4())
    };
    if is_noted && !parent.live().any(needs_it) {
        sysctl::promote_no_more(&link.name)?;
        parent.set_promotes(false);
    }
    Ok(())
}

/// Whether a parent has an IPv4 address that is the host's own.
fn has_own(host: &mut Host, link: &Link) -> Result<bool> {
    // An address without a label of its own has the device's, and no alias has that: one
    // question, however many addresses there are.
    if hardware::has_label(&link.name)? {
        return Ok(true);
    }
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    Ok(addresses.iter().any(|found| is_own(link, found)))
}

/// Whether an address is none that was put there for an alias.
fn is_own(link: &Link, address: &Address) -> bool {
    let label = address.label.as_deref();
    let is_ours = match address.protocol {
        0 => {
            address.is_quiet() && label.is_some_and(|it| super::local_label::is_label_of(link, it))
        }
        by => by == IFAPROT_ALIAS,
    };
    address.is_source() && !is_ours
}
