//! `show` and `stats`: read without a lock, while others write.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use alias_common::alias_type::TypeRow;
use alias_common::header::Header;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::isno::listed;
use crate::model::name::{alias_name, device_name};
use crate::netlink::{Link, Netns, namespace};
use crate::render::alias::{
    self as render, AliasView, Dropped, ParentStatsView, ParentView, StatsView,
};

use super::del::no_such_alias;
use super::host::Host;
use super::types::{self, family_name};

/// A parent with those of its aliases that were asked for, in creation order.
struct Section {
    link: Link,
    parent: Parent,
    aliases: Vec<(u32, Record)>,
}

/// `alias-ctl show`.
///
/// # Errors
///
/// ENODEV for a device or an alias that is not there.
pub fn show(filter: Option<&str>, json: bool) -> Result<()> {
    let mut host = Host::open()?;
    let Listing { sections, spoilt } = list(&mut host, filter, "show")?;
    let names = Names::look_up(&mut host, &sections)?;
    if json {
        write_json(
            sections
                .iter()
                .flat_map(|section| names.views(section))
                .map(Ok),
        )?;
        return spoilt.map_or(Ok(()), Err);
    }
    if sections.is_empty() && spoilt.is_none() {
        hint("no aliases: make one with alias-ctl add DEVICE:0 ADDRESS");
    }
    let mut text = String::new();
    for section in &sections {
        let views: Vec<AliasView> = names.views(section).collect();
        text += &render::heading(&parent_view(section));
        text += &render::show(&views);
    }
    write(&text)?;
    spoilt.map_or(Ok(()), Err)
}

/// `alias-ctl stats`.
///
/// # Errors
///
/// ENODEV for a device or an alias that is not there.
pub fn stats(
    filter: Option<&str>,
    json: bool,
    parents: bool,
    watch: Option<Duration>,
) -> Result<()> {
    let mut host = Host::open()?;
    loop {
        let Listing { sections, spoilt } = list(&mut host, filter, "stats")?;
        match (parents, json) {
            (true, true) => write_json(sections.iter().map(parent_stats))?,
            (true, false) => {
                let views: Result<Vec<ParentStatsView>> =
                    sections.iter().map(parent_stats).collect();
                write(&render::parent_stats(&views?))?;
            }
            (false, _) => {
                let names = Names::look_up(&mut host, &sections)?;
                let drops = port_drops(&mut host, &sections)?;
                let views = sections.iter().flat_map(|section| {
                    names
                        .views(section)
                        .zip(&section.aliases)
                        .map(|(view, (slot, record))| {
                            stats_view(view, &section.parent, *slot, record, &drops)
                        })
                });
                if json {
                    write_json(views)?;
                } else {
                    write(&render::stats(&views.collect::<Result<Vec<StatsView>>>()?))?;
                }
            }
        }
        let Some(interval) = watch else {
            return spoilt.map_or(Ok(()), Err);
        };
        std::thread::sleep(interval);
    }
}

pub(super) fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| unwritten(&error))
}

/// An array with one object a line: a million of them are not kept in memory.
pub(super) fn write_json<T: serde::Serialize>(
    views: impl Iterator<Item = Result<T>>,
) -> Result<()> {
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut separator = "[\n";
    for view in views {
        let view = view?;
        out.write_all(separator.as_bytes())
            .and_then(|()| serde_json::to_writer(&mut out, &view).map_err(io::Error::from))
            .map_err(|error| unwritten(&error))?;
        separator = ",\n";
    }
    let end: &[u8] = if separator == "[\n" {
        b"[]\n"
    } else {
        b"\n]\n"
    };
    out.write_all(end)
        .and_then(|()| out.flush())
        .map_err(|error| unwritten(&error))
}

/// Says something to a person; a script reads standard output.
fn hint(text: &str) {
    // Nobody to tell is no reason to fail.
    let _ = writeln!(io::stderr(), "alias-ctl: {text}");
}

