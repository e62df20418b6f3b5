//! Network namespaces: created with a name, entered by threads and by
//! children, deleted on drop.
//!
//! Children enter by `setns` before they exec and not by `ip netns exec`,
//! which mounts a new /sys and so hides every bpffs below it.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::process::CommandExt,
    },
    panic,
    process::Command,
    sync::Mutex,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    process::{Background, Output, run_to_end},
    wait::wait_for,
};

/// Where iproute2 keeps the names of network namespaces.
pub(crate) const NETNS_DIRECTORY: &str = "/run/netns";

/// What a tool may take before it counts as hung.
pub(crate) const TOOL_LIMIT: Duration = Duration::from_secs(60);

/// Two first `ip netns add` at once race to make the directory a shared mount.
static NETNS_DIRECTORY_LOCK: Mutex<()> = Mutex::new(());

/// A named network namespace that is deleted when this value is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    handle: File,
}

impl Namespace {
    /// Creates the namespace and brings its `lo` up. Panics without root: a
    /// test that cannot run has not passed.
    #[track_caller]
    pub fn create(name: &str) -> Self {
        assert_root();
        let namespace = Self {
            handle: add(name),
            name: name.to_owned(),
        };
        namespace.furnish();
        namespace
    }

    /// The namespace goes, with everything in it, and comes back empty, as a
    /// machine that is started again.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        delete(&self.name);
        self.handle = add(&self.name);
        self.furnish();
    }

    #[track_caller]
    fn furnish(&self) {
        for (key, value) in [
            // Duplicate address detection would delay every IPv6 address by seconds.
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
            // A new namespace takes the machine's values: make them known ones.
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
        ] {
            self.sysctl(key, value);
        }
        self.ip("link set lo up");
    }

    /// The name under which `ip -n` and `alias-ctl --netns` know it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside, not started yet.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let fd = self.handle.as_raw_fd();
        let mut command = Command::new(program);
        // The answers of the tools are parsed.
        command.env("LC_ALL", "C");
        // SAFETY: between fork and exec only setns(2) is called, which is
        // async-signal-safe; the descriptor belongs to `self`, and the
        // callers in this crate start the command while `self` lives. A
        // closed descriptor would make setns fail, not enter elsewhere.
        unsafe {
            command.pre_exec(move || set_namespace(fd));
        }
        command
    }

    /// Runs a command line (split at blanks) inside, to its end.
    #[track_caller]
    pub fn run(&self, line: &str) -> Output {
        run_to_end(self.command_of(line), b"", TOOL_LIMIT)
    }

    /// Starts a command line inside and leaves it running, at most as long as
    /// the calling thread: do not call it in [`Namespace::enter`].
    #[track_caller]
    pub fn spawn(&self, line: &str) -> Background {
        Background::start(self.command_of(line))
    }

    /// Runs `ip` with these arguments; panics when it fails.
    #[track_caller]
    pub fn ip(&self, arguments: &str) -> String {
        self.run(&format!("ip {arguments}")).ok().stdout
    }

    /// Runs `ip -j`; no output at all is an empty array.
    #[track_caller]
    pub fn ip_json(&self, arguments: &str) -> Value {
        let text = self.ip(&format!("-j {arguments}"));
        if text.trim().is_empty() {
            return Value::Array(Vec::new());
        }
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("`ip -j {arguments}`: {error}: {text}"))
    }

    /// Runs many `ip` commands, one a line, in one process.
    #[track_caller]
    pub fn ip_batch(&self, lines: &str) {
        let mut command = self.command("ip");
        command.args(["-batch", "-"]);
        run_to_end(command, lines.as_bytes(), TOOL_LIMIT).ok();
    }

    /// Runs `work` in a thread that has entered the namespace. Sockets made
    /// there stay there, whichever thread uses them later.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let fd = self.handle.as_raw_fd();
        let result = thread::scope(|scope| {
            scope
                .spawn(|| {
                    set_namespace(fd).expect("a namespace that we made can be entered");
                    work()
                })
                .join()
        });
        result.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }

    /// Writes a setting below `/proc/sys/net` of this namespace.
    #[track_caller]
    pub fn sysctl(&self, key: &str, value: &str) {
        let path = format!("/proc/sys/net/{key}");
        self.enter(|| fs::write(&path, value))
            .unwrap_or_else(|error| panic!("{path} = {value}: {error}"));
    }

    /// No IPv6 on any device, now or later: a host with it sends router
    /// solicitations and multicast reports of its own, whenever it likes.
    #[track_caller]
    pub fn without_ipv6(&self) {
        for devices in ["all", "default"] {
            self.sysctl(&format!("ipv6/conf/{devices}/disable_ipv6"), "1");
        }
    }

    /// What `ip -j link show dev` says of one device, by name or altname. The
    /// name must be right: `ip` itself would take `eth0` for `eth0:7`.
    #[track_caller]
    pub fn link(&self, device: &str) -> Value {
        self.find_link(device)
            .unwrap_or_else(|| panic!("{}: no device {device}", self.name))
    }

    /// As `link`, `None` when no device has that name or altname.
    pub fn find_link(&self, device: &str) -> Option<Value> {
        let links = self.ip_json("-d link show");
        links
            .as_array()?
            .iter()
            .find(|link| has_name(link, device))
            .cloned()
    }

    /// Waits until a device that was set up is ready: a worker of the kernel gives it
    /// its queue some time after, and what it sends before is lost without a word. Its
    /// link-local address is there by then, and is to be usable.
    #[track_caller]
    pub fn wait_until_up(&self, device: &str) {
        let what = format!("{device} of {} to be up", self.name);
        wait_for(&what, TOOL_LIMIT, || {
            self.link(device)["operstate"] == "UP"
                && self
                    .ip(&format!("-6 addr show dev {device} tentative"))
                    .is_empty()
        });
    }

    /// The MAC address of a device.
    #[track_caller]
    pub fn mac(&self, device: &str) -> [u8; 6] {
        let link = self.link(device);
        let text = link["address"]
            .as_str()
            .expect("a device with a MAC address");
        parse_mac(text).unwrap_or_else(|| panic!("{device}: MAC address {text}"))
    }

    /// The index of a device.
    #[track_caller]
    pub fn ifindex(&self, device: &str) -> u32 {
        let index = self.link(device)["ifindex"].as_u64();
        index
            .and_then(|i| u32::try_from(i).ok())
            .expect("a device has an index")
    }

    fn command_of(&self, line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = self.command(words.next().expect("a command"));
        command.args(words);
        command
    }
}

