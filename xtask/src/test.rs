//! `test`: what `lint` finds, the host's unit tests, then real packets in namespaces
//! through the release binary, then a few of those on other kernels. All always run,
//! and the last line is the verdict.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build;
use crate::counts::Counts;
use crate::host;
use crate::kernel;
use crate::lint;
use crate::package;
use crate::process;
use crate::setup;
use crate::slowest::{self, Slowest};
use crate::test_binaries::{NAMESPACES, TestBinary};
use crate::vm;
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  sudo cargo xtask test                    everything; the last line is the verdict
  sudo cargo xtask test --filter vlan      only the tests whose name contains \"vlan\",
                                           and no lint
  sudo cargo xtask test --release          compile the tests themselves in release too
  sudo cargo xtask test --no-vm            without the oldest and the newest kernel,
                                           which `cargo xtask vm` boots

sudo drops rustup's PATH and HOME; keep them with:
  sudo env PATH=\"$PATH\" HOME=\"$HOME\" cargo xtask test";

/// How many tests run at once for each core in namespaces: they wait more than they
/// compute, for the kernel to take devices away, for answers that must not come, for
/// another program.
const WAITING: usize = 3;

/// So many run at once on any machine; more only where there are more cores. They all
/// want the kernel's one lock for devices.
const ENOUGH: usize = 16;

/// What the check of the package is called.
const PACKAGE: &str = "package";

/// What libtest asks; who sets it knows better.
const THREADS: &str = "RUST_TEST_THREADS";

#[derive(Args)]
pub(crate) struct Options {
    /// Run only the tests whose name contains this
    #[arg(long, value_name = "STR")]
    filter: Option<String>,
    /// Do not boot other kernels; nor does a run with --filter
    #[arg(long)]
    no_vm: bool,
    /// Compile the tests in release (alias-ctl always is)
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    // Asked first: building for a minute only to refuse would be rude.
    kernel::require_root()?;
    let toolchain = setup::everything(workspace)?;
    let ctl = build::everything(workspace, &toolchain)?;
    kernel::mount_bpffs(workspace)?;

    // Who filters tries one thing over and over.
    let lint = options
        .filter
        .is_none()
        .then(|| lint::Report::make(workspace));
    let (namespaces, unit): (Vec<_>, Vec<_>) = TestBinary::all(workspace, options.release)?
        .into_iter()
        .partition(|binary| binary.name == NAMESPACES);
    let mut suites = vec![
        Suite::unit(&unit, workspace, options)?,
        Suite::namespaces(&namespaces, &ctl, workspace, options)?,
    ];
    if options
        .filter
        .as_deref()
        .is_none_or(|filter| PACKAGE.contains(filter))
    {
        suites.push(Suite::package(&ctl, workspace));
    }
    if !options.no_vm && options.filter.is_none() {
        suites.push(Suite::run_vm(&ctl, workspace, options)?);
    }
    let untested = options
        .filter
        .as_deref()
        .filter(|_| suites.iter().all(|suite| suite.counts.ran() == 0));
    let passed =
        lint.as_ref().is_none_or(lint::Report::passed) && suites.iter().all(|suite| suite.success);
    println!(
        "xtask test: {} - {}",
        if passed && untested.is_none() {
            "PASSED"
        } else {
            "FAILED"
        },
        lint.iter()
            .map(|lint| format!("lint: {}", lint.shown()))
            .chain(suites.iter().map(Suite::shown))
            .collect::<Vec<_>>()
            .join(" - ")
    );
    if !passed {
        bail!("something failed: see \"failures:\" and \"lint:\" above");
    }
    if let Some(filter) = untested {
        bail!("no test's name contains \"{filter}\": nothing was tested");
    }
    Ok(())
}

/// Tests that are alike in what they need, and what came of them.
struct Suite {
    name: &'static str,
    success: bool,
    counts: Counts,
    elapsed: Duration,
    /// Why nothing was run.
    skipped: Option<String>,
}

impl Suite {
    /// What needs no kernel, and the examples in the documentation.
    fn unit(binaries: &[TestBinary], workspace: &Workspace, options: &Options) -> Result<Self> {
        let mut suite = Self::new("unit");
        for binary in binaries {
            println!("xtask test: unit tests: {}", binary.name);
            let mut command = binary.command(workspace);
            suite.run(command.args(&options.filter), &mut Slowest::default())?;
        }
        println!("xtask test: unit tests: examples in the documentation");
        let mut cargo = host::cargo_test(workspace, options.release);
        cargo.args(["--quiet", "--doc", "--"]).args(&options.filter);
        suite.run(&mut cargo, &mut Slowest::default())?;
        Ok(suite)
    }

