//! What alias devices say that they are for, `eth0:3 192.0.2.13`: the kernel keeps it as the
//! link's alias (IFLA_IFALIAS), `ip link` prints it, and what reads SNMP's ifAlias finds it.
//! A text of somebody else's stays.

use std::collections::HashMap;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::model::address::Address;
use crate::model::name::alias_name;
use crate::netlink::{Conversation, Request};

use super::batch::of_kind;
use super::host::Host;
use super::veth::namespace;

/// What the device of an alias says.
#[must_use]
pub fn of(alias: &str, address: Address) -> String {
    format!("{alias} {address}")
}

/// The parent of these aliases has another name: what their devices say of the earlier one
/// follows it.
///
/// # Errors
///
/// That of talking to the kernel; what a device refused is its loss.
pub fn rename(
    host: &mut Host,
    aliases: &[(u32, Record)],
    (earlier, now): (&str, &str),
) -> Result<()> {
    let mut devices: Vec<&(u32, Record)> = of_kind(aliases, TargetKind::Device).collect();
    devices.sort_by_key(|(_, record)| record.netns_cookie);
    for together in devices.chunk_by(|(_, a), (_, b)| a.netns_cookie == b.netns_cookie) {
        match namespace(&together[0].1) {
            Ok(Some(netns)) => follow(&mut Conversation::open_in(&netns)?, together, earlier, now)?,
            Ok(None) => follow(&mut host.netlink, together, earlier, now)?,
            // Gone, and the devices with it.
            Err(_) => {}
        }
    }
    Ok(())
}

/// The same in one namespace.
fn follow(
    conversation: &mut Conversation,
    aliases: &[&(u32, Record)],
    earlier: &str,
    now: &str,
) -> Result<()> {
    let links = conversation.links()?.into_iter();
    let said: HashMap<u32, String> = links.map(|link| (link.ifindex, link.description)).collect();
    let described = |parent: &str, (slot, record): &(u32, Record)| {
        of(&alias_name(parent, *slot), address_of(record))
    };
    let requests: Vec<Request> = aliases
        .iter()
        .filter(|one| said.get(&one.1.device_ifindex) == Some(&described(earlier, one)))
        .map(|one| Request::describe(one.1.device_ifindex, described(now, one)))
        .collect();
    conversation.batch(&requests)?;
    Ok(())
}
