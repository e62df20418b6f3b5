//! An alias as users see it: a row of a table, an object of JSON. Names are
//! stable; units are in the names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use alias_common::hearer::Hear;
use alias_common::tcp_options::TcpOptions;
use serde::Serialize;

use super::table::{Align, layout};
use crate::model::address::Address;
use crate::model::hearing;
use crate::model::name::alias_name;
use crate::model::rates::Rates;
use crate::model::tcp_options::listed;

/// One alias, with every name looked up.
#[derive(Clone, Debug)]
pub struct AliasView<'a> {
    /// `eth0`.
    pub parent: &'a str,
    /// 0.
    pub slot: u32,
    /// `ip`, `ipv6` or the name of a registered type.
    pub family: Cow<'a, str>,
    /// Its address, or prefix.
    pub address: Address,
    /// Bits.
    pub prefix_len: u8,
    /// VLAN id.
    pub vlan: Option<u16>,
    /// Second VLAN id, when there are two.
    pub inner_vlan: Option<u16>,
    /// `device`, `join`, `to`, `local` or `drop`.
    pub target: &'static str,
    /// The device its packets go to.
    pub device: Option<Cow<'a, str>>,
    /// The namespace of that device; `None` for the parent's.
    pub netns: Option<Cow<'a, str>>,
    /// Whether its packets are matched.
    pub enabled: bool,
    /// Mode in which XDP runs on the parent.
    pub mode: &'static str,
    /// What its device hears beside announcements.
    pub hear: Hear,
    /// TCP options of its sockets; sizes in bytes.
    pub tcp: TcpOptions,
}

/// One alias and what was counted for it.
#[derive(Clone, Debug)]
pub struct StatsView<'a> {
    /// The alias.
    pub alias: AliasView<'a>,
    /// Packets received for it, dropped ones too; ARP and ND apart.
    pub rx_packets: u64,
    /// Their bytes, Ethernet header included.
    pub rx_bytes: u64,
    /// Packets sent from it.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// ARP and ND messages received for it.
    pub neighbor_rx_packets: u64,
    /// ARP and ND messages it sent.
    pub neighbor_tx_packets: u64,
    /// Packets dropped, by reason.
    pub dropped: Dropped,
}

/// Packets dropped, by reason.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Dropped {
    /// The alias's target is `drop`.
    pub policy: u64,
    /// Its device sent what was not its own.
    pub spoof: u64,
    /// Its `--to` device is gone or down.
    pub no_target: u64,
}

impl Dropped {
    const fn total(self) -> u64 {
        self.policy + self.spoof + self.no_target
    }
}

fn vlan(view: &AliasView<'_>) -> String {
    match (view.vlan, view.inner_vlan) {
        (Some(outer), Some(inner)) => format!("{outer}.{inner}"),
        (Some(outer), None) => outer.to_string(),
        _ => "-".into(),
    }
}

/// TCP options by AIX's words.
pub(super) fn by_word(options: &TcpOptions) -> BTreeMap<&'static str, u32> {
    listed(options).collect()
}

fn tcp(view: &AliasView<'_>) -> String {
    let words: Vec<String> = by_word(&view.tcp)
        .into_iter()
        .map(|(word, value)| format!("{word}={value}"))
        .collect();
    if words.is_empty() {
        "-".into()
    } else {
        words.join(",")
    }
}

/// The table of `show`.
#[must_use]
pub fn show(views: &[AliasView<'_>]) -> String {
    const COLUMNS: [(&str, Align); 11] = [
        ("ALIAS", Align::Left),
        ("FAMILY", Align::Left),
        ("ADDRESS", Align::Left),
        ("VLAN", Align::Left),
        ("TARGET", Align::Left),
        ("DEVICE", Align::Left),
        ("NETNS", Align::Left),
        ("STATE", Align::Left),
        ("PREFIX", Align::Left),
        ("HEAR", Align::Left),
        ("TCP", Align::Left),
    ];
    // Few aliases are prefixes or have options: no column for nothing.
    let is_shown = |(column, _): &(&str, Align)| match *column {
        "PREFIX" => views.iter().any(|view| view.address.prefix().is_some()),
        "HEAR" => views.iter().any(|view| !view.hear.is_nothing()),
        "TCP" => views.iter().any(|view| !view.tcp.is_empty()),
        _ => true,
    };
    let shown = COLUMNS.each_ref().map(is_shown);
    let columns: Vec<(&str, Align)> = (COLUMNS.into_iter().zip(shown))
        .filter_map(|(column, shown)| shown.then_some(column))
        .collect();
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            let row = [
                alias_name(view.parent, view.slot),
                view.family.to_string(),
                match view.address {
                    Address::Prefix(prefix) => prefix.to_string(),
                    address => format!("{address}/{}", view.prefix_len),
                },
                vlan(view),
                view.target.into(),
                view.device.as_deref().unwrap_or("-").into(),
                view.netns.as_deref().unwrap_or("-").into(),
                if view.enabled { "enabled" } else { "disabled" }.into(),
                match view.address {
                    Address::Prefix(_) => "yes",
                    _ => "-",
                }
                .into(),
                match view.hear.is_nothing() {
                    true => "-".into(),
                    false => hearing::word(view.hear),
                },
                tcp(view),
            ];
            (row.into_iter().zip(shown))
                .filter_map(|(cell, shown)| shown.then_some(cell))
                .collect()
        })
        .collect();
    layout(&columns, &rows)
}

