//! `lint`: what can be said of a change without running it. All of it is always
//! tried, and a tool that is not here is named: Debian has some in packages of
//! their own.

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::build;
use crate::deny;
use crate::process;
use crate::setup;
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask lint    what a change must pass before it is proposed: formatting, clippy and
                      rustdoc with warnings as errors, and deny.toml's licences, bans, sources";

type Check = fn(&Workspace) -> Verdict;

const CHECKS: [(&str, Check); 4] = [
    ("formatting", formatting),
    ("clippy", clippy),
    ("cargo-deny", licences_bans_sources),
    ("rustdoc", documentation),
];

/// What came of one of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    /// Its tool is not here; how to get it.
    Skipped(&'static str),
}

/// What came of all of them.
pub(crate) struct Report {
    verdicts: Vec<(&'static str, Verdict)>,
    pub(crate) elapsed: Duration,
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    // alias-ctl's build script wants the objects it embeds.
    if !workspace.bpf_objects().exists() {
        let toolchain = setup::toolchain(workspace)?;
        build::objects(workspace, &toolchain)?;
    }
    let report = Report::make(workspace);
    println!("xtask lint: {}", report.shown());
    if !report.passed() {
        bail!("something is to be mended: see above");
    }
    if !report.skipped().is_empty() {
        bail!("not everything was checked: see SKIPPED above");
    }
    Ok(())
}

impl Report {
    /// Checks everything; the eBPF objects have been built.
    pub(crate) fn make(workspace: &Workspace) -> Self {
        let start = Instant::now();
        let verdicts = CHECKS.map(|(name, check)| {
            let start = Instant::now();
            let verdict = check(workspace);
            let elapsed = process::seconds(start.elapsed());
            match verdict {
                Verdict::Passed => eprintln!("lint: {name}: ok ({elapsed})"),
                Verdict::Failed => eprintln!("lint: {name}: FAILED ({elapsed})"),
                Verdict::Skipped(way_out) => eprintln!("lint: SKIPPED: {name}: {way_out}"),
            }
            (name, verdict)
        });
        Self {
            verdicts: verdicts.to_vec(),
            elapsed: start.elapsed(),
        }
    }

    /// Nothing that was checked is to be mended.
    pub(crate) fn passed(&self) -> bool {
        self.named(|verdict| verdict == Verdict::Failed).is_empty()
    }

    pub(crate) fn shown(&self) -> String {
        let failed = self.named(|verdict| verdict == Verdict::Failed);
        let skipped = self.skipped();
        let mut words = if failed.is_empty() {
            "ok".to_owned()
        } else {
            format!("FAILED: {}", failed.join(", "))
        };
        if !skipped.is_empty() {
            words += &format!(", SKIPPED: {}", skipped.join(", "));
        }
        format!("{words} ({})", process::seconds(self.elapsed))
    }

    fn skipped(&self) -> Vec<&'static str> {
        self.named(|verdict| matches!(verdict, Verdict::Skipped(_)))
    }

    fn named(&self, wanted: impl Fn(Verdict) -> bool) -> Vec<&'static str> {
        self.verdicts
            .iter()
            .filter(|(_, verdict)| wanted(*verdict))
            .map(|(name, _)| *name)
            .collect()
    }
}

fn formatting(workspace: &Workspace) -> Verdict {
    if !has(process::host_cargo(workspace).args(["fmt", "--version"])) {
        return Verdict::Skipped("apt-get install rustfmt-web, or rustup component add rustfmt");
    }
    passes(process::host_cargo(workspace).args(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Verdict {
    if !has(process::host_cargo(workspace).args(["clippy", "--version"])) {
        return Verdict::Skipped("apt-get install rust-web-clippy, or rustup component add clippy");
    }
    passes(
        process::host_cargo(workspace)
            .args(["clippy", "--locked", "--workspace", "--all-targets"])
            .args(["--", "-D", "warnings"])
            .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects()),
    )
}

/// Not the advisories: those are in a database that has to come from the network,
/// and are another day's news, not this change's.
fn licences_bans_sources(workspace: &Workspace) -> Verdict {
    let Ok(program) = deny::provide(workspace)
        .inspect_err(|error| eprintln!("lint: cargo-deny: could not be installed: {error:#}"))
    else {
        return Verdict::Skipped("`cargo xtask setup` installs it");
    };
    passes(
        process::command(program, workspace)
            .args(["--locked", "--log-level", "error"])
            .args(["check", "--hide-inclusion-graph"])
            .args(["licenses", "bans", "sources"]),
    )
}

fn documentation(workspace: &Workspace) -> Verdict {
    let rustdoc = env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    if !has(process::command(rustdoc, workspace).arg("--version")) {
        return Verdict::Skipped("it comes with rustc: rustdoc is to be on PATH");
    }
    let mut flags = env::var("RUSTDOCFLAGS").unwrap_or_default();
    flags.push_str(" -D warnings");
    passes(
        process::host_cargo(workspace)
            .args(["doc", "--locked", "--workspace", "--no-deps"])
            // Nobody outside uses these crates: what is private is what is read.
            .arg("--document-private-items")
            .env("RUSTDOCFLAGS", flags)
            .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects()),
    )
}

fn has(question: &mut Command) -> bool {
    process::answer(question).is_some()
}

fn passes(command: &mut Command) -> Verdict {
    match process::run(command) {
        Ok(()) => Verdict::Passed,
        Err(error) => {
            eprintln!("lint: {error:#}");
            Verdict::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_and_what_was_not_tried_is_named() {
        let check = |verdicts: &[(&'static str, Verdict)], passed: bool, expected: &str| {
            let report = Report {
                verdicts: verdicts.to_vec(),
                elapsed: Duration::from_millis(1500),
            };
            assert_eq!(report.passed(), passed, "{verdicts:?}");
            assert_eq!(report.shown(), expected);
        };
        let (ok, bad) = (("a", Verdict::Passed), ("b", Verdict::Failed));
        let absent = ("c", Verdict::Skipped("way"));
        check(&[ok], true, "ok (1.5 s)");
        check(&[ok, absent], true, "ok, SKIPPED: c (1.5 s)");
        check(&[ok, bad, absent], false, "FAILED: b, SKIPPED: c (1.5 s)");
    }
}