fn unwritten(error: &io::Error) -> Refusal {
    Refusal::io("standard output", "write", error)
}

/// The parents to list. One that cannot be read does not hide the others: they
/// are listed, and then it is refused.
struct Listing {
    sections: Vec<Section>,
    spoilt: Option<Refusal>,
}

fn list(host: &mut Host, filter: Option<&str>, operation: &str) -> Result<Listing> {
    let whole = |sections| Listing {
        sections,
        spoilt: None,
    };
    let Some(name) = filter else {
        let mut all = whole(Vec::new());
        for ifindex in host.directory.parents()? {
            // Detached meanwhile, or its device is gone: nothing to show.
            let Some(link) = host.netlink.link_by_index(ifindex)? else {
                continue;
            };
            let parent = match Parent::open(&host.directory, ifindex) {
                Ok(Some(parent)) => parent,
                Ok(None) => continue,
                Err(refusal) => {
                    all.spoilt = Some(refusal);
                    continue;
                }
            };
            if parent.is_alive() {
                all.sections.push(section(link, parent));
            }
        }
        return Ok(all);
    };
    let (link, slot) = host.alias(name, operation)?;
    let Some(parent) = Parent::open(&host.directory, link.ifindex)? else {
        return match slot {
            Some(slot) => Err(no_such_alias(&link, slot, operation)),
            None => Ok(whole(Vec::new())),
        };
    };
    let mut section = section(link, parent);
    if let Some(wanted) = slot {
        section.aliases.retain(|(slot, _)| *slot == wanted);
        if section.aliases.is_empty() {
            return Err(no_such_alias(&section.link, wanted, operation));
        }
    }
    Ok(whole(vec![section]))
}

fn section(link: Link, parent: Parent) -> Section {
    let mut aliases: Vec<(u32, Record)> = parent.live().collect();
    aliases.sort_by_key(|(_, record)| record.created);
    Section {
        link,
        parent,
        aliases,
    }
}

fn mode(parent: &Parent) -> &'static str {
    if parent.header().flags & Header::GENERIC != 0 {
        "generic"
    } else {
        "native"
    }
}

fn parent_view(section: &Section) -> ParentView {
    ParentView {
        parent: section.link.name.clone(),
        mode: mode(&section.parent),
        aliases: section.parent.live().count() as u32,
        capacity: section.parent.fixed().capacity,
    }
}

/// Names of devices and namespaces, looked up once for all aliases.
struct Names {
    devices: HashMap<u32, String>,
    /// By cookie.
    namespaces: HashMap<u64, String>,
    types: Vec<TypeRow>,
}

impl Names {
    fn look_up(host: &mut Host, sections: &[Section]) -> Result<Names> {
        let uses = |kind: TargetKind| {
            sections
                .iter()
                .flat_map(|section| &section.aliases)
                .any(|(_, record)| record.target == kind as u8)
        };
        let devices = if uses(TargetKind::To) {
            host.netlink
                .links()?
                .into_iter()
                .map(|link| (link.ifindex, link.name))
                .collect()
        } else {
            HashMap::new()
        };
        let elsewhere = sections
            .iter()
            .flat_map(|section| &section.aliases)
            .any(|(_, record)| record.netns_inode != 0);
        Ok(Names {
            types: types::rows(host)?,
            devices,
            namespaces: if elsewhere {
                names_by_cookie()
            } else {
                HashMap::new()
            },
        })
    }

