//! A plan as people read it: what goes with `-`, what comes with `+`, one line for
//! each alias or run of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::model::alias_request::Target;
use crate::model::declaration::{Attachment, Properties, Run, fold};
use crate::model::hearing;
use crate::model::name::alias_name;
use crate::model::plan::{Live, Plan};
use crate::model::tcp_options;
use crate::model::word;

/// A setting of a device that is not as declared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Its key in the file.
    pub key: &'static str,
    /// What it is.
    pub is: String,
    /// What is declared.
    pub declared: String,
}

/// The settings that are declared and are not so. A parent with more slots than are
/// declared has grown.
pub fn differing(is: &Attachment, declared: &Attachment) -> impl Iterator<Item = Difference> {
    let capacity = declared
        .capacity
        .filter(|wanted| Some(*wanted) > is.capacity);
    words(&Attachment {
        capacity,
        ..*declared
    })
    .into_iter()
    .zip(words(is))
    .filter_map(|((key, declared), (_, is))| {
        let (declared, is) = (declared?, is.unwrap_or_else(|| "unset".into()));
        (declared != is).then_some(Difference { key, is, declared })
    })
}

fn words(attachment: &Attachment) -> [(&'static str, Option<String>); 6] {
    let Attachment {
        mode,
        capacity,
        max_aliases,
        log,
        tc,
        on_parent_down,
    } = attachment;
    [
        ("mode", mode.map(|mode| word::mode_word(mode).into())),
        ("capacity", capacity.map(|number| number.to_string())),
        ("max_aliases", max_aliases.map(|number| number.to_string())),
        ("log", log.map(|level| word::log_word(level).into())),
        ("tc", tc.map(|tc| word::tc_word(tc).into())),
        (
            "on_parent_down",
            on_parent_down.map(|on_down| word::on_down_word(on_down).into()),
        ),
    ]
}

/// What is to change about a device itself; `is` is `None` when it is not attached.
#[must_use]
pub fn settings(parent: &str, is: Option<&Attachment>, declared: &Attachment) -> String {
    let mut text = String::new();
    let Some(is) = is else {
        line(&mut text, '+', &format!("{parent} attached"), "");
        return text;
    };
    for difference in differing(is, declared) {
        let Difference { key, is, declared } = difference;
        line(&mut text, '-', &format!("{parent} {key} {is}"), "");
        line(&mut text, '+', &format!("{parent} {key} {declared}"), "");
    }
    text
}

/// What is to happen to the aliases of a device.
#[must_use]
pub fn plan(parent: &str, live: &[Live], plan: &Plan) -> String {
    let mut text = String::new();
    let at = |slot: u32| {
        let found = live.binary_search_by_key(&slot, |alias| alias.slot);
        found.ok().map(|at| &live[at])
    };
    let note = |alias: &Live| {
        if alias.declared { "" } else { "made by hand" }
    };
    for run in runs(plan.adopt.iter().filter_map(|slot| at(*slot))) {
        line(
            &mut text,
            '=',
            &describe(parent, &run),
            "becomes the configuration's",
        );
    }
    for new in &plan.replace {
        let Some(old) = at(new.start) else { continue };
        let (before, after) = (describe_one(parent, old), describe(parent, new));
        if before == after {
            let reason = if old.whole {
                ""
            } else {
                "its device or address is gone"
            };
            line(&mut text, '!', &after, reason);
        } else {
            line(&mut text, '-', &before, note(old));
            line(&mut text, '+', &after, "");
        }
    }
    let mut switched: BTreeMap<u32, Properties> = BTreeMap::new();
    let mut change = |slot: u32, change: &dyn Fn(&mut Properties)| {
        if let Some(old) = at(slot) {
            let properties = switched.entry(slot);
            change(properties.or_insert_with(|| old.properties.clone()));
        }
    };
    for (slot, enabled) in &plan.enable {
        change(*slot, &|new| new.enabled = *enabled);
    }
    for (slot, announce) in &plan.announce {
        change(*slot, &|new| new.announce = *announce);
    }
    for (slot, hear) in &plan.hear {
        change(*slot, &|new| new.hear = *hear);
    }
    for (slot, tcp) in &plan.tune {
        change(*slot, &|new| new.tcp = *tcp);
    }
    for (slot, properties) in switched {
        let Some(old) = at(slot) else { continue };
        let new = Live {
            properties,
            ..old.clone()
        };
        line(&mut text, '-', &describe_one(parent, old), note(old));
        line(&mut text, '+', &describe_one(parent, &new), "");
    }
    let removed = || {
        plan.remove_first
            .iter()
            .chain(&plan.remove)
            .filter_map(|slot| at(*slot))
    };
    for by_hand in [false, true] {
        for run in runs(removed().filter(|alias| alias.declared != by_hand)) {
            let note = if by_hand { "made by hand" } else { "" };
            line(&mut text, '-', &describe(parent, &run), note);
        }
    }
    for run in &plan.make {
        line(&mut text, '+', &describe(parent, run), "");
    }
    text
}

fn line(text: &mut String, sign: char, what: &str, note: &str) {
    let note = if note.is_empty() {
        String::new()
    } else {
        format!("  # {note}")
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{sign} {what}{note}");
}

fn runs<'a>(aliases: impl Iterator<Item = &'a Live>) -> Vec<Run> {
    fold(aliases.map(|alias| (alias.slot, alias.address, alias.properties.clone())))
}

fn describe_one(parent: &str, alias: &Live) -> String {
    runs(std::iter::once(alias))
        .iter()
        .map(|run| describe(parent, run))
        .collect()
}

/// An alias or a run of them in one line.
fn describe(parent: &str, run: &Run) -> String {
    let properties = &run.properties;
    let mut text = alias_name(parent, run.start);
    let (first, last) = (run.first, run.last());
    let _ = if let Some(prefix) = first.prefix() {
        write!(text, " prefix {prefix}")
    } else if run.count == 1 {
        write!(text, " {first}/{}", properties.prefix_len)
    } else {
        let slot = run.end() - 1;
        write!(text, "-{slot} {first}-{last}/{}", properties.prefix_len)
    };
    let _ = write!(text, " {}", word::target_word(&properties.target));
    match &properties.target {
        Target::Device { netns: Some(netns) } => text += &format!(" netns {netns}"),
        Target::Join { alias } => text += &format!(" {alias}"),
        Target::To { device, mac } => {
            text += &format!(" {device}");
            if let Some(mac) = mac {
                text += &format!(" mac {}", word::mac_word(*mac));
            }
        }
        Target::Device { netns: None } | Target::Local | Target::Drop => {}
    }
    if properties.vlan.outer() != 0 {
        text += &format!(" vlan {}", word::vlan_word(properties.vlan));
    }
    if !properties.hear.is_nothing() {
        text += &format!(" hear {}", hearing::word(properties.hear));
    }
    text += match properties.deprecated {
        Some(true) => " deprecated",
        Some(false) => " not deprecated",
        None => "",
    };
    for (word, value) in tcp_options::listed(&properties.tcp) {
        text += &format!(" {word} {value}");
    }
    for (is, word) in [
        (properties.enabled, " disabled"),
        (properties.announce, " not announced"),
    ] {
        text += if is { "" } else { word };
    }
    text
}
