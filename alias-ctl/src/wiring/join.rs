//! `--join` aliases: more addresses on the device of another alias.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::netlink::outcome::{all_done, all_gone};
use crate::netlink::{Conversation, Request, sysctl};

use super::batch::{Batch, of_kind};
use super::host::Host;
use super::sysctl::ask_no_routers;
use super::transaction::On;
use super::veth::{device_address, link_local, namespace};
use super::{local_route, routes};

/// Puts more addresses on the device of another alias.
///
/// # Errors
///
/// What the kernel refused.
pub fn join(on: &mut On<'_>, batch: &Batch, owner: &Record) -> Result<()> {
    for item in &batch.items {
        let note = |record: &mut Record| {
            record.port_ifindex = owner.port_ifindex;
            record.device_ifindex = owner.device_ifindex;
            record.netnsid = owner.netnsid;
            record.netns_inode = owner.netns_inode;
            record.netns_cookie = owner.netns_cookie;
        };
        on.parent.amend(item.slot, note);
    }
    let requests: Vec<Request> = batch
        .items
        .iter()
        .filter_map(|item| item.address.ip())
        .map(|address| {
            Request::add_address(&device_address(
                owner.device_ifindex,
                address,
                batch.prefix_len,
                owner.netns_cookie == 0,
            ))
        })
        .collect();
    let opened: Vec<Request> = batch
        .items
        .iter()
        .filter_map(|item| local_route::open(owner.device_ifindex, item.address))
        .collect();
    let has_ipv6 = batch.items.iter().any(|item| item.address.is_ipv6());
    let interface_id = on.parent.fixed().interface_id;
    let assign = |conversation: &mut Conversation| -> Result<()> {
        if has_ipv6 {
            // The owner may be an IPv4 alias, whose device does without.
            if let Some(device) = conversation.link_by_index(owner.device_ifindex)? {
                conversation.run(Request::quiet(device.ifindex))?;
                sysctl::write(&format!("ipv6/conf/{}/disable_ipv6", device.name), "0")?;
                ask_no_routers(&device.name)?;
                let address = link_local(interface_id, owner.port_ifindex, device.ifindex);
                conversation.run(Request::put_address(&address))?;
            }
        }
        all_done(conversation.batch(&requests)?)?;
        local_route::open_all(conversation, &opened)
    };
    match namespace(owner)? {
        Some(netns) => netns.within(|| assign(&mut Conversation::new()?))?,
        None => assign(&mut on.host.netlink),
    }
}

/// Takes joined addresses off devices that stay.
///
/// # Errors
///
/// What the kernel refused.
pub fn leave(host: &mut Host, going: &[(u32, Record)]) -> Result<()> {
    let mut ports_going: HashSet<u32> = HashSet::new();
    ports_going.extend(of_kind(going, TargetKind::Device).map(|(_, record)| record.port_ifindex));
    let mut namespaces: Vec<u64> = Vec::new();
    let staying: Vec<&Record> = of_kind(going, TargetKind::Join)
        .map(|(_, record)| record)
        .filter(|record| record.device_ifindex != 0 && !ports_going.contains(&record.port_ifindex))
        .collect();
    namespaces.extend(staying.iter().map(|record| record.netns_cookie));
    namespaces.sort_unstable();
    namespaces.dedup();
    for cookie in namespaces {
        let mine: Vec<&&Record> = staying
            .iter()
            .filter(|record| record.netns_cookie == cookie)
            .collect();
        let requests: Vec<Request> = mine
            .iter()
            .filter_map(|record| {
                Some(Request::delete_address(&device_address(
                    record.device_ifindex,
                    address_of(record).ip()?,
                    record.prefix_len,
                    cookie == 0,
                )))
            })
            .collect();
        let closed: Vec<Request> = mine
            .iter()
            .filter_map(|record| local_route::close(record.device_ifindex, address_of(record)))
            .collect();
        let results = match namespace(mine[0]) {
            Ok(Some(netns)) => {
                let mut conversation = Conversation::open_in(&netns)?;
                local_route::close_all(&mut conversation, &closed)?;
                conversation.batch(&requests)?
            }
            Ok(None) => {
                local_route::close_all(&mut host.netlink, &closed)?;
                close_routes(&mut host.netlink, &mine)?;
                host.netlink.batch(&requests)?
            }
            // The namespace went, and the device with it.
            Err(_) => continue,
        };
        all_gone(results)?;
    }
    Ok(())
}

/// Takes away the routes through aliases that leave their devices.
fn close_routes(netlink: &mut Conversation, leaving: &[&&Record]) -> Result<()> {
    let mut by_device: HashMap<u32, HashSet<IpAddr>> = HashMap::new();
    for record in leaving {
        let sources = by_device.entry(record.device_ifindex).or_default();
        sources.extend(address_of(record).ip());
    }
    for (device, sources) in by_device {
        routes::close(netlink, device, &sources)?;
    }
    Ok(())
}
