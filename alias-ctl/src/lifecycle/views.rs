//! Records to what is shown: every name is looked up once for all aliases.

use std::borrow::Cow;
use std::collections::HashMap;

use alias_common::key::Family;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::dataplane::{Figures, Parent, header};
use crate::error::Result;
use crate::model::name::device_name;
use crate::model::rates::Counters;
use crate::model::word::mode_word;
use crate::netlink::Link;
use crate::render::alias::{AliasView, Dropped, StatsView};
use crate::wiring::host::Host;
use crate::wiring::veth::is_beside_parent;

use super::families;
use super::names::names_by_cookie;

/// What must be looked up to show aliases.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Uses {
    /// Names of devices.
    pub target: bool,
    /// Names of namespaces.
    pub namespace: bool,
    /// Statistics of ports.
    pub port: bool,
}

impl Uses {
    /// What one alias needs, too.
    pub fn note(&mut self, record: &Record) {
        self.target |= record.is(TargetKind::To);
        self.namespace |= record.netns_inode != 0;
        self.port |= is_beside_parent(record);
    }

    /// What both need.
    #[must_use]
    pub const fn and(self, other: Uses) -> Uses {
        Uses {
            target: self.target || other.target,
            namespace: self.namespace || other.namespace,
            port: self.port || other.port,
        }
    }
}

/// Names of devices and namespaces, looked up once for all aliases.
pub struct Names {
    devices: HashMap<u32, String>,
    /// By cookie.
    namespaces: HashMap<u64, String>,
    families: Vec<(Family, String)>,
}

impl Names {
    /// Looks up what is needed.
    ///
    /// # Errors
    ///
    /// That of listing devices or types.
    pub fn look_up(host: &mut Host, uses: Uses) -> Result<Names> {
        let devices = if uses.target {
            host.netlink
                .links()?
                .into_iter()
                .map(|link| (link.ifindex, link.name))
                .collect()
        } else {
            HashMap::new()
        };
        Ok(Names {
            families: families::names(host)?,
            devices,
            namespaces: if uses.namespace {
                names_by_cookie()
            } else {
                HashMap::new()
            },
        })
    }

    /// An alias of `link`, whose XDP program runs in `mode`.
    #[must_use]
    pub fn view<'a>(
        &'a self,
        link: &'a Link,
        mode: &'static str,
        slot: u32,
        record: &Record,
    ) -> AliasView<'a> {
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
            mode,
            hear: record.hear(),
            tcp: record.tcp,
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

/// What a port dropped, because the device beside it was down: the kernel tells no program
/// of it. By the ports' ifindex; empty if nothing of it is needed.
///
/// # Errors
///
/// That of listing devices.
pub fn port_drops(host: &mut Host, uses: Uses) -> Result<HashMap<u32, u64>> {
    if !uses.port {
        return Ok(HashMap::new());
    }
    Ok(host.netlink.transmit_drops("veth")?)
}

/// What was counted for an alias, with what its port dropped.
#[must_use]
pub fn counters(record: &Record, figures: &Figures, port_drops: &HashMap<u32, u64>) -> Counters {
    let port = is_beside_parent(record)
        .then(|| port_drops.get(&record.port_ifindex))
        .flatten();
    let rest = &figures.rest;
    Counters {
        rx_packets: figures.rx.packets,
        rx_bytes: figures.rx.bytes,
        tx_packets: rest.tx_packets,
        tx_bytes: rest.tx_bytes,
        policy: figures.policy,
        spoof: rest.spoof,
        no_target: rest.no_target + rest.lost + port.copied().unwrap_or(0),
    }
}

/// An alias with what was counted for it.
#[must_use]
pub fn stats_view<'a>(
    alias: AliasView<'a>,
    counters: &Counters,
    figures: &Figures,
) -> StatsView<'a> {
    StatsView {
        alias,
        rx_packets: counters.rx_packets,
        rx_bytes: counters.rx_bytes,
        tx_packets: counters.tx_packets,
        tx_bytes: counters.tx_bytes,
        neighbor_rx_packets: figures.rest.neighbor_rx,
        neighbor_tx_packets: figures.rest.neighbor_tx,
        dropped: Dropped {
            policy: counters.policy,
            spoof: counters.spoof,
            no_target: counters.no_target,
        },
    }
}

/// In which mode XDP runs on a parent.
#[must_use]
pub fn mode(parent: &Parent) -> &'static str {
    mode_word(header::mode(&parent.header()))
}
