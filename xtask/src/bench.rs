//! `bench`: what controller and datapath cost, in namespaces of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::build;
use crate::host;
use crate::kernel;
use crate::packages::{self, Manager};
use crate::process::{self, step};
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  sudo cargo xtask bench                      everything: some eight minutes after building
  sudo cargo xtask bench --quick              few repetitions: some two minutes
  sudo cargo xtask bench --only traffic --only delivery
                                              these groups; others are controller, datapath,
                                              programs, stream, latency, memory, growth,
                                              capacity
  sudo cargo xtask bench --json figures.json  the same figures, and every sample, as JSON
  sudo cargo xtask bench --docs               write docs/BENCHMARKS.md and its plot

Peers that are missing are installed: xdp-tools, nftables, net-tools. What cannot be
had is reported as NOT MEASURED. Let the machine do nothing else meanwhile.

sudo drops rustup's PATH and HOME; keep them with:
  sudo env PATH=\"$PATH\" HOME=\"$HOME\" cargo xtask bench";

#[derive(Args)]
pub(crate) struct Options {
    /// Few repetitions
    #[arg(long)]
    quick: bool,
    /// Measure only this group; may be given several times
    #[arg(long, value_name = "GROUP")]
    only: Vec<String>,
    /// Write docs/ of the checkout: of a whole run only
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    docs: bool,
    /// Write the figures there as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    kernel::require_root()?;
    let toolchain = setup::everything(workspace)?;
    let ctl = build::everything(workspace, &toolchain)?;
    install_peers(workspace);
    measure(workspace, &ctl, options)
}

/// What it compares with, as far as it can be had: one package at a time, so that
/// one which this distribution does not have costs only itself.
fn install_peers(workspace: &Workspace) {
    let missing = packages::missing(packages::PEER_TOOLS);
    if missing.is_empty() {
        return;
    }
    let manager = Manager::here();
    let wanted = manager.packages(&missing);
    if manager != Manager::Apt {
        let command = manager.install_command(&wanted);
        eprintln!("bench: goes on without {}: `{command}`", wanted.join(", "));
        return;
    }
    let refreshed = step("bench: refreshing package lists", || {
        packages::apt_update(workspace)
    });
    if let Err(error) = refreshed {
        eprintln!("bench: going on with the lists that are here: {error:#}");
    }
    for package in wanted {
        let installed = step(&format!("bench: installing {package}"), || {
            packages::apt_install(&[package], workspace)
        });
        if let Err(error) = installed {
            eprintln!("bench: goes on without {package}: {error:#}");
        }
    }
}

/// How it is measured is alias-tests' matter, which has namespaces and frames.
fn measure(workspace: &Workspace, ctl: &Path, options: &Options) -> Result<()> {
    let mut cargo = host::cargo(workspace, "run");
    cargo
        .args(["--quiet", "--package", "alias-tests"])
        .args(["--bin", "bench", "--"])
        .env("ALIAS_CTL", ctl)
        .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects());
    if options.quick {
        cargo.arg("--quick");
    }
    for group in &options.only {
        cargo.args(["--only", group]);
    }
    if options.docs {
        cargo.arg("--docs").arg(workspace.root().join("docs"));
    }
    if let Some(file) = &options.json {
        // The child runs in the checkout, the user perhaps elsewhere.
        let file = std::path::absolute(file)
            .with_context(|| format!("{}: no such place", file.display()))?;
        cargo.arg("--json").arg(file);
    }
    process::run(&mut cargo).context("bench: did not reach its end")
}
