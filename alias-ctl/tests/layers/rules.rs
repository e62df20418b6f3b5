//! The table of layers, and what is said about a file that does not keep to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::circle;
use crate::imports::{Import, imports};
use crate::source::Crate;

/// One row: a folder or a file of `src/`, and what of the same crate it may import.
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) may_import: &'static [&'static str],
    /// Its files do not import each other, but for the one that calls all of them.
    pub(crate) are_apart: Option<&'static str>,
}

/// What holds for a crate.
pub(crate) struct Rules {
    /// From the top down; empty: only circles matter.
    pub(crate) layers: &'static [Layer],
    /// Circles that are still there. No more files may join one.
    pub(crate) known_circles: &'static [&'static [&'static str]],
}

const fn layer(name: &'static str, may_import: &'static [&'static str]) -> Layer {
    Layer {
        name,
        may_import,
        are_apart: None,
    }
}

/// `alias-ctl`.
pub(crate) const COMMAND: Rules = Rules {
    layers: &[
        layer("main", &["cli", "verbs", "model", "error", "interrupt"]),
        layer("cli", &["model", "error"]),
        Layer {
            name: "verbs",
            may_import: &[
                "lifecycle",
                "wiring",
                "render",
                "store",
                "dataplane",
                "netlink",
                "model",
                "error",
                "interrupt",
            ],
            are_apart: Some("run"),
        },
        layer(
            "lifecycle",
            &[
                "wiring",
                "render",
                "store",
                "dataplane",
                "netlink",
                "model",
                "error",
                "interrupt",
            ],
        ),
        layer(
            "wiring",
            &["dataplane", "netlink", "model", "error", "interrupt"],
        ),
        layer("render", &["model", "error"]),
        layer("store", &["model", "error"]),
        layer("dataplane", &["model", "error", "interrupt"]),
        layer("netlink", &["model", "error", "errno"]),
        layer("model", &["error"]),
        layer("interrupt", &["error"]),
        layer("error", &["errno"]),
        layer("errno", &[]),
    ],
    known_circles: &[],
};

/// `alias-common`: the ABI has no layers, but an order.
pub(crate) const COMMON: Rules = Rules {
    layers: &[],
    known_circles: &[],
};

/// Everything about a crate that is against its rules, a line each.
pub(crate) fn complaints(of: &Crate, rules: &Rules) -> Vec<String> {
    let found = imports(of);
    let mut complaints = Vec::new();
    if !rules.layers.is_empty() {
        complaints.extend(homeless(of, rules));
        complaints.extend(
            found
                .iter()
                .filter_map(|one| against_layers(of, rules, one)),
        );
    }
    complaints.extend(circles(of, rules, &found));
    complaints
}

/// Files that belong to no layer.
fn homeless(of: &Crate, rules: &Rules) -> Vec<String> {
    let known = |name: &str| rules.layers.iter().any(|layer| layer.name == name);
    of.sources
        .iter()
        .filter(|source| !source.module.is_empty() && !known(source.layer()))
        .map(|source| {
            format!(
                "{}: {} is in no layer: give it a row of the table",
                of.path(&source.file),
                source.layer()
            )
        })
        .collect()
}

fn against_layers(of: &Crate, rules: &Rules, import: &Import) -> Option<String> {
    let (from, to) = (&of.sources[import.from], &of.sources[import.to]);
    let layer = rules
        .layers
        .iter()
        .find(|layer| layer.name == from.layer())?;
    let place = format!(
        "{}:{}: imports {}",
        of.path(&from.file),
        import.line,
        import.words
    );
    if to.module.is_empty() {
        return Some(format!(
            "{place}, of the crate's root: name the module it is from"
        ));
    }
    if to.layer() != from.layer() {
        if layer.may_import.contains(&to.layer()) {
            return None;
        }
        let allowed = match layer.may_import {
            [] => "nothing of this crate".to_owned(),
            names => format!("only {}", names.join(", ")),
        };
        return Some(format!(
            "{place}: {} may import {allowed}; move what is shared into one of them, or the user up",
            layer.name
        ));
    }
    let caller = layer.are_apart?;
    let part = |module: &[String]| module.get(1).cloned().unwrap_or_default();
    let (from, to) = (part(&from.module), part(&to.module));
    if from == to || from == caller {
        return None;
    }
    Some(format!(
        "{place}: {0} do not import each other, and {from} is not {to}; what both need goes below {0}",
        layer.name
    ))
}

/// Files that import each other in a circle, with what ties it.
fn circles(of: &Crate, rules: &Rules, found: &[Import]) -> Vec<String> {
    let mut edges: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for one in found.iter().filter(|one| !one.is_facade) {
        edges.entry(one.from).or_default().insert(one.to);
    }
    let is_known = |circle: &BTreeSet<usize>| {
        let files: Vec<&str> = circle
            .iter()
            .map(|at| of.sources[*at].file.as_str())
            .collect();
        rules
            .known_circles
            .iter()
            .any(|known| files.iter().all(|file| known.contains(file)))
    };
    circle::circles(of.sources.len(), &edges)
        .into_iter()
        .filter(|circle| !is_known(circle))
        .map(|circle| {
            let mut text = String::from("a circle of files, which a leaf below them would cure:");
            let mut told = BTreeSet::new();
            for one in found {
                let ties = circle.contains(&one.from) && circle.contains(&one.to);
                if ties && !one.is_facade && told.insert((one.from, one.to)) {
                    text += &format!(
                        "\n  {}:{}: imports {} of {}",
                        of.path(&of.sources[one.from].file),
                        one.line,
                        one.words,
                        of.sources[one.to].file
                    );
                }
            }
            text
        })
        .collect()
}
