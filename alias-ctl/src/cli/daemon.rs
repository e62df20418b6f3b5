//! The words of `daemon`, and those about a parent's end elsewhere.

use clap::{Args, ValueEnum};

use crate::model::lifecycle;
use crate::model::request::{DaemonOptions, Request};

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
        },
    }
}
