//! `upgrade`.

use clap::Args;

use crate::model::request::{self, Request};

pub(super) const HELP: &str = "Aliases, counters and devices stay, and packets flow. Where the \
    programs are this binary's already\nthere is nothing to do, and the exit code is 0.\n\n\
    Examples:\n  \
    alias-ctl upgrade                  every attached device of this network namespace\n  \
    alias-ctl upgrade eth0 eth1\n  \
    alias-ctl upgrade --all-netns      for a package's script\n  \
    alias-ctl upgrade --dry-run        only say what would be upgraded";

#[derive(Debug, Args)]
pub(super) struct Upgrade {
    /// Attached devices; all of this network namespace without one
    #[arg(value_name = "DEVICE")]
    devices: Vec<String>,
    /// All attached devices of this network namespace
    #[arg(long, conflicts_with = "devices")]
    all: bool,
    /// And those of every other network namespace that a name or a process leads to
    #[arg(long, conflicts_with = "devices")]
    all_netns: bool,
    /// Change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn lower(words: Upgrade) -> Request {
    Request::Upgrade(request::Upgrade {
        devices: if words.all { Vec::new() } else { words.devices },
        all_netns: words.all_netns,
        dry_run: words.dry_run,
    })
}