/// The table of `stats`; with what each did by second, if that is known of any.
#[must_use]
pub fn stats(views: &[(StatsView<'_>, Option<Rates>)]) -> String {
    const COLUMNS: [(&str, Align); 15] = [
        ("ALIAS", Align::Left),
        ("ADDRESS", Align::Left),
        ("TARGET", Align::Left),
        ("RX-PACKETS", Align::Right),
        ("RX-BYTES", Align::Right),
        ("TX-PACKETS", Align::Right),
        ("TX-BYTES", Align::Right),
        ("RX-PPS", Align::Right),
        ("RX-BPS", Align::Right),
        ("TX-PPS", Align::Right),
        ("TX-BPS", Align::Right),
        ("DROPPED", Align::Right),
        ("POLICY", Align::Right),
        ("SPOOF", Align::Right),
        ("NO-TARGET", Align::Right),
    ];
    // Why they were dropped: no column for what never happened.
    let is_shown = |(column, _): &(&str, Align)| {
        let any =
            |figure: fn(&Dropped) -> u64| views.iter().any(|(view, _)| figure(&view.dropped) > 0);
        match *column {
            "RX-PPS" | "RX-BPS" | "TX-PPS" | "TX-BPS" => {
                views.iter().any(|(_, rates)| rates.is_some())
            }
            "POLICY" => any(|dropped| dropped.policy),
            "SPOOF" => any(|dropped| dropped.spoof),
            "NO-TARGET" => any(|dropped| dropped.no_target),
            _ => true,
        }
    };
    let shown = COLUMNS.each_ref().map(is_shown);
    let columns: Vec<(&str, Align)> = (COLUMNS.into_iter().zip(shown))
        .filter_map(|(column, shown)| shown.then_some(column))
        .collect();
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|(view, rates)| {
            let rate = |figure: fn(&Rates) -> f32| match rates {
                Some(rates) => format!("{:.0}", figure(rates)),
                None => "-".into(),
            };
            let row = [
                alias_name(view.alias.parent, view.alias.slot),
                view.alias.address.to_string(),
                view.alias.target.into(),
                view.rx_packets.to_string(),
                view.rx_bytes.to_string(),
                view.tx_packets.to_string(),
                view.tx_bytes.to_string(),
                rate(|rates| rates.rx_packets),
                rate(|rates| rates.rx_bits),
                rate(|rates| rates.tx_packets),
                rate(|rates| rates.tx_bits),
                view.dropped.total().to_string(),
                view.dropped.policy.to_string(),
                view.dropped.spoof.to_string(),
                view.dropped.no_target.to_string(),
            ];
            (row.into_iter().zip(shown))
                .filter_map(|(cell, shown)| shown.then_some(cell))
                .collect()
        })
        .collect();
    layout(&columns, &rows)
}

/// A parent and what its programs did.
#[derive(Clone, Debug, Serialize)]
pub struct ParentView {
    /// Its name.
    pub parent: String,
    /// `native`, `generic` or `tc`.
    pub mode: &'static str,
    /// Number of aliases.
    pub aliases: u32,
    /// How many aliases it has room for before it grows.
    pub capacity: u32,
    /// What the build of its programs is called.
    pub build: String,
    /// It is not this binary's.
    #[serde(skip)]
    pub is_other_build: bool,
}

/// The line above a parent's aliases.
#[must_use]
pub fn heading(view: &ParentView) -> String {
    let ParentView {
        parent,
        mode,
        aliases,
        capacity,
        build,
        is_other_build,
    } = view;
    let other = match is_other_build {
        true => format!("; programs of another build {build}: alias-ctl upgrade {parent}"),
        false => String::new(),
    };
    let engine = match *mode {
        "tc" => "tc".to_owned(),
        mode => format!("XDP {mode}"),
    };
    format!("{parent}: {engine}, {aliases} in use, room for {capacity} aliases{other}\n")
}

/// A parent and what its programs did with the packets they saw.
#[derive(Clone, Debug, Serialize)]
pub struct ParentStatsView {
    /// The parent.
    #[serde(flatten)]
    pub parent: ParentView,
    /// Packets that are no alias's: passed untouched.
    pub miss: u64,
    /// Packets too short for their headers: passed untouched.
    pub malformed: u64,
    /// Frames to another station's MAC, seen on a promiscuous port: passed untouched.
    pub other_station: u64,
    /// Packets passed to the parent's stack for `local` aliases.
    pub local: u64,
    /// Packets sent towards alias devices.
    pub device: u64,
    /// Packets redirected out of `--to` devices.
    pub to: u64,
    /// Packets sent by alias devices and `--to` devices.
    pub tx: u64,
    /// Copies, for alias devices, of frames that are for everybody.
    pub heard: u64,
    /// Copies that were not made.
    pub unheard: u64,
    /// Packets dropped, by reason.
    pub dropped: Dropped,
}

/// The table of `stats --parent`.
#[must_use]
pub fn parent_stats(views: &[ParentStatsView]) -> String {
    const COLUMNS: [(&str, Align); 14] = [
        ("PARENT", Align::Left),
        ("MODE", Align::Left),
        ("MISS", Align::Right),
        ("MALFORMED", Align::Right),
        ("OTHER-STATION", Align::Right),
        ("LOCAL", Align::Right),
        ("DEVICE", Align::Right),
        ("TO", Align::Right),
        ("TX", Align::Right),
        ("HEARD", Align::Right),
        ("UNHEARD", Align::Right),
        ("POLICY", Align::Right),
        ("SPOOF", Align::Right),
        ("NO-TARGET", Align::Right),
    ];
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            let numbers = [
                view.miss,
                view.malformed,
                view.other_station,
                view.local,
                view.device,
                view.to,
                view.tx,
                view.heard,
                view.unheard,
                view.dropped.policy,
                view.dropped.spoof,
                view.dropped.no_target,
            ];
            let mut row = vec![view.parent.parent.clone(), view.parent.mode.into()];
            row.extend(numbers.map(|number| number.to_string()));
            row
        })
        .collect();
    layout(&COLUMNS, &rows)
}
