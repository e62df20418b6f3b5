//! Records to what is shown: every name is looked up once for all aliases.

use std::borrow::Cow;
use std::collections::HashMap;

use alias_common::key::Family;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::lifecycle::families;
use crate::lifecycle::names::names_by_cookie;
use crate::model::name::device_name;
use crate::netlink::Link;
use crate::render::alias::{AliasView, Dropped, StatsView};
use crate::wiring::host::Host;
use crate::wiring::veth::is_beside_parent;

use super::section::{Counted, Section, mode};

/// Names of devices and namespaces, looked up once for all aliases.
pub(super) struct Names {
    devices: HashMap<u32, String>,
    /// By cookie.
    namespaces: HashMap<u64, String>,
    families: Vec<(Family, String)>,
}

impl Names {
    pub(super) fn look_up(host: &mut Host, sections: &[Section]) -> Result<Names> {
        let devices = if sections.iter().any(|section| section.uses.target) {
            host.netlink
                .links()?
                .into_iter()
                .map(|link| (link.ifindex, link.name))
                .collect()
        } else {
            HashMap::new()
        };
        let elsewhere = sections.iter().any(|section| section.uses.namespace);
        Ok(Names {
            families: families::names(host)?,
            devices,
            namespaces: if elsewhere {
                names_by_cookie()
            } else {
                HashMap::new()
            },
        })
    }

    pub(super) fn view<'a>(
        &'a self,
        section: &'a Section,
        slot: u32,
        record: &Record,
    ) -> AliasView<'a> {
        let link = &section.link;
        let family = record.family();
        AliasView {
            parent: &link.name,
            slot,
            family: match self.families.iter().find(|(known, _)| *known == family) {
                Some((_, name)) => name.into(),
                None => family.0.to_string().into(),
            },
            address: address_of(record),
            prefix_len: record.prefix_len,
            vlan: (record.vlan_outer != 0).then_some(record.vlan_outer),
            inner_vlan: (record.vlan_inner != 0).then_some(record.vlan_inner),
            target: target(record),
            device: self.device(link, slot, record),
            netns: (record.netns_inode != 0).then(|| {
                match self.namespaces.get(&record.netns_cookie) {
                    Some(name) => name.into(),
                    None => format!("net:[{}]", record.netns_inode).into(),
                }
            }),
            enabled: record.flags & Record::ENABLED != 0,
            mode: mode(&section.parent),
            hear: record.hear(),
            tcp: record.tcp,
        }
    }

    pub(super) fn stats_view<'a>(
        &'a self,
        section: &'a Section,
        (slot, record, figures): &Counted,
        port_drops: &HashMap<u32, u64>,
    ) -> StatsView<'a> {
        let port = is_beside_parent(record)
            .then(|| port_drops.get(&record.port_ifindex))
            .flatten();
        let rest = &figures.rest;
        StatsView {
            alias: self.view(section, *slot, record),
            rx_packets: figures.rx.packets,
            rx_bytes: figures.rx.bytes,
            tx_packets: rest.tx_packets,
            tx_bytes: rest.tx_bytes,
            neighbor_rx_packets: rest.neighbor_rx,
            neighbor_tx_packets: rest.neighbor_tx,
            dropped: Dropped {
                policy: figures.policy,
                spoof: rest.spoof,
                no_target: rest.no_target + rest.lost + port.copied().unwrap_or(0),
            },
        }
    }

    fn device<'a>(&'a self, link: &'a Link, slot: u32, record: &Record) -> Option<Cow<'a, str>> {
        Some(match record.kind()? {
            TargetKind::Device => device_name(link.ifindex, slot).into(),
            TargetKind::Join => device_name(link.ifindex, record.link).into(),
            TargetKind::To => match self.devices.get(&record.port_ifindex) {
                Some(name) => name.into(),
                None => format!("if{} (gone)", record.port_ifindex).into(),
            },
            TargetKind::Local => (&link.name).into(),
            TargetKind::Drop => return None,
        })
    }
}

fn target(record: &Record) -> &'static str {
    match record.kind() {
        Some(TargetKind::Device) => "device",
        Some(TargetKind::Join) => "join",
        Some(TargetKind::To) => "to",
        Some(TargetKind::Local) => "local",
        Some(TargetKind::Drop) => "drop",
        None => "unknown",
    }
}

/// What the ports of devices beside their parent dropped, because the device was
/// down: the kernel tells no program of it.
pub(super) fn port_drops(host: &mut Host, sections: &[Section]) -> Result<HashMap<u32, u64>> {
    if !sections.iter().any(|section| section.uses.port) {
        return Ok(HashMap::new());
    }
    Ok(host.netlink.transmit_drops("veth")?)
}
