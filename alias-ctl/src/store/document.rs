//! TOML as a stream of tables, one at a time: a file with a million aliases takes
//! no more memory than its aliases do, and neither does a hostile one.
//!
//! The grammar is `toml_parser`'s. What is added is what this file needs of TOML's
//! meaning: tables, their keys written as paths (`tcp.nodelay`, whether as a dotted
//! key, a table of its own or an inline table), and scalars. Every error knows
//! where it is.

use std::borrow::Cow;

use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{Event, EventKind, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ParseError, Raw, Source, Span};

use super::table::{Entry, Fault, Table, Value, join, line_of};

/// How deep arrays and inline tables may be nested, and how many parts a dotted key may
/// have: a list of aliases with a table in each needs 3.
const MAX_DEPTH: u32 = 4;
/// Tokens of one expression, as a key with its value: bounds what is kept at once.
const MAX_TOKENS: usize = 1 << 20;
/// Keys of one table.
const MAX_KEYS: usize = 64;

type Result<T> = std::result::Result<T, Fault>;

/// Hands the tables of a document on, one after the other; first what stands
/// before any table. Only tables in `lists` may be there.
///
/// # Errors
///
/// What is no TOML, what is too large or too deep, what `take` refuses.
pub fn tables<'a>(
    text: &'a str,
    lists: &[&str],
    take: &mut dyn FnMut(Table<'a>) -> Result<()>,
) -> Result<()> {
    let source = Source::new(text);
    let mut reader = Reader {
        source,
        lists,
        take,
        table: Table::default(),
        below: String::new(),
    };
    let mut events: Vec<Event> = Vec::new();
    let mut expression: Vec<Token> = Vec::new();
    let mut open = 0u32;
    for token in source.lex() {
        expression.push(token);
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                open = open.saturating_sub(1);
            }
            _ => {}
        }
        // A new line ends an expression, but not within brackets.
        let ends =
            token.kind() == TokenKind::Eof || token.kind() == TokenKind::Newline && open == 0;
        if expression.len() > MAX_TOKENS {
            let reason = format!("one value of more than {MAX_TOKENS} words");
            return Err(Fault::new(expression[0].span().start(), "", reason)
                .hint("write a table for each: [[alias]]"));
        }
        if !ends {
            continue;
        }
        if expression.len() > 1 {
            events.clear();
            parse(source, &expression, &mut events)?;
            reader.expression(&events)?;
        }
        expression.clear();
    }
    reader.finish()
}

/// Takes one expression apart.
fn parse(source: Source<'_>, tokens: &[Token], events: &mut Vec<Event>) -> Result<()> {
    let mut error: Option<ParseError> = None;
    let mut whitespace = ValidateWhitespace::new(events, source);
    let mut guard = RecursionGuard::new(&mut whitespace, MAX_DEPTH);
    parse_document(tokens, &mut guard, &mut error);
    error.map_or(Ok(()), |error| Err(fault(&error)))
}

fn fault(error: &ParseError) -> Fault {
    let at = error.unexpected().or(error.context());
    Fault::new(
        at.unwrap_or_default().start(),
        "",
        error.description().to_owned(),
    )
}

struct Reader<'a, 'r> {
    source: Source<'a>,
    lists: &'r [&'r str],
    take: &'r mut dyn FnMut(Table<'a>) -> Result<()>,
    table: Table<'a>,
    /// Path of the table within that table: `tcp.` after `[alias.tcp]`.
    below: String,
}

/// The events of an expression that mean something, one after the other.
struct Cursor<'e>(std::slice::Iter<'e, Event>);

impl Cursor<'_> {
    fn next(&mut self) -> Option<Event> {
        self.0
            .find(|event| {
                !matches!(
                    event.kind(),
                    EventKind::Whitespace | EventKind::Newline | EventKind::Comment
                )
            })
            .copied()
    }
}

