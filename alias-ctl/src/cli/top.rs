//! `top`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::invocation::Unreadable;
use crate::error::Refusal;
use crate::model::request::{self, Request};
use crate::model::top::order::{Column, Sort};

pub(super) const HELP: &str = "Keys are listed by ?. Without a terminal: alias-ctl stats --watch.\n\n\
    Examples:\n  \
    alias-ctl top\n  \
    alias-ctl top eth0 --sort drops\n  \
    alias-ctl top --filter \"drop 192.0.2.\"    those that have both words\n  \
    alias-ctl top --once --interval 5          one screen as text, averages of 5 seconds";

#[derive(Debug, Args)]
pub(super) struct Top {
    /// Attached devices; all of this network namespace without one
    #[arg(value_name = "DEVICE")]
    devices: Vec<String>,
    /// Time between samples
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    interval: f64,
    /// Sort by this column: alias, address, target, rx-pps, rx-bps, tx-pps, tx-bps, drops
    #[arg(long, value_name = "COLUMN", default_value = "rx-pps")]
    sort: String,
    /// The other way round
    #[arg(long)]
    reverse: bool,
    /// Only aliases that have these words in name, address, target, device or namespace
    #[arg(long, value_name = "WORDS", default_value = "")]
    filter: String,
    /// Print one screen as text, and end; COLUMNS and LINES say how large
    #[arg(long, conflicts_with = "count")]
    once: bool,
    /// Print so many
    #[arg(long, value_name = "NUMBER")]
    count: Option<u32>,
    /// Colours; auto: unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    color: Color,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

pub(super) fn lower(words: Top) -> Result<Request, Unreadable> {
    Ok(Request::Top(request::Top {
        devices: words.devices,
        interval: interval("--interval", words.interval)?,
        sort: Sort {
            column: Column::parse(&words.sort)?,
            is_reversed: words.reverse,
        },
        filter: words.filter,
        count: words.once.then_some(1).or(words.count),
        color: match words.color {
            Color::Auto => request::Color::Auto,
            Color::Always => request::Color::Always,
            Color::Never => request::Color::Never,
        },
    }))
}

/// A time between one look and the next.
pub(super) fn interval(option: &str, seconds: f64) -> Result<Duration, Refusal> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|interval| !interval.is_zero())
        .ok_or_else(|| {
            let reason = format!("{seconds} is no time");
            Refusal::new(option, "read interval", reason, libc::EINVAL)
                .hint("give seconds, for example 0.5")
        })
}
