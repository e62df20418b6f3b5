//! `apply` and `restore`: makes the live state of the devices that a configuration
//! names what it declares.

use std::collections::HashSet;
use std::io::{self, Write};

use alias_common::limits::MAX_SLOTS;

use crate::command::host::Host;
use crate::command::types::Named;
use crate::command::{recover, resolve};
use crate::dataplane::{Parent, WriteLock};
use crate::error::{Refusal, Result};
use crate::model::declaration::{self, Attachment, Declaration, Mode};
use crate::model::plan::{self, Live, Plan};
use crate::model::wish::Target;
use crate::netlink::Link;
use crate::render::plan as render;

use super::observe::{self, Names};
use super::{Source, Text, execute, only};

/// `alias-ctl apply FILE`, and `restore [DEV]` with what was saved.
///
/// # Errors
///
/// Those of reading and planning, before which nothing is touched; what the kernel
/// refuses, after which everything is undone.
pub fn apply(source: &Source, device: Option<&str>, dry_run: bool) -> Result<()> {
    let mut host = Host::open()?;
    let text = Text::of(source)?;
    let read = |host: &Host| -> Result<(Declaration, Vec<Named>)> {
        let (mut declaration, types) = text.read(host)?;
        if let Some(device) = device {
            only(&mut declaration, device)?;
        }
        Ok((declaration, types))
    };
    if dry_run {
        let (declaration, _) = read(&host)?;
        let text: String = prepare(&mut host, declaration)?
            .iter()
            .map(|one| {
                render::settings(&one.link.name, one.is.as_ref(), &one.declared.attachment)
                    + &render::plan(&one.link.name, &one.live, &one.plan)
            })
            .collect();
        return io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| Refusal::io("standard output", "write", &error));
    }
    let lock = recover::begin(&mut host)?;
    // Under the lock, as types come and go.
    let (declaration, types) = read(&host)?;
    apply_with(&mut host, &lock, &needed(types, &declaration), declaration)
}

/// Of the types that a configuration names, those that an alias of it is of.
fn needed(mut types: Vec<Named>, declaration: &Declaration) -> Vec<Named> {
    let families: HashSet<u16> = declaration
        .parents
        .iter()
        .flat_map(|parent| &parent.runs)
        .map(|run| run.first.family().0)
        .collect();
    types.retain(|named| families.contains(&named.row.family));
    types
}

/// Applies with these types registered; a refusal takes back what was not before.
fn apply_with(
    host: &mut Host,
    lock: &WriteLock,
    types: &[Named],
    declaration: Declaration,
) -> Result<()> {
    match types.split_first() {
        None => apply_under(host, lock, declaration),
        Some((first, rest)) => {
            first.registered_for(host, lock, |host| apply_with(host, lock, rest, declaration))
        }
    }
}

/// The same under a lock that is held, as one of several changes.
///
/// # Errors
///
/// As for [`apply`].
pub fn apply_under(host: &mut Host, lock: &WriteLock, declaration: Declaration) -> Result<()> {
    let prepared = prepare(host, declaration)?;
    execute::execute(host, lock, prepared)
}

/// Makes again what was saved of one device, as one of several changes. Whether
/// anything was.
///
/// # Errors
///
/// As for [`apply`].
pub fn restore_under(host: &mut Host, lock: &WriteLock, device: &str) -> Result<bool> {
    let text = match Text::of(&Source::Saved) {
        Err(refusal) if refusal.errno == libc::ENOENT => return Ok(false),
        result => result?,
    };
    let (mut declaration, types) = text.read(host)?;
    declaration.parents.retain(|parent| parent.name == device);
    if declaration.parents.is_empty() {
        return Ok(false);
    }
    apply_with(host, lock, &needed(types, &declaration), declaration).map(|()| true)
}

/// One device with all that is to be done.
pub struct Prepared {
    /// The device.
    pub link: Link,
    /// How it is attached; `None`: it is not.
    pub is: Option<Attachment>,
    /// What is declared.
    pub declared: declaration::Parent,
    /// Its aliases, by slot.
    pub live: Vec<Live>,
    /// What shall happen to them.
    pub plan: Plan,
}

/// Looks up and plans everything; what can be refused is refused here.
fn prepare(host: &mut Host, mut declaration: Declaration) -> Result<Vec<Prepared>> {
    look_for_targets(host, &declaration)?;
    let names = Names::look_up(host)?;
    names.settle(&mut declaration);
    let mut prepared = Vec::new();
    for declared in declaration.parents {
        let line = declared.runs.first().map_or(0, |run| run.line);
        let link = host
            .link(&declared.name, "apply")
            .map_err(|refusal| refusal.at_line(line))?;
        let parent = Parent::open(&host.directory, link.ifindex)?.filter(Parent::is_alive);
        let is = parent.as_ref().map(observe::attachment);
        if let Some(is) = &is {
            refuse_other_attachment(&link, is, &declared.attachment)?;
        }
        let live = match &parent {
            Some(parent) => observe::aliases(host, &link, parent, &names)?.0,
            None => Vec::new(),
        };
        let plan = plan::plan(&declared, &live, limit(is.as_ref(), &declared.attachment))?;
        let makes = !(plan.make.is_empty() && plan.replace.is_empty());
        if makes && !link.up {
            return Err(resolve::parent_down(&link, "apply"));
        }
        prepared.push(Prepared {
            link,
            is,
            declared,
            live,
            plan,
        });
    }
    Ok(prepared)
}

/// Slots from this number on cannot be created once the device is as declared.
fn limit(is: Option<&Attachment>, declared: &Attachment) -> u32 {
    declared
        .max_aliases
        .or(is.and_then(|is| is.max_aliases))
        .map_or(MAX_SLOTS, |limit| limit.min(MAX_SLOTS))
}

/// What an attached device has for good must be what is declared.
fn refuse_other_attachment(link: &Link, is: &Attachment, declared: &Attachment) -> Result<()> {
    let mode = declared.mode.filter(|mode| *mode != Mode::BestEffort);
    let other = render::differing(is, &Attachment { mode, ..*declared }).find(|difference| {
        !matches!(
            difference.key,
            "capacity" | "max_aliases" | "on_parent_down"
        )
    });
    let Some(difference) = other else {
        return Ok(());
    };
    Err(Refusal::new(
        &link.name,
        "apply",
        format!(
            "it is attached with {} {}, and {} is declared",
            difference.key, difference.is, difference.declared
        ),
        libc::EBUSY,
    )
    .way_out(format!(
        "nothing was changed; detach it first: alias-ctl detach {} --cascade",
        link.name
    )))
}

/// Namespaces and devices that are declared must be there before anything begins.
fn look_for_targets(host: &mut Host, declaration: &Declaration) -> Result<()> {
    let mut known: HashSet<&Target> = HashSet::new();
    for run in declaration.parents.iter().flat_map(|parent| &parent.runs) {
        let target = &run.properties.target;
        if !known.insert(target) {
            continue;
        }
        let found = match target {
            Target::Device { netns: Some(netns) } => resolve::open_netns(netns).map(drop),
            Target::To { device, .. } => host.link(device, "use as target").map(drop),
            _ => Ok(()),
        };
        found.map_err(|refusal| refusal.at_line(run.line))?;
    }
    Ok(())
}
