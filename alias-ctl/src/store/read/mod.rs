//! Words of a configuration file to a [`Declaration`]. Pure: the text goes in.
//! What is not known is refused, and every refusal names line, column and key.

mod common;
mod value;

use std::collections::HashMap;

use alias_common::alias_type::TypeRow;
use alias_common::key::Family;

use common::Common;
use value::{
    alias, because, boolean, device, integer, missing, one_of, text, unknown, value_fault,
};

use crate::error::{Refusal, Result};
use crate::model::address::{self, Address, Range};
use crate::model::alias_request::Target;
use crate::model::bits::bits;
use crate::model::declaration::{Attachment, Declaration, Hook, Mode, Parent, Run};
use crate::model::lifecycle::OnDown;
use crate::model::name::AliasName;
use crate::model::prefix::Prefix;
use crate::model::typed::Typed;
use crate::model::word;

use super::document;
use super::table::{Entry, Fault, Read, Table, column_of, line_of};

/// The version of the schema that is read and written.
pub const VERSION: i64 = 1;

/// The tables there are.
const TABLES: [&str; 3] = ["parent", "alias", "range"];

/// Reads a configuration. `object` is what errors call it; `family` says what is
/// known of an address family by its word.
///
/// # Errors
///
/// EINVAL for what it cannot mean, EEXIST for what stands there twice, with line,
/// column and key.
pub fn read(
    text: &str,
    object: &str,
    family: &mut dyn FnMut(&str) -> Result<TypeRow>,
) -> Result<Declaration> {
    let mut reader = Reader {
        lines: Lines {
            text,
            at: 0,
            line: 1,
        },
        family,
        declaration: Declaration::default(),
        parents: HashMap::new(),
    };
    document::tables(text, &TABLES, &mut |table| reader.table(table))
        .map_err(|fault| refusal(text, object, &fault))?;
    reader.declaration.check().map_err(|refusal| Refusal {
        object: format!("{object}: {}", refusal.object),
        ..refusal
    })?;
    Ok(reader.declaration)
}

fn refusal(text: &str, object: &str, fault: &Fault) -> Refusal {
    let (line, column) = (line_of(text, fault.at), column_of(text, fault.at));
    let key = if fault.key.is_empty() {
        String::new()
    } else {
        format!(", key {}", fault.key)
    };
    let reason = format!("line {line}, column {column}{key}: {}", fault.reason);
    Refusal::new(object, "read", reason, fault.errno).hint(&fault.hint)
}

struct Reader<'a, 'f> {
    lines: Lines<'a>,
    family: &'f mut dyn FnMut(&str) -> Result<TypeRow>,
    declaration: Declaration,
    /// Where each device stands in the declaration, and the line of its table.
    parents: HashMap<String, (usize, Option<u32>)>,
}

/// Counts lines as the reading goes on.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl Lines<'_> {
    fn of(&mut self, at: usize) -> u32 {
        let between = self.text.as_bytes().get(self.at..at).unwrap_or_default();
        self.line += between.iter().filter(|byte| **byte == b'\n').count() as u32;
        self.at = self.at.max(at);
        self.line
    }
}

impl Reader<'_, '_> {
    fn table(&mut self, table: Table<'_>) -> Read<()> {
        match &*table.name {
            "" => self.head(&table),
            "parent" => self.parent(&table),
            "alias" => self.alias(&table),
            _ => self.range(&table),
        }
    }

    fn head(&mut self, table: &Table<'_>) -> Read<()> {
        let mut versions = 0;
        for entry in &table.entries {
            match &*entry.key {
                "version" => {
                    let version = integer(table, entry, i64::MIN..=i64::MAX)?;
                    if version != VERSION {
                        return Err(value_fault(
                            table,
                            entry,
                            format!("version {version} is unknown"),
                        )
                        .hint(format!("this alias-ctl reads version {VERSION}")));
                    }
                    versions += 1;
                }
                _ => return Err(unknown(table, entry, "version")),
            }
        }
        if versions == 0 {
            return Err(Fault::new(table.at, "version", "the version is missing")
                .hint(format!("begin the file with: version = {VERSION}")));
        }
        Ok(())
    }

