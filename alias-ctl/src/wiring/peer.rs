//! The far end of a veth that `--to` names: it must take redirected frames, and
//! it has a MAC of its own that they must carry.

use crate::error::Result;
use crate::netlink::{Conversation, Link, Netns, hardware};

use super::host::Host;

/// Makes a veth's far end take redirected frames, which carry its MAC, or have `mac`.
/// Nothing is done when the device is no veth, its far end is in a namespace without a
/// name, or the frames are for another MAC.
///
/// A veth whose far end has neither GRO nor XDP on drops every redirected frame
/// without a trace (`veth_xdp_xmit`).
///
/// # Errors
///
/// That of turning GRO on.
pub fn prepare(host: &mut Host, device: &Link, mac: Option<[u8; 6]>) -> Result<()> {
    let Some((peer, netns)) = find(host, device)? else {
        return Ok(());
    };
    if mac.is_some_and(|mac| mac != peer.mac) {
        return Ok(());
    }
    let set_gro = || hardware::set_gro(&peer.name, true);
    match netns {
        Some(netns) => netns.within(set_gro)??,
        None => set_gro()?,
    }
    Ok(())
}

/// The MAC of a veth's far end; `None` when the device is no veth, or its far end is in a
/// namespace without a name.
///
/// # Errors
///
/// What the kernel said when it was asked.
pub fn mac(host: &mut Host, device: &Link) -> Result<Option<[u8; 6]>> {
    Ok(find(host, device)?.map(|(peer, _)| peer.mac))
}

/// A veth's far end, and its namespace if that is another.
fn find(host: &mut Host, device: &Link) -> Result<Option<(Link, Option<Netns>)>> {
    if device.kind.as_deref() != Some("veth") {
        return Ok(None);
    }
    let Some(ifindex) = device.link_ifindex else {
        return Ok(None);
    };
    if device.link_netnsid.is_none() {
        let peer = host.netlink.link_by_index(ifindex)?;
        return Ok(peer.map(|peer| (peer, None)));
    }
    for netns in Netns::all() {
        if host.netlink.netns_id(&netns)? != device.link_netnsid {
            continue;
        }
        let peer = Conversation::open_in(&netns)?.link_by_index(ifindex)?;
        return Ok(peer.map(|peer| (peer, Some(netns))));
    }
    Ok(None)
}
