//! Two hosts on one cable: what nearly every test starts from.
//!
//! ```text
//! host A  eth0 192.0.2.9/24  2001:db8:0:1::9/64   <- alias-ctl works here
//!   |
//! host B  eth0 192.0.2.1/24  2001:db8:0:1::1/64   <- the rest of the world
//! ```
//!
//! The cable is a veth pair, or two cards of the machine's own: see
//! `ALIAS_TEST_CABLE` in `cards.rs`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::Value;

use crate::{
    bpffs::{PrivateBpffs, unmount_and_remove},
    cards,
    namespace::{NETNS_DIRECTORY, Namespace, TOOL_LIMIT, delete},
    snapshot::{Snapshot, assert_unchanged},
    wait::wait_for,
};

/// Every namespace and directory of these tests begins with this, then the
/// pid of the test process.
pub const NAME_PREFIX: &str = "alias-t";

/// How the parent's program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver.
    Native,
    /// In the kernel's generic hook.
    Generic,
    /// At tc, without XDP.
    Tc,
}

impl Mode {
    /// As the command line spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Tc => "tc",
        }
    }
}

/// Two hosts, their cable and a private bpffs. See the module's picture.
#[derive(Debug)]
pub struct Lab {
    // Fields are dropped in this order: the pins first, and with them the
    // programs, then the devices they were attached to.
    pub(crate) bpffs: PrivateBpffs,
    pub(crate) environment: Vec<(String, String)>,
    /// Host A, where the aliases are.
    pub a: Namespace,
    /// Host B, which talks to them.
    pub b: Namespace,
    name: String,
}

/// What a [`Lab`] shall be like.
#[derive(Debug, Default)]
pub struct LabBuilder {
    mode: Option<Mode>,
    attach_options: Vec<String>,
    mtu: Option<u32>,
    gro_at_b: bool,
    offloads_at_b: bool,
    silent: bool,
    environment: Vec<(String, String)>,
}

impl LabBuilder {
    /// Attach `alias-ctl` to A's eth0 in this mode. Not called: not attached.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Further words for `alias-ctl attach eth0`.
    pub fn attach_options(mut self, options: &[&str]) -> Self {
        self.attach_options
            .extend(options.iter().map(|&o| o.to_owned()));
        self
    }

    /// The MTU of both ends of the cable.
    pub fn mtu(mut self, mtu: u32) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// Turn GRO on at B's end: without it (or a program there) B loses every
    /// frame that XDP redirects out of A's eth0.
    pub fn gro_at_b(mut self) -> Self {
        self.gro_at_b = true;
        self
    }

    /// Leave B's offloads as the kernel made them. What they have yet to write is
    /// missing from a frame that A's native XDP reads: VLAN tags, and the checksums
    /// of what `--to` passes on.
    pub fn offloads_at_b(mut self) -> Self {
        self.offloads_at_b = true;
        self
    }

    /// Neither host has IPv6: from before `alias-ctl` is attached, nobody sends but
    /// the test, and what a parent counts is what the test sent.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// An environment variable for every `alias-ctl` of this lab.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Builds it; returns when both ends of the cable are up.
    #[track_caller]
    pub fn build(self) -> Lab {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep_after_dead_processes);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME_PREFIX}{}-{number}", std::process::id());
        // Namespaces first: they are what fails without root, with the message
        // that says so.
        let a = Namespace::create(&format!("{name}-a"));
        let b = Namespace::create(&format!("{name}-b"));
        let lab = Lab {
            bpffs: PrivateBpffs::mount(&name),
            environment: self.environment,
            a,
            b,
            name,
        };
        lab.lay_the_cable(self.mtu, self.offloads_at_b);
        if self.gro_at_b {
            lab.b.run("ethtool -K eth0 gro on").ok();
        }
        if self.silent {
            lab.a.without_ipv6();
            lab.b.without_ipv6();
        }
        if let Some(mode) = self.mode {
            let mut arguments = vec!["attach", "eth0", "--mode", mode.name()];
            arguments.extend(self.attach_options.iter().map(String::as_str));
            lab.ctl_ok(&arguments);
        }
        lab
    }
}

impl Lab {
    /// A lab with a plain cable, to which `alias-ctl` is not attached yet.
    #[track_caller]
    pub fn plain() -> Self {
        Self::builder().build()
    }

    /// A lab with `alias-ctl` attached to A's eth0 in this mode.
    #[track_caller]
    pub fn attached(mode: Mode) -> Self {
        Self::builder().mode(mode).build()
    }

    /// A lab to order.
    pub fn builder() -> LabBuilder {
        LabBuilder::default()
    }

    /// A further namespace of this lab. It goes when the value is dropped,
    /// which, as it was made later, is before the lab.
    #[track_caller]
    pub fn namespace(&self, name: &str) -> Namespace {
        Namespace::create(&format!("{}-{name}", self.name))
    }

    /// Where the pins of this lab are.
    pub fn bpffs(&self) -> &Path {
        self.bpffs.path()
    }