    /// Real packets.
    fn namespaces(
        binaries: &[TestBinary],
        ctl: &Path,
        workspace: &Workspace,
        options: &Options,
    ) -> Result<Self> {
        let mut suite = Self::new("namespace");
        let mut slowest = Slowest::default();
        for binary in binaries {
            println!("xtask test: namespace tests");
            let mut command = binary.command(workspace);
            command.env("ALIAS_CTL", ctl);
            if env::var_os(THREADS).is_none() {
                let cores = thread::available_parallelism().map_or(1, NonZero::get);
                command.env(THREADS, at_once(cores).to_string());
            }
            slowest::ask(&mut command);
            suite.run(command.args(&options.filter), &mut slowest)?;
        }
        print!("{}", slowest.shown());
        Ok(suite)
    }

    /// The Debian package: that it can be made, and what is in it.
    fn package(ctl: &Path, workspace: &Workspace) -> Self {
        println!("xtask test: the Debian package");
        let mut suite = Self::new(PACKAGE);
        let start = Instant::now();
        if process::on_path("dpkg-deb").is_empty() {
            suite.skipped = Some("no package was made: dpkg-deb is not here".to_owned());
            return suite;
        }
        match package::check(workspace, ctl) {
            Ok(()) => suite.counts.passed = 1,
            Err(error) => {
                println!("package: FAILED: {error:#}");
                suite.counts.failed = 1;
                suite.success = false;
            }
        }
        suite.elapsed = start.elapsed();
        suite
    }

    fn new(name: &'static str) -> Self {
        Self {
            name,
            success: true,
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            skipped: None,
        }
    }

    /// One command, and what it says of the tests that it ran.
    fn run(&mut self, command: &mut Command, slowest: &mut Slowest) -> Result<()> {
        let start = Instant::now();
        let (success, counts) = count(command, slowest)?;
        self.success &= success;
        self.counts.join(counts);
        self.elapsed += start.elapsed();
        Ok(())
    }

    fn run_vm(ctl: &Path, workspace: &Workspace, options: &Options) -> Result<Self> {
        println!("xtask test: the oldest and the newest kernel");
        let mut suite = Self::new("vm");
        let start = Instant::now();
        match vm::short(workspace, ctl, options.release)? {
            vm::Short::Ran { success, counts } => {
                suite.success = success;
                suite.counts = counts;
            }
            vm::Short::Skipped(error) => {
                suite.skipped = Some(format!("no other kernel was tried: {error:#}"));
            }
        }
        suite.elapsed = start.elapsed();
        Ok(suite)
    }

    fn shown(&self) -> String {
        if let Some(why) = &self.skipped {
            return format!("{}: SKIPPED, {why}", self.name);
        }
        let Counts {
            passed,
            failed,
            ignored,
        } = self.counts;
        // A suite can fail with no failed test: when a binary does not reach its end.
        let verdict = if self.success { "ok" } else { "FAILED" };
        format!(
            "{}: {verdict}, {passed} passed, {failed} failed, {ignored} ignored ({})",
            self.name,
            process::seconds(self.elapsed)
        )
    }
}

/// How many tests in namespaces run at once.
fn at_once(cores: usize) -> usize {
    (cores * WAITING).min(ENOUGH.max(cores))
}

/// Runs a command, showing its output as it comes and counting results.
fn count(command: &mut Command, slowest: &mut Slowest) -> Result<(bool, Counts)> {
    let line = process::shown(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{line}`: could not be started"))?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        // By bytes: a test may print what is no text.
        for bytes in BufReader::new(output).split(b'\n') {
            let bytes = bytes.with_context(|| format!("`{line}`: its output cannot be read"))?;
            let text = String::from_utf8_lossy(&bytes);
            counts.add(&text);
            slowest.add(&text);
            println!("{text}");
        }
    }
    let status = child
        .wait()
        .with_context(|| format!("`{line}`: cannot be waited for"))?;
    Ok((status.success(), counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_cores_run_several_tests_each() {
        for (cores, expected) in [(1, 3), (2, 6), (4, 12), (8, 16), (64, 64)] {
            assert_eq!(at_once(cores), expected, "{cores} cores");
        }
    }

    #[test]
    fn results_are_summed() {
        let check = |lines: &[&str], passed: u64, failed: u64, ignored: u64| {
            let mut counts = Counts::default();
            for line in lines {
                counts.add(line);
            }
            let expected = Counts {
                passed,
                failed,
                ignored,
            };
            assert_eq!(counts, expected, "{lines:?}");
        };
        check(&[], 0, 0, 0);
        check(
            &[
                "running 3 tests",
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s",
            ],
            5,
            1,
            1,
        );
        check(&["test result: nonsense", "test a::b ... ok"], 0, 0, 0);
    }
}
