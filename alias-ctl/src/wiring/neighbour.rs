//! What the neighbours on the link see of aliases: announcements, and the groups
//! that neighbour solicitations come in.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::dataplane::transmit::transmit;
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::netlink::{Announcement, Link, announce, hardware};

use super::batch::Batch;

/// Makes the NIC take the solicited-node multicast of IPv6 aliases that its own
/// stack does not know of (RFC 4291, 2.7.1).
///
/// # Errors
///
/// That of SIOCADDMULTI.
pub fn hear(link: &Link, batch: &Batch) -> Result<()> {
    if !batch.placement.kind().needs_groups() {
        return Ok(());
    }
    for item in &batch.items {
        if let Address::V6(address) = item.address {
            hardware::multicast_add(&link.name, solicited_node_mac(address))?;
        }
    }
    Ok(())
}

/// Takes the groups away again that no alias needs any more.
pub fn forget(link: &Link, parent: &Parent, going: &[(u32, Record)]) {
    let group = |record: &Record| match address_of(record) {
        Address::V6(address) if record.kind().is_some_and(TargetKind::needs_groups) => {
            Some(solicited_node_mac(address))
        }
        _ => None,
    };
    let unwanted: HashSet<[u8; 6]> = going
        .iter()
        .filter_map(|(_, record)| group(record))
        .collect();
    if unwanted.is_empty() {
        return;
    }
    let wanted: HashSet<[u8; 6]> = parent
        .live()
        .filter_map(|(_, record)| group(&record))
        .collect();
    for mac in unwanted.difference(&wanted) {
        // A group too many costs a NIC little, and no alias anything.
        let _ = hardware::multicast_delete(&link.name, *mac);
    }
}

/// The Ethernet address of a solicited-node group (RFC 4291, 2.7.1; RFC 2464, 7).
fn solicited_node_mac(address: Ipv6Addr) -> [u8; 6] {
    let [.., a, b, c] = address.octets();
    [0x33, 0x33, 0xff, a, b, c]
}

/// Announces aliases: gratuitous ARP, unsolicited neighbour advertisements.
///
/// # Errors
///
/// That of sending, ENETDOWN without a carrier for one.
pub fn tell(link: &Link, batch: &Batch) -> Result<()> {
    if !batch.announce || !batch.placement.kind().is_announced() {
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
    transmit(link.ifindex, &frames).map_err(|error| Refusal::io(&link.name, "announce", &error))
}

/// Tells the neighbours anew where aliases are that they may be told of. One that
/// cannot be told asks.
pub fn tell_again(link: &Link, aliases: &[(u32, Record)]) {
    let frames: Vec<Vec<u8>> = aliases
        .iter()
        .map(|(_, record)| record)
        .filter(|record| record.flags & Record::ANNOUNCE != 0)
        .filter(|record| record.flags & Record::ENABLED != 0)
        .filter(|record| record.kind().is_some_and(TargetKind::is_announced))
        .filter_map(|record| {
            let news = Announcement {
                address: address_of(record).ip()?,
                vlan_outer: record.vlan_outer,
                vlan_inner: record.vlan_inner,
            };
            Some(announce::frame(link.mac, &news))
        })
        .collect();
    let _ = transmit(link.ifindex, &frames);
}
