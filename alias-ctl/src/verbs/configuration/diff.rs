//! `diff`: what is running, next to a configuration. Changes nothing, and takes no
//! lock.

use std::io::{self, Write};

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::lifecycle::configuration::observe::{self, Names};
use crate::lifecycle::configuration::text::Text;
use crate::model::declaration::{self, Attachment, Declaration, Mode};
use crate::model::plan::{self, Live};
use crate::model::request::{Outcome, Source};
use crate::render::plan as render;
use crate::wiring::host::Host;

/// `alias-ctl diff [FILE]`. Prints what `apply` would delete (`-`) and make (`+`),
/// were everything the configuration's; what was made by hand is said to be so.
///
/// # Errors
///
/// That of reading the file; what no plan can be made for.
pub fn diff(source: &Source) -> Result<Outcome> {
    let mut host = Host::open()?;
    let (mut declaration, _) = Text::of(source)?.read(&mut host)?;
    let names = Names::look_up(&mut host)?;
    names.settle(&mut declaration);
    add_undeclared(&mut host, &mut declaration)?;
    let mut text = String::new();
    for mut declared in declaration.parents {
        let link = host.netlink.link_by_name(&declared.name)?;
        let parent = match &link {
            Some(link) => Parent::open(&host.directory, link.ifindex)?,
            None => None,
        };
        let is = parent.as_ref().map(observe::attachment);
        let live = match (&link, &parent) {
            (Some(link), Some(parent)) => observe::aliases(&mut host, link, parent, &names)?.0,
            _ => Vec::new(),
        };
        if declared.attachment.mode == Some(Mode::BestEffort) {
            declared.attachment.mode = is.and_then(|is: Attachment| is.mode);
        }
        text += &render::settings(&declared.name, is.as_ref(), &declared.attachment);
        // To compare, whose an alias is does not matter.
        let all: Vec<Live> = live
            .iter()
            .map(|alias| Live {
                declared: true,
                ..alias.clone()
            })
            .collect();
        let plan = plan::plan(&declared, &all, u32::MAX)?;
        text += &render::plan(&declared.name, &live, &plan);
    }
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Refusal::io("standard output", "write", &error))?;
    Ok(if text.is_empty() {
        Outcome::Done
    } else {
        Outcome::Found
    })
}

/// Devices that are attached and not declared: all their aliases differ.
fn add_undeclared(host: &mut Host, declaration: &mut Declaration) -> Result<()> {
    for ifindex in host.directory.parents()? {
        let Some(link) = host.netlink.link_by_index(ifindex)? else {
            continue;
        };
        if declaration
            .parents
            .iter()
            .all(|parent| parent.name != link.name)
        {
            declaration.parents.push(declaration::Parent {
                name: link.name,
                ..declaration::Parent::default()
            });
        }
    }
    Ok(())
}
