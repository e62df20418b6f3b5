//! What there is to show: the parents, each with those of its aliases that were asked
//! for.

use alias_common::record::{Record, State};

use crate::dataplane::abi;
use crate::dataplane::build::{self, Build};
use crate::dataplane::{Figures, Parent};
use crate::error::{Refusal, Result};
use crate::lifecycle::by_address;
use crate::lifecycle::refusals::no_such_alias;
use crate::lifecycle::views::{Uses, mode};
use crate::netlink::Link;
use crate::render::alias::{Dropped, ParentStatsView, ParentView};
use crate::wiring::attach;
use crate::wiring::host::Host;

/// Aliases that are read before they are written, at a time: counters stand
/// everywhere in memory, and reads that follow each other at once overlap.
const AT_A_TIME: usize = 256;

/// A parent with those of its aliases that were asked for. Their records are read
/// when they are shown: a million of them are not kept in memory.
pub(super) struct Section {
    pub(super) link: Link,
    pub(super) parent: Parent,
    /// Their creation numbers and slots, in this order.
    pub(super) aliases: Vec<(u64, u32)>,
    pub(super) uses: Uses,
}

/// What must be looked up to show all of them.
pub(super) fn uses(sections: &[Section]) -> Uses {
    sections
        .iter()
        .fold(Uses::default(), |all, section| all.and(section.uses))
}

/// The aliases of all sections, some at a time.
pub(super) fn chunks(sections: &[Section]) -> impl Iterator<Item = (&Section, &[(u64, u32)])> {
    sections.iter().flat_map(|section| {
        let chunks = section.aliases.chunks(AT_A_TIME);
        chunks.map(move |some| (section, some))
    })
}

/// The parents to list. One that cannot be read does not hide the others: they
/// are listed, and then it is refused.
pub(super) struct Listing {
    pub(super) sections: Vec<Section>,
    pub(super) spoilt: Option<Refusal>,
}

pub(super) fn list(host: &mut Host, filter: Option<&str>, operation: &str) -> Result<Listing> {
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
            if parent.is_alive() || attach::is_noted(&link, &parent.header()) {
                all.sections.push(Section::whole(link, parent));
            }
        }
        for (version, ifindex) in abi::of_others(&host.directory)? {
            if let Some(link) = host.netlink.link_by_index(ifindex)? {
                all.spoilt = Some(abi::refusal(&link.name, operation, version));
            }
        }
        return Ok(all);
    };
    if let Some(named) = by_address::Named::read(name) {
        let found = by_address::find(host, named, name, operation)?;
        let sections = found
            .into_iter()
            .map(|(link, parent, slots)| Section::some(link, parent, &slots));
        return Ok(whole(sections.collect()));
    }
    let (link, slot) = host.alias(name, operation)?;
    let Some(parent) = Parent::open(&host.directory, link.ifindex)? else {
        host.check_version(&link, operation)?;
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
pub(super) type Counted = (u32, Record, Figures);

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
        Ok(Section::some(link, parent, &[slot]))
    }

    fn some(link: Link, parent: Parent, slots: &[u32]) -> Section {
        let mut uses = Uses::default();
        let mut aliases = Vec::new();
        for slot in slots {
            let record = parent.record(*slot);
            uses.note(&record);
            aliases.push((record.created, *slot));
        }
        aliases.sort_unstable();
        Section {
            link,
            parent,
            aliases,
            uses,
        }
    }

    /// The records of some of its aliases. One that was deleted meanwhile is not
    /// among them.
    pub(super) fn records(&self, aliases: &[(u64, u32)]) -> impl Iterator<Item = (u32, Record)> {
        aliases.iter().filter_map(|(created, slot)| {
            let record = self.parent.record(*slot);
            let is_there = self.parent.state(*slot) == State::Live && record.created == *created;
            is_there.then_some((*slot, record))
        })
    }

    /// The same with what was counted for each.
    pub(super) fn counted(&self, aliases: &[(u64, u32)]) -> Result<Vec<Counted>> {
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

pub(super) fn parent_view(section: &Section) -> ParentView {
    let found = Build::of(section.parent.path()).ok().flatten();
    ParentView {
        build: build::name(found.as_ref()),
        is_other_build: !Build::is_own(section.parent.path()).unwrap_or(false),
        parent: section.link.name.clone(),
        mode: mode(&section.parent),
        aliases: section.parent.live().count() as u32,
        capacity: section.parent.capacity(),
    }
}

pub(super) fn parent_stats(section: &Section) -> Result<ParentStatsView> {
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
        heard: totals.heard,
        unheard: totals.unheard,
        dropped: Dropped {
            policy: totals.dropped,
            spoof: totals.spoof,
            no_target: totals.no_target + totals.lost,
        },
    })
}
