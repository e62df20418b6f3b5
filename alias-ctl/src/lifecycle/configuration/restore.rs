//! Makes the live state of the devices that a configuration names what it declares.

use std::collections::HashSet;

use crate::dataplane;
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::lifecycle::families::Named;
use crate::model::declaration::{Declaration, Parent, Run};
use crate::model::request::Source;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

use super::execute::execute;
use super::prepared::prepare;
use super::text::Text;

/// Of the types that a configuration names, those that an alias of it is of.
#[must_use]
pub fn needed(mut types: Vec<Named>, declaration: &Declaration) -> Vec<Named> {
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
///
/// # Errors
///
/// Those of registering, and of [`apply`].
pub fn apply_with(
    tx: &mut Transaction<'_>,
    types: &[Named],
    declaration: Declaration,
) -> Result<()> {
    match types.split_first() {
        None => apply(tx, declaration),
        Some((first, rest)) => first.registered_for(tx, |tx| apply_with(tx, rest, declaration)),
    }
}

/// Applies a configuration whose types are registered.
///
/// # Errors
///
/// Those of reading and planning, before which nothing is touched; what the kernel
/// refuses, after which everything is undone.
pub fn apply(tx: &mut Transaction<'_>, declaration: Declaration) -> Result<()> {
    let prepared = prepare(tx.host, declaration)?;
    execute(tx, prepared)
}

/// Makes of a saved configuration what can be made. A device, a namespace or a `--to`
/// device that is missing, as at boot, keeps nothing from the others. Returns what could not
/// be made and why, each with its line.
pub fn restore_each(
    tx: &mut Transaction<'_>,
    types: &[Named],
    declaration: Declaration,
) -> Vec<Refusal> {
    let mut refused = Vec::new();
    for parent in declaration.parents {
        let whole = restore_parent(tx, types, parent.clone());
        let left_out = match whole {
            Ok(()) => Vec::new(),
            Err(refusal) if interrupt::noted().is_some() => vec![refusal],
            Err(_) => restore_runs(tx, types, &parent),
        };
        note_incomplete(tx, &parent.name, !left_out.is_empty());
        refused.extend(left_out);
        if interrupt::noted().is_some() {
            break;
        }
    }
    refused
}

/// Leaves a note for the daemon, which makes what is missing when what it needs appears.
fn note_incomplete(tx: &mut Transaction<'_>, name: &str, incomplete: bool) {
    let link = tx.host.netlink.link_by_name(name).ok().flatten();
    let parent =
        link.and_then(|link| dataplane::Parent::open(&tx.host.directory, link.ifindex).ok());
    if let Some(parent) = parent.flatten()
        && let Ok(parent) = parent.edit(tx.lock())
    {
        parent.set_incomplete(incomplete);
    }
}

fn restore_parent(tx: &mut Transaction<'_>, types: &[Named], parent: Parent) -> Result<()> {
    let declaration = Declaration {
        parents: vec![parent],
    };
    let types = needed(types.to_vec(), &declaration);
    apply_with(tx, &types, declaration)
}

/// Run by run, each with those before it that could be made: what is there already is not
/// touched again.
fn restore_runs(tx: &mut Transaction<'_>, types: &[Named], parent: &Parent) -> Vec<Refusal> {
    let with = |runs: Vec<Run>| Parent {
        runs,
        ..parent.clone()
    };
    // What keeps all of them from being made is said once.
    if let Err(refusal) = restore_parent(tx, types, with(Vec::new())) {
        return vec![refusal];
    }
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    for run in &parent.runs {
        made.push(run.clone());
        if let Err(refusal) = restore_parent(tx, types, with(made.clone())) {
            made.pop();
            if interrupt::noted().is_some() {
                refused.push(refusal);
                break;
            }
            refused.push(match refusal.names_line() {
                true => refusal,
                false => refusal.at_line(run.line),
            });
        }
    }
    refused
}

/// What was saved, and the types it names; `None` where nothing was.
///
/// # Errors
///
/// That of reading it.
pub fn saved(host: &mut Host) -> Result<Option<(Declaration, Vec<Named>)>> {
    match Text::of(&Source::Saved) {
        Err(refusal) if refusal.errno == libc::ENOENT => Ok(None),
        Err(refusal) => Err(refusal),
        Ok(text) => text.read(host).map(Some),
    }
}