    /// Where a device stands in the declaration.
    fn index(&mut self, name: &str) -> usize {
        if let Some((index, _)) = self.parents.get(name) {
            return *index;
        }
        let index = self.declaration.parents.len();
        self.declaration.parents.push(Parent {
            name: name.to_owned(),
            ..Parent::default()
        });
        self.parents.insert(name.to_owned(), (index, None));
        index
    }

    fn parent(&mut self, table: &Table<'_>) -> Read<()> {
        let mut attachment = Attachment::default();
        let mut name = None;
        for entry in &table.entries {
            match &*entry.key {
                "name" => name = Some(device(table, entry)?),
                "mode" => {
                    attachment.mode = Some(one_of(
                        table,
                        entry,
                        &[
                            ("native", Mode::Native),
                            ("generic", Mode::Generic),
                            ("tc", Mode::Tc),
                            ("best-effort", Mode::BestEffort),
                        ],
                    )?);
                }
                "capacity" => {
                    attachment.capacity = Some(integer(
                        table,
                        entry,
                        1..=alias_common::limits::MAX_SLOTS.into(),
                    )? as u32);
                }
                "max_aliases" => {
                    attachment.max_aliases =
                        Some(integer(table, entry, 0..=u32::MAX.into())? as u32);
                }
                "log" => attachment.log = Some(one_of(table, entry, &word::LOG_LEVELS)?),
                "tc" => {
                    attachment.tc = Some(one_of(
                        table,
                        entry,
                        &[("tcx", Hook::Tcx), ("clsact", Hook::Clsact)],
                    )?);
                }
                "on_parent_down" => {
                    attachment.on_parent_down = Some(one_of(
                        table,
                        entry,
                        &[("delete", OnDown::Delete), ("keep", OnDown::Keep)],
                    )?);
                }
                _ => {
                    return Err(unknown(
                        table,
                        entry,
                        "name, mode, capacity, max_aliases, log, tc, on_parent_down",
                    ));
                }
            }
        }
        let name = name.ok_or_else(|| missing(table, "name", "eth0"))?;
        let line = self.lines.of(table.at);
        let index = self.index(&name);
        if let Some((_, Some(before))) = self.parents.insert(name.clone(), (index, Some(line))) {
            let mut fault = Fault::new(
                table.at,
                "parent.name",
                format!("line {before} has a table for {name} already"),
            );
            fault.errno = libc::EEXIST;
            return Err(fault.hint("remove one of them"));
        }
        self.declaration.parents[index].attachment = attachment;
        Ok(())
    }

    fn alias(&mut self, table: &Table<'_>) -> Read<()> {
        let mut name = None;
        let mut interface = None;
        let mut family = None;
        let mut is_prefix = false;
        let mut common = Common::default();
        for entry in &table.entries {
            match &*entry.key {
                "prefix" => is_prefix = boolean(table, entry)?,
                "name" => name = Some((alias(table, entry)?, entry)),
                "address" => interface = Some(entry),
                "family" => family = Some(entry),
                _ => common.take(table, entry, "name, address, prefix, family")?,
            }
        }
        let interface = interface
            .map(|entry| self.address(table, entry, family, is_prefix))
            .transpose()?;
        let ((parent, slot), name) = name.ok_or_else(|| missing(table, "name", "eth0:0"))?;
        let (first, prefix_len) =
            interface.ok_or_else(|| missing(table, "address", "192.0.2.10/24"))?;
        let properties = common.finish(table, &parent, first, prefix_len)?;
        if let Target::Join { alias } = &properties.target
            && AliasName::parse(alias).is_ok_and(|owner| owner.slot == Some(slot))
        {
            return Err(value_fault(table, name, "an alias cannot join itself"));
        }
        let line = self.lines.of(table.at);
        let index = self.index(&parent);
        self.declaration.parents[index].runs.push(Run {
            start: slot,
            first,
            count: 1,
            properties,
            line,
        });
        Ok(())
    }

