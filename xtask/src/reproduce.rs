//! `reproduce`: the commit that is checked out, built in two folders from nothing,
//! must come out the same to the byte. That is what lets others check a binary.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process::{self, step};
use crate::setup;
use crate::verifier;
use crate::workspace::{self, Workspace};

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask reproduce           two clones of this commit in $TMPDIR, built and compared:
                                  some ten minutes
  cargo xtask reproduce --keep    the same, and the clones stay, to look at what differs";

/// The folders' names: neither as long as the other, and no good name for a crate.
const FOLDERS: [&str; 2] = ["a", "somewhere else"];

#[derive(Args)]
pub(crate) struct Options {
    /// Leave the clones where they are
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    // The clones use these tools too: what is asked is what they make.
    setup::toolchain(workspace)?;
    let commit = commit(workspace)?;
    let scratch = Scratch::new(options.keep)?;
    let mut built = Vec::new();
    for folder in FOLDERS {
        let clone = scratch.path.join(folder);
        step(&format!("reproduce: {}", clone.display()), || {
            lay(&clone, &commit, workspace).and_then(|()| build(&clone, workspace))
        })?;
        built.push(outputs(&clone)?);
    }
    let [first, second] = built.as_slice() else {
        bail!("reproduce: two folders were to be built");
    };
    let mut differ = 0;
    for (here, there) in first.iter().zip(second) {
        let name = here.file_name().unwrap_or_default().to_string_lossy();
        let same = read(here)? == read(there)?;
        differ += usize::from(!same);
        let verdict = if same { "same  " } else { "DIFFERS" };
        println!("{verdict} {} {name}", digest(here, workspace)?);
        if !same {
            println!("        {} {name}", digest(there, workspace)?);
        }
    }
    if first.len() != second.len() || differ > 0 {
        bail!(
            "{commit}: {differ} of {} files differ between two folders: \
             --keep leaves them, and diffoscope says in what",
            first.len()
        );
    }
    println!(
        "xtask reproduce: PASSED - {commit}: {} files are the same",
        first.len()
    );
    Ok(())
}

/// The commit that is checked out; what is not committed is no part of it.
fn commit(workspace: &Workspace) -> Result<String> {
    let ask =
        |arguments: &[&str]| process::answer(process::command("git", workspace).args(arguments));
    let commit = ask(&["rev-parse", "HEAD"])
        .context("git: knows no commit here: this needs a checkout, and git on PATH")?;
    if ask(&["status", "--porcelain"]).is_none_or(|changes| !changes.is_empty()) {
        eprintln!("reproduce: what is not committed is left out");
    }
    Ok(commit.trim().to_owned())
}

/// A checkout with nothing in it but the commit and the tools.
fn lay(clone: &Path, commit: &str, workspace: &Workspace) -> Result<()> {
    let git = || process::command("git", workspace);
    process::run_quietly(
        git()
            .args(["clone", "--quiet", "--no-checkout"])
            .arg(workspace.root())
            .arg(clone),
    )?;
    process::run_quietly(
        git()
            .arg("-C")
            .arg(clone)
            .args(["checkout", "--quiet", "--detach", commit]),
    )?;
    let tools = clone.join("target/tools");
    fs::create_dir_all(clone.join("target"))
        .and_then(|()| symlink(workspace.tools(), &tools))
        .with_context(|| format!("{}: cannot be made", tools.display()))
}

fn build(clone: &Path, workspace: &Workspace) -> Result<()> {
    let mut cargo = process::host_cargo(workspace);
    cargo
        .current_dir(clone)
        .args(["xtask", "build"])
        .env(verifier::SKIP, "1");
    // Where this workspace builds is not where the clone does.
    for name in workspace::ELSEWHERE {
        cargo.env_remove(name);
    }
    process::run_quietly(&mut cargo)
}

/// What `build` leaves that others are given.
fn outputs(clone: &Path) -> Result<Vec<PathBuf>> {
    let objects = clone.join("target/bpf");
    let mut files: Vec<PathBuf> = fs::read_dir(&objects)
        .with_context(|| format!("{}: cannot be read", objects.display()))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort_unstable();
    files.extend(
        ["alias-ctl", "alias-ctl.debug"].map(|name| clone.join("target/release").join(name)),
    );
    Ok(files)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))
}

fn digest(file: &Path, workspace: &Workspace) -> Result<String> {
    let line = process::answer(process::command("sha256sum", workspace).arg(file))
        .with_context(|| format!("`sha256sum {}`: failed", file.display()))?;
    // A name that it had to escape has a backslash in front.
    let digest = line.trim_start_matches('\\').split(' ').next();
    Ok(digest.unwrap_or_default().to_owned())
}

/// Where the clones are.
struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    fn new(keep: bool) -> Result<Self> {
        let path = env::temp_dir().join(format!("alias-reproduce-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| {
            format!(
                "{}: cannot be created: TMPDIR names another place",
                path.display()
            )
        })?;
        Ok(Self { path, keep })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("reproduce: kept: {}", self.path.display());
        } else {
            // What is left is in a directory for what may be deleted.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
