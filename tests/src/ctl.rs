//! `alias-ctl` as a user calls it, inside host A, and `ping` from host B.

use std::{
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    lab::Lab,
    namespace::{Namespace, TOOL_LIMIT},
    process::{Background, Output, run_to_end},
    wait::comes_true,
};

/// How an `alias-ctl` ended.
pub type CtlOutput = Output;

/// Capability numbers of linux/capability.h which libc does not name: what
/// configuring networks and BPF asks for.
const ADMINISTRATION: [libc::c_ulong; 4] = [
    12, // CAP_NET_ADMIN
    21, // CAP_SYS_ADMIN
    38, // CAP_PERFMON
    39, // CAP_BPF
];

impl Lab {
    /// Runs `alias-ctl` in host A.
    #[track_caller]
    pub fn ctl(&self, arguments: &[&str]) -> CtlOutput {
        run_to_end(self.ctl_command(&self.a, arguments), b"", TOOL_LIMIT)
    }

    /// Runs `alias-ctl` in another host of the lab, with the lab's bpffs.
    #[track_caller]
    pub fn ctl_in(&self, host: &Namespace, arguments: &[&str]) -> CtlOutput {
        run_to_end(self.ctl_command(host, arguments), b"", TOOL_LIMIT)
    }

    /// Runs another `alias-ctl` in host A.
    #[track_caller]
    pub fn ctl_of(&self, program: &Path, arguments: &[&str]) -> CtlOutput {
        let command = self.command_of(program, &self.a, arguments);
        run_to_end(command, b"", TOOL_LIMIT)
    }

    /// Starts another `alias-ctl` in host A and leaves it running.
    #[track_caller]
    pub fn ctl_spawn_of(&self, program: &Path, arguments: &[&str]) -> Background {
        Background::start(self.command_of(program, &self.a, arguments))
    }

    /// Runs `alias-ctl`, which must succeed; hands its standard output on.
    #[track_caller]
    pub fn ctl_ok(&self, arguments: &[&str]) -> String {
        self.ctl(arguments).ok().stdout
    }

    /// Runs `alias-ctl` in host A through a link with another name.
    #[track_caller]
    pub fn ctl_called(&self, name: &str, arguments: &[&str]) -> CtlOutput {
        let mut command = self.ctl_command(&self.a, arguments);
        // What a link does to a program: it sees another name.
        command.arg0(format!("/usr/local/sbin/{name}"));
        run_to_end(command, b"", TOOL_LIMIT)
    }

    /// Runs `alias-ctl`, which must refuse with this errno's name, in the
    /// project's one form of message; hands standard error on.
    #[track_caller]
    pub fn ctl_err(&self, arguments: &[&str], errno_name: &str) -> String {
        assert_refused(self.ctl(arguments), errno_name)
    }

    /// As `ctl_err`, with the rights to administer networks and BPF gone.
    #[track_caller]
    pub fn ctl_err_unprivileged(&self, arguments: &[&str], errno_name: &str) -> String {
        assert_refused(self.ctl_unprivileged(arguments), errno_name)
    }