impl<'a> Reader<'a, '_> {
    fn expression(&mut self, events: &[Event]) -> Result<()> {
        let mut cursor = Cursor(events.iter());
        let Some(first) = cursor.next() else {
            return Ok(());
        };
        match first.kind() {
            EventKind::ArrayTableOpen => {
                let (path, at) = self.path(&mut cursor, None)?;
                self.known_list(&path, at)?;
                self.hand_on()?;
                self.below.clear();
                self.table = Table {
                    name: path,
                    at,
                    entries: Vec::new(),
                };
                Ok(())
            }
            EventKind::StdTableOpen => {
                let (path, at) = self.path(&mut cursor, None)?;
                let inside = path
                    .strip_prefix(&*self.table.name)
                    .and_then(|rest| rest.strip_prefix('.'))
                    .filter(|_| !self.table.name.is_empty());
                match inside {
                    Some(inside) => {
                        self.below = format!("{inside}.");
                        Ok(())
                    }
                    None if self.lists.contains(&&*path) => {
                        Err(Fault::new(at, &*path, "there may be several of these")
                            .hint(format!("write [[{path}]]")))
                    }
                    None => self.known_list(&path, at),
                }
            }
            _ => {
                let (key, at) = self.path(&mut cursor, Some(first))?;
                let is_list = self.table.name.is_empty() && self.lists.contains(&&*key);
                let Some(value) = cursor.next() else {
                    return Err(Fault::new(at, self.full(&key), "it has no value"));
                };
                if is_list {
                    return self.list(&key, value, &mut cursor);
                }
                let key = if self.below.is_empty() {
                    key
                } else {
                    format!("{}{key}", self.below).into()
                };
                let mut table = std::mem::take(&mut self.table);
                let read = self.value(&mut table, key, at, value, &mut cursor);
                self.table = table;
                read
            }
        }
    }

    fn known_list(&self, path: &str, at: usize) -> Result<()> {
        if self.lists.contains(&path) {
            return Ok(());
        }
        Err(Fault::new(at, path, "unknown table")
            .hint(format!("known tables: {}", self.lists.join(", "))))
    }

    /// `alias = [{…}, {…}]`: the same as a table for each.
    fn list(&mut self, name: &str, open: Event, cursor: &mut Cursor<'_>) -> Result<()> {
        let refused = |event: Event| {
            let reason = "not a list of tables";
            Err(Fault::new(event.span().start(), name, reason)
                .hint(format!("write [[{name}]] and its keys below")))
        };
        if open.kind() != EventKind::ArrayOpen {
            return refused(open);
        }
        while let Some(event) = cursor.next() {
            match event.kind() {
                EventKind::ArrayClose => break,
                EventKind::ValueSep => {}
                EventKind::InlineTableOpen => {
                    let mut table = Table {
                        name: name.to_owned().into(),
                        at: event.span().start(),
                        entries: Vec::new(),
                    };
                    self.inline(&mut table, "", cursor)?;
                    (self.take)(table)?;
                }
                _ => return refused(event),
            }
        }
        Ok(())
    }

    /// The entries of an inline table, up to its end.
    fn inline(&self, table: &mut Table<'a>, prefix: &str, cursor: &mut Cursor<'_>) -> Result<()> {
        while let Some(event) = cursor.next() {
            match event.kind() {
                EventKind::InlineTableClose => break,
                EventKind::ValueSep => {}
                _ => {
                    let (key, at) = self.path(cursor, Some(event))?;
                    let key = if prefix.is_empty() {
                        key
                    } else {
                        format!("{prefix}.{key}").into()
                    };
                    let Some(value) = cursor.next() else {
                        return Err(Fault::new(at, &*key, "it has no value"));
                    };
                    self.value(table, key, at, value, cursor)?;
                }
            }
        }
        Ok(())
    }

    /// A value goes into a table.
    fn value(
        &self,
        table: &mut Table<'a>,
        key: Cow<'a, str>,
        at: usize,
        value: Event,
        cursor: &mut Cursor<'_>,
    ) -> Result<()> {
        let full = |key: &str| join(&table.name, key);
        let value_at = value.span().start();
        match value.kind() {
            EventKind::InlineTableOpen => return self.inline(table, &key, cursor),
            EventKind::Scalar => {}
            _ => return Err(Fault::new(value_at, full(&key), "a list is not taken here")),
        }
        if let Some(before) = table.entries.iter().find(|entry| entry.key == key) {
            let line = line_of(self.source.input(), before.at);
            let mut fault = Fault::new(at, full(&key), format!("line {line} has this key already"))
                .hint("remove one of them");
            fault.errno = libc::EEXIST;
            return Err(fault);
        }
        if table.entries.len() == MAX_KEYS {
            return Err(Fault::new(at, full(&key), "too many keys in one table"));
        }
        let value = self.scalar(value).map_err(|fault| Fault {
            key: full(&key),
            ..fault
        })?;
        table.entries.push(Entry {
            key,
            at,
            value,
            value_at,
        });
        Ok(())
    }

    /// A key of one part or several, up to what follows it.
    fn path(&self, cursor: &mut Cursor<'_>, first: Option<Event>) -> Result<(Cow<'a, str>, usize)> {
        let Some(first) = first.or_else(|| cursor.next()) else {
            return Err(Fault::new(
                self.source.input().len(),
                "",
                "a key is missing",
            ));
        };
        let mut path = self.key(first)?;
        let mut parts = 1;
        while let Some(event) = cursor.next() {
            if event.kind() != EventKind::KeySep {
                break;
            }
            let Some(next) = cursor.next() else { break };
            parts += 1;
            if parts > MAX_DEPTH {
                return Err(Fault::new(
                    first.span().start(),
                    "",
                    format!("a key of more than {MAX_DEPTH} parts"),
                ));
            }
            path = format!("{path}.{}", self.key(next)?).into();
        }
        Ok((path, first.span().start()))
    }

    fn key(&self, event: Event) -> Result<Cow<'a, str>> {
        let mut text = Cow::Borrowed("");
        let mut error: Option<ParseError> = None;
        self.raw(event)?.decode_key(&mut text, &mut error);
        match error {
            Some(error) => Err(fault(&error)),
            // A part with a dot in it is none of ours, and must not look so.
            None if text.contains('.') => {
                Err(Fault::new(event.span().start(), text, "unknown key"))
            }
            None => Ok(text),
        }
    }

    fn scalar(&self, event: Event) -> Result<Value<'a>> {
        let mut text = Cow::Borrowed("");
        let mut error: Option<ParseError> = None;
        let kind = self.raw(event)?.decode_scalar(&mut text, &mut error);
        if let Some(error) = error {
            return Err(fault(&error));
        }
        Ok(match kind {
            ScalarKind::String => Value::Text(text),
            ScalarKind::Boolean(value) => Value::Boolean(value),
            ScalarKind::Integer(radix) => match i64::from_str_radix(&text, radix.value()) {
                Ok(number) => Value::Integer(number),
                Err(_) => {
                    let at = event.span().start();
                    return Err(Fault::new(at, "", "the number does not fit 64 bits"));
                }
            },
            ScalarKind::Float => Value::Other("a float"),
            ScalarKind::DateTime => Value::Other("a date or time"),
        })
    }

    fn raw(&self, event: Event) -> Result<Raw<'a>> {
        let span: Span = event.span();
        let encoding: Option<Encoding> = event.encoding();
        self.source
            .input()
            .get(span.start()..span.end())
            .map(|text| Raw::new_unchecked(text, encoding, span))
            .ok_or_else(|| Fault::new(span.start(), "", "not readable"))
    }

    fn full(&self, key: &str) -> String {
        join(&self.table.name, &format!("{}{key}", self.below))
    }

    fn hand_on(&mut self) -> Result<()> {
        (self.take)(std::mem::take(&mut self.table))
    }

    fn finish(mut self) -> Result<()> {
        self.hand_on()
    }
}
