//! Everything that a configuration needs, looked up and planned before anything is
//! touched.

use std::collections::HashSet;

use alias_common::limits::MAX_ALIASES;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::lifecycle::{labels, refusals, target};
use crate::model::alias_request::Target;
use crate::model::declaration::{self, Attachment, Declaration, Mode};
use crate::model::plan::{self, Live, Plan};
use crate::netlink::Link;
use crate::render::plan as render;
use crate::wiring::host::Host;

use super::observe::{self, Names};

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
///
/// # Errors
///
/// ENODEV for what is not there, EBUSY for a device that is attached otherwise, and those
/// of planning.
pub fn prepare(host: &mut Host, mut declaration: Declaration) -> Result<Vec<Prepared>> {
    look_for_targets(host, &declaration)?;
    let names = Names::look_up(host)?;
    names.settle(&mut declaration);
    let mut prepared = Vec::new();
    for declared in declaration.parents {
        let line = declared.runs.first().map_or(0, |run| run.line);
        let link = host
            .link(&declared.name, "apply")
            .map_err(|refusal| refusal.at_line(line))?;
        let parent = Parent::open(&host.directory, link.ifindex)?;
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
            return Err(refusals::parent_down(&link, "apply"));
        }
        labels::refuse_declared(host, &link, &plan.make, &live)?;
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

/// How many aliases there can be once the device is as declared.
fn limit(is: Option<&Attachment>, declared: &Attachment) -> u32 {
    declared
        .max_aliases
        .or(is.and_then(|is| is.max_aliases))
        .map_or(MAX_ALIASES, |limit| limit.min(MAX_ALIASES))
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
    let way = match difference.key {
        "log" => format!("alias-ctl set {} --log {}", link.name, difference.declared),
        _ => format!("detach it first: alias-ctl detach {} --cascade", link.name),
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
    .hint(format!("nothing was changed; {way}")))
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
            Target::Device { netns: Some(netns) } => target::device::open_netns(netns).map(drop),
            Target::To { device, .. } => host.link(device, "use as target").map(drop),
            _ => Ok(()),
        };
        found.map_err(|refusal| refusal.at_line(run.line))?;
    }
    Ok(())
}