    /// Every file and directory that is pinned, sorted. A command may be under way: what
    /// it renames or removes meanwhile is left out.
    #[track_caller]
    pub fn pins(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.bpffs().to_owned()];
        while let Some(directory) = open.pop() {
            let is_gone = |error: &io::Error| {
                error.kind() == io::ErrorKind::NotFound && directory != self.bpffs()
            };
            let entries = match fs::read_dir(&directory) {
                Err(error) if is_gone(&error) => continue,
                entries => entries.expect("our own bpffs can be listed"),
            };
            for entry in entries {
                let entry = match entry {
                    Err(error) if is_gone(&error) => break,
                    entry => entry.expect("our own bpffs can be listed"),
                };
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push(entry.path());
                }
                found.push(entry.path());
            }
        }
        found.sort();
        found
    }

    /// The state that a refused command must not change.
    #[track_caller]
    pub fn snapshot(&self) -> LabSnapshot {
        self.settle();
        LabSnapshot {
            host: Snapshot::of(&self.a),
            rows: self.rows(),
        }
    }

    /// Panics with the difference unless A and its aliases are as they were.
    #[track_caller]
    pub fn assert_unchanged(&self, before: &LabSnapshot) {
        let after = self.snapshot();
        assert_unchanged(&before.host, &after.host);
        assert_eq!(before.rows, after.rows, "the aliases have changed");
    }

    /// Runs `alias-ctl`, which must refuse with this errno's name and leave everything
    /// as it was; hands standard error on.
    #[track_caller]
    pub fn ctl_refused(&self, arguments: &[&str], errno_name: &str) -> String {
        let (before, pins) = (self.snapshot(), self.pins());
        let message = self.ctl_err(arguments, errno_name);
        self.assert_unchanged(&before);
        assert_eq!(self.pins(), pins, "{arguments:?}: the pins have changed");
        message
    }

    /// Host A is switched off and on: its namespace goes with all that is in it,
    /// and another comes with the cable and nothing else.
    #[track_caller]
    pub fn restart_a(&mut self) {
        assert!(!cards::are_wanted(), "this test takes its cable away");
        self.a.restart();
        // The other end of the cable goes some time after the namespace.
        wait_for("the cable to be gone", TOOL_LIMIT, || {
            self.b.find_link("eth0").is_none()
        });
        self.lay_the_cable(None, false);
    }

    /// Waits until every device's operational state is what its carrier says: the
    /// kernel follows some time after.
    #[track_caller]
    fn settle(&self) {
        let settled = |link: &Value| {
            let has = |flag: &str| {
                let flags = link["flags"].as_array();
                flags.is_some_and(|flags| flags.iter().any(|present| present == flag))
            };
            let operates = link["operstate"] == "UP" || link["operstate"] == "UNKNOWN";
            operates == (has("UP") && has("LOWER_UP"))
        };
        wait_for("devices to have settled", TOOL_LIMIT, || {
            let links = self.a.ip_json("link show");
            links
                .as_array()
                .is_some_and(|links| links.iter().all(settled))
        });
    }

    fn lay_the_cable(&self, mtu: Option<u32>, offloads_at_b: bool) {
        if !cards::lend(&self.a, &self.b) {
            self.a.ip(&format!(
                "link add eth0 type veth peer name eth0 netns {}",
                self.b.name()
            ));
        }
        let mtu = mtu.unwrap_or(1500);
        let end = |v4: &str, v6: &str| {
            format!(
                "link set eth0 mtu {mtu}\n\
                 link set eth0 up\n\
                 addr add {v4}/24 dev eth0\n\
                 addr add {v6}/64 dev eth0 nodad\n"
            )
        };
        // Native XDP on a veth sees the sender's frame as it is in memory: a
        // tag or a checksum that an offload has yet to write is not there.
        if !offloads_at_b {
            self.b.run("ethtool -K eth0 txvlan off tx off").ok();
        }
        self.a.ip_batch(&end("192.0.2.9", "2001:db8:0:1::9"));
        self.b.ip_batch(&format!(
            "{}\
             route add 198.51.100.0/24 dev eth0\n\
             route add 203.0.113.0/24 dev eth0\n\
             route add 198.18.0.0/15 dev eth0\n\
             route add 10.0.0.0/8 dev eth0\n\
             route add 2001:db8::/32 dev eth0\n",
            end("192.0.2.1", "2001:db8:0:1::1")
        ));
        for host in [&self.a, &self.b] {
            host.wait_until_up("eth0");
        }
    }
}

/// See [`Lab::snapshot`].
#[derive(Debug)]
pub struct LabSnapshot {
    /// Links, addresses, routes and rules of host A.
    pub host: Snapshot,
    /// The rows of `alias-ctl show -j`.
    pub rows: Vec<Value>,
}

/// A test run that was killed could not clean up. Its pid is in the names; when
/// no such process is left, neither shall its namespaces and mounts be.
fn sweep_after_dead_processes() {
    for name in names_in(Path::new(NETNS_DIRECTORY)).filter(|n| owner_is_dead(n)) {
        delete(&name);
    }
    let temporary = std::env::temp_dir();
    for name in names_in(&temporary).filter(|n| owner_is_dead(n)) {
        unmount_and_remove(&temporary.join(name));
    }
}

fn names_in(directory: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

fn owner_is_dead(name: &str) -> bool {
    owner(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

/// The pid in `alias-t<pid>-<n>…`.
fn owner(name: &str) -> Option<u32> {
    let (pid, _) = name.strip_prefix(NAME_PREFIX)?.split_once('-')?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn only_our_own_names_have_an_owner() {
        assert_eq!(owner("alias-t123-0-a"), Some(123));
        for foreign in ["alias-t123", "alias-test-1", "other-t1-2", "alias-t-1-a"] {
            assert_eq!(owner(foreign), None, "{foreign}");
        }
    }
}
