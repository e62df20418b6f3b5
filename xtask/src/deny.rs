//! cargo-deny: what may come into this project from outside, by deny.toml. It is
//! pinned and built here, as bpf-linker is: another version has other opinions.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, step};
use crate::workspace::Workspace;

/// It has neither a git nor a TLS of its own, as older ones had, and compiles in half
/// their time.
pub(crate) const VERSION: &str = "0.20.2";

/// The one that setup built, or the same version of whoever has it already.
pub(crate) fn find(workspace: &Workspace) -> Option<PathBuf> {
    [path(workspace)]
        .into_iter()
        .chain(process::on_path("cargo-deny"))
        .find(|program| {
            process::answer(process::command(program, workspace).arg("--version"))
                .is_some_and(|version| version.trim() == format!("cargo-deny {VERSION}"))
        })
}

/// Builds it unless it is here.
pub(crate) fn provide(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(program) = find(workspace) {
        return Ok(program);
    }
    let what = format!("setup: building cargo-deny {VERSION} (some two minutes)");
    step(&what, || {
        process::run_quietly(&mut install_command(workspace))
    })?;
    find(workspace).with_context(|| {
        let path = path(workspace);
        format!(
            "cargo-deny {VERSION}: was installed but does not run: try `{} --version`",
            path.display()
        )
    })
}

/// The command that installs it.
pub(crate) fn install_command(workspace: &Workspace) -> Command {
    let mut command = process::host_cargo(workspace);
    command
        .args(["install", "cargo-deny", "--version", VERSION, "--locked"])
        .args(["--force", "--root"])
        .arg(root(workspace))
        // It runs for half a second: what counts is how long it compiles.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    command
}

fn root(workspace: &Workspace) -> PathBuf {
    workspace.tools().join(format!("cargo-deny-{VERSION}"))
}

fn path(workspace: &Workspace) -> PathBuf {
    root(workspace).join("bin/cargo-deny")
}
