//! What sockets of aliases' addresses get: the map that the programs read follows the
//! records.

use std::collections::HashMap;

use alias_common::record::{Record, TargetKind};
use alias_common::tcp_options::{Grant, LocalAddress};

use crate::dataplane::ParentMut;
use crate::dataplane::parent::address_of;
use crate::dataplane::tcp_options::{SocketPrograms, clear_idle};
use crate::error::Result;
use crate::model::address::Address;
use crate::model::name::alias_name;

use super::host::Host;
use super::transaction::On;

/// Gives the sockets of aliases what their records say, before they go live.
///
/// # Errors
///
/// What the kernel refused.
pub fn grant(on: &On<'_>, slots: impl Iterator<Item = u32>) -> Result<()> {
    let parent = on.parent;
    let mut programs: Option<SocketPrograms> = None;
    for slot in slots {
        let record = parent.record(slot);
        let Some((key, grant)) = entry(on.host, slot, &record) else {
            continue;
        };
        let programs = match &mut programs {
            Some(programs) => programs,
            none => none.insert(SocketPrograms::open_or_make(
                parent,
                &alias_name(&on.link.name, slot),
            )?),
        };
        programs.put(&key, &grant, parent)?;
    }
    Ok(())
}

/// Takes from the sockets of aliases what they had. The programs stay, for the
/// alias may be on its way to another address; see [`clear_idle`].
///
/// # Errors
///
/// What the kernel refused.
pub fn revoke(host: &Host, parent: ParentMut<'_>, going: &[(u32, Record)]) -> Result<()> {
    let mut entries = going
        .iter()
        .filter_map(|(slot, record)| entry(host, *slot, record))
        .peekable();
    if entries.peek().is_none() {
        return Ok(());
    }
    let Some(programs) = SocketPrograms::open(&parent)? else {
        return Ok(());
    };
    for (key, grant) in entries {
        if programs
            .get(&key)?
            .is_some_and(|found| found.slot == grant.slot)
        {
            programs.remove(&key, parent)?;
        }
    }
    Ok(())
}

/// Makes the map say of an alias what its record is to say.
///
/// # Errors
///
/// What the kernel refused.
pub fn follow(on: &On<'_>, slot: u32, new: &Record) -> Result<()> {
    let parent = on.parent;
    if let Some((key, grant)) = entry(on.host, slot, new) {
        let alias = alias_name(&on.link.name, slot);
        return SocketPrograms::open_or_make(parent, &alias)?.put(&key, &grant, parent);
    }
    revoke(on.host, parent, &[(slot, parent.record(slot))])?;
    clear_idle(parent)
}

/// Makes the map say what the live records say, after a kill.
///
/// # Errors
///
/// What the kernel refused.
pub fn restore(on: &On<'_>) -> Result<()> {
    let parent = on.parent;
    let wanted: HashMap<LocalAddress, u32> = parent
        .live()
        .filter_map(|(slot, record)| Some((entry(on.host, slot, &record)?.0, slot)))
        .collect();
    if let Some(programs) = SocketPrograms::open(&parent)? {
        for key in programs.addresses()? {
            if !wanted.contains_key(&key) {
                programs.remove(&key, parent)?;
            }
        }
    }
    grant(on, wanted.into_values())?;
    clear_idle(parent)
}

/// What the map says of an alias; `None` without options, or without sockets.
fn entry(host: &Host, slot: u32, record: &Record) -> Option<(LocalAddress, Grant)> {
    if record.tcp.is_empty() {
        return None;
    }
    let elsewhere = match record.kind()? {
        TargetKind::Device | TargetKind::Join => record.netns_cookie,
        TargetKind::Local => 0,
        TargetKind::To | TargetKind::Drop => return None,
    };
    let grant = Grant {
        options: record.tcp,
        slot,
    };
    Some((sockets(host, elsewhere, address_of(record))?, grant))
}

/// Where the sockets of an address are; `None` when it is no IP address. `elsewhere` is
/// the cookie of their namespace, 0 for the parent's.
#[must_use]
pub fn sockets(host: &Host, elsewhere: u64, address: Address) -> Option<LocalAddress> {
    let cookie = match elsewhere {
        0 => host.directory.cookie(),
        cookie => cookie,
    };
    Some(LocalAddress::new(cookie, address.ip()?))
}
