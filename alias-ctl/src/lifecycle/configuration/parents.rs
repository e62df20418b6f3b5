//! The devices that a configuration names, by the names that they have now: two names of
//! one device are one parent.

use crate::error::{Refusal, Result};
use crate::model::alias_request::Target;
use crate::model::declaration::{Attachment, Declaration, Parent, joined_slot};
use crate::model::name::alias_name;
use crate::wiring::host::Host;

/// Looks the parents up and puts those together that are one device. One that is not there
/// keeps its name.
///
/// # Errors
///
/// EEXIST for a slot or an address that is declared twice then, with both lines; EINVAL for
/// two ways to attach one device; that of asking the kernel.
pub fn settle(host: &mut Host, declaration: &mut Declaration) -> Result<()> {
    let mut settled: Vec<Parent> = Vec::new();
    let mut is_merged = false;
    for mut parent in std::mem::take(&mut declaration.parents) {
        let declared = parent.name.clone();
        if let Some(link) = host.netlink.link_by_name(&parent.name)?
            && link.name != parent.name
        {
            rename(&mut parent, link.name);
        }
        match settled.iter_mut().find(|known| known.name == parent.name) {
            Some(known) => {
                known.attachment = merged(known, &parent, &declared)?;
                known.runs.append(&mut parent.runs);
                is_merged = true;
            }
            None => settled.push(parent),
        }
    }
    declaration.parents = settled;
    match is_merged {
        true => declaration.check(),
        false => Ok(()),
    }
}

fn rename(parent: &mut Parent, name: String) {
    for run in &mut parent.runs {
        if let Some(slot) = joined_slot(&run.properties.target) {
            let alias = alias_name(&name, slot);
            run.properties.target = Target::Join { alias };
        }
    }
    parent.name = name;
}

/// What both say of how the device is attached.
fn merged(known: &Parent, other: &Parent, declared: &str) -> Result<Attachment> {
    let (a, b) = (&known.attachment, &other.attachment);
    let both = Attachment {
        mode: a.mode.or(b.mode),
        capacity: a.capacity.or(b.capacity),
        max_aliases: a.max_aliases.or(b.max_aliases),
        log: a.log.or(b.log),
        tc: a.tc.or(b.tc),
        on_parent_down: a.on_parent_down.or(b.on_parent_down),
    };
    let reversed = Attachment {
        mode: b.mode.or(a.mode),
        capacity: b.capacity.or(a.capacity),
        max_aliases: b.max_aliases.or(a.max_aliases),
        log: b.log.or(a.log),
        tc: b.tc.or(a.tc),
        on_parent_down: b.on_parent_down.or(a.on_parent_down),
    };
    if both == reversed {
        return Ok(both);
    }
    let reason = format!(
        "it is {} too, which is to be attached otherwise",
        known.name
    );
    Err(Refusal::new(declared, "declare", reason, libc::EINVAL)
        .hint("nothing was changed; declare one of them"))
}
