//! `lint`: formatting and clippy. A component that is not there is skipped,
//! loudly, and fails: Debian has them in packages of their own.

use anyhow::{Result, bail};

use crate::build;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask lint    what a change must pass before it is proposed";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut skipped = Vec::new();
    if has(workspace, "fmt") {
        process::reported(
            || process::run(process::host_cargo(workspace).args(["fmt", "--all", "--check"])),
            |()| "lint: formatting: ok".to_owned(),
        )?;
    } else {
        skipped.push("fmt (apt-get install rustfmt-web, or rustup component add rustfmt)");
    }
    if has(workspace, "clippy") {
        // alias-ctl's build script wants the objects it embeds.
        if !workspace.bpf_objects().exists() {
            let toolchain = setup::toolchain(workspace)?;
            build::objects(workspace, &toolchain)?;
        }
        process::reported(
            || {
                process::run(
                    process::host_cargo(workspace)
                        .args(["clippy", "--workspace", "--all-targets"])
                        .args(["--", "-D", "warnings"])
                        .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects()),
                )
            },
            |()| "lint: clippy: ok".to_owned(),
        )?;
    } else {
        skipped.push("clippy (apt-get install rust-web-clippy, or rustup component add clippy)");
    }
    for component in &skipped {
        eprintln!("lint: SKIPPED, not installed: {component}");
    }
    if !skipped.is_empty() {
        bail!("xtask lint: not everything was checked: see SKIPPED above");
    }
    println!("xtask lint: PASSED");
    Ok(())
}

fn has(workspace: &Workspace, component: &str) -> bool {
    process::answer(process::host_cargo(workspace).args([component, "--version"])).is_some()
}
