//! `demo`: from a clone to the thing at work, with nothing left behind.

use std::path::Path;

use anyhow::{Context, Result};

use crate::build;
use crate::host;
use crate::kernel;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  sudo cargo xtask demo    set up, build, and show it in namespaces of its own

sudo drops rustup's PATH and HOME; keep them with:
  sudo env PATH=\"$PATH\" HOME=\"$HOME\" cargo xtask demo";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    kernel::require_root()?;
    let toolchain = setup::everything(workspace)?;
    let ctl = build::everything(workspace, &toolchain)?;
    kernel::mount_bpffs(workspace)?;
    scene(workspace, &ctl)
}

/// What is shown; the namespaces and their cast live in alias-tests.
fn scene(workspace: &Workspace, ctl: &Path) -> Result<()> {
    process::run(
        host::cargo(workspace, "run")
            .args(["--quiet", "--package", "alias-tests"])
            .args(["--bin", "demo"])
            .env("ALIAS_CTL", ctl)
            .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects()),
    )
    .context("demo: did not reach its end")
}
