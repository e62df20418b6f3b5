//! Says what is done, does it where all can see, and keeps the record of what
//! was checked.

use std::cell::Cell;
use std::fmt::{Debug, Write as _};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use alias_tests::{Namespace, Output, run_to_end};
use serde_json::Value;

/// What one command may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Prints, runs and checks.
pub(crate) struct Narrator<'a> {
    /// Where `alias-ctl` is asked for counters.
    host: &'a Namespace,
    ctl: PathBuf,
    emphasis: bool,
    right: Cell<u32>,
    wrong: Cell<u32>,
}

/// What one alias counted: a row of `stats -j`.
pub(crate) struct Counters(Value);

impl Counters {
    /// One figure; a dot descends: `dropped.spoof`.
    pub(crate) fn find(&self, path: &str) -> Option<u64> {
        path.split('.')
            .fold(&self.0, |value, key| &value[key])
            .as_u64()
    }
}

impl<'a> Narrator<'a> {
    pub(crate) fn new(host: &'a Namespace) -> Self {
        Self {
            host,
            ctl: alias_ctl(),
            emphasis: io::stdout().is_terminal(),
            right: Cell::new(0),
            wrong: Cell::new(0),
        }
    }

    pub(crate) fn title(&self, text: &str) {
        println!("\n{}", self.strong(&format!("=== {text}")));
    }

    pub(crate) fn say(&self, text: &str) {
        println!("# {text}");
    }

    /// Runs a command that must succeed, and shows all it says.
    pub(crate) fn run(&self, place: &Namespace, line: &str) {
        let output = self.perform(place, line, "");
        if output.code() != 0 {
            self.check("exit code", output.code(), 0);
        }
    }

    /// Runs a command whose output is judged by the caller, and shows the
    /// lines of it that hold `wanted`.
    pub(crate) fn run_cut(&self, place: &Namespace, line: &str, wanted: &str) -> String {
        self.perform(place, line, wanted).stdout
    }

    /// Runs a command that must be refused; returns what it said.
    pub(crate) fn run_refused(&self, place: &Namespace, line: &str) -> String {
        let output = self.perform(place, line, "");
        if output.code() != 1 {
            self.check("exit code", output.code(), 1);
        }
        output.stderr
    }

    fn perform(&self, place: &Namespace, line: &str, wanted: &str) -> Output {
        println!("{}", self.strong(&format!("{}# {line}", place.name())));
        let output = run_to_end(self.shell(place, line), b"", LIMIT);
        let shown: Vec<&str> = [&output.stdout, &output.stderr]
            .into_iter()
            .flat_map(|text| text.lines())
            .filter(|line| line.contains(wanted) && !line.trim().is_empty())
            .collect();
        for line in &shown {
            println!("{line}");
        }
        if shown.is_empty() && output.code() != 0 {
            // The wanted lines did not come: the reason is among the others.
            print!("{}{}", output.stdout, output.stderr);
        }
        output
    }

    /// A shell in which `alias-ctl` is the one that was built.
    fn shell(&self, place: &Namespace, line: &str) -> std::process::Command {
        let mut path = self
            .ctl
            .parent()
            .unwrap_or(Path::new("/"))
            .as_os_str()
            .to_owned();
        path.push(":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = place.command("sh");
        command.args(["-c", line]).env("PATH", path);
        command
    }

    /// What an alias has counted so far.
    pub(crate) fn counters(&self, alias: &str) -> Counters {
        let mut command = self.host.command(&self.ctl);
        command.args(["stats", alias, "-j"]);
        let output = run_to_end(command, b"", LIMIT);
        let rows: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        Counters(rows[0].clone())
    }

    /// The MAC of eth0, as tools print it.
    pub(crate) fn mac_of_eth0(&self) -> String {
        self.host
            .mac("eth0")
            .map(|byte| format!("{byte:02x}"))
            .join(":")
    }

    pub(crate) fn check<F, E>(&self, what: &str, found: F, expected: E)
    where
        F: PartialEq<E> + Debug,
        E: Debug,
    {
        if found == expected {
            self.passed(what);
        } else {
            self.failed(&format!("{what}: {found:?}, must be {expected:?}"));
        }
    }

    pub(crate) fn check_at_least(&self, what: &str, found: u64, least: u64) {
        if found >= least {
            self.passed(&format!("{what}: {found}"));
        } else {
            self.failed(&format!("{what}: {found}, must be {least} or more"));
        }
    }

    /// Figures of one alias, all of which must be exact.
    pub(crate) fn check_counters(&self, alias: &str, expected: &[(&str, u64)]) {
        let counters = self.counters(alias);
        let mut line = format!("{alias}:");
        let mut all_right = true;
        for (name, value) in expected {
            let found = counters.find(name);
            // Writing to a String cannot fail.
            let _ = match found {
                Some(found) if found == *value => write!(line, " {name} {found}"),
                Some(found) => write!(line, " {name} {found} (must be {value})"),
                None => write!(line, " {name} missing (must be {value})"),
            };
            all_right &= found == Some(*value);
        }
        if all_right {
            self.passed(&line);
        } else {
            self.failed(&line);
        }
    }

    fn passed(&self, what: &str) {
        self.right.set(self.right.get() + 1);
        println!("  [ok] {what}");
    }

    fn failed(&self, what: &str) {
        self.wrong.set(self.wrong.get() + 1);
        println!("  {}", self.strong(&format!("[WRONG] {what}")));
    }

    /// The last line, and the exit code.
    pub(crate) fn verdict(&self, elapsed: Duration) -> ExitCode {
        let (right, wrong) = (self.right.get(), self.wrong.get());
        let elapsed = elapsed.as_secs_f64();
        if wrong == 0 {
            println!("\ndemo: PASSED - {right} checks ({elapsed:.1} s)");
            ExitCode::SUCCESS
        } else {
            println!(
                "\ndemo: FAILED - {wrong} of {} checks ({elapsed:.1} s)",
                right + wrong
            );
            ExitCode::FAILURE
        }
    }

    fn strong(&self, text: &str) -> String {
        if self.emphasis {
            format!("\x1b[1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// `ALIAS_CTL`, or the workspace's release build.
fn alias_ctl() -> PathBuf {
    std::env::var_os("ALIAS_CTL").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../target/release/alias-ctl"
            ))
        },
        PathBuf::from,
    )
}
