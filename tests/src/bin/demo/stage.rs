//! Where the demo plays: hosts as network namespaces, in a mount namespace of
//! this process's own.
//!
//! The names below /run/netns and the bpffs are mounts that only this process
//! and its children see. When the last of them is gone, however it ended, the
//! kernel takes the mounts away, with them the namespaces and pins, and with
//! those the devices and programs. So nothing has to be caught or swept.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::ptr;
use std::time::Duration;

use alias_tests::{Namespace, wait_for};

const LIMIT: Duration = Duration::from_secs(10);

/// The hosts.
pub(crate) struct Stage {
    // Dropped in this order: those that have devices of host-a before it.
    pub(crate) web: Namespace,
    vm: Namespace,
    pub(crate) a: Namespace,
    pub(crate) b: Namespace,
}

impl Stage {
    /// Builds it; returns when the cable is up. The error is for the user.
    pub(crate) fn set() -> Result<Self, String> {
        retreat()?;
        let stage = Self {
            web: Namespace::create("web"),
            vm: Namespace::create("vm"),
            a: Namespace::create("host-a"),
            b: Namespace::create("host-b"),
        };
        stage.lay_the_cable();
        stage.connect_the_guest();
        Ok(stage)
    }

    fn lay_the_cable(&self) {
        self.a
            .ip("link add eth0 type veth peer name eth0 netns host-b");
        // A veth hands frames over as they are in memory: checksums and tags
        // that an offload has yet to write would not be there for XDP.
        self.b.run("ethtool -K eth0 tx off txvlan off").ok();
        self.a.ip_batch(
            "link set eth0 up\n\
             addr add 192.0.2.9/24 dev eth0\n\
             addr add 2001:db8:0:1::9/64 dev eth0 nodad\n",
        );
        // The last three networks are routed to host-a, as a provider does.
        self.b.ip_batch(
            "link set eth0 up\n\
             addr add 192.0.2.1/24 dev eth0\n\
             addr add 2001:db8:0:1::1/64 dev eth0 nodad\n\
             route add 203.0.113.0/24 via 192.0.2.9\n\
             route add 198.18.0.0/15 via 192.0.2.9\n\
             route add 2001:db8:f::/48 via 2001:db8:0:1::9\n",
        );
        for host in [&self.a, &self.b] {
            wait_for("eth0 to be up", LIMIT, || {
                host.link("eth0")["operstate"] == "UP"
            });
        }
    }

    /// As others build guests and containers: nothing here knows of aliases.
    fn connect_the_guest(&self) {
        self.a.ip("link add tovm type veth peer name eth0 netns vm");
        self.a.ip("link set tovm up");
        self.vm.ip_batch(
            "link set eth0 up\n\
             addr add 192.0.2.14/24 dev eth0\n",
        );
        wait_for("the guest's eth0 to be up", LIMIT, || {
            self.a.link("tovm")["operstate"] == "UP"
        });
    }
}

/// Leaves the machine's mounts to the machine.
fn retreat() -> Result<(), String> {
    // SAFETY: takes an integer and changes only this thread, the only one, and
    // those it will start.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } < 0 {
        return Err(format!(
            "mount namespace: unshare: {}; run it as root",
            io::Error::last_os_error()
        ));
    }
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE)?;
    // iproute2 would make the directory, and leave it, in the same way.
    fs::create_dir_all("/run/netns").map_err(|error| format!("/run/netns: {error}"))?;
    mount(c"tmpfs", c"/run/netns", Some(c"tmpfs"), 0)?;
    mount(c"bpf", c"/sys/fs/bpf", Some(c"bpf"), 0)
}

fn mount(
    source: &CStr,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
) -> Result<(), String> {
    // SAFETY: strings that outlive the call; the kind may be null, and none of
    // these mounts takes data.
    let result = unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.map_or(ptr::null(), CStr::as_ptr),
            flags,
            ptr::null(),
        )
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return Err(format!("{}: mount: {error}", target.to_string_lossy()));
    }
    Ok(())
}
