//! Words of a configuration file to a [`Declaration`]. Pure: the text goes in.
//! What is not known is refused, and every refusal names line, column and key.

use std::borrow::Cow;
use std::collections::HashMap;

use alias_common::isno::{TcpOption, TcpOptions};
use alias_common::key::{Family, Vlan};

use super::document::{self, Entry, Fault, Table, Value, column_of, join, line_of};
use crate::error::{Refusal, Result};
use crate::model::address::{self, Address, Range, bits};
use crate::model::declaration::{Attachment, Declaration, Mode, Parent, Properties, Run, Tc};
use crate::model::isno;
use crate::model::name::AliasName;
use crate::model::wish::Target;
use crate::model::word;

/// The version of the schema that is read and written.
pub const VERSION: i64 = 1;

/// The tables there are.
const TABLES: [&str; 3] = ["parent", "alias", "range"];

type Read<T> = std::result::Result<T, Fault>;

/// Reads a configuration. `object` is what errors call it.
///
/// # Errors
///
/// EINVAL for what it cannot mean, EEXIST for what stands there twice, with line,
/// column and key.
pub fn read(text: &str, object: &str) -> Result<Declaration> {
    let mut reader = Reader {
        lines: Lines {
            text,
            at: 0,
            line: 1,
        },
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
    Refusal::new(object, "read", reason, fault.errno).way_out(&fault.way_out)
}

struct Reader<'a> {
    lines: Lines<'a>,
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

impl Reader<'_> {
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
                        .way_out(format!("this alias-ctl reads version {VERSION}")));
                    }
                    versions += 1;
                }
                _ => return Err(unknown(table, entry, "version")),
            }
        }
        if versions == 0 {
            return Err(Fault::new(table.at, "version", "the version is missing")
                .way_out(format!("begin the file with: version = {VERSION}")));
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
                            ("best-effort", Mode::BestEffort),
                        ],
                    )?);
                }
                "capacity" => {
                    attachment.capacity = Some(integer(
                        table,
                        entry,
                        1..=alias_common::record::MAX_SLOTS.into(),
                    )? as u32);
                }
                "max_aliases" => {
                    attachment.max_aliases =
                        Some(integer(table, entry, 0..=u32::MAX.into())? as u32);
                }
                "log" => attachment.log = Some(one_of(table, entry, &LOG_LEVELS)?),
                "tc" => {
                    attachment.tc = Some(one_of(
                        table,
                        entry,
                        &[("tcx", Tc::Tcx), ("clsact", Tc::Clsact)],
                    )?);
                }
                _ => {
                    return Err(unknown(
                        table,
                        entry,
                        "name, mode, capacity, max_aliases, log, tc",
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
            return Err(fault.way_out("remove one of them"));
        }
        self.declaration.parents[index].attachment = attachment;
        Ok(())
    }

    fn alias(&mut self, table: &Table<'_>) -> Read<()> {
        let mut name = None;
        let mut interface = None;
        let mut family = None;
        let mut common = Common::default();
        for entry in &table.entries {
            match &*entry.key {
                "name" => name = Some((alias(table, entry)?, entry)),
                "address" => {
                    let text = text(table, entry)?;
                    let found = address::parse(text).map_err(|why| because(table, entry, why))?;
                    interface = Some((Address::from(found.address), found.prefix_len));
                }
                "family" => family = Some((text(table, entry)?, entry)),
                _ => common.take(table, entry, "name, address, family")?,
            }
        }
        let ((parent, slot), name) = name.ok_or_else(|| missing(table, "name", "eth0:0"))?;
        let (first, prefix_len) =
            interface.ok_or_else(|| missing(table, "address", "192.0.2.10/24"))?;
        if let Some((word, entry)) = family
            && word != family_word(first)
        {
            let reason = format!("{first} is of the family {}", family_word(first));
            return Err(value_fault(table, entry, reason));
        }
        let properties = common.finish(table, &parent, prefix_len)?;
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
                    let slots = i64::from(alias_common::record::MAX_SLOTS);
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
            Some((length, _)) => length,
            None => all,
        };
        let properties = common.finish(table, &parent, prefix_len)?;
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

/// Levels of the journal by their words.
pub(super) const LOG_LEVELS: [(&str, u8); 4] = [("off", 0), ("warn", 2), ("info", 3), ("debug", 4)];

/// The word for a level of the journal, as `attach --log` takes it.
#[must_use]
pub fn log_word(level: u8) -> &'static str {
    let found = LOG_LEVELS.iter().find(|(_, known)| *known == level);
    found.map_or("unknown", |(word, _)| word)
}

