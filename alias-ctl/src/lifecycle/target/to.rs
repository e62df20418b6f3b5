//! `--to`: a device that exists.

use alias_common::key::Vlan;
use alias_common::record::{Record, Target};

use crate::dataplane::{Parent, ParentMut, header};
use crate::error::{Refusal, Result};
use crate::model::alias_request::Target as Named;
use crate::model::declaration::Mode;
use crate::model::word::mac_word;
use crate::netlink::Link;
use crate::wiring::batch::{Batch, Placement};
use crate::wiring::host::Host;
use crate::wiring::redirect::{self, in_use_except};
use crate::wiring::transaction::On;
use crate::wiring::{peer, veth};

use super::lead::Lead;

/// Finds the device, and the MAC that its far side listens to. The alias in the slot
/// `exclude` is about to be changed, and does not stand in its own way.
///
/// # Errors
///
/// ENODEV for a device that is not there, EINVAL for one that cannot be a target,
/// EMSGSIZE for a small MTU, ENETDOWN, EBUSY for one that serves another VLAN.
pub fn check(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    (name, mac): (&str, Option<[u8; 6]>),
    vlan: Vlan,
    exclude: Option<u32>,
) -> Result<Placement> {
    let device = host.link(name, "use as target")?;
    let mac = check_device(host, link, parent, &device, vlan, mac, exclude)?;
    Ok(Placement::To(Box::new(device), mac))
}

/// The same of a device that is there; returns the MAC.
fn check_device(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    device: &Link,
    vlan: Vlan,
    mac: Option<[u8; 6]>,
    exclude: Option<u32>,
) -> Result<Option<[u8; 6]>> {
    let refused =
        |reason: String, errno| Refusal::new(&device.name, "use as target", reason, errno);
    const ARPHRD_ETHER: u16 = 1;
    if device.hardware_type != ARPHRD_ETHER || veth::is_ours(device) {
        return Err(
            refused("it takes no Ethernet frames of others".into(), libc::EINVAL)
                .hint("name a tap, a veth or a NIC; for an alias's device: --join"),
        );
    }
    if device.ifindex == link.ifindex {
        return Err(refused("it is the parent itself".into(), libc::EINVAL)
            .hint("packets for the parent's own stack: --local"));
    }
    if device.mtu < link.mtu {
        return Err(refused(
            format!(
                "its MTU {} is below the parent's {}: larger frames would be lost",
                device.mtu, link.mtu
            ),
            libc::EMSGSIZE,
        )
        .hint(format!("ip link set dev {} mtu {}", device.name, link.mtu)));
    }
    if redirect::fragments_are_lost(link, parent) {
        return Err(redirect::fragments_stay(link));
    }
    if !device.up {
        return Err(refused("it is down".into(), libc::ENETDOWN)
            .hint(format!("ip link set dev {} up", device.name)));
    }
    let mac = match mac {
        Some(mac) => Some(mac),
        None => peer::mac(host, device)?.filter(|mac| *mac != link.mac),
    };
    for key in 0..parent.targets() {
        let target = parent.target(key);
        if target.ifindex != device.ifindex || !in_use_except(parent, key, exclude) {
            continue;
        }
        let same_vlan = target.vlan_outer == vlan.outer() && target.vlan_inner == vlan.inner();
        if !same_vlan || target.mac != mac.unwrap_or_default() {
            return Err(if same_vlan {
                let there = match target.mac {
                    [0, 0, 0, 0, 0, 0] => "without another MAC".into(),
                    mac => format!("with the MAC {}", mac_word(mac)),
                };
                refused(format!("aliases lead there {there}"), libc::EBUSY).hint(
                    "a device serves one MAC: give that one, delete those aliases first, or use another device",
                )
            } else {
                refused("aliases of another VLAN lead there".into(), libc::EBUSY)
                    .hint("a device serves one VLAN: use another device")
            });
        }
    }
    Ok(mac)
}

/// What a record says once more.
///
/// # Errors
///
/// ENODEV when the device is gone.
pub fn again(host: &mut Host, record: &Record) -> Result<Placement> {
    let device = device_of(host, record)?;
    Ok(Placement::To(Box::new(device), mac_of(record)))
}

/// What a user would have to name.
///
/// # Errors
///
/// ENODEV when the device is gone.
pub fn named(host: &mut Host, record: &Record) -> Result<Named> {
    Ok(Named::To {
        device: device_of(host, record)?.name,
        mac: mac_of(record),
    })
}

/// The device that an alias leads to.
fn device_of(host: &mut Host, record: &Record) -> Result<Link> {
    host.netlink
        .link_by_index(record.port_ifindex)?
        .ok_or_else(|| {
            let device = format!("device {}", record.port_ifindex);
            Refusal::new(device, "use as target", "it is gone", libc::ENODEV)
        })
}

fn mac_of(record: &Record) -> Option<[u8; 6]> {
    (record.mac != [0; 6]).then_some(record.mac)
}

/// Writes the target into a record.
pub fn record(record: &mut Record, device: &Link, mac: Option<[u8; 6]>) {
    record.port_ifindex = device.ifindex;
    record.mac = mac.unwrap_or_default();
}

/// Whether a record leads to a device.
#[must_use]
pub const fn same(record: &Record, device: &Link) -> bool {
    record.port_ifindex == device.ifindex
}

/// Finds or makes the device's key.
///
/// # Errors
///
/// ENOSPC when all keys are taken; what the kernel refused.
pub fn wire(on: &mut On<'_>, batch: &Batch, device: &Link, mac: Option<[u8; 6]>) -> Result<Lead> {
    let key = redirect::register(on.parent, batch, device, mac)?;
    // The last that can be refused: whoever is refused finds the far end as it was.
    if takes_from_xdp(&on.parent) {
        peer::prepare(on.host, device, mac)?;
    }
    Ok(Lead::to(key))
}

/// Whether the device is there.
///
/// # Errors
///
/// What the kernel said when it was asked.
pub fn is_intact(host: &mut Host, record: &Record) -> Result<bool> {
    Ok(host.netlink.link_by_index(record.port_ifindex)?.is_some())
}

/// Frees the keys that nothing leads to any more.
///
/// # Errors
///
/// What the kernel refused.
pub fn unwire(parent: ParentMut<'_>, going: &[(u32, Record)]) -> Result<()> {
    redirect::release(parent, going)
}

/// Lets aliases lead to the device that came back with the name of the one that is gone.
///
/// # Errors
///
/// As for [`check`], and what the kernel refused.
pub fn repoint(on: &mut On<'_>, key: u32, device: &Link) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let old = parent.target(key);
    let vlan = Vlan::new(old.vlan_outer, old.vlan_inner);
    let noted = (old.flags & Target::REWRITE != 0).then_some(old.mac);
    let mac = check_device(on.host, link, &parent, device, vlan, None, None)?.or(noted);
    redirect::repoint(parent, key, device, mac)?;
    match takes_from_xdp(&parent) {
        true => peer::prepare(on.host, device, mac),
        false => Ok(()),
    }
}

/// Whether devices are given frames by XDP, which a veth takes on a condition.
fn takes_from_xdp(parent: &Parent) -> bool {
    header::mode(&parent.header()) != Mode::Tc
}
