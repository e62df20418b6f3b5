//! Carries plans out: one device after the other, everything undone when something
//! fails. What is deleted for good goes last, and marks, which cannot fail, after it.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;

use alias_common::record::Record;

use crate::dataplane::tcp_options::clear_idle;
use crate::dataplane::{Parent, ParentMut};
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::lifecycle::attachment;
use crate::lifecycle::verdict::verdict_of;
use crate::lifecycle::{change, create, exposure, grow, hearing, resolve, target, tcp_options};
use crate::model::alias_request::{Addresses, AliasRequest, Target};
use crate::model::declaration::{Attachment, Hook, Properties, Run};
use crate::model::name::alias_name;
use crate::model::request::{AttachSpec, DEFAULT_CAPACITY};
use crate::model::tcp_options::TcpChange;
use crate::netlink::Link;
use crate::wiring::batch::{Batch, Item, Past};
use crate::wiring::host::Host;
use crate::wiring::transaction::{On, Transaction};

use super::prepared::Prepared;
use super::undo::{Done, Undo, take_down};

/// Devices that are made at once: one message of each kind to the kernel.
const DEVICES_AT_ONCE: usize = 1024;

/// Carries plans out, all or none.
///
/// # Errors
///
/// The first thing that was refused. Everything is as it was, or the error says
/// what is not.
pub fn execute(tx: &mut Transaction<'_>, prepared: Vec<Prepared>) -> Result<()> {
    let mut undo = Undo::default();
    let done = prepared
        .iter()
        .try_for_each(|one| make(tx, one, &mut undo))
        .and_then(|()| interrupt::check("the configuration", "apply"))
        .and_then(|()| {
            prepared
                .iter()
                .try_for_each(|one| remove(tx, one, &mut undo))
        })
        .and_then(|()| prepared.iter().try_for_each(|one| mark(tx, one)));
    match done {
        Ok(()) => Ok(()),
        Err(refusal) => Err(undo.all(tx, refusal)),
    }
}

/// Everything but what is only deleted.
fn make(tx: &mut Transaction<'_>, one: &Prepared, undo: &mut Undo) -> Result<()> {
    let (link, plan) = (&one.link, &one.plan);
    // The plan has seen to it that 32 bits hold them.
    let more = plan.make.iter().map(|run| run.count).sum::<u64>() as u32;
    let declared = one.declared.attachment.capacity.unwrap_or(0);
    if one.is.is_none() {
        let spec = attach_spec(&one.declared.attachment);
        let capacity = spec.capacity.max(more);
        attachment::attach(tx, &link.name, &AttachSpec { capacity, ..spec })?;
        undo.push(link, Done::Attached);
    }
    let mut parent = tx.host.attached(link, "apply")?;
    let grown = match declared > parent.capacity() {
        true => Some(grow::grow_to(&mut tx.on(link, &parent)?, declared)?),
        false => None,
    };
    parent = note_growth(link, parent, grown, undo);
    let grown = grow::make_room(&mut tx.on(link, &parent)?, more)?;
    parent = note_growth(link, parent, grown, undo);
    let limit = parent.header().max_aliases;
    if let Some(wanted) = one.declared.attachment.max_aliases
        && wanted != limit
    {
        parent.edit(tx.lock())?.set_limit(wanted);
        undo.push(link, Done::Limited(limit));
    }
    let on_down = Parent::on_down(&parent.header());
    if let wanted @ Some(_) = one.declared.attachment.on_parent_down
        && wanted != on_down
    {
        parent.edit(tx.lock())?.set_on_down(wanted);
        undo.push(link, Done::Chosen(on_down));
    }
    let exposed = exposure::exposed(tx.host, link, &parent, exposure::Change::default())?;
    let mut going: Vec<(u32, bool)> = plan.replace.iter().map(|run| (run.start, true)).collect();
    going.extend(plan.remove_first.iter().map(|slot| (*slot, false)));
    let pasts = take_down(&mut tx.on(link, &parent)?, &going, undo)?;
    let mut progress = Progress::of(link, &plan.make);
    for group in groups(parent.edit(tx.lock())?, &plan.replace, &plan.make, &pasts) {
        let at_once = match group.properties.target {
            Target::Device { .. } => DEVICES_AT_ONCE,
            _ => group.items.len(),
        };
        for items in group.items.chunks(at_once.max(1)) {
            let grown = grow::until_all_fit(&mut tx.on(link, &parent)?, 0, |on| {
                make_group(on, group.properties, items)
            });
            let grown = grown.map_err(|refusal| {
                let mut runs = plan.replace.iter().chain(&plan.make);
                let about = runs.find(|run| is_about(&refusal, link, run));
                refusal.at_line(about.map_or(group.line, |run| run.line))
            })?;
            parent = note_growth(link, parent, grown, undo);
            let slots = items
                .iter()
                .map(|item| (item.slot, item.past.kept))
                .collect();
            undo.push(link, Done::Made(slots));
            progress.advance(items.len());
        }
    }
    for (slot, hear) in &plan.hear {
        let before = parent.record(*slot).hear();
        hearing::change(&mut tx.on(link, &parent)?, *slot, *hear)?;
        undo.push(link, Done::Heard(*slot, before));
    }
    for (slot, options) in &plan.tune {
        let before = parent.record(*slot).tcp;
        let change = TcpChange::to(options);
        change::set_options(&mut tx.on(link, &parent)?, *slot, &change)?;
        undo.push(link, Done::Tuned(*slot, before));
    }
    if !pasts.is_empty() {
        // What was replaced may have been the last with TCP options.
        clear_idle(parent.edit(tx.lock())?)?;
    }
    refuse_exposing(tx.host, one, &parent, &exposed)
}

