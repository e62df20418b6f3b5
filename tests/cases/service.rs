//! The daemon as a service of systemd: what it tells the service manager, and its unit.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use std::{env, fs};

use alias_tests::{Daemon, Lab, Mode, ctl_binary, wait_for};

use crate::scene::LIMIT;

/// The watchdog's time; a heart beats twice in it.
const WATCHDOG: Duration = Duration::from_millis(400);
/// `systemd-analyze security` gives points for what a service could do: 10 is anything.
const EXPOSED: f64 = 3.0;

fn watched() -> Lab {
    let lab = Lab::builder().env("WATCHDOG_USEC", &WATCHDOG.as_micros().to_string());
    lab.build()
}

#[track_caller]
fn wait_to_be_told(daemon: &Daemon, expected: &str) {
    wait_for(&format!("the daemon to say {expected:?}"), LIMIT, || {
        daemon
            .notified(WATCHDOG)
            .is_some_and(|told| told == expected)
    });
}

#[test]
fn its_heart_beats_and_stops_with_it() {
    let lab = watched();
    let daemon = lab.daemon(&[]);
    for _ in 0..3 {
        wait_to_be_told(&daemon, "WATCHDOG=1\n");
    }
    daemon.signal(libc::SIGSTOP);
    wait_for("the last word to have been read", LIMIT, || {
        daemon.notified(WATCHDOG).is_none()
    });
    assert_eq!(
        daemon.notified(WATCHDOG * 2),
        None,
        "it is stopped, and says nothing"
    );
    daemon.signal(libc::SIGCONT);
    wait_to_be_told(&daemon, "WATCHDOG=1\n");
}

#[test]
fn nobody_who_has_not_asked_is_told_of_its_heart() {
    let lab = Lab::plain();
    let daemon = lab.daemon(&[]);
    assert_eq!(daemon.notified(WATCHDOG), None);
}

#[test]
fn its_status_counts_devices_and_its_end_is_told() {
    let lab = Lab::plain();
    let daemon = lab.daemon(&[]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    wait_to_be_told(&daemon, "STATUS=Watching 1 attached device\n");
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    wait_to_be_told(&daemon, "STATUS=No device is attached\n");
    daemon.signal(libc::SIGTERM);
    wait_to_be_told(&daemon, "STOPPING=1\nSTATUS=Ending; packets flow on\n");
    assert_eq!(daemon.stop(libc::SIGTERM), Some(0));
}

/// A heart that beats is no reason to be slow with devices.
#[test]
fn it_looks_after_aliases_between_beats() {
    let lab = watched();
    lab.ctl_ok(&["attach", "eth0", "--mode", Mode::Native.name()]);
    let _daemon = lab.daemon(&[]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.b.ping_ok("198.51.100.8", 1);
    let device = lab.device("eth0:0");
    lab.a.ip(&format!("link del {device}"));
    wait_for("the alias to go", LIMIT, || lab.alias_names().is_empty());
}

/// The unit as it is shipped, but for the place of the program.
fn unit(directory: &Path) -> PathBuf {
    let shipped =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../alias-ctl/share/systemd/alias.service");
    let text = fs::read_to_string(shipped).expect("a file that is shipped");
    let placed = text.replace("/usr/sbin/alias-ctl", &ctl_binary().to_string_lossy());
    assert_ne!(text, placed, "the unit names its program");
    let unit = directory.join("alias.service");
    fs::write(&unit, placed).expect("a file");
    unit
}

/// `None`, said, where there is none.
fn analyze(arguments: &[&str], unit: &Path) -> Option<Output> {
    let mut command = Command::new("systemd-analyze");
    match command
        .args(arguments)
        .arg(unit)
        .env("LC_ALL", "C")
        .output()
    {
        Ok(output) => Some(output),
        Err(error) => {
            let _ = writeln!(io::stderr(), "SKIPPED: no systemd-analyze here: {error}");
            None
        }
    }
}

#[test]
fn systemd_understands_the_unit_and_finds_little_exposed() {
    let directory = env::temp_dir().join(format!("alias-unit-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let unit = unit(&directory);
    let verified = analyze(&["verify", "--man=no"], &unit);
    let security = analyze(&["security", "--offline=true", "--no-pager"], &unit);
    fs::remove_dir_all(&directory).expect("our own directory");
    let (Some(verified), Some(security)) = (verified, security) else {
        return;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    assert_eq!(text(&verified.stderr), "", "systemd has something to say");
    let report = text(&security.stdout);
    let level = report
        .lines()
        .find_map(|line| line.split_once("Overall exposure level for alias.service: "))
        .and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok())
        .unwrap_or_else(|| panic!("no level: {report}{}", text(&security.stderr)));
    assert!(level < EXPOSED, "{report}");
}
