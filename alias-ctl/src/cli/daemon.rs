//! The words of `daemon`, and those about a parent's end elsewhere.

use std::net::Ipv4Addr;

use clap::{Args, ValueEnum};

use crate::model::lifecycle;
use crate::model::request::{DaemonOptions, MetricsAt, Request};

#[derive(Debug, Args)]
pub(super) struct Daemon {
    /// What becomes of aliases when their device goes down; a device's own choice
    /// (attach, set) comes first
    #[arg(long, value_enum, default_value_t)]
    on_parent_down: OnDown,
    /// Bytes of kernel messages that may wait; when there are more, everything is
    /// looked at anew
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    event_buffer: usize,
    /// Answer Prometheus there: PORT (of 127.0.0.1), ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "WHERE", value_parser = metrics_at)]
    metrics: Option<MetricsAt>,
    /// Of how many aliases, those with the most packets; the others are summed
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1000,
        requires = "metrics"
    )]
    metrics_top: usize,
}

/// Without an address, only this host is answered.
fn metrics_at(text: &str) -> Result<MetricsAt, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.starts_with('/') {
            true => Ok(MetricsAt::Unix(path.into())),
            false => Err("the path of a socket begins with a slash".to_owned()),
        };
    }
    if let Ok(port) = text.parse() {
        return Ok(MetricsAt::Tcp((Ipv4Addr::LOCALHOST, port).into()));
    }
    let address = text
        .parse()
        .map_err(|_| "neither PORT, ADDRESS:PORT ([::1]:9713 for IPv6) nor unix:/PATH".to_owned());
    address.map(MetricsAt::Tcp)
}

/// What becomes of aliases when their device goes down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum OnDown {
    /// They are deleted, as in NET_ALIAS
    #[default]
    Delete,
    /// They stay
    Keep,
}

impl OnDown {
    pub(super) const fn lower(self) -> lifecycle::OnDown {
        match self {
            OnDown::Delete => lifecycle::OnDown::Delete,
            OnDown::Keep => lifecycle::OnDown::Keep,
        }
    }
}

pub(super) fn lower(words: &Daemon) -> Request {
    Request::Daemon {
        options: DaemonOptions {
            on_down: words.on_parent_down.lower(),
            event_buffer: words.event_buffer,
            metrics: words.metrics.clone(),
            metrics_top: words.metrics_top,
        },
    }
}