/// Notes how large a parent was before it grew, if it did. Returns what it is now.
fn note_growth(link: &Link, was: Parent, grown: Option<Parent>, undo: &mut Undo) -> Parent {
    let Some(grown) = grown else {
        return was;
    };
    undo.push(link, Done::Grown(was.capacity()));
    grown
}

/// Refuses a configuration by which a prefix would get an address of the parent's, as
/// things will be once the rest is deleted and disabled.
fn refuse_exposing(
    host: &mut Host,
    one: &Prepared,
    parent: &Parent,
    before: &[(IpAddr, u32)],
) -> Result<()> {
    let (link, plan) = (&one.link, &one.plan);
    let mut going = plan.remove.clone();
    going.sort_unstable();
    let disabled = plan.enable.iter().filter(|(_, enabled)| !enabled);
    let mut disabled: Vec<u32> = disabled.map(|(slot, _)| *slot).collect();
    disabled.sort_unstable();
    let change = exposure::Change {
        going: &going,
        disabled: &disabled,
    };
    let after = exposure::exposed(host, link, parent, change)?;
    exposure::newly_exposed(link, parent, "apply", before, &after)
}

fn attach_spec(declared: &Attachment) -> AttachSpec {
    AttachSpec {
        mode: declared.mode.unwrap_or_default(),
        capacity: declared.capacity.unwrap_or(DEFAULT_CAPACITY),
        max_aliases: declared.max_aliases,
        log_level: declared.log.unwrap_or(0),
        on_down: declared.on_parent_down,
        hook: declared.tc.map(|tc| match tc {
            Hook::Tcx => Hook::Tcx,
            Hook::Clsact => Hook::Clsact,
        }),
    }
}

/// Whether a refusal names an alias of a run, or its address.
fn is_about(refusal: &Refusal, link: &Link, run: &Run) -> bool {
    (run.start..run.end()).any(|slot| {
        refusal.object == alias_name(&link.name, slot)
            || refusal.object == run.address(slot).to_string()
    })
}

/// Aliases that are alike but for their addresses.
struct Group<'a> {
    properties: &'a Properties,
    /// Where the first of them is declared.
    line: u32,
    items: Vec<Item>,
}

