//! `stats`.

use std::time::Duration;

use crate::error::Result;
use crate::render::alias::{Dropped, ParentStatsView};
use crate::render::output::{next, write, write_json, write_rows};
use crate::render::{alias as render, row};
use crate::wiring::host::Host;

use super::names::{Names, port_drops};
use super::section::{Listing, Section, chunks, list, parent_view};

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
        heard: totals.heard,
        unheard: totals.unheard,
        dropped: Dropped {
            policy: totals.dropped,
            spoof: totals.spoof,
            no_target: totals.no_target + totals.lost,
        },
    })
}
