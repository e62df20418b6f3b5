//! `--to`: devices that exist.

use alias_common::key::Vlan;
use alias_common::record::Target;

use crate::dataplane::{Parent, WriteLock};
use crate::error::{Refusal, Result};
use crate::netlink::Link;
use crate::wiring::host::Host;
use crate::wiring::redirect::{self, in_use_besides};
use crate::wiring::{peer, veth};

/// Checks a `--to` device and finds the MAC that its far side listens to.
///
/// # Errors
///
/// EINVAL for one that cannot be a target, EMSGSIZE for a small MTU, ENETDOWN,
/// EBUSY for one that serves another VLAN.
pub fn check(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    device: &Link,
    vlan: Vlan,
    mac: Option<[u8; 6]>,
    besides: Option<u32>,
) -> Result<Option<[u8; 6]>> {
    let refused =
        |reason: String, errno| Refusal::new(&device.name, "use as target", reason, errno);
    const ARPHRD_ETHER: u16 = 1;
    if device.hardware_type != ARPHRD_ETHER || veth::is_ours(device) {
        return Err(
            refused("it takes no Ethernet frames of others".into(), libc::EINVAL)
                .way_out("name a tap, a veth or a NIC; for an alias's device: --join"),
        );
    }
    if device.ifindex == link.ifindex {
        return Err(refused("it is the parent itself".into(), libc::EINVAL)
            .way_out("packets for the parent's own stack: --local"));
    }
    if device.mtu < link.mtu {
        return Err(refused(
            format!(
                "its MTU {} is below the parent's {}: larger frames would be lost",
                device.mtu, link.mtu
            ),
            libc::EMSGSIZE,
        )
        .way_out(format!("ip link set dev {} mtu {}", device.name, link.mtu)));
    }
    if !device.up {
        return Err(refused("it is down".into(), libc::ENETDOWN)
            .way_out(format!("ip link set dev {} up", device.name)));
    }
    let mac = match mac {
        Some(mac) => Some(mac),
        None => peer::prepare(host, device)?.filter(|mac| *mac != link.mac),
    };
    for key in 0..parent.targets() {
        let target = parent.target(key);
        if target.ifindex != device.ifindex || !in_use_besides(parent, key, besides) {
            continue;
        }
        let same_vlan = target.vlan_outer == vlan.outer() && target.vlan_inner == vlan.inner();
        if !same_vlan || target.mac != mac.unwrap_or_default() {
            return Err(refused(
                "aliases of another VLAN, or with another --mac, lead there".into(),
                libc::EBUSY,
            )
            .way_out("a device serves one VLAN and one MAC: use another device"));
        }
    }
    Ok(mac)
}

/// Lets aliases lead to the device that came back with the name of the one that is gone.
///
/// # Errors
///
/// As for [`check`], and what the kernel refused.
pub fn repoint(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    key: u32,
    device: &Link,
    lock: &WriteLock,
) -> Result<()> {
    let old = parent.target(key);
    let vlan = Vlan::new(old.vlan_outer, old.vlan_inner);
    let noted = (old.flags & Target::REWRITE != 0).then_some(old.mac);
    let mac = check(host, link, parent, device, vlan, None, None)?.or(noted);
    redirect::repoint(parent, key, device, mac, lock)
}