#[track_caller]
fn add(name: &str) -> File {
    {
        let _guard = NETNS_DIRECTORY_LOCK
            .lock()
            .unwrap_or_else(|e| e.into_inner());
        ip_in_root(&["netns", "add", name]).ok();
    }
    File::open(format!("{NETNS_DIRECTORY}/{name}")).unwrap_or_else(|error| {
        delete(name);
        panic!("namespace {name} cannot be opened: {error}");
    })
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

/// Must not panic: it runs while a failed test unwinds.
pub(crate) fn delete(name: &str) {
    let deleted = Command::new("ip").args(["netns", "del", name]).output();
    match deleted {
        Ok(output) if output.status.success() => {}
        Ok(output) => eprintln!(
            "namespace {name} is left behind: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => eprintln!("namespace {name} is left behind: {error}"),
    }
}

#[track_caller]
fn ip_in_root(arguments: &[&str]) -> Output {
    let mut command = Command::new("ip");
    command.args(arguments);
    run_to_end(command, b"", TOOL_LIMIT)
}

#[track_caller]
fn assert_root() {
    // SAFETY: geteuid cannot fail and has no preconditions.
    let euid = unsafe { libc::geteuid() };
    assert_eq!(
        euid, 0,
        "these tests make network namespaces and load BPF programs: run them as root"
    );
}

fn set_namespace(fd: RawFd) -> io::Result<()> {
    // SAFETY: setns takes two integers and changes only the calling thread.
    if unsafe { libc::setns(fd, libc::CLONE_NEWNET) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn has_name(link: &Value, name: &str) -> bool {
    link["ifname"] == name
        || link["altnames"]
            .as_array()
            .is_some_and(|names| names.iter().any(|n| n == name))
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::parse_mac;

    #[test]
    fn mac_addresses() {
        assert_eq!(
            parse_mac("02:00:5e:00:53:ff"),
            Some([2, 0, 0x5e, 0, 0x53, 0xff])
        );
        for wrong in [
            "",
            "02:00:5e:00:53",
            "02:00:5e:00:53:ff:00",
            "02:00:5e:00:53:xx",
        ] {
            assert_eq!(parse_mac(wrong), None, "{wrong}");
        }
    }
}
