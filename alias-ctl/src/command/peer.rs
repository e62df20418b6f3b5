//! The far end of a veth that `--to` names: it must take redirected frames, and
//! it has a MAC of its own that they must carry.

use crate::error::Result;
use crate::netlink::{Conversation, Link, Netns, hardware};

use super::host::Host;

/// Makes a veth's far end take redirected frames, and returns its MAC. `None`
/// when the device is no veth, or its far end is in a namespace without a name.
///
/// A veth whose far end has neither GRO nor XDP on drops every redirected frame
/// without a trace (`veth_xdp_xmit`).
///
/// # Errors
///
/// That of turning GRO on.
pub fn prepare(host: &mut Host, device: &Link) -> Result<Option<[u8; 6]>> {
    if device.kind.as_deref() != Some("veth") {
        return Ok(None);
    }
    let Some(ifindex) = device.link_ifindex else {
        return Ok(None);
    };
    if device.link_netnsid.is_none() {
        let Some(peer) = host.netlink.link_by_index(ifindex)? else {
            return Ok(None);
        };
        hardware::set_gro(&peer.name, true)?;
        return Ok(Some(peer.mac));
    }
    for netns in Netns::all() {
        if host.netlink.netns_id(&netns)? != device.link_netnsid {
            continue;
        }
        let mut there = Conversation::open_in(&netns)?;
        let Some(peer) = there.link_by_index(ifindex)? else {
            return Ok(None);
        };
        netns.within(|| hardware::set_gro(&peer.name, true))??;
        return Ok(Some(peer.mac));
    }
    Ok(None)
}