/// The keys that `alias` and `range` have in common.
#[derive(Default)]
struct Common<'t> {
    target: Option<&'t str>,
    netns: Option<String>,
    join: Option<String>,
    to: Option<String>,
    mac: Option<[u8; 6]>,
    vlan: Vlan,
    vlan_at: usize,
    disabled: bool,
    quiet: bool,
    tcp: TcpOptions,
}

impl<'t> Common<'t> {
    fn take(&mut self, table: &Table<'_>, entry: &'t Entry<'_>, own: &str) -> Read<()> {
        match &*entry.key {
            "target" => {
                let words = ["device", "join", "to", "local", "drop"].map(|word| (word, word));
                self.target = Some(one_of(table, entry, &words)?);
            }
            "netns" => self.netns = Some(netns(table, entry)?),
            "join" => {
                text(table, entry)?;
                let (parent, slot) = alias(table, entry)?;
                self.join = Some(crate::model::name::alias_name(&parent, slot));
            }
            "to" => self.to = Some(device(table, entry)?),
            "mac" => {
                let mac = word::mac(text(table, entry)?);
                self.mac = Some(mac.map_err(|why| because(table, entry, why))?);
            }
            "vlan" => {
                let word: Cow<'_, str> = match &entry.value {
                    Value::Integer(id) => id.to_string().into(),
                    _ => text(table, entry)?.into(),
                };
                self.vlan = word::vlan(&word).map_err(|why| because(table, entry, why))?;
                self.vlan_at = entry.value_at;
            }
            "enabled" => self.disabled = !boolean(table, entry)?,
            "announce" => self.quiet = !boolean(table, entry)?,
            key => {
                let Some(option) = isno::by_word(key) else {
                    let tcp = TcpOption::ALL.map(isno::word).join(", ");
                    let known = format!(
                        "{own}, target, netns, join, to, mac, vlan, enabled, announce, {tcp}"
                    );
                    return Err(unknown(table, entry, &known));
                };
                let number = integer(table, entry, 0..=u32::MAX.into())?.to_string();
                let value = isno::parse(option, &number);
                let value = value.map_err(|why| because(table, entry, why))?;
                self.tcp.set(option, Some(value));
            }
        }
        Ok(())
    }

    fn finish(self, table: &Table<'_>, parent: &str, prefix_len: u8) -> Read<Properties> {
        let fault = |key: &str, reason: String| {
            let entry = table.entries.iter().find(|entry| entry.key == key);
            let at = entry.map_or(table.at, |entry| entry.value_at);
            Err(Fault::new(at, join(&table.name, key), reason))
        };
        // The key that says where is enough to say what.
        let said = match (&self.netns, &self.join, &self.to) {
            (_, Some(_), _) => "join",
            (_, _, Some(_)) => "to",
            _ => "device",
        };
        let kind = self.target.unwrap_or(said);
        for (key, goes_with, given) in [
            ("netns", "device", self.netns.is_some()),
            ("join", "join", self.join.is_some()),
            ("to", "to", self.to.is_some()),
            ("mac", "to", self.mac.is_some()),
        ] {
            if given && kind != goes_with {
                return fault(
                    key,
                    format!("the target is {kind:?}, and this goes with {goes_with:?}"),
                );
            }
        }
        let target = match kind {
            "join" => match self.join {
                Some(alias) if AliasName::parse(&alias).is_ok_and(|name| name.parent == parent) => {
                    Target::Join { alias }
                }
                Some(_) => return fault("join", "it is an alias of another device".into()),
                None => return Err(missing(table, "join", "eth0:0")),
            },
            "to" => match self.to {
                Some(device) => Target::To {
                    device,
                    mac: self.mac,
                },
                None => return Err(missing(table, "to", "veth1")),
            },
            "local" if self.vlan != Vlan::NONE => {
                return fault("vlan", "a local alias cannot be scoped to a VLAN".into());
            }
            "local" => Target::Local,
            "drop" => Target::Drop,
            _ => Target::Device { netns: self.netns },
        };
        Ok(Properties {
            prefix_len,
            vlan: self.vlan,
            target,
            enabled: !self.disabled,
            announce: !self.quiet,
            tcp: self.tcp,
        })
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

fn value_fault(table: &Table<'_>, entry: &Entry<'_>, reason: impl Into<String>) -> Fault {
    Fault::new(entry.value_at, join(&table.name, &entry.key), reason)
}

/// A value that another reader refused.
fn because(table: &Table<'_>, entry: &Entry<'_>, why: Refusal) -> Fault {
    let reason = format!("{}: {}", why.object, why.reason);
    let fault = value_fault(table, entry, reason).way_out(why.way_out);
    Fault {
        errno: why.errno,
        ..fault
    }
}

fn unknown(table: &Table<'_>, entry: &Entry<'_>, known: &str) -> Fault {
    let key = join(&table.name, &entry.key);
    Fault::new(entry.at, key, "unknown key").way_out(format!("known keys: {known}"))
}

fn missing(table: &Table<'_>, key: &str, example: &str) -> Fault {
    Fault::new(table.at, join(&table.name, key), "the key is missing")
        .way_out(format!("write, for example: {key} = \"{example}\""))
}

fn wrong(table: &Table<'_>, entry: &Entry<'_>, wanted: &str) -> Fault {
    let reason = format!("{} where {wanted} is wanted", entry.value.kind());
    value_fault(table, entry, reason)
}

fn text<'t>(table: &Table<'_>, entry: &'t Entry<'_>) -> Read<&'t str> {
    match &entry.value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong(table, entry, "a string")),
    }
}

