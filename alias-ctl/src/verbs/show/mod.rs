//! `show`, and [`stats`]: read without a lock, while others write.

mod counted;
pub mod metrics;
mod section;
pub mod stats;

use std::io::{self, Write};

use alias_common::record::Record;

use crate::error::Result;
use crate::lifecycle::views::{Names, mode};
use crate::render::alias::AliasView;
use crate::render::output::{next, write, write_rows};
use crate::render::{alias as render, row};
use crate::wiring::host::Host;

use section::{Listing, Section, chunks, list, parent_view, uses};

/// `alias-ctl show`.
///
/// # Errors
///
/// ENODEV for a device or an alias that is not there.
pub fn show(filter: Option<&str>, json: bool) -> Result<()> {
    let mut host = Host::open()?;
    let Listing { sections, spoilt } = list(&mut host, filter, "show")?;
    let names = Names::look_up(&mut host, uses(&sections))?;
    if json {
        write_rows(chunks(&sections), |(section, some), rows| {
            for (slot, record) in section.records(some) {
                row::alias(next(rows), &view(&names, section, slot, &record));
            }
            Ok(())
        })?;
        return spoilt.map_or(Ok(()), Err);
    }
    if sections.is_empty() && spoilt.is_none() {
        tell_tip("no aliases: make one with alias-ctl add DEVICE:0 ADDRESS");
    }
    let mut text = String::new();
    for section in &sections {
        let records = section.records(&section.aliases);
        let views: Vec<AliasView<'_>> = records
            .map(|(slot, record)| view(&names, section, slot, &record))
            .collect();
        text += &render::heading(&parent_view(section));
        text += &render::show(&views);
    }
    write(&text)?;
    spoilt.map_or(Ok(()), Err)
}

/// One alias of a section.
fn view<'a>(names: &'a Names, section: &'a Section, slot: u32, record: &Record) -> AliasView<'a> {
    names.view(&section.link, mode(&section.parent), slot, record)
}

/// Says something to a person; a script reads standard output.
fn tell_tip(text: &str) {
    // Nobody to tell is no reason to fail.
    let _ = writeln!(io::stderr(), "alias-ctl: {text}");
}
