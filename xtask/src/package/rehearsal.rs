//! The package in a bare Debian under its own systemd: installed, started, upgraded,
//! removed and purged, with real packets, in namespaces of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::vm::{KEYRING, Mirrors};
use crate::workspace::Workspace;

const RELEASE: &str = "trixie";
/// What the guest's script runs, and what systemd needs.
const PACKAGES: &[&str] = &[
    "dbus",
    "iproute2",
    "iputils-ping",
    "procps",
    "systemd",
    "systemd-sysv",
];
const BOOT: &str = include_str!("boot.sh");
const GUEST: &str = include_str!("guest.sh");
/// What systemd may take to come up, and to be gone.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// Tries two packages, the later one as the upgrade of the first.
pub(super) fn run(workspace: &Workspace, first: &Path, later: &Path) -> Result<()> {
    let home = workspace.host_target().join("package");
    let root = base(&home, workspace)?;
    let inside = home.join("inside");
    let _ = fs::remove_dir_all(&inside);
    fs::create_dir_all(&inside).with_context(|| cannot_make(&inside))?;
    let mut names = Vec::new();
    for package in [first, later] {
        let name = package.file_name().unwrap_or_default();
        fs::copy(package, inside.join(name)).with_context(|| cannot_make(&inside.join(name)))?;
        names.push(name.to_owned());
    }
    for (name, text) in [("guest.sh", GUEST), ("boot.sh", BOOT)] {
        fs::write(inside.join(name), text).with_context(|| cannot_make(&inside.join(name)))?;
    }
    let machine = Machine::boot(&root, &inside, workspace)?;
    process::run(
        machine
            .command(workspace)?
            .args(["sh", "/root/guest.sh"])
            .args(&names),
    )
}

/// A bare root, made when it is not there yet.
fn base(home: &Path, workspace: &Workspace) -> Result<PathBuf> {
    let root = home.join("root");
    let recipe = home.join("root.recipe");
    let wanted = format!("{RELEASE} {}", PACKAGES.join(","));
    if root.is_dir() && fs::read_to_string(&recipe).is_ok_and(|made| made == wanted) {
        return Ok(root);
    }
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(home).with_context(|| cannot_make(home))?;
    let mirrors = Mirrors::of_this_machine();
    process::step("package: making a bare Debian 13 (once)", || {
        process::run_quietly(
            process::isolated("debootstrap", workspace)
                .args(["--variant=minbase", "--keyring", KEYRING])
                .arg(format!("--include={}", PACKAGES.join(",")))
                .arg(RELEASE)
                .arg(&root)
                .arg(&mirrors.archive),
        )
    })?;
    fs::write(&recipe, wanted).with_context(|| cannot_make(&recipe))?;
    Ok(root)
}

/// A booted root. When this is dropped its first process is killed, and with it all others.
struct Machine {
    unshare: Child,
    cgroup: PathBuf,
}

impl Machine {
    fn boot(root: &Path, inside: &Path, workspace: &Workspace) -> Result<Self> {
        let cgroup = hierarchy()?.join(format!("alias-package-{}", std::process::id()));
        fs::create_dir(&cgroup).with_context(|| cannot_make(&cgroup))?;
        let log = inside.join("console.log");
        let console = fs::File::create(&log).with_context(|| cannot_make(&log))?;
        // Into its own cgroup first, which is then the root of what it sees.
        let unshare = process::isolated("sh", workspace)
            .arg("-c")
            .arg(
                "echo $$ >\"$1/cgroup.procs\" && exec unshare --mount --pid --net --uts --ipc \
                 --cgroup --fork --kill-child=KILL sh \"$3/boot.sh\" \"$2\" \"$3\"",
            )
            .arg("sh")
            .args([&cgroup, root, inside])
            .stdin(Stdio::null())
            .stdout(console.try_clone().with_context(|| cannot_make(&log))?)
            .stderr(console)
            .spawn()
            .context("`unshare`: could not be started")?;
        let mut machine = Self { unshare, cgroup };
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < LIMIT {
            if let Some(status) = machine.unshare.try_wait()? {
                bail!(
                    "the bare Debian has ended ({status}): see {}",
                    log.display()
                );
            }
            if let Ok(mut command) = machine.command(workspace) {
                let output = command.args(["systemctl", "is-system-running"]).output()?;
                last = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                if last == "running" || last == "degraded" {
                    return Ok(machine);
                }
            }
            thread::sleep(PAUSE);
        }
        bail!(
            "the bare Debian does not come up ({last}): see {}",
            log.display()
        )
    }

    /// A command that will run inside.
    fn command(&self, workspace: &Workspace) -> Result<std::process::Command> {
        let children = format!("/proc/{0}/task/{0}/children", self.unshare.id());
        let first = fs::read_to_string(&children)
            .ok()
            .and_then(|text| text.split_whitespace().next().map(str::to_owned))
            .context("the bare Debian has no first process")?;
        let mut command = process::isolated("nsenter", workspace);
        command
            .args([
                "--target", &first, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
            ])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/");
        Ok(command)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        // Its processes go some time after.
        let began = Instant::now();
        while self.cgroup.exists() && began.elapsed() < LIMIT {
            remove(&self.cgroup);
            thread::sleep(PAUSE);
        }
    }
}

/// Removes a cgroup with those below it, as far as they are empty.
fn remove(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(cgroup);
}

/// Where cgroup2 is mounted: alone, or beside the hierarchies of version 1.
fn hierarchy() -> Result<PathBuf> {
    let mounts =
        fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts: cannot be read")?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (place, kind) = (words.nth(1)?, words.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(place))
        })
        .next()
        .context("cgroup2: is not mounted (ENODEV): mount -t cgroup2 cgroup2 /sys/fs/cgroup")
}

fn cannot_make(path: &Path) -> String {
    format!(
        "{}: cannot be made: check the directory's rights and space",
        path.display()
    )
}
