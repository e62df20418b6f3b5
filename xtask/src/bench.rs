//! `bench`: what controller and datapath cost, in namespaces of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::build;
use crate::kernel;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  sudo cargo xtask bench                      everything: a minute or two after building
  sudo cargo xtask bench --quick              few repetitions: under 20 seconds after building
  sudo cargo xtask bench --json figures.json  the same figures, and every sample, as JSON

sudo drops rustup's PATH and HOME; keep them with:
  sudo env PATH=\"$PATH\" HOME=\"$HOME\" cargo xtask bench";

#[derive(Args)]
pub(crate) struct Options {
    /// Few repetitions
    #[arg(long)]
    quick: bool,
    /// Write the figures there as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    kernel::require_root()?;
    let toolchain = setup::everything(workspace)?;
    let ctl = build::everything(workspace, &toolchain)?;
    measure(workspace, &ctl, options)
}

/// How it is measured is alias-tests' matter, which has namespaces and frames.
fn measure(workspace: &Workspace, ctl: &Path, options: &Options) -> Result<()> {
    let mut cargo = process::host_cargo(workspace);
    cargo
        .args(["run", "--quiet", "--release", "--package", "alias-tests"])
        .args(["--bin", "bench", "--"])
        .env("ALIAS_CTL", ctl)
        .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects());
    if options.quick {
        cargo.arg("--quick");
    }
    if let Some(file) = &options.json {
        // The child runs in the checkout, the user perhaps elsewhere.
        let file = std::path::absolute(file)
            .with_context(|| format!("{}: no such place", file.display()))?;
        cargo.arg("--json").arg(file);
    }
    process::run(&mut cargo).context("bench: did not reach its end")
}
