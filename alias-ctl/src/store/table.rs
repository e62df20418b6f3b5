//! What a configuration file consists of: tables of keys with values, and the faults
//! in them, all with their places.

use std::borrow::Cow;

/// What reading a part of it gives.
pub(super) type Read<T> = Result<T, Fault>;

/// A table: its name, and what is in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table<'a> {
    /// `alias` of `[[alias]]`; empty for what stands before the first table.
    pub name: Cow<'a, str>,
    /// Where it begins, in bytes.
    pub at: usize,
    /// Its keys and values, in the order of the file.
    pub entries: Vec<Entry<'a>>,
}

/// A key and its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry<'a> {
    /// The key, with the tables it is in below this one: `tcp.nodelay`.
    pub key: Cow<'a, str>,
    /// Where the key begins, in bytes.
    pub at: usize,
    /// The value.
    pub value: Value<'a>,
    /// Where the value begins, in bytes.
    pub value_at: usize,
}

/// A value that is no table and no list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// An integer of 64 bits.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// A float, a date or a time, which nothing here takes.
    Other(&'static str),
}

impl Value<'_> {
    /// What kind of value it is, with its article.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Boolean(_) => "a boolean",
            Value::Other(kind) => kind,
        }
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Offset in bytes.
    pub at: usize,
    /// The key, with its table: `alias.address`; empty when there is none.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What would be right; empty when that goes without saying.
    pub hint: String,
    /// The errno that a kernel would have returned.
    pub errno: i32,
}

impl Fault {
    /// EINVAL at an offset.
    pub fn new(at: usize, key: impl Into<String>, reason: impl Into<String>) -> Fault {
        Fault {
            at,
            key: key.into(),
            reason: reason.into(),
            hint: String::new(),
            errno: libc::EINVAL,
        }
    }

    /// Says what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = hint.into();
        self
    }
}

/// A key with its table.
#[must_use]
pub fn join(table: &str, key: &str) -> String {
    if table.is_empty() {
        key.to_owned()
    } else {
        format!("{table}.{key}")
    }
}

/// The line of an offset, from 1.
#[must_use]
pub fn line_of(text: &str, at: usize) -> u32 {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count() as u32
}

/// The column of an offset in characters, from 1.
#[must_use]
pub fn column_of(text: &str, at: usize) -> usize {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    1 + before[line..].chars().count()
}
