//! Child processes: a clean environment, errors that name the command, and
//! one line per step with its elapsed time.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// What `cargo run` sets for its child, and what must not reach that child's
/// own cargo: it would describe xtask, not the crate being built.
const LEAKED: &[&str] = &[
    "CARGO",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MAKEFLAGS",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "MAKEFLAGS",
    "MFLAGS",
    "OUT_DIR",
    "RUST_RECURSION_COUNT",
];

/// What would choose another compiler or other flags than the ones given.
const COMPILER_CHOICES: &[&str] = &[
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "LD_LIBRARY_PATH",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_TOOLCHAIN_SOURCE",
];

/// A command in the workspace, without what cargo told xtask about xtask.
pub(crate) fn command(program: impl AsRef<OsStr>, workspace: &Workspace) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace.root());
    for name in LEAKED {
        command.env_remove(name);
    }
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that runs xtask, with the toolchain the user chose.
pub(crate) fn host_cargo(workspace: &Workspace) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    command(cargo, workspace)
}

/// A command that obeys only the compiler it is told to use.
pub(crate) fn isolated(program: impl AsRef<OsStr>, workspace: &Workspace) -> Command {
    let mut command = command(program, workspace);
    for name in COMPILER_CHOICES {
        command.env_remove(name);
    }
    // Asking a rustup shim a question must not make it download a toolchain.
    command.env("RUSTUP_AUTO_INSTALL", "0");
    command
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        // Writing to a String cannot fail.
        let _ = write!(line, " {}", argument.to_string_lossy());
    }
    line
}

/// Runs a command whose output the user should see as it comes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("`{}`: could not be started", shown(command)))?;
    if !status.success() {
        bail!(
            "`{}` failed ({status}): see its output above",
            shown(command)
        );
    }
    Ok(())
}

/// Runs a command whose output matters only when it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{}`: could not be started", shown(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({}):\n{}{}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
    Ok(())
}

/// What a command printed, or `None` when it cannot be run or fails: for
/// questions, where "no" is an answer and no error.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every file of that name on `PATH`, then in the directories that an
/// unprivileged user's `PATH` often lacks.
pub(crate) fn on_path(name: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = Vec::new();
    for directory in env::split_paths(&path).chain(
        ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"]
            .iter()
            .map(PathBuf::from),
    ) {
        let file = directory.join(name);
        if is_executable(&file) && !found.contains(&file) {
            found.push(file);
        }
    }
    found
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Announces a step, does it, and completes the line with its time.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprint!("{what} ... ");
    // A progress line that cannot be written is no reason to stop.
    let _ = std::io::stderr().flush();
    let start = Instant::now();
    let result = work();
    let verdict = if result.is_ok() { "done" } else { "FAILED" };
    eprintln!("{verdict} ({})", seconds(start.elapsed()));
    result
}

/// Does a step whose tool reports its own progress, then says how long it took.
pub(crate) fn reported<T>(
    work: impl FnOnce() -> Result<T>,
    summary: impl FnOnce(&T) -> String,
) -> Result<T> {
    let start = Instant::now();
    let value = work()?;
    eprintln!("{} ({})", summary(&value), seconds(start.elapsed()));
    Ok(value)
}

/// Elapsed time as progress lines show it.
pub(crate) fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}