/// Puts what is alike together, joins last: they need the devices. Prefixes come after
/// the addresses which keep the parent's own ones from them. Each new alias
/// gets its place in the listing by its place in the file.
fn groups<'a>(
    parent: ParentMut<'_>,
    replace: &'a [Run],
    make: &'a [Run],
    pasts: &HashMap<u32, Past>,
) -> Vec<Group<'a>> {
    let count = make.iter().map(|run| run.count).sum();
    let mut created = parent.reserve_created(count);
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut known: HashMap<(&Properties, bool), usize> = HashMap::new();
    for run in replace.iter().chain(make) {
        let is_prefix = run.address(run.start).prefix().is_some();
        let at = *known
            .entry((&run.properties, is_prefix))
            .or_insert_with(|| {
                groups.push(Group {
                    properties: &run.properties,
                    line: run.line,
                    items: Vec::new(),
                });
                groups.len() - 1
            });
        for slot in run.start..run.end() {
            let past = pasts.get(&slot).copied().unwrap_or_else(|| {
                created += 1;
                Past {
                    created: created - 1,
                    ..Past::default()
                }
            });
            groups[at].items.push(Item {
                slot,
                address: run.address(slot),
                assign: true,
                tcp: run.properties.tcp,
                past,
            });
        }
    }
    groups.sort_by_key(|group| {
        let joins = matches!(group.properties.target, Target::Join { .. });
        (joins, group.items[0].address.prefix().is_some())
    });
    groups
}

fn make_group(on: &mut On<'_>, properties: &Properties, items: &[Item]) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let mut items = items.to_vec();
    let wanted = AliasRequest {
        addresses: Addresses::One {
            address: items[0].address,
            slot: None,
        },
        prefix_len: properties.prefix_len,
        vlan: properties.vlan,
        target: properties.target.clone(),
        announce: properties.announce,
        hear: properties.hear,
        tcp: TcpChange::to(&properties.tcp),
    };
    let placement = target::check(on.host, link, &parent, &wanted, None)?;
    resolve::refuse_taken(on.host, link, &parent, &wanted, &mut items, None)?;
    let batch = Batch {
        items,
        prefix_len: properties.prefix_len,
        vlan: properties.vlan,
        placement,
        announce: properties.announce,
        hear: properties.hear,
        enabled: properties.enabled,
        declared: true,
        deprecated: properties.deprecated,
    };
    tcp_options::check(on.host, link, &parent, &batch, &wanted.tcp)?;
    create::create(on, &batch)
}

/// Deletes what the configuration made and has no more.
fn remove(tx: &mut Transaction<'_>, one: &Prepared, undo: &mut Undo) -> Result<()> {
    if one.plan.remove.is_empty() {
        return Ok(());
    }
    let parent = tx.host.attached(&one.link, "apply")?;
    let going: Vec<(u32, bool)> = one.plan.remove.iter().map(|slot| (*slot, false)).collect();
    take_down(&mut tx.on(&one.link, &parent)?, &going, undo).map(drop)
}

/// Marks what is the configuration's, enables and disables.
fn mark(tx: &mut Transaction<'_>, one: &Prepared) -> Result<()> {
    let plan = &one.plan;
    if plan.adopt.is_empty() && plan.enable.is_empty() && plan.announce.is_empty() {
        return Ok(());
    }
    let parent = tx.host.attached(&one.link, "apply")?;
    let parent = parent.edit(tx.lock())?;
    parent.set_unfinished(true);
    let set = |slot: u32, flag: u32, on: bool| {
        let note = |record: &mut Record| {
            record.flags &= !flag;
            record.flags |= if on { flag } else { 0 };
        };
        parent.amend(slot, note);
    };
    for slot in &plan.adopt {
        set(*slot, Record::DECLARED, true);
    }
    for (slot, announce) in &plan.announce {
        set(*slot, Record::ANNOUNCE, *announce);
    }
    for (slot, enabled) in &plan.enable {
        // The record first, as `enable` does it.
        set(*slot, Record::ENABLED, *enabled);
        parent.set_verdict(*slot, verdict_of(&parent.record(*slot)));
    }
    parent.set_unfinished(false);
    Ok(())
}

/// Says on a terminal how far a long change is.
struct Progress<'a> {
    link: &'a Link,
    done: usize,
    all: u64,
    shown: bool,
}

impl<'a> Progress<'a> {
    /// What takes less than a second needs no telling.
    const FROM: u64 = 2048;

    fn of(link: &'a Link, make: &[Run]) -> Progress<'a> {
        let all = make.iter().map(|run| run.count).sum();
        Progress {
            link,
            done: 0,
            all,
            shown: all >= Progress::FROM && io::stderr().is_terminal(),
        }
    }

    fn advance(&mut self, count: usize) {
        self.done += count;
        if self.shown {
            let Progress {
                link, done, all, ..
            } = self;
            let _ = write!(io::stderr(), "\r{}: {done} of {all} aliases", link.name);
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.shown {
            // To the line's beginning, and clear it (ECMA-48, 8.3.41).
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