    /// Runs `alias-ctl` with the rights to administer networks and BPF gone.
    #[track_caller]
    pub fn ctl_unprivileged(&self, arguments: &[&str]) -> CtlOutput {
        let mut command = self.ctl_command(&self.a, arguments);
        // SAFETY: prctl with integers only is async-signal-safe. It comes
        // after the command's setns, which still needs the capability, and
        // root's exec takes no capability outside the bounding set.
        unsafe {
            command.pre_exec(|| {
                for capability in ADMINISTRATION {
                    if libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 {
                        return Err(io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        run_to_end(command, b"", TOOL_LIMIT)
    }

    /// Runs `alias-ctl` with `-j` and parses what it prints.
    #[track_caller]
    pub fn ctl_json(&self, arguments: &[&str]) -> Value {
        let text = self.ctl_ok(&[arguments, &["-j"]].concat());
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("alias-ctl {arguments:?} -j: {error}: {text}"))
    }

    /// Starts `alias-ctl` in host A and leaves it running.
    #[track_caller]
    pub fn ctl_spawn(&self, arguments: &[&str]) -> Background {
        Background::start(self.ctl_command(&self.a, arguments))
    }

    /// All aliases, in the order of the list.
    #[track_caller]
    pub fn rows(&self) -> Vec<Value> {
        match self.ctl_json(&["show"]) {
            Value::Array(rows) => rows,
            other => panic!("`show -j` is to print an array: {other}"),
        }
    }

    /// The names of all aliases, in the order of the list.
    #[track_caller]
    pub fn alias_names(&self) -> Vec<String> {
        let name = |row: &Value| row["alias"].as_str().map(str::to_owned);
        self.rows()
            .iter()
            .map(|row| name(row).unwrap_or_else(|| panic!("no alias name in {row}")))
            .collect()
    }

    /// The row of `show -j` for one alias.
    #[track_caller]
    pub fn row(&self, alias: &str) -> Value {
        only_row(self.ctl_json(&["show", alias]), alias)
    }

    /// The device of an alias, by its real name.
    #[track_caller]
    pub fn device(&self, alias: &str) -> String {
        let row = self.row(alias);
        let device = row["device"].as_str();
        device
            .unwrap_or_else(|| panic!("a device alias has a device: {row}"))
            .to_owned()
    }

    /// The row of `stats -j` for one alias.
    #[track_caller]
    pub fn stats(&self, alias: &str) -> Value {
        only_row(self.ctl_json(&["stats", alias]), alias)
    }

    /// One counter of one alias; a dot descends: `dropped.spoof`. A reason
    /// that never occurred may be left out.
    #[track_caller]
    pub fn counter(&self, alias: &str, path: &str) -> u64 {
        let stats = self.stats(alias);
        let value = path.split('.').fold(&stats, |value, key| &value[key]);
        match value {
            Value::Null if path.starts_with("dropped.") => 0,
            value => value
                .as_u64()
                .unwrap_or_else(|| panic!("{alias}: no counter {path} in {stats}")),
        }
    }

    /// Waits until a counter has exactly this value.
    #[track_caller]
    pub fn wait_for_counter(&self, alias: &str, path: &str, expected: u64) {
        let mut last = 0;
        let reached = comes_true(TOOL_LIMIT, || {
            last = self.counter(alias, path);
            last == expected
        });
        assert!(
            reached,
            "{alias}: {path} is to become {expected}, and is {last}"
        );
    }

    /// Waits until a counter has counted at all.
    #[track_caller]
    pub fn wait_for_some(&self, alias: &str, path: &str) {
        let counted = comes_true(TOOL_LIMIT, || self.counter(alias, path) > 0);
        assert!(counted, "{alias}: {path} stays 0");
    }

    pub(crate) fn ctl_command(&self, namespace: &Namespace, arguments: &[&str]) -> Command {
        self.command_of(&ctl_binary(), namespace, arguments)
    }

    pub(crate) fn command_of(
        &self,
        program: &Path,
        namespace: &Namespace,
        arguments: &[&str],
    ) -> Command {
        let mut command = namespace.command(program);
        command
            .args(arguments)
            .env("ALIAS_BPFFS_ROOT", self.bpffs())
            .envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }
}

/// What `ping` reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Echo requests sent.
    pub sent: u32,
    /// Echo replies that came back.
    pub received: u32,
}

impl Namespace {
    /// Sends `count` echo requests from here.
    #[track_caller]
    pub fn ping(&self, address: &str, count: u32) -> Ping {
        self.ping_with(address, count, "")
    }

    /// As `ping`, with further options.
    #[track_caller]
    pub fn ping_with(&self, address: &str, count: u32, options: &str) -> Ping {
        // -l: all at once; -i and -W: what one lost answer may cost.
        let output = self.run(&format!(
            "ping -n -c {count} -l {count} -i 10 -W 10 {options} {address}"
        ));
        parse_ping(&output.stdout).unwrap_or_else(|| panic!("{output}"))
    }

    /// Panics unless every one of `count` echo requests is answered.
    #[track_caller]
    pub fn ping_ok(&self, address: &str, count: u32) {
        let ping = self.ping(address, count);
        let expected = Ping {
            sent: count,
            received: count,
        };
        assert_eq!(ping, expected, "{} -> {address}", self.name());
    }

    /// Panics when an echo request is answered. Silence can only be listened
    /// to for a while: a case that must be sure has a marker behind it, see
    /// [`crate::RawSocket::all_before`].
    #[track_caller]
    pub fn ping_unanswered(&self, address: &str) {
        let ping = self.ping_with(address, 1, "-W 0.3");
        assert_eq!(ping.received, 0, "{} -> {address}: answered", self.name());
    }
}

/// From the line `5 packets transmitted, 5 received, 0% packet loss, …`.
fn parse_ping(text: &str) -> Option<Ping> {
    let line = text.lines().find(|l| l.contains("packets transmitted"))?;
    let number_before = |word: &str| {
        let part = line.split(',').find(|part| part.contains(word))?;
        part.split_whitespace().next()?.parse().ok()
    };
    Some(Ping {
        sent: number_before("transmitted")?,
        received: number_before("received")?,
    })
}

/// `ALIAS_CTL`, or the workspace's release build.
#[track_caller]
pub fn ctl_binary() -> PathBuf {
    let path = std::env::var_os("ALIAS_CTL").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../target/release/alias-ctl"
            ))
        },
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "no alias-ctl at {}: build it in release mode, or name it in ALIAS_CTL",
        path.display()
    );
    path
}

#[track_caller]
fn assert_refused(output: CtlOutput, errno_name: &str) -> String {
    assert_eq!(
        output.code(),
        1,
        "to be refused with {errno_name}: {output}"
    );
    let wanted = format!("({errno_name})");
    let well_formed = |line: &str| line.starts_with("alias-ctl: ") && line.contains(&wanted);
    assert!(
        output.stderr.lines().any(well_formed),
        "no line `alias-ctl: … {wanted} …` on stderr: {output}"
    );
    output.stderr
}

#[track_caller]
fn only_row(rows: Value, alias: &str) -> Value {
    match rows {
        Value::Array(mut rows) if rows.len() == 1 && rows[0]["alias"] == alias => rows.remove(0),
        other => panic!("exactly one row, for {alias}, is wanted: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_ping() {
        let parsed = |text| parse_ping(text).map(|p| (p.sent, p.received));
        let errors = "3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 44ms\n";
        assert_eq!(parsed(errors), Some((3, 0)));
        let fine = "x\n5 packets transmitted, 5 received, 0% packet loss, time 812ms\n";
        assert_eq!(parsed(fine), Some((5, 5)));
        assert_eq!(parsed("ping: unknown host"), None);
    }
}
