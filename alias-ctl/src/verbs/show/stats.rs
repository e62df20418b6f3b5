//! `stats`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::error::{Refusal, Result};
use crate::lifecycle::views::{Names, port_drops};
use crate::model::rates::{Counters, Rates};
use crate::model::request::Format;
use crate::render::alias::ParentStatsView;
use crate::render::openmetrics::{Dialect, end};
use crate::render::output::{next, write, write_json, write_rows};
use crate::render::{alias as render, row};
use crate::wiring::host::Host;

use super::counted::stats_view;
use super::metrics::metrics;
use super::section::{Listing, chunks, list, parent_stats, uses};

/// `alias-ctl stats`.
///
/// # Errors
///
/// ENODEV for a device or an alias that is not there.
pub fn stats(
    filter: Option<&str>,
    format: Format,
    parents: bool,
    top: Option<usize>,
    watch: Option<Duration>,
) -> Result<()> {
    let dialect = match format {
        Format::Table | Format::Json => None,
        Format::OpenMetrics => Some(Dialect::OpenMetrics),
        Format::Prometheus => Some(Dialect::Prometheus),
    };
    if dialect.is_none() && top.is_some() {
        return Err(top_of_what());
    }
    if dialect.is_some() && watch.is_some() {
        return Err(again_and_again());
    }
    let json = format == Format::Json;
    let mut host = Host::open()?;
    let mut before = Before::default();
    loop {
        let Listing {
            mut sections,
            spoilt,
        } = list(&mut host, filter, "stats")?;
        if let Some(dialect) = dialect {
            metrics(&mut host, &mut sections, dialect, top, &mut write)?;
            write(end(dialect))?;
            return spoilt.map_or(Ok(()), Err);
        }
        match (parents, json) {
            (true, true) => write_json(sections.iter().map(parent_stats))?,
            (true, false) => {
                let views: Result<Vec<ParentStatsView>> =
                    sections.iter().map(parent_stats).collect();
                write(&render::parent_stats(&views?))?;
            }
            (false, true) => {
                let names = Names::look_up(&mut host, uses(&sections))?;
                let drops = port_drops(&mut host, uses(&sections))?;
                write_rows(chunks(&sections), |(section, some), rows| {
                    for one in section.counted(some)? {
                        let (view, _) = stats_view(&names, section, &one, &drops);
                        row::stats(next(rows), &view);
                    }
                    Ok(())
                })?;
            }
            (false, false) => {
                let names = Names::look_up(&mut host, uses(&sections))?;
                let drops = port_drops(&mut host, uses(&sections))?;
                let mut views = Vec::new();
                let mut now = Before::new();
                for section in &sections {
                    for one in section.counted(&section.aliases)? {
                        let (view, counters) = stats_view(&names, section, &one, &drops);
                        let alias = (section.link.ifindex, one.1.created);
                        if watch.is_some() {
                            now.counted.insert(alias, counters);
                        }
                        views.push((view, before.rates(&now, alias, &counters)));
                    }
                }
                write(&render::stats(&views))?;
                before = now;
            }
        }
        let Some(interval) = watch else {
            return spoilt.map_or(Ok(()), Err);
        };
        std::thread::sleep(interval);
    }
}

fn top_of_what() -> Refusal {
    let reason = "a table and JSON have all aliases";
    Refusal::new("--top", "stats", reason, libc::EINVAL)
        .hint("it goes with --format openmetrics or prometheus")
}

fn again_and_again() -> Refusal {
    let reason = "what Prometheus reads is written once";
    Refusal::new("--watch", "stats", reason, libc::EINVAL)
        .hint("have a timer write it to the textfile collector's directory, and rename it there")
}

/// What was counted when it was listed the last time, by parent and creation number.
#[derive(Default)]
struct Before {
    counted: HashMap<(u32, u64), Counters>,
    /// When it was; `None`: never.
    at: Option<Instant>,
}

impl Before {
    fn new() -> Before {
        Before {
            counted: HashMap::new(),
            at: Some(Instant::now()),
        }
    }

    /// What an alias did by second; `None` if it was not listed before.
    fn rates(&self, now: &Before, alias: (u32, u64), counters: &Counters) -> Option<Rates> {
        let elapsed = now.at?.duration_since(self.at?).as_secs_f64();
        Some(counters.since(self.counted.get(&alias)?, elapsed))
    }
}