fn boolean(table: &Table<'_>, entry: &Entry<'_>) -> Read<bool> {
    match &entry.value {
        Value::Boolean(value) => Ok(*value),
        _ => Err(wrong(table, entry, "true or false")),
    }
}

fn integer(
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

fn one_of<T: Copy>(table: &Table<'_>, entry: &Entry<'_>, words: &[(&str, T)]) -> Read<T> {
    let word = text(table, entry)?;
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        value_fault(table, entry, format!("{word:?} is unknown"))
            .way_out(format!("write one of: {}", known.join(", ")))
    })
}

/// A device's name, as far as that can be told without looking.
fn device(table: &Table<'_>, entry: &Entry<'_>) -> Read<String> {
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

fn alias(table: &Table<'_>, entry: &Entry<'_>) -> Read<(String, u32)> {
    let name = text(table, entry)?;
    let found = AliasName::parse(name).map_err(|why| because(table, entry, why))?;
    let refused = || {
        value_fault(table, entry, format!("{name:?} is no alias's name"))
            .way_out("write DEVICE:NUMBER, for example eth0:0")
    };
    let slot = found.slot.ok_or_else(refused)?;
    let usable = !found.parent.contains('/')
        && !found
            .parent
            .contains(|c: char| c.is_whitespace() || c.is_control())
        && slot < alias_common::record::MAX_SLOTS;
    if usable {
        Ok((found.parent, slot))
    } else {
        Err(refused())
    }
}

/// A namespace by its name: a path or a process is another one tomorrow.
fn netns(table: &Table<'_>, entry: &Entry<'_>) -> Read<String> {
    let name = text(table, entry)?;
    if !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != ".." {
        return Ok(name.to_owned());
    }
    Err(
        value_fault(table, entry, format!("{name:?} is no name in /run/netns"))
            .way_out("give it one: ip netns attach NAME PID"),
    )
}

#[cfg(test)]
mod tests;
