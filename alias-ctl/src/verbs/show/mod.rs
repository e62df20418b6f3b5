//! `show`, and [`stats`]: read without a lock, while others write.

pub mod metrics;
mod names;
mod section;
pub mod stats;

use std::io::{self, Write};

use crate::error::Result;
use crate::render::alias::AliasView;
use crate::render::output::{next, write, write_rows};
use crate::render::{alias as render, row};
use crate::wiring::host::Host;

use names::Names;
use section::{Listing, chunks, list, parent_view};

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
        tell_tip("no aliases: make one with alias-ctl add DEVICE:0 ADDRESS");
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

/// Says something to a person; a script reads standard output.
fn tell_tip(text: &str) {
    // Nobody to tell is no reason to fail.
    let _ = writeln!(io::stderr(), "alias-ctl: {text}");
}
