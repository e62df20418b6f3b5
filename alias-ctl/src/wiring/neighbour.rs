//! What the neighbours on the link see of aliases: announcements, and the groups
//! that neighbour solicitations come in.

use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::dataplane::transmit::transmit;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::netlink::{Announcement, Link, announce, hardware};

use super::batch::Batch;

/// What a command may take to announce what it made, with the lock that others wait for.
/// `announce` has all the time it needs: it takes none.
const AT_MOST: Duration = Duration::from_millis(500);

/// All nodes, ff02::1: where neighbours that have moved say so (RFC 4861, 7.2.6).
const ALL_NODES: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

/// Makes the NIC take the multicast for IPv6 aliases that its own stack does not know of:
/// their solicited-node groups (RFC 4291, 2.7.1), and all nodes, which a parent without
/// IPv6 does not listen to.
///
/// # Errors
///
/// That of SIOCADDMULTI.
pub fn hear(link: &Link, batch: &Batch) -> Result<()> {
    if !batch.placement.kind().needs_groups() {
        return Ok(());
    }
    let groups: HashSet<[u8; 6]> = batch
        .items
        .iter()
        .filter_map(|item| groups(item.address))
        .flatten()
        .collect();
    for mac in groups {
        hardware::multicast_add(&link.name, mac)?;
    }
    Ok(())
}

/// Takes the groups away again that no alias needs any more.
pub fn forget(link: &Link, parent: &Parent, going: &[(u32, Record)]) {
    let group = |record: &Record| {
        let needs = record.kind().is_some_and(TargetKind::needs_groups);
        groups(address_of(record))
            .filter(|_| needs)
            .into_iter()
            .flatten()
    };
    let unwanted: HashSet<[u8; 6]> = going.iter().flat_map(|(_, record)| group(record)).collect();
    if unwanted.is_empty() {
        return;
    }
    let wanted: HashSet<[u8; 6]> = parent
        .live()
        .flat_map(|(_, record)| group(&record))
        .collect();
    for mac in unwanted.difference(&wanted) {
        // A group too many costs a NIC little, and no alias anything.
        let _ = hardware::multicast_delete(&link.name, *mac);
    }
}

/// The groups of an IPv6 address.
const fn groups(address: Address) -> Option<[[u8; 6]; 2]> {
    match address {
        Address::V6(address) => Some([solicited_node_mac(address), ALL_NODES]),
        _ => None,
    }
}

/// The Ethernet address of a solicited-node group (RFC 4291, 2.7.1; RFC 2464, 7).
const fn solicited_node_mac(address: Ipv6Addr) -> [u8; 6] {
    let [.., a, b, c] = address.octets();
    [0x33, 0x33, 0xff, a, b, c]
}

/// Announces aliases: gratuitous ARP, unsolicited neighbour advertisements.
///
/// # Errors
///
/// ENETDOWN without a carrier, ETIMEDOUT when not all could be told of in time, and
/// that of sending.
pub fn tell(link: &Link, batch: &Batch) -> Result<()> {
    if !batch.announce || !batch.enabled || !batch.placement.kind().is_announced() {
        return Ok(());
    }
    let frames: Vec<Vec<u8>> = batch
        .items
        .iter()
        .filter_map(|item| {
            let news = Announcement {
                address: item.address.ip()?,
                vlan_outer: batch.vlan.outer(),
                vlan_inner: batch.vlan.inner(),
            };
            Some(announce::frame(link.mac, &news))
        })
        .collect();
    send(link, &frames)
}

/// Tells the neighbours anew where aliases are that they may be told of.
///
/// # Errors
///
/// As for [`tell`]. One that cannot be told asks.
pub fn tell_again(link: &Link, aliases: &[(u32, Record)]) -> Result<()> {
    let frames: Vec<Vec<u8>> = aliases
        .iter()
        .filter(|(_, record)| record.flags & Record::ANNOUNCE != 0)
        .filter_map(|(_, record)| frame(link, record))
        .collect();
    send(link, &frames)
}

/// The announcement of an alias; `None` for one that neighbours are not told of, because
/// it is disabled, dropped, a prefix or of a family that has none.
#[must_use]
pub fn frame(link: &Link, record: &Record) -> Option<Vec<u8>> {
    let may_be =
        record.flags & Record::ENABLED != 0 && record.kind().is_some_and(TargetKind::is_announced);
    let news = Announcement {
        address: address_of(record).ip().filter(|_| may_be)?,
        vlan_outer: record.vlan_outer,
        vlan_inner: record.vlan_inner,
    };
    Some(announce::frame(link.mac, &news))
}

/// Sends what a command has to tell, as far as there is time.
fn send(link: &Link, frames: &[Vec<u8>]) -> Result<()> {
    if frames.is_empty() {
        return Ok(());
    }
    refuse_without_carrier(link)?;
    let deadline = Instant::now() + AT_MOST;
    let sent = transmit(link.ifindex, frames, Some(deadline)).map_err(|error| {
        Refusal::io(&link.name, "announce", &error).hint("neighbours learn of it when they ask")
    })?;
    if sent < frames.len() {
        let reason = format!(
            "{sent} of {} aliases were announced in {} ms",
            frames.len(),
            AT_MOST.as_millis()
        );
        return Err(
            Refusal::new(&link.name, "announce", reason, libc::ETIMEDOUT).hint(format!(
                "neighbours learn of the others when they ask, or by: alias-ctl announce {}",
                link.name
            )),
        );
    }
    Ok(())
}

/// Nobody can be told of anything through a device without a carrier: the kernel throws
/// away what it is given, and says that a queue is full.
///
/// # Errors
///
/// ENETDOWN.
pub fn refuse_without_carrier(link: &Link) -> Result<()> {
    if link.running {
        return Ok(());
    }
    let (reason, event) = match link.up {
        true => ("it has no carrier", "the carrier comes"),
        false => ("it is down", "it is up"),
    };
    Err(
        Refusal::new(&link.name, "announce", reason, libc::ENETDOWN).hint(format!(
            "alias-ctl daemon announces when {event}; without it: alias-ctl announce {}",
            link.name
        )),
    )
}
