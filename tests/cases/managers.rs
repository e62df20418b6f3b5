//! Network managers leave alias devices alone, with the files that alias-ctl ships: seen
//! with the real systemd-networkd, in a mount namespace of its own.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use alias_tests::{Background, Lab, Mode, Namespace, wait_for};

use crate::scene::LIMIT;

const NETWORKD: &str = "/usr/lib/systemd/systemd-networkd";

/// The files that are shipped.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../alias-ctl/share")
}

/// Nothing of the machine's is seen or written: its configuration and state directories
/// are empty ones, and a read-only /sys says that there is no udev to wait for.
const SCRIPT: &str = "set -e
mount -t tmpfs tmpfs /run
mount -t sysfs -o ro sysfs /sys
mount -t tmpfs tmpfs /etc/systemd/network
mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network: /run/systemd/netif
cp \"$1\"/* /etc/systemd/network/
exec env -i SYSTEMD_LOG_TARGET=console /usr/lib/systemd/systemd-networkd
";

/// systemd-networkd in host A, with files of its own.
struct Networkd {
    _running: Background,
    directory: PathBuf,
}

impl Networkd {
    /// `None`, said, where there is none.
    fn start(lab: &Lab, matches: &str, with_ours: bool) -> Option<Networkd> {
        let has_user =
            fs::read_to_string("/etc/passwd").is_ok_and(|users| users.contains("systemd-network:"));
        if !Path::new(NETWORKD).exists() || !has_user {
            let _ = writeln!(
                io::stderr(),
                "SKIPPED: no systemd-networkd here ({NETWORKD})"
            );
            return None;
        }
        let directory = std::env::temp_dir().join(format!("{}-networkd", lab.a.name()));
        let files = directory.join("files");
        fs::create_dir_all(&files).expect("a directory");
        let network = format!(
            "[Match]\n{matches}\n[Network]\nAddress=192.0.2.9/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
        );
        fs::write(files.join("50-host.network"), network).expect("a file");
        if with_ours {
            fs::copy(
                shipped().join("networkd/00-alias.network"),
                files.join("00-alias.network"),
            )
            .expect("a file that is shipped");
        }
        let script = directory.join("run.sh");
        fs::write(&script, SCRIPT).expect("a file");
        let line = format!("unshare -m sh {} {}", script.display(), files.display());
        Some(Networkd {
            _running: lab.a.spawn(&line),
            directory,
        })
    }
}

impl Drop for Networkd {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn has(namespace: &Namespace, device: &str, address: &str) -> bool {
    namespace
        .ip(&format!("-4 addr show dev {device}"))
        .contains(&format!("inet {address}/"))
}

/// A device that the configuration matches in each way: by name, MAC and type. What
/// happened before it has been seen to when it has its address.
#[track_caller]
fn let_a_marker_pass(lab: &Lab, name: &str) {
    let mac = lab.a.link("eth0")["address"].clone();
    let mac = mac.as_str().expect("a MAC address");
    lab.a.ip(&format!(
        "link add {name} address {mac} type veth peer name far{name}"
    ));
    lab.a.ip(&format!("link set far{name} up"));
    wait_for("networkd to have configured the marker", LIMIT, || {
        has(&lab.a, name, "192.0.2.9")
    });
    lab.a.ip(&format!("link del {name}"));
}

/// Ways in which a host's configuration matches alias devices too.
fn matches(lab: &Lab) -> [String; 3] {
    let link = lab.a.link("eth0");
    let mac = link["address"].as_str().expect("a MAC address");
    [
        "Name=eth*".into(),
        format!("MACAddress={mac}"),
        "Type=ether".into(),
    ]
}

/// What the shipped file is for: without it networkd takes the alias's address away. Were
/// this not so any more, the test below would show nothing.
#[test]
fn networkd_takes_alias_devices_for_the_hosts_without_the_file() {
    let lab = Lab::attached(Mode::Native);
    let Some(_networkd) = Networkd::start(&lab, "Name=eth*", false) else {
        return;
    };
    let_a_marker_pass(&lab, "eth7");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    let device = device(&lab, "eth0:0");
    wait_for("the alias to have lost its address", LIMIT, || {
        !has(&lab.a, &device, "198.51.100.8") && has(&lab.a, &device, "192.0.2.9")
    });
}

fn device(lab: &Lab, alias: &str) -> String {
    let row = lab.row(alias);
    row["device"].as_str().expect("an alias device").to_owned()
}

#[test]
fn networkd_leaves_alias_devices_alone_with_the_file() {
    let lab = Lab::attached(Mode::Native);
    for what in matches(&lab) {
        // There before it starts, and made while it runs.
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        let Some(networkd) = Networkd::start(&lab, &what, true) else {
            return;
        };
        let_a_marker_pass(&lab, "eth7");
        lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24"]);
        let_a_marker_pass(&lab, "eth8");
        for (alias, address) in [("eth0:0", "198.51.100.8"), ("eth0:1", "203.0.113.9")] {
            let device = device(&lab, alias);
            assert!(has(&lab.a, &device, address), "{what}: {alias}");
            assert!(!has(&lab.a, &device, "192.0.2.9"), "{what}: {alias}");
            lab.b.ping_ok(address, 1);
        }
        drop(networkd);
        lab.ctl_ok(&["del", "eth0", "--all"]);
    }
}

/// The names that the files have are those that devices get.
#[test]
fn the_files_match_the_names_of_devices() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    let device = device(&lab, "eth0:0");
    let port = lab.a.link(&device)["link"].clone();
    let port = port.as_str().expect("a veth's other end").to_owned();
    assert!(device.starts_with("al") && device.contains('_'), "{device}");
    assert!(port.starts_with("ap") && port.contains('_'), "{port}");
    for file in [
        "networkd/00-alias.network",
        "networkd/00-alias.link",
        "udev/84-alias.rules",
        "NetworkManager/alias.conf",
    ] {
        let text = fs::read_to_string(shipped().join(file)).expect("a file that is shipped");
        for pattern in ["al*_*", "ap*_*"] {
            assert!(text.contains(pattern), "{file}: {pattern}");
        }
    }
}
