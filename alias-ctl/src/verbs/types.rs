//! `types`: address families that come and go at run time.

use std::io::{self, Write};
use std::path::Path;

use crate::dataplane::description::describe;
use crate::error::{Refusal, Result};
use crate::lifecycle::families::{
    aliases_of, is_built_in, parent_name, read, register, rows, unregister,
};
use crate::lifecycle::transaction;
use crate::model::name::alias_name;
use crate::model::typed::{is_named, name};
use crate::render::types as render;
use crate::render::types::TypeView;
use crate::wiring::host::Host;

/// `alias-ctl types`.
///
/// # Errors
///
/// A parent that cannot be read.
pub fn list(json: bool) -> Result<()> {
    let host = Host::open()?;
    let mut views = Vec::new();
    for row in rows(&host)? {
        views.push(TypeView {
            name: name(&row),
            family: row.family,
            ethertype: row.ethertype,
            aliases: aliases_of(&host, row.family)?.count,
        });
    }
    let text = if json {
        let text = serde_json::to_string_pretty(&views)
            .map_err(|error| Refusal::io("standard output", "write", &error.into()))?;
        text + "\n"
    } else {
        render::types(&views)
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Refusal::io("standard output", "write", &error))
}

/// `alias-ctl types add OBJECT`.
///
/// # Errors
///
/// EINVAL for a file that is no alias type, EEXIST for one whose family, name or
/// ethertype is taken; what the verifier said.
pub fn add(object: &Path) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    let bytes = read(object)?;
    let object = object.display().to_string();
    let row = describe(&object, &bytes)?;
    register(&mut tx, &object, row, &bytes)
}

/// `alias-ctl types del NAME`.
///
/// # Errors
///
/// EBUSY while aliases of it are attached, EOPNOTSUPP for a family that is built in,
/// ENOENT for one that is not there.
pub fn del(word: &str) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    let row = rows(tx.host)?
        .into_iter()
        .find(|row| is_named(row, word))
        .ok_or_else(|| {
            Refusal::new(word, "unregister", "no such alias type", libc::ENOENT)
                .hint("list them: alias-ctl types")
        })?;
    let users = aliases_of(tx.host, row.family)?;
    if let Some((ifindex, slot)) = users.first {
        let parent = parent_name(tx.host, ifindex)?;
        return Err(Refusal::new(
            word,
            "unregister",
            format!(
                "{} aliases are of it, {} among them",
                users.count,
                alias_name(&parent, slot)
            ),
            libc::EBUSY,
        )
        .hint("delete them first: alias-ctl del"));
    }
    if is_built_in(&row) {
        return Err(
            Refusal::new(word, "unregister", "it is built in", libc::EOPNOTSUPP)
                .hint("only what types add registered can go"),
        );
    }
    unregister(&mut tx, &row)
}
