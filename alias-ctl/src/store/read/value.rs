//! Values of single keys: each is what is wanted, or a fault that says where.

use super::super::table::{Entry, Fault, Read, Table, Value, join};
use crate::error::Refusal;
use crate::model::name::AliasName;

/// A fault of an entry's value.
pub(super) fn value_fault(
    table: &Table<'_>,
    entry: &Entry<'_>,
    reason: impl Into<String>,
) -> Fault {
    Fault::new(entry.value_at, join(&table.name, &entry.key), reason)
}

/// A value that another reader refused.
pub(super) fn because(table: &Table<'_>, entry: &Entry<'_>, why: Refusal) -> Fault {
    let reason = format!("{}: {}", why.object, why.reason);
    let fault = value_fault(table, entry, reason).hint(why.hint);
    Fault {
        errno: why.errno,
        ..fault
    }
}

pub(super) fn unknown(table: &Table<'_>, entry: &Entry<'_>, known: &str) -> Fault {
    let key = join(&table.name, &entry.key);
    Fault::new(entry.at, key, "unknown key").hint(format!("known keys: {known}"))
}

pub(super) fn missing(table: &Table<'_>, key: &str, example: &str) -> Fault {
    Fault::new(table.at, join(&table.name, key), "the key is missing")
        .hint(format!("write, for example: {key} = \"{example}\""))
}

fn wrong(table: &Table<'_>, entry: &Entry<'_>, wanted: &str) -> Fault {
    let reason = format!("{} where {wanted} is wanted", entry.value.kind());
    value_fault(table, entry, reason)
}

pub(super) fn text<'t>(table: &Table<'_>, entry: &'t Entry<'_>) -> Read<&'t str> {
    match &entry.value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong(table, entry, "a string")),
    }
}

pub(super) fn boolean(table: &Table<'_>, entry: &Entry<'_>) -> Read<bool> {
    match &entry.value {
        Value::Boolean(value) => Ok(*value),
        _ => Err(wrong(table, entry, "true or false")),
    }
}

pub(super) fn integer(
    table: &Table<'_>,
    entry: &Entry<'_>,
    range: std::ops::RangeInclusive<i64>,
) -> Read<i64> {
    match &entry.value {
        Value::Integer(number) if range.contains(number) => Ok(*number),
        Value::Integer(number) => {
            let reason = format!(
                "{number} is not between {} and {}",
                range.start(),
                range.end()
            );
            Err(value_fault(table, entry, reason))
        }
        _ => Err(wrong(table, entry, "an integer")),
    }
}

pub(super) fn one_of<T: Copy>(
    table: &Table<'_>,
    entry: &Entry<'_>,
    words: &[(&str, T)],
) -> Read<T> {
    let word = text(table, entry)?;
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        value_fault(table, entry, format!("{word:?} is unknown"))
            .hint(format!("write one of: {}", known.join(", ")))
    })
}

/// A device's name, as far as that can be told without looking.
pub(super) fn device(table: &Table<'_>, entry: &Entry<'_>) -> Read<String> {
    let name = text(table, entry)?;
    let usable = !name.is_empty()
        && !name.contains(['/', ':'])
        && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    if usable {
        return Ok(name.to_owned());
    }
    Err(value_fault(
        table,
        entry,
        format!("{name:?} is no device's name"),
    ))
}

pub(super) fn alias(table: &Table<'_>, entry: &Entry<'_>) -> Read<(String, u32)> {
    let name = text(table, entry)?;
    let found = AliasName::parse(name).map_err(|why| because(table, entry, why))?;
    let refused = || {
        value_fault(table, entry, format!("{name:?} is no alias's name"))
            .hint("write DEVICE:NUMBER, for example eth0:0")
    };
    let slot = found.slot.ok_or_else(refused)?;
    let usable = !found.parent.contains('/')
        && !found
            .parent
            .contains(|c: char| c.is_whitespace() || c.is_control())
        && slot < alias_common::limits::MAX_SLOTS;
    if usable {
        Ok((found.parent, slot))
    } else {
        Err(refused())
    }
}

/// A namespace by its name: a path or a process is another one tomorrow.
pub(super) fn netns(table: &Table<'_>, entry: &Entry<'_>) -> Read<String> {
    let name = text(table, entry)?;
    if !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != ".." {
        return Ok(name.to_owned());
    }
    Err(
        value_fault(table, entry, format!("{name:?} is no name in /run/netns"))
            .hint("give it one: ip netns attach NAME PID"),
    )
}
