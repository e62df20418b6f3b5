//! What goes to standard output.

use std::io::{self, Write};

use crate::error::{Refusal, Result};

/// A text.
///
/// # Errors
///
/// That of writing.
pub fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| unwritten(&error))
}

/// An array with one object a line: they are not all kept in memory.
///
/// # Errors
///
/// That of a view, and that of writing.
pub fn write_json<T: serde::Serialize>(views: impl Iterator<Item = Result<T>>) -> Result<()> {
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut separator = "[\n";
    for view in views {
        let view = view?;
        out.write_all(separator.as_bytes())
            .and_then(|()| serde_json::to_writer(&mut out, &view).map_err(io::Error::from))
            .map_err(|error| unwritten(&error))?;
        separator = ",\n";
    }
    let end: &[u8] = if separator == "[\n" {
        b"[]\n"
    } else {
        b"\n]\n"
    };
    out.write_all(end)
        .and_then(|()| out.flush())
        .map_err(|error| unwritten(&error))
}

/// An array with one object a line, which `each` appends for one chunk of them after
/// the other, with a comma and a new line before each object.
///
/// # Errors
///
/// Those of `each`, and that of writing.
pub fn write_rows<Chunk>(
    chunks: impl Iterator<Item = Chunk>,
    each: impl Fn(Chunk, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let mut out = io::stdout().lock();
    let mut put = |text: &[u8]| out.write_all(text).map_err(|error| unwritten(&error));
    let mut rows = Vec::new();
    let mut is_first = true;
    for chunk in chunks {
        rows.clear();
        each(chunk, &mut rows)?;
        let Some(rows) = rows.strip_prefix(b",") else {
            continue;
        };
        put(if is_first { b"[" } else { b"," })?;
        put(rows)?;
        is_first = false;
    }
    put(if is_first { b"[]\n" } else { b"\n]\n" })?;
    out.flush().map_err(|error| unwritten(&error))
}

/// Where the next row of an array goes.
#[must_use]
pub fn next(rows: &mut Vec<u8>) -> &mut Vec<u8> {
    rows.extend_from_slice(b",\n");
    rows
}

fn unwritten(error: &io::Error) -> Refusal {
    Refusal::io("standard output", "write", error)
}
