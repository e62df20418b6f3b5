//! Makes the live state of the devices that a configuration names what it declares.

use std::collections::HashSet;

use crate::error::Result;
use crate::lifecycle::families::Named;
use crate::model::declaration::Declaration;
use crate::model::request::Source;
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

/// Makes again what was saved of one device, as one of several changes. Whether
/// anything was.
///
/// # Errors
///
/// As for [`apply`].
pub fn restore(tx: &mut Transaction<'_>, device: &str) -> Result<bool> {
    let text = match Text::of(&Source::Saved) {
        Err(refusal) if refusal.errno == libc::ENOENT => return Ok(false),
        result => result?,
    };
    let (mut declaration, types) = text.read(tx.host)?;
    declaration.parents.retain(|parent| parent.name == device);
    if declaration.parents.is_empty() {
        return Ok(false);
    }
    apply_with(tx, &needed(types, &declaration), declaration).map(|()| true)
}
