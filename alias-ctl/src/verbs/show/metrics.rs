//! `stats --format openmetrics` and `prometheus`: figures by alias and by parent.
//!
//! Samples of one name stand together, so the aliases are gone through once for each name,
//! some at a time: of a million nothing is kept in memory but what they are called.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use alias_common::counters::RxCell;

use crate::dataplane::Figures;
use crate::error::Result;
use crate::lifecycle::views::{Names, port_drops};
use crate::model::name::alias_name;
use crate::render::alias::{ParentStatsView, StatsView};
use crate::render::openmetrics::{Dialect, Family, Kind, Label, head, sample};
use crate::wiring::host::Host;

use super::counted::stats_view;
use super::section::{Listing, Section, chunks, list, parent_stats, uses};

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        help,
        kind: Kind::Counter,
        unit: None,
    }
}

const fn bytes(name: &'static str, help: &'static str) -> Family {
    Family {
        unit: Some("bytes"),
        ..counter(name, help)
    }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        kind: Kind::Gauge,
        ..counter(name, help)
    }
}

/// A figure of an alias.
type Figure = fn(&StatsView<'_>) -> u64;

const OF_AN_ALIAS: [(Family, Figure); 6] = [
    (
        counter(
            "alias_rx_packets",
            "Packets received for the alias, dropped ones too; ARP and neighbour discovery apart.",
        ),
        |view| view.rx_packets,
    ),
    (
        bytes(
            "alias_rx_bytes",
            "Bytes of these packets, with their Ethernet headers.",
        ),
        |view| view.rx_bytes,
    ),
    (
        counter("alias_tx_packets", "Packets sent from the alias's address."),
        |view| view.tx_packets,
    ),
    (
        bytes(
            "alias_tx_bytes",
            "Bytes of these packets, with their Ethernet headers.",
        ),
        |view| view.tx_bytes,
    ),
    (
        counter(
            "alias_neighbor_rx_packets",
            "ARP and neighbour discovery messages received for the alias.",
        ),
        |view| view.neighbor_rx_packets,
    ),
    (
        counter(
            "alias_neighbor_tx_packets",
            "ARP and neighbour discovery messages that the alias sent.",
        ),
        |view| view.neighbor_tx_packets,
    ),
];

const DROPPED: Family = counter(
    "alias_dropped_packets",
    "Packets of the alias that were dropped, by reason.",
);

const INFO: Family = gauge(
    "alias_info",
    "Always 1: what the alias is. Join it to the others by alias.",
);

const PARENT_INFO: Family = gauge(
    "alias_parent_info",
    "Always 1: the mode and the programs of a parent.",
);
const ALIASES: Family = gauge("alias_parent_aliases", "Aliases of a parent.");
const CAPACITY: Family = gauge(
    "alias_parent_capacity_aliases",
    "Aliases that a parent has room for before it grows.",
);
const VERDICTS: Family = counter(
    "alias_parent_packets",
    "Packets that a parent received, by verdict.",
);
const SENT: Family = counter(
    "alias_parent_tx_packets",
    "Packets that alias devices and --to devices sent by a parent.",
);
const SPOOFED: Family = counter(
    "alias_parent_spoofed_packets",
    "Packets of alias devices that were dropped because their source is not theirs.",
);
const COPIES: Family = counter(
    "alias_parent_copies",
    "Copies of frames that are for everybody, by whether they could be made.",
);

const OTHERS: Family = gauge(
    "alias_other_aliases",
    "Aliases of a parent that are left out, because others have more packets.",
);
const OTHER_PACKETS: Family = gauge(
    "alias_other_packets",
    "Packets of these together. No counter: it falls when one of them is left out no more.",
);
const OTHER_BYTES: Family = Family {
    unit: Some("bytes"),
    ..gauge(
        "alias_other_bytes",
        "Bytes of these packets, with their Ethernet headers.",
    )
};

const COMPLETE: Family = gauge(
    "alias_complete",
    "1: the state of every parent could be read; 0: some are not among these figures.",
);

/// Where text goes, piece by piece.
pub(super) type Sink<'a> = &'a mut dyn FnMut(&str) -> Result<()>;

/// All figures, for the daemon, and whether they are all; of aliases only the `top`.
///
/// # Errors
///
/// That of reading.
pub fn figures(dialect: Dialect, top: Option<usize>) -> Result<String> {
    let mut host = Host::open()?;
    let Listing {
        mut sections,
        spoilt,
    } = list(&mut host, None, "stats")?;
    let mut text = String::new();
    let sink: Sink<'_> = &mut |piece| {
        text.push_str(piece);
        Ok(())
    };
    metrics(&mut host, &mut sections, dialect, top, sink)?;
    head(&mut text, dialect, &COMPLETE);
    sample(&mut text, &COMPLETE, &[], u64::from(spoilt.is_none()));
    Ok(text)
}

