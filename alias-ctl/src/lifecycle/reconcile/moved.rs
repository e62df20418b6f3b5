//! Follows an alias device that somebody moved to another namespace. The kernel
//! takes its addresses and sets it down on the way; there it becomes what it was.

use alias_common::record::{Record, Steer};

use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::lifecycle::retire;
use crate::model::name::alias_name;
use crate::netlink::{AddressSpec, Conversation, Netns, Request, sysctl};
use crate::wiring::host::Host;
use crate::wiring::sysctl::{accept_by_any_route, ask_no_routers, silence_ipv6};
use crate::wiring::transaction::On;
use crate::wiring::veth::{self, device_address};
use crate::wiring::{local_route, port, sockets};

/// Follows the device of one alias, which may be one that it joined.
pub(super) fn follow(on: &mut On<'_>, slot: u32, done: &mut Vec<String>) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let name = alias_name(&link.name, slot);
    let record = parent.record(slot);
    let port = on.host.netlink.link_by_index(record.port_ifindex)?;
    // Gone meanwhile: the next pass finds it so.
    let Some((port, ifindex)) = port.and_then(|port| Some((port.clone(), port.link_ifindex?)))
    else {
        return Ok(());
    };
    let netns = match port.link_netnsid {
        None => None,
        Some(id) => match called(on.host, id)? {
            Some(netns) => Some(netns),
            None => {
                parent.set_unfinished(true);
                retire::retire(on, &[slot])?;
                parent.set_unfinished(false);
                done.push(format!(
                    "{name}: its device is in a namespace that no name and no process leads to: deleted"
                ));
                return Ok(());
            }
        },
    };
    // The word before the record: killed in between, it is found and done again.
    let flags = if netns.is_some() { Steer::PEER } else { 0 };
    parent.set_unfinished(true);
    parent.set_lead_flags(slot, flags);
    sockets::revoke(on.host, parent, &[(slot, record)])?;
    let cookie = netns.as_ref().map(Netns::cookie).transpose()?;
    let note = |record: &mut Record| {
        record.device_ifindex = ifindex;
        record.netnsid = veth::netnsid(&port);
        record.netns_inode = netns.as_ref().map_or(0, Netns::inode);
        record.netns_cookie = cookie.unwrap_or(0);
    };
    parent.amend(slot, note);
    port::follow(&parent, slot)?;
    parent.list_hearers();
    sockets::grant(on, [slot].into_iter())?;
    parent.set_unfinished(false);
    let record = parent.record(slot);
    let link_local = veth::link_local(parent.fixed().interface_id, record.port_ifindex, ifindex);
    let configure = || configure(&name, &record, &link_local);
    match &netns {
        Some(netns) => netns.within(configure)??,
        None => configure()?,
    }
    done.push(format!("{name}: followed its device to another namespace"));
    Ok(())
}

/// The namespace that ours calls by a number, if a name or a process leads there.
fn called(host: &mut Host, id: i32) -> Result<Option<Netns>> {
    for netns in Netns::all() {
        if host.netlink.netns_id(&netns)? == Some(id) {
            return Ok(Some(netns));
        }
    }
    Ok(None)
}

/// Gives a device what an alias needs on it, in the calling thread's namespace.
/// Whoever moved it may have done so already.
fn configure(name: &str, record: &Record, link_local: &AddressSpec) -> Result<()> {
    let mut conversation = Conversation::new()?;
    let Some(device) = conversation.link_by_index(record.device_ifindex)? else {
        return Ok(());
    };
    let address = address_of(record);
    let beside_parent = record.netns_cookie == 0;
    let mut requests = Vec::new();
    if address.is_ipv6() {
        requests.push(Request::quiet(device.ifindex));
        // A device that belongs to an IPv4 alias does without until it is joined.
        let _ = sysctl::write(&format!("ipv6/conf/{}/disable_ipv6", device.name), "0");
        ask_no_routers(&device.name)?;
        requests.push(Request::put_address(link_local));
    } else if !device.up {
        silence_ipv6(&device.name)?;
    }
    accept_by_any_route(&device.name, address)?;
    if !device.answers_to(name) {
        requests.push(Request::add_altname(device.ifindex, name));
    }
    requests.push(Request::set_up(device.ifindex));
    requests.extend(address.ip().map(|ip| {
        let spec = device_address(device.ifindex, ip, record.prefix_len, beside_parent);
        Request::add_address(&spec)
    }));
    requests.extend(local_route::open(device.ifindex, address));
    // A name or an address that is taken there is that namespace's affair.
    conversation.batch(&requests)?;
    Ok(())
}
