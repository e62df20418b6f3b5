//! Labels of `local` aliases of IPv4: what other tools call them.

use std::net::IpAddr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::model::name::alias_name;
use crate::netlink::outcome::all_gone;
use crate::netlink::{Link, Request};

use super::host::Host;

/// What other tools call an alias of IPv4: by its name, where that fits. An address
/// without a label of its own has the device's, and the old `ifconfig DEVICE` would take it
/// for the device's own.
pub(super) fn label_of(link: &Link, slot: u32) -> String {
    let fits = |label: &String| label.len() < libc::IFNAMSIZ;
    let labels = [
        alias_name(&link.name, slot),
        alias_name(&short_name(link), slot),
    ];
    labels.into_iter().find(fits).unwrap_or_else(|| {
        // As the kernel does when a device is renamed.
        let end = format!(":{slot}");
        let room = libc::IFNAMSIZ - 1 - end.len();
        let name: String = link.name.chars().take(room).collect();
        name + &end
    })
}

/// A name of a parent whose own is too long for labels of its aliases: other tools cut a
/// label at its colon and ask for the device that is before it.
fn short_name(link: &Link) -> String {
    format!("al{}", link.ifindex)
}

/// Whether a label may be that of an alias of this device.
pub(super) fn is_label_of(link: &Link, label: &str) -> bool {
    label.rsplit_once(':').is_some_and(|(name, slot)| {
        let is_slot = !slot.is_empty() && slot.bytes().all(|byte| byte.is_ascii_digit());
        is_slot && (link.name.starts_with(name) || short_name(link) == name)
    })
}

/// Takes the short name away of a parent that has no aliases any more.
pub(super) fn forget_short_name(host: &mut Host, link: &Link) -> Result<()> {
    let short = short_name(link);
    if !link.altnames.contains(&short) {
        return Ok(());
    }
    let request = Request::del_altname(link.ifindex, &short);
    Ok(all_gone(host.netlink.batch(&[request])?)?)
}

/// Whether an alias's label needs the parent's short name.
fn needs_short_name(link: &Link, slot: u32, address: IpAddr) -> bool {
    address.is_ipv4() && alias_name(&link.name, slot).len() >= libc::IFNAMSIZ
}

/// Gives the parent its short name if one of these aliases needs it.
pub(super) fn name_shortly(
    host: &mut Host,
    link: &Link,
    mut aliases: impl Iterator<Item = (u32, IpAddr)>,
) -> Result<()> {
    let short = short_name(link);
    if link.answers_to(&short) || !aliases.any(|(slot, ip)| needs_short_name(link, slot, ip)) {
        return Ok(());
    }
    match host.netlink.run(Request::add_altname(link.ifindex, &short)) {
        // Another device's, or given meanwhile: the label is one all the same.
        Err(error) if error.errno() == libc::EEXIST => Ok(()),
        named => Ok(named?),
    }
}

/// Takes the short name away with the last alias that needed it.
pub(super) fn name_no_more(host: &mut Host, link: &Link, parent: &Parent) -> Result<()> {
    let short = short_name(link);
    let is_needed = |(slot, record): (u32, Record)| {
        let ip = address_of(&record).ip();
        record.is(TargetKind::Local) && ip.is_some_and(|ip| needs_short_name(link, slot, ip))
    };
    if !link.altnames.contains(&short) || parent.live().any(is_needed) {
        return Ok(());
    }
    let request = Request::del_altname(link.ifindex, &short);
    Ok(all_gone(host.netlink.batch(&[request])?)?)
}
