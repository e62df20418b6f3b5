//! What was read, in the words of the screen.

use std::fmt::Write;

use super::parents::Open;
use crate::dataplane::Figures;
use crate::model::address::Address;
use crate::model::hearing;
use crate::model::name::alias_name;
use crate::model::rates::Rates;
use crate::model::tcp_options::listed;
use crate::model::top::frame::{Detail, ParentLine, Row};
use crate::model::top::table::{Entry, Identity};
use crate::render::alias::AliasView;

/// A parent that is read.
pub(super) fn parent(open: &Open, aliases: usize, sum: Option<Rates>) -> ParentLine {
    ParentLine {
        name: open.link.name.clone(),
        mode: crate::lifecycle::views::mode(&open.parent),
        aliases,
        rates: open.rates(),
        sum,
    }
}

/// One that is not.
pub(super) fn absent(name: &str, mode: &'static str) -> ParentLine {
    ParentLine {
        name: name.to_owned(),
        mode,
        ..ParentLine::default()
    }
}

/// An alias in the list.
pub(super) fn row(id: u32, open: &Open, entry: &Entry, view: &AliasView<'_>) -> Row {
    let history = entry.history.as_ref();
    Row {
        identity: Identity {
            parent: open.link.ifindex,
            id,
            created: entry.created,
        },
        name: alias_name(view.parent, view.slot),
        address: view.address.to_string(),
        target: target(view),
        rates: entry.is_rated.then_some(entry.rates),
        history: history.map(|history| history.both()).unwrap_or_default(),
    }
}

/// The target, with the namespace or the device that one has to know of beside it.
fn target(view: &AliasView<'_>) -> String {
    let beside = match view.target {
        "to" => view.device.as_deref(),
        _ => view.netns.as_deref(),
    };
    match beside {
        Some(name) => format!("{} {name}", view.target),
        None => view.target.to_owned(),
    }
}

/// What the filter searches.
pub(super) fn words(text: &mut String, view: &AliasView<'_>) {
    text.clear();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{}:{} {} {} {} {}",
        view.parent,
        view.slot,
        view.address,
        view.target,
        view.device.as_deref().unwrap_or_default(),
        view.netns.as_deref().unwrap_or_default(),
    );
}

/// All of one alias.
pub(super) fn detail(entry: &Entry, view: &AliasView<'_>, figures: &Figures) -> Detail {
    let or_dash = |word: Option<&str>| word.unwrap_or("-").to_owned();
    let vlan = match (view.vlan, view.inner_vlan) {
        (Some(outer), Some(inner)) => format!("{outer}.{inner}"),
        (Some(outer), None) => outer.to_string(),
        (None, _) => "-".to_owned(),
    };
    let tcp: Vec<String> = listed(&view.tcp)
        .map(|(word, value)| format!("{word}={value}"))
        .collect();
    let facts = vec![
        (
            "address",
            match view.address {
                Address::Prefix(prefix) => format!("{prefix}, all of the prefix"),
                address => format!("{address}/{}", view.prefix_len),
            },
        ),
        ("family", view.family.clone().into_owned()),
        ("vlan", vlan),
        ("target", view.target.to_owned()),
        ("device", or_dash(view.device.as_deref())),
        (
            "netns",
            view.netns.as_deref().unwrap_or("the parent's").to_owned(),
        ),
        (
            "state",
            if view.enabled { "enabled" } else { "disabled" }.to_owned(),
        ),
        ("mode", view.mode.to_owned()),
        (
            "hear",
            match view.hear.is_nothing() {
                true => "-".to_owned(),
                false => hearing::word(view.hear),
            },
        ),
        (
            "tcp",
            match tcp.is_empty() {
                true => "-".to_owned(),
                false => tcp.join(","),
            },
        ),
    ];
    let (sums, rates) = (&entry.counters, &entry.rates);
    let by_second = |rate: f32| entry.is_rated.then_some(rate);
    let history = entry.history.as_ref();
    Detail {
        name: alias_name(view.parent, view.slot),
        facts,
        counters: vec![
            ("rx packets", sums.rx_packets, by_second(rates.rx_packets)),
            ("rx bytes", sums.rx_bytes, by_second(rates.rx_bits / 8.0)),
            ("tx packets", sums.tx_packets, by_second(rates.tx_packets)),
            ("tx bytes", sums.tx_bytes, by_second(rates.tx_bits / 8.0)),
            ("ARP, ND received", figures.rest.neighbor_rx, None),
            ("ARP, ND sent", figures.rest.neighbor_tx, None),
            ("dropped policy", sums.policy, by_second(rates.policy)),
            ("dropped spoof", sums.spoof, by_second(rates.spoof)),
            (
                "dropped no target",
                sums.no_target,
                by_second(rates.no_target),
            ),
        ],
        received: history.map(|of| of.received()).unwrap_or_default(),
        sent: history.map(|of| of.sent()).unwrap_or_default(),
    }
}
