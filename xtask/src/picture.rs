//! `picture`: the picture of `alias-ctl top` in the README, from the program as it is.

use anyhow::{Context, Result};

use crate::build;
use crate::host;
use crate::kernel;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  sudo cargo xtask picture    build, run top in namespaces with traffic, write docs/top.svg

It needs tmux.";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    kernel::require_root()?;
    let toolchain = setup::everything(workspace)?;
    let ctl = build::everything(workspace, &toolchain)?;
    kernel::mount_bpffs(workspace)?;
    process::run(
        host::cargo(workspace, "run")
            .args(["--quiet", "--package", "alias-tests"])
            .args(["--bin", "picture", "--"])
            .arg(workspace.root().join("docs/top.svg"))
            .env("ALIAS_CTL", &ctl)
            .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects()),
    )
    .context("picture: was not made")
}
