//! `show` and `stats`: read without a lock, while others write.

mod names;

use std::io::{self, Write};
use std::time::Duration;

use alias_common::header::Header;
use alias_common::record::{Record, State, TargetKind};

use crate::dataplane::Figures;
use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::netlink::Link;
use crate::render::alias::{self as render, AliasView, Dropped, ParentStatsView, ParentView};
use crate::render::row;

use super::del::no_such_alias;
use super::host::Host;
use super::output::{next, write, write_json, write_rows};
pub(super) use names::names_by_cookie;
use names::{Names, port_drops};

/// Aliases that are read before they are written, at a time: counters stand
/// everywhere in memory, and reads that follow each other at once overlap.
const AT_A_TIME: usize = 256;

/// A parent with those of its aliases that were asked for. Their records are read
/// when they are shown: a million of them are not kept in memory.
struct Section {
    link: Link,
    parent: Parent,
    /// Their creation numbers and slots, in this order.
    aliases: Vec<(u64, u32)>,
    uses: Uses,
}

/// What must be looked up to show some alias of a section.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    /// Names of devices.
    target: bool,
    /// Names of namespaces.
    namespace: bool,
    /// Statistics of ports.
    port: bool,
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
        write_rows(chunks(&sections), |(section, some), rows| {
            for (slot, record) in section.records(some) {
                row::alias(next(rows), &names.view(section, slot, &record));
            }
            Ok(())
        })?;
        return spoilt.map_or(Ok(()), Err);
    }
    if sections.is_empty() && spoilt.is_none() {
        hint("no aliases: make one with alias-ctl add DEVICE:0 ADDRESS");
    }
    let mut text = String::new();
    for section in &sections {
        let records = section.records(&section.aliases);
        let views: Vec<AliasView<'_>> = records
            .map(|(slot, record)| names.view(section, slot, &record))
            .collect();
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
                if json {
                    write_rows(chunks(&sections), |(section, some), rows| {
                        for one in section.counted(some)? {
                            row::stats(next(rows), &names.stats_view(section, &one, &drops));
                        }
                        Ok(())
                    })?;
                } else {
                    let mut views = Vec::new();
                    for section in &sections {
                        for one in section.counted(&section.aliases)? {
                            views.push(names.stats_view(section, &one, &drops));
                        }
                    }
                    write(&render::stats(&views))?;
                }
            }
        }
        let Some(interval) = watch else {
            return spoilt.map_or(Ok(()), Err);
        };
        std::thread::sleep(interval);
    }
}

/// The aliases of all sections, some at a time.
fn chunks(sections: &[Section]) -> impl Iterator<Item = (&Section, &[(u64, u32)])> {
    sections.iter().flat_map(|section| {
        let chunks = section.aliases.chunks(AT_A_TIME);
        chunks.map(move |some| (section, some))
    })
}

/// Says something to a person; a script reads standard output.
fn hint(text: &str) {
    // Nobody to tell is no reason to fail.
    let _ = writeln!(io::stderr(), "alias-ctl: {text}");
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
                all.sections.push(Section::whole(link, parent));
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
    let section = match slot {
        Some(slot) => Section::one(link, parent, slot, operation)?,
        None => Section::whole(link, parent),
    };
    Ok(whole(vec![section]))
}

/// An alias as it was read, and what was counted for it.
type Counted = (u32, Record, Figures);

impl Section {
    fn whole(link: Link, parent: Parent) -> Section {
        let mut uses = Uses::default();
        let mut aliases = Vec::new();
        for (slot, record) in parent.live() {
            uses.note(&record);
            aliases.push((record.created, slot));
        }
        aliases.sort_unstable();
        Section {
            link,
            parent,
            aliases,
            uses,
        }
    }

    fn one(link: Link, parent: Parent, slot: u32, operation: &str) -> Result<Section> {
        if !parent.is_live(slot) {
            return Err(no_such_alias(&link, slot, operation));
        }
        let record = parent.record(slot);
        let mut uses = Uses::default();
        uses.note(&record);
        Ok(Section {
            link,
            parent,
            aliases: vec![(record.created, slot)],
            uses,
        })
    }

    /// The records of some of its aliases. One that was deleted meanwhile is not
    /// among them.
    fn records(&self, aliases: &[(u64, u32)]) -> impl Iterator<Item = (u32, Record)> {
        aliases.iter().filter_map(|(created, slot)| {
            let record = self.parent.record(*slot);
            let is_there = self.parent.state(*slot) == State::Live && record.created == *created;
            is_there.then_some((*slot, record))
        })
    }

    /// The same with what was counted for each.
    fn counted(&self, aliases: &[(u64, u32)]) -> Result<Vec<Counted>> {
        let records: Vec<(u32, Record)> = self.records(aliases).collect();
        let positions = records.iter().map(|(_, record)| record.position);
        self.parent.touch(positions)?;
        records
            .into_iter()
            .map(|(slot, record)| {
                let figures = self.parent.figures(slot, &record)?;
                Ok((slot, record, figures))
            })
            .collect()
    }
}

impl Uses {
    fn note(&mut self, record: &Record) {
        self.target |= record.target == TargetKind::To as u8;
        self.namespace |= record.netns_inode != 0;
        self.port |= is_beside(record);
    }
}

/// Whether it has a device of its own beside the parent.
fn is_beside(record: &Record) -> bool {
    record.target == TargetKind::Device as u8 && record.netns_inode == 0
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
        capacity: section.parent.capacity(),
    }
}

fn parent_stats(section: &Section) -> Result<ParentStatsView> {
    let totals = section.parent.totals()?;
    Ok(ParentStatsView {
        parent: parent_view(section),
        miss: totals.miss,
        malformed: totals.malformed,
        other_station: totals.other_station,
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
