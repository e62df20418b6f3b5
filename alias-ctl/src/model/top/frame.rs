//! What is on the screen at one moment: only what is visible was looked up.

use std::time::Duration;

use super::table::Identity;
use crate::model::rates::Rates;

/// Everything that is drawn.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The parents, by name.
    pub parents: Vec<ParentLine>,
    /// The aliases that are visible.
    pub rows: Vec<Row>,
    /// Place of the first of them among those that the filter admits.
    pub first: usize,
    /// How many the filter admits.
    pub admitted: usize,
    /// How many there are.
    pub all: usize,
    /// What was read.
    pub reading: Reading,
    /// The alias that is looked at by itself; `None` when it is gone, too.
    pub detail: Option<Detail>,
}

/// What was read of the aliases that are not visible.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reading {
    /// As much as of those that are.
    #[default]
    Everything,
    /// Their figures, only so often.
    Slower(Duration),
    /// No figures, for nothing depends on them.
    OnlyVisible,
}

/// A parent and what it does by second.
#[derive(Clone, Debug, Default)]
pub struct ParentLine {
    /// Its name.
    pub name: String,
    /// `native` or `generic`, or what has become of it.
    pub mode: &'static str,
    /// Number of its aliases.
    pub aliases: usize,
    /// Packets by second; `None` before the second sample.
    pub rates: Option<ParentRates>,
    /// The sum over its aliases; `None` when their figures are not read.
    pub sum: Option<Rates>,
}

/// What the programs of a parent do, in packets by second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names of stats --parent")]
pub struct ParentRates {
    pub received: f32,
    pub sent: f32,
    pub miss: f32,
    pub policy: f32,
    pub spoof: f32,
    pub no_target: f32,
}

/// An alias in the list.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which it is.
    pub identity: Identity,
    /// `eth0:3`.
    pub name: String,
    /// Its address, or prefix.
    pub address: String,
    /// Its target with the device and namespace that there are.
    pub target: String,
    /// `None` before the second sample.
    pub rates: Option<Rates>,
    /// Packets by second in both directions, the oldest first.
    pub history: Vec<f32>,
}

/// All that is known of one alias.
#[derive(Clone, Debug)]
pub struct Detail {
    /// `eth0:3`.
    pub name: String,
    /// What it is: a word and its value.
    pub facts: Vec<(&'static str, String)>,
    /// What was counted: a word, the sum, and by second if that is known.
    pub counters: Vec<(&'static str, u64, Option<f32>)>,
    /// Packets received by second, the oldest first.
    pub received: Vec<f32>,
    /// Packets sent by second.
    pub sent: Vec<f32>,
}
