//! Which way packets leave by an alias.
//!
//! A route through an alias carries the alias's address as its preferred source:
//! what is sent by it is the alias's, and counted for it.

use std::net::IpAddr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::lifecycle::refusals::no_such_alias;
use crate::model::name::{AliasName, alias_name};
use crate::wiring::host::Host;
use crate::wiring::routes::RTPROT_ALIAS;
use crate::wiring::veth;

/// What the historic `route` leaves on a route of the operator's own.
const RTPROT_BOOT: u8 = 3;

/// How a route leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The device; `None`: the one that its gateway is reached by.
    pub(super) ifindex: Option<u32>,
    /// The alias's address; `None`: through no alias.
    pub(super) source: Option<IpAddr>,
    /// The device serves others too, and only the source tells the routes apart.
    pub(super) is_shared: bool,
}

impl Way {
    /// No device was named.
    pub(super) const UNNAMED: Way = Way {
        ifindex: None,
        source: None,
        is_shared: false,
    };

    pub(super) const fn protocol(self) -> u8 {
        match self.source {
            Some(_) => RTPROT_ALIAS,
            None => RTPROT_BOOT,
        }
    }
}

/// Finds what a user named: `eth0:0` is an alias, or a device that answers to
/// that name, and never `eth0`; a name without a colon is a device's.
///
/// # Errors
///
/// ENODEV for neither, EOPNOTSUPP for an alias that nothing can be sent by from
/// here, EAFNOSUPPORT for one that is not of the destination's family.
pub(super) fn find(host: &mut Host, name: &str, destination: IpAddr) -> Result<Way> {
    let device = |ifindex| Way {
        ifindex: Some(ifindex),
        ..Way::UNNAMED
    };
    if !name.contains(':') {
        return Ok(device(host.link(name, "route")?.ifindex));
    }
    let parsed = AliasName::parse(name)?;
    if let Some(link) = host.netlink.link_by_name(&parsed.parent)?
        && let Some(slot) = parsed.slot
        && let Some(parent) = Parent::open(&host.directory, link.ifindex)?
    {
        if !parent.is_live(slot) {
            return Err(no_such_alias(&link, slot, "route"));
        }
        let name = alias_name(&link.name, slot);
        return by_alias(host, &name, link.ifindex, &parent.record(slot), destination);
    }
    // In the namespace that an alias's device was put into its parent is not.
    match host.netlink.link_by_name(name)? {
        Some(link) => Ok(device(link.ifindex)),
        None => Err(Refusal::new(
            name,
            "route",
            "no such alias, and no such device",
            libc::ENODEV,
        )
        .hint("list them: alias-ctl show, ip link")),
    }
}

fn by_alias(
    host: &mut Host,
    name: &str,
    parent: u32,
    record: &Record,
    destination: IpAddr,
) -> Result<Way> {
    let refused = |reason: &str, errno| Refusal::new(name, "route", reason, errno);
    let address = address_of(record);
    if address.prefix().is_some() {
        return Err(refused(
            "it is a prefix, and has no address of its own to send from",
            libc::EOPNOTSUPP,
        )
        .hint("name the source yourself: ip route add … dev … src ADDRESS"));
    }
    let source = address
        .ip()
        .filter(|source| source.is_ipv4() == destination.is_ipv4())
        .ok_or_else(|| {
            refused(
                &format!("its address {address} is of another family than {destination}"),
                libc::EAFNOSUPPORT,
            )
            .hint("name an alias with an address of the destination's family")
        })?;
    let kind = record.kind();
    let ifindex = match kind {
        Some(TargetKind::Local) => parent,
        Some(TargetKind::Device | TargetKind::Join) if record.netns_cookie != 0 => {
            return Err(refused(
                "its device is in another network namespace, which has its own routes",
                libc::EOPNOTSUPP,
            )
            .hint(format!(
                "call it there, or: ip -n NAMESPACE route add … dev {name}"
            )));
        }
        Some(TargetKind::Device | TargetKind::Join) => {
            // A number may be another device's by now.
            let found = host.netlink.link_by_index(record.device_ifindex)?;
            found
                .filter(veth::is_ours)
                .ok_or_else(|| {
                    refused("its device is gone", libc::ENODEV)
                        .hint("delete the alias and add it again")
                })?
                .ifindex
        }
        Some(TargetKind::To) => {
            return Err(refused(
                "its packets are another device's, whose owner sends them",
                libc::EOPNOTSUPP,
            )
            .hint("the route belongs behind that device, or give the alias a device: --device"));
        }
        Some(TargetKind::Drop) | None => {
            return Err(
                refused("it drops its packets and sends none", libc::EOPNOTSUPP)
                    .hint(format!("give it a way out: alias-ctl set {name} --device")),
            );
        }
    };
    Ok(Way {
        ifindex: Some(ifindex),
        source: Some(source),
        is_shared: kind != Some(TargetKind::Device),
    })
}