    /// An address of the family that is named, or an IP address.
    fn address(
        &mut self,
        table: &Table<'_>,
        entry: &Entry<'_>,
        family: Option<&Entry<'_>>,
        is_prefix: bool,
    ) -> Read<(Address, u8)> {
        let written = text(table, entry)?;
        let row = match family {
            Some(family) => {
                let found = (self.family)(text(table, family)?);
                Some((family, found.map_err(|why| because(table, family, why))?))
            }
            None => None,
        };
        let built_in = |row: &TypeRow| [Family::IPV4.0, Family::IPV6.0].contains(&row.family);
        if let Some((_, row)) = &row
            && !built_in(row)
        {
            if is_prefix {
                let reason = "only an IP alias can be a prefix";
                return Err(value_fault(table, entry, reason));
            }
            let found = Typed::parse(written, row).map_err(|why| because(table, entry, why))?;
            return Ok((Address::Typed(found), found.bits));
        }
        let (first, prefix_len) = match is_prefix {
            true => Prefix::parse(written).map(|found| (Address::Prefix(found), found.len)),
            false => address::parse(written).map(|found| (found.address.into(), found.prefix_len)),
        }
        .map_err(|why| because(table, entry, why))?;
        match row {
            Some((family, row)) if first.family().0 != row.family => {
                let reason = format!("{first} is of the family {}", family_word(first));
                Err(value_fault(table, family, reason))
            }
            _ => Ok((first, prefix_len)),
        }
    }

    fn range(&mut self, table: &Table<'_>) -> Read<()> {
        let mut parent = None;
        let mut start = None;
        let mut addresses = None;
        let mut prefix_len = None;
        let mut common = Common::default();
        for entry in &table.entries {
            match &*entry.key {
                "parent" => parent = Some(device(table, entry)?),
                "start" => {
                    let slots = i64::from(alias_common::limits::MAX_SLOTS);
                    start = Some(integer(table, entry, 0..=slots - 1)? as u32);
                }
                "addresses" => {
                    let text = text(table, entry)?;
                    let range = Range::parse(text).map_err(|why| because(table, entry, why))?;
                    addresses = Some(range);
                }
                "prefix_len" => prefix_len = Some((integer(table, entry, 1..=128)? as u8, entry)),
                _ => common.take(table, entry, "parent, start, addresses, prefix_len")?,
            }
        }
        let parent = parent.ok_or_else(|| missing(table, "parent", "eth0"))?;
        let range =
            addresses.ok_or_else(|| missing(table, "addresses", "198.18.0.0-198.18.3.255"))?;
        let all = bits(range.first);
        let prefix_len = match prefix_len {
            Some((length, entry)) if length > all => {
                let reason = format!("{length} is more than {all} bits");
                return Err(value_fault(table, entry, reason));
            }
            Some((length, entry)) if range.prefix_len.is_some_and(|said| said != length) => {
                let reason = format!("{length}, and addresses say another");
                return Err(value_fault(table, entry, reason));
            }
            Some((length, _)) => length,
            None => range.prefix_len.unwrap_or(all),
        };
        let properties = common.finish(table, &parent, range.first.into(), prefix_len)?;
        let line = self.lines.of(table.at);
        let index = self.index(&parent);
        self.declaration.parents[index].runs.push(Run {
            start: start.unwrap_or(0),
            first: range.first.into(),
            count: range.count,
            properties,
            line,
        });
        Ok(())
    }
}

/// The word for an address's family, as `show` prints it.
pub(super) fn family_word(address: Address) -> &'static str {
    if address.family() == Family::IPV4 {
        "ip"
    } else {
        "ipv6"
    }
}

#[cfg(test)]
mod tests;
