//! What may import what: the table of ARCHITECTURE's code map, held against the sources.
//! Each layer imports only what its row names, verbs do not call each other, and no files
//! import each other in a circle.

mod circle;
mod imports;
mod planted;
mod rules;
mod source;

use std::path::Path;

use rules::{COMMAND, COMMON};
use source::Crate;

/// A crate of this workspace, read.
fn read(folder: &str) -> Crate {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder)
        .join("src");
    Crate::read(folder, &root).unwrap_or_else(|error| panic!("{}: {error}", root.display()))
}

fn check(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "\n{}\n(the table of layers is in alias-ctl/tests/layers/rules.rs)",
        complaints.join("\n")
    );
}

#[test]
fn alias_ctl_imports_downwards() {
    check(&rules::complaints(&read("alias-ctl"), &COMMAND));
}

#[test]
fn alias_common_has_no_circle() {
    check(&rules::complaints(&read("alias-common"), &COMMON));
}

/// A rule for what is not there holds nothing.
#[test]
fn every_row_is_a_layer_that_is_there() {
    let command = read("alias-ctl");
    for layer in COMMAND.layers {
        let is_there = command
            .sources
            .iter()
            .any(|source| source.layer() == layer.name);
        assert!(is_there, "{} has a row, but no file", layer.name);
    }
}

/// The table itself must not allow an arrow up.
#[test]
fn rows_name_what_is_below_them() {
    for (at, layer) in COMMAND.layers.iter().enumerate() {
        for name in layer.may_import {
            let below = COMMAND.layers[at + 1..]
                .iter()
                .any(|below| below.name == *name);
            assert!(
                below,
                "{} may import {name}, which is not below it",
                layer.name
            );
        }
    }
}