/// Writes all figures; of aliases only the `top` with the most packets, where that is said,
/// and the sums of the others.
///
/// # Errors
///
/// That of reading and of writing.
pub(super) fn metrics(
    host: &mut Host,
    sections: &mut [Section],
    dialect: Dialect,
    top: Option<usize>,
    sink: Sink<'_>,
) -> Result<()> {
    let names = Names::look_up(host, uses(sections))?;
    let drops = port_drops(host, uses(sections))?;
    by_parent(sections, dialect, sink)?;
    if let Some(top) = top {
        let others = keep_busiest(sections, top)?;
        sink(&of_others(sections, &others, dialect))?;
    }
    let mut all = Aliases {
        sink,
        sections,
        names: &names,
        drops: &drops,
        dialect,
    };
    all.family(&INFO, info)?;
    for (family, figure) in &OF_AN_ALIAS {
        all.family(family, |text, view| {
            let name = alias_name(view.alias.parent, view.alias.slot);
            let labels = [("alias", name.as_str()), ("parent", view.alias.parent)];
            sample(text, family, &labels, figure(view));
        })?;
    }
    all.family(&DROPPED, |text, view| {
        let name = alias_name(view.alias.parent, view.alias.slot);
        for (reason, value) in [
            ("policy", view.dropped.policy),
            ("spoof", view.dropped.spoof),
            ("no_target", view.dropped.no_target),
        ] {
            let labels = [
                ("alias", name.as_str()),
                ("parent", view.alias.parent),
                ("reason", reason),
            ];
            sample(text, &DROPPED, &labels, value);
        }
    })?;
    Ok(())
}

struct Aliases<'a> {
    sink: Sink<'a>,
    sections: &'a [Section],
    names: &'a Names,
    drops: &'a HashMap<u32, u64>,
    dialect: Dialect,
}

impl Aliases<'_> {
    fn family(
        &mut self,
        family: &Family,
        each: impl Fn(&mut String, &StatsView<'_>),
    ) -> Result<()> {
        let mut text = String::new();
        head(&mut text, self.dialect, family);
        for (section, some) in chunks(self.sections) {
            for one in section.counted(some)? {
                let (view, _) = stats_view(self.names, section, &one, self.drops);
                each(&mut text, &view);
            }
            (self.sink)(&text)?;
            text.clear();
        }
        (self.sink)(&text)
    }
}

fn info(text: &mut String, view: &StatsView<'_>) {
    let alias = &view.alias;
    let name = alias_name(alias.parent, alias.slot);
    let address = alias.address.to_string();
    let vlan = match (alias.vlan, alias.inner_vlan) {
        (Some(outer), Some(inner)) => format!("{outer}.{inner}"),
        (Some(outer), None) => outer.to_string(),
        (None, _) => String::new(),
    };
    let labels: [Label<'_>; 9] = [
        ("alias", &name),
        ("parent", alias.parent),
        ("address", &address),
        ("family", &alias.family),
        ("target", alias.target),
        ("device", alias.device.as_deref().unwrap_or_default()),
        ("netns", alias.netns.as_deref().unwrap_or_default()),
        ("vlan", &vlan),
        ("enabled", if alias.enabled { "true" } else { "false" }),
    ];
    sample(text, &INFO, &labels, 1);
}