    fn views<'a>(&'a self, section: &'a Section) -> impl Iterator<Item = AliasView> + 'a {
        let mode = mode(&section.parent);
        section.aliases.iter().map(move |(slot, record)| AliasView {
            alias: alias_name(&section.link.name, *slot),
            parent: section.link.name.clone(),
            slot: *slot,
            family: family_name(&self.types, record.family()),
            address: address_of(record).to_string(),
            prefix_len: record.prefix_len,
            vlan: (record.vlan_outer != 0).then_some(record.vlan_outer),
            inner_vlan: (record.vlan_inner != 0).then_some(record.vlan_inner),
            target: target(record),
            device: self.device(&section.link, *slot, record),
            netns: (record.netns_inode != 0).then(|| {
                self.namespaces
                    .get(&record.netns_cookie)
                    .cloned()
                    .unwrap_or_else(|| format!("net:[{}]", record.netns_inode))
            }),
            enabled: record.flags & Record::ENABLED != 0,
            mode,
            tcp: (!record.tcp.is_empty()).then(|| listed(&record.tcp).collect()),
        })
    }

    fn device(&self, link: &Link, slot: u32, record: &Record) -> Option<String> {
        match TargetKind::from_number(record.target)? {
            TargetKind::Device => Some(device_name(link.ifindex, slot)),
            TargetKind::Join => Some(device_name(link.ifindex, record.link)),
            TargetKind::To => Some(
                self.devices
                    .get(&record.port_ifindex)
                    .cloned()
                    .unwrap_or_else(|| format!("if{} (gone)", record.port_ifindex)),
            ),
            TargetKind::Local => Some(link.name.clone()),
            TargetKind::Drop => None,
        }
    }
}

fn target(record: &Record) -> &'static str {
    match TargetKind::from_number(record.target) {
        Some(TargetKind::Device) => "device",
        Some(TargetKind::Join) => "join",
        Some(TargetKind::To) => "to",
        Some(TargetKind::Local) => "local",
        Some(TargetKind::Drop) => "drop",
        None => "unknown",
    }
}

/// The named namespaces by their cookies.
pub(super) fn names_by_cookie() -> HashMap<u64, String> {
    let named = namespace::names().into_values();
    named
        .filter_map(|name| Some((Netns::open(&name).ok()?.cookie().ok()?, name)))
        .collect()
}

/// What the ports of devices beside their parent dropped, because the device was
/// down: the kernel tells no program of it.
fn port_drops(host: &mut Host, sections: &[Section]) -> Result<HashMap<u32, u64>> {
    let beside =
        |record: &Record| record.target == TargetKind::Device as u8 && record.netns_inode == 0;
    let mut records = sections.iter().flat_map(|section| &section.aliases);
    if !records.any(|(_, record)| beside(record)) {
        return Ok(HashMap::new());
    }
    Ok(host.netlink.transmit_drops("veth")?)
}

fn parent_stats(section: &Section) -> Result<ParentStatsView> {
    let totals = section.parent.totals()?;
    Ok(ParentStatsView {
        parent: parent_view(section),
        miss: totals.miss,
        malformed: totals.malformed,
        local: totals.local,
        device: totals.device,
        to: totals.to,
        tx: totals.tx,
        dropped: Dropped {
            policy: totals.dropped,
            spoof: totals.spoof,
            no_target: totals.no_target + totals.lost,
        },
    })
}

fn stats_view(
    alias: AliasView,
    parent: &Parent,
    slot: u32,
    record: &Record,
    port_drops: &HashMap<u32, u64>,
) -> Result<StatsView> {
    let figures = parent.figures(slot, record)?;
    let beside = record.target == TargetKind::Device as u8 && record.netns_inode == 0;
    let port = beside
        .then(|| port_drops.get(&record.port_ifindex))
        .flatten();
    Ok(StatsView {
        alias,
        rx_packets: figures.rx.packets,
        rx_bytes: figures.rx.bytes,
        tx_packets: figures.rest.tx_packets,
        tx_bytes: figures.rest.tx_bytes,
        neighbor_rx_packets: figures.rest.neighbor_rx,
        neighbor_tx_packets: figures.rest.neighbor_tx,
        dropped: Dropped {
            policy: figures.policy,
            spoof: figures.rest.spoof,
            no_target: figures.rest.no_target + figures.rest.lost + port.copied().unwrap_or(0),
        },
    })
}
