//! `package`: a .deb of the binary that `build` leaves, and of all that belongs to it.
//! Laid out here and packed by dpkg-deb: the binary is built and stripped by then, and
//! what is left is to copy files (docs/design/package.md).

mod check;
mod control;
mod rehearsal;
mod tree;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::build;
use crate::kernel;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) use check::check;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask package               target/debian/alias-ctl_0.1.0-1_amd64.deb
  cargo xtask package --revision 2  the same as a later package: 0.1.0-2
  sudo cargo xtask package --try    install, start, upgrade, remove and purge it under
                                    systemd in a bare Debian 13, made by debootstrap below
                                    target/package once, in namespaces of its own";

#[derive(Args)]
pub(crate) struct Options {
    /// What comes behind the version and its dash
    #[arg(long, default_value_t = 1)]
    revision: u32,
    /// Try it in a bare root with real packets (needs root)
    #[arg(long = "try")]
    rehearse: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.rehearse {
        kernel::require_root()?;
    }
    let toolchain = setup::toolchain(workspace)?;
    let ctl = build::everything(workspace, &toolchain)?;
    let package = make(workspace, &ctl, options.revision)?;
    println!("{}", package.display());
    if options.rehearse {
        let later = make(workspace, &ctl, options.revision + 1)?;
        rehearsal::run(workspace, &package, &later)?;
    }
    Ok(())
}

/// Makes the package of a built alias-ctl.
fn make(workspace: &Workspace, ctl: &Path, revision: u32) -> Result<PathBuf> {
    let version = format!("{}-{revision}", env!("CARGO_PKG_VERSION"));
    let architecture = process::answer(
        process::isolated("dpkg", workspace).arg("--print-architecture"),
    )
    .context("dpkg: does not say this machine's architecture (ENOENT): packages are made on Debian and its like")?;
    let architecture = architecture.trim();
    let home = workspace.host_target().join("debian");
    let origin = control::Origin::of(workspace)?;
    let root = home.join("tree");
    tree::lay(&root, ctl, workspace, &origin, &version)?;
    control::write(&root, ctl, workspace, &origin, &version, architecture)?;
    let package = home.join(format!("alias-ctl_{version}_{architecture}.deb"));
    process::run_quietly(
        process::isolated("dpkg-deb", workspace)
            .args(["--root-owner-group", "--build"])
            .arg(&root)
            .arg(&package)
            // Of one commit comes one package.
            .env("SOURCE_DATE_EPOCH", origin.seconds.to_string()),
    )?;
    Ok(package)
}
