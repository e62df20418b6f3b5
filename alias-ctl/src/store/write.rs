//! A [`Declaration`] to the words of a configuration file. Pure: text comes out,
//! and [`super::read`] makes the same declaration of it.

use std::fmt::Write;

use alias_common::alias_type::TypeRow;

use super::read::VERSION;
use crate::model::alias_request::Target;
use crate::model::bits::bits;
use crate::model::declaration::{Attachment, Declaration, Properties, Run};
use crate::model::hearing;
use crate::model::name::alias_name;
use crate::model::tcp_options;
use crate::model::typed;
use crate::model::word;

/// Consecutive aliases become one `[[range]]` from this number on; fewer are
/// better read one by one.
const RANGE_FROM: u64 = 4;

/// Writes a configuration; families have the names of these types.
#[must_use]
pub fn write(declaration: &Declaration, types: &[TypeRow]) -> String {
    let mut text = format!(
        "# Aliases, as `alias-ctl save` found them; `alias-ctl restore` makes them again.\n\
         version = {VERSION}\n"
    );
    for parent in &declaration.parents {
        text += "\n[[parent]]\n";
        key(&mut text, "name", &quoted(&parent.name));
        attachment(&mut text, &parent.attachment);
        for run in &parent.runs {
            if run.count >= RANGE_FROM && run.first.ip().is_some() {
                range(&mut text, &parent.name, run);
                continue;
            }
            for slot in run.start..run.end() {
                alias(&mut text, &parent.name, &run.part(slot, slot + 1), types);
            }
        }
    }
    text
}

fn attachment(text: &mut String, attachment: &Attachment) {
    let Attachment {
        mode,
        capacity,
        max_aliases,
        on_parent_down,
        log,
        tc,
    } = attachment;
    if let Some(mode) = mode {
        key(text, "mode", &quoted(word::mode_word(*mode)));
    }
    for (name, number) in [("capacity", capacity), ("max_aliases", max_aliases)] {
        if let Some(number) = number {
            key(text, name, &number.to_string());
        }
    }
    if let Some((word, _)) = word::LOG_LEVELS
        .iter()
        .find(|(_, level)| Some(*level) == *log)
    {
        key(text, "log", &quoted(word));
    }
    if let Some(tc) = tc {
        key(text, "tc", &quoted(word::tc_word(*tc)));
    }
    if let Some(on_down) = on_parent_down {
        key(
            text,
            "on_parent_down",
            &quoted(word::on_down_word(*on_down)),
        );
    }
}

fn alias(text: &mut String, parent: &str, run: &Run, types: &[TypeRow]) {
    *text += "\n[[alias]]\n";
    key(text, "name", &quoted(&alias_name(parent, run.start)));
    let mut address = run.first.to_string();
    if run.first.ip().is_some() {
        address += &format!("/{}", run.properties.prefix_len);
    } else if run.first.prefix().is_none() {
        let family = run.first.family().0;
        let row = types.iter().find(|row| row.family == family);
        let word = row.map_or_else(|| family.to_string(), typed::name);
        key(text, "family", &quoted(&word));
    }
    key(text, "address", &quoted(&address));
    if run.first.prefix().is_some() {
        key(text, "prefix", "true");
    }
    properties(text, &run.properties);
}

fn range(text: &mut String, parent: &str, run: &Run) {
    *text += "\n[[range]]\n";
    key(text, "parent", &quoted(parent));
    key(text, "start", &run.start.to_string());
    key(
        text,
        "addresses",
        &quoted(&format!("{}-{}", run.first, run.last())),
    );
    let prefix_len = run.properties.prefix_len;
    if run
        .first
        .ip()
        .is_some_and(|first| bits(first) != prefix_len)
    {
        key(text, "prefix_len", &prefix_len.to_string());
    }
    properties(text, &run.properties);
}

fn properties(text: &mut String, properties: &Properties) {
    let Properties {
        target,
        vlan,
        enabled,
        announce,
        hear,
        deprecated,
        tcp,
        prefix_len: _,
    } = properties;
    if vlan.outer() != 0 {
        key(text, "vlan", &quoted(&word::vlan_word(*vlan)));
    }
    key(text, "target", &quoted(word::target_word(target)));
    match target {
        Target::Device { netns: Some(netns) } => key(text, "netns", &quoted(netns)),
        Target::Join { alias } => key(text, "join", &quoted(alias)),
        Target::To { device, mac } => {
            key(text, "to", &quoted(device));
            if let Some(mac) = mac {
                key(text, "mac", &quoted(&word::mac_word(*mac)));
            }
        }
        Target::Device { netns: None } | Target::Local | Target::Drop => {}
    }
    for (name, value) in [("enabled", enabled), ("announce", announce)] {
        if !value {
            key(text, name, "false");
        }
    }
    if !hear.is_nothing() {
        key(text, "hear", &quoted(&hearing::word(*hear)));
    }
    if let Some(deprecated) = deprecated {
        key(text, "deprecated", &deprecated.to_string());
    }
    for (name, value) in tcp_options::listed(tcp) {
        key(text, name, &value.to_string());
    }
}

fn key(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name} = {value}");
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