fn by_parent(sections: &[Section], dialect: Dialect, sink: Sink<'_>) -> Result<()> {
    let views: Vec<ParentStatsView> = sections.iter().map(parent_stats).collect::<Result<_>>()?;
    let mut text = String::new();
    let mut family = |family: &Family, each: &dyn Fn(&mut String, &ParentStatsView)| {
        head(&mut text, dialect, family);
        views.iter().for_each(|view| each(&mut text, view));
    };
    let one = |family: &'static Family, figure: fn(&ParentStatsView) -> u64| {
        move |text: &mut String, view: &ParentStatsView| {
            sample(
                text,
                family,
                &[("parent", &view.parent.parent)],
                figure(view),
            );
        }
    };
    family(&PARENT_INFO, &|text, view| {
        let parent = &view.parent;
        let labels = [
            ("parent", parent.parent.as_str()),
            ("mode", parent.mode),
            ("programs", &parent.build),
        ];
        sample(text, &PARENT_INFO, &labels, 1);
    });
    family(&ALIASES, &one(&ALIASES, |view| view.parent.aliases.into()));
    family(
        &CAPACITY,
        &one(&CAPACITY, |view| view.parent.capacity.into()),
    );
    family(&VERDICTS, &|text, view| {
        for (verdict, value) in [
            ("miss", view.miss),
            ("malformed", view.malformed),
            ("other_station", view.other_station),
            ("local", view.local),
            ("device", view.device),
            ("to", view.to),
            ("drop", view.dropped.policy),
            ("no_target", view.dropped.no_target),
        ] {
            let labels = [
                ("parent", view.parent.parent.as_str()),
                ("verdict", verdict),
            ];
            sample(text, &VERDICTS, &labels, value);
        }
    });
    family(&SENT, &one(&SENT, |view| view.tx));
    family(&SPOOFED, &one(&SPOOFED, |view| view.dropped.spoof));
    family(&COPIES, &|text, view| {
        for (result, value) in [("made", view.heard), ("not_made", view.unheard)] {
            let labels = [("parent", view.parent.parent.as_str()), ("result", result)];
            sample(text, &COPIES, &labels, value);
        }
    });
    sink(&text)
}

/// What is left out of one parent.
#[derive(Clone, Copy, Debug, Default)]
struct Others {
    aliases: u64,
    rx: RxCell,
    tx: RxCell,
}

impl Others {
    /// One more of them, or one less: sums wrap both ways.
    fn note(&mut self, figures: &Figures, sign: u64) {
        let rest = &figures.rest;
        self.aliases = self.aliases.wrapping_add(sign);
        let add = |sum: &mut u64, figure: u64| *sum = sum.wrapping_add(figure.wrapping_mul(sign));
        add(&mut self.rx.packets, figures.rx.packets);
        add(&mut self.rx.bytes, figures.rx.bytes);
        add(&mut self.tx.packets, rest.tx_packets);
        add(&mut self.tx.bytes, rest.tx_bytes);
    }
}

/// Packets or bytes.
type Part = fn(&RxCell) -> u64;

fn of_others(sections: &[Section], others: &[Others], dialect: Dialect) -> String {
    let mut text = String::new();
    let each = || {
        sections
            .iter()
            .map(|section| &*section.link.name)
            .zip(others)
    };
    head(&mut text, dialect, &OTHERS);
    for (parent, others) in each() {
        sample(&mut text, &OTHERS, &[("parent", parent)], others.aliases);
    }
    let figures: [(&Family, Part); 2] = [
        (&OTHER_PACKETS, |cell| cell.packets),
        (&OTHER_BYTES, |cell| cell.bytes),
    ];
    for (family, figure) in figures {
        head(&mut text, dialect, family);
        for (parent, others) in each() {
            for (direction, cell) in [("rx", &others.rx), ("tx", &others.tx)] {
                let labels = [("parent", parent), ("direction", direction)];
                sample(&mut text, family, &labels, figure(cell));
            }
        }
    }
    text
}

/// Leaves those with the most packets, received and sent, of all sections together, and
/// returns what the others of each have. Among equals the one that was made first stays.
fn keep_busiest(sections: &mut [Section], top: usize) -> Result<Vec<Others>> {
    let mut busiest = BinaryHeap::new();
    let mut others = vec![Others::default(); sections.len()];
    for (at, section) in sections.iter().enumerate() {
        for some in chunks(std::slice::from_ref(section)).map(|(_, some)| some) {
            for (slot, record, figures) in section.counted(some)? {
                let packets = figures.rx.packets + figures.rest.tx_packets;
                others[at].note(&figures, 1);
                let one = Reverse((packets, Reverse((record.created, at, slot))));
                if busiest.len() < top {
                    busiest.push(one);
                } else if busiest.peek().is_some_and(|least| one < *least) {
                    busiest.pop();
                    busiest.push(one);
                }
            }
        }
    }
    for section in &mut *sections {
        section.aliases.clear();
    }
    for Reverse((_, Reverse((created, at, slot)))) in busiest {
        sections[at].aliases.push((created, slot));
    }
    for (section, others) in sections.iter_mut().zip(&mut others) {
        section.aliases.sort_unstable();
        for (_, _, figures) in section.counted(&section.aliases)? {
            others.note(&figures, u64::MAX);
        }
    }
    Ok(others)
}
