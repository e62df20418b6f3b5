//! Who hears what the link says to everybody: the list that the datapath reads, and a NIC that
//! takes the multicast which nobody of the host has joined.

use alias_common::header::Header;

use crate::dataplane::{Parent, ParentMut};
use crate::error::Result;
use crate::netlink::{Conversation, Link, Request};

use super::host::Host;

/// `IFF_ALLMULTI` of linux/if.h.
const ALL_MULTICAST: u32 = libc::IFF_ALLMULTI.cast_unsigned();

/// Makes both what the records say. `link` is the parent; `None` when it is gone.
///
/// # Errors
///
/// What the kernel refused.
pub fn follow(host: &mut Host, link: Option<&Link>, parent: ParentMut<'_>) -> Result<()> {
    parent.list_hearers();
    let Some(link) = link else { return Ok(()) };
    let needed = parent.hearers().any(|hearer| hearer.hears_multicast());
    let is_ours = parent.header().flags & Header::ALLMULTI != 0;
    if !needed && !is_ours {
        return Ok(());
    }
    let Some(now) = host.netlink.link_by_index(link.ifindex)? else {
        return Ok(());
    };
    let is_set = now.flags & ALL_MULTICAST != 0;
    if needed && !is_set {
        // Noted first: who finds it so and not needed takes it off.
        parent.set_all_multicast(true);
        let request = Request::set_all_multicast(link.ifindex, true);
        host.netlink.run(request.about(&link.name))?;
    }
    if !needed {
        release(&mut host.netlink, link, &parent.header())?;
        parent.set_all_multicast(false);
    }
    Ok(())
}

/// Ends the parent's all-multicast mode, if it was we who began it.
///
/// # Errors
///
/// What the kernel refused.
pub fn release(netlink: &mut Conversation, link: &Link, header: &Header) -> Result<()> {
    if header.flags & Header::ALLMULTI == 0 {
        return Ok(());
    }
    let request = Request::set_all_multicast(link.ifindex, false);
    match netlink.run(request.about(&link.name)) {
        // It has gone, and its modes with it.
        Err(error) if error.errno() == libc::ENODEV => Ok(()),
        done => Ok(done?),
    }
}

/// Whether somebody has ended the all-multicast mode that a device needs.
#[must_use]
pub fn is_deaf(link: &Link, parent: &Parent) -> bool {
    link.flags & ALL_MULTICAST == 0 && parent.hearers().any(|hearer| hearer.hears_multicast())
}
