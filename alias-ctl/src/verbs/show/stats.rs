//! `stats`.

use std::time::Duration;

use crate::error::{Refusal, Result};
use crate::model::request::Format;
use crate::render::alias::ParentStatsView;
use crate::render::openmetrics::{Dialect, end};
use crate::render::output::{next, write, write_json, write_rows};
use crate::render::{alias as render, row};
use crate::wiring::host::Host;

use super::metrics::metrics;
use super::names::{Names, port_drops};
use super::section::{Listing, chunks, list, parent_stats};

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
