//! What several aliases share, one of them cannot change under the others.

use alias_tests::{Lab, Mode, wait_for};

use crate::scene::LIMIT;

fn lab() -> Lab {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("link add t0 type veth peer name t1");
    lab.a.ip("link set t0 up");
    lab.a.ip("link set t1 up");
    lab
}

#[test]
fn a_device_serves_one_mac() {
    let lab = lab();
    let to = |alias: &str, address: &str, mac: &str| {
        lab.ctl(&["add", alias, address, "--to", "t0", "--mac", mac])
    };
    to("eth0:0", "198.51.100.8", "02:00:00:00:00:01").ok();
    let before = lab.snapshot();
    let refused = to("eth0:1", "198.51.100.9", "02:00:00:00:00:02");
    assert!(refused.stderr.contains("(EBUSY)"), "{}", refused.stderr);
    let which = "with the MAC 02:00:00:00:00:01";
    assert!(refused.stderr.contains(which), "{}", refused.stderr);
    lab.assert_unchanged(&before);
    to("eth0:1", "198.51.100.9", "02:00:00:00:00:01").ok();
    // The only alias on a device is in nobody's way.
    lab.ctl_ok(&["del", "eth0:1"]);
    lab.ctl_ok(&["set", "eth0:0", "--to", "t0", "--mac", "02:00:00:00:00:03"]);
}

#[test]
fn set_asks_what_add_asks() {
    let lab = lab();
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.10", "--to", "t0"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.11", "--to", "t0"]);
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.12"]);
    lab.ctl_ok(&["add", "eth0:3", "198.51.100.13", "--join", "eth0:2"]);
    lab.ctl_ok(&["add", "eth0:4", "198.51.100.14", "--local"]);
    for (alias, errno) in [
        ("eth0:1", "EBUSY"),
        ("eth0:3", "EINVAL"),
        ("eth0:4", "EINVAL"),
    ] {
        let before = lab.snapshot();
        lab.ctl_err(&["set", alias, "--vlan", "5"], errno);
        lab.assert_unchanged(&before);
    }
}

#[test]
fn a_namespace_of_the_same_number_is_another() {
    let lab = lab();
    let first = lab.namespace("first");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.15/24", "--netns", first.name()]);
    drop(first);
    // The kernel gives the number of a namespace that is gone to the next one.
    let second = lab.namespace("second");
    let row = lab.row("eth0:0");
    assert_ne!(row["netns"], second.name(), "{row}");
    // The kernel takes a namespace's devices away some time after its last user.
    let port = format!("ap{}_0", lab.a.ifindex("eth0"));
    wait_for("its device to go with its namespace", LIMIT, || {
        lab.a.find_link(&port).is_none()
    });
    // It went with its namespace, and is not made in the other one.
    lab.ctl_err(&["set", "eth0:0", "198.51.100.16/24"], "ENODEV");
    assert!(second.find_link("eth0:0").is_none());
}

#[test]
fn a_refused_alias_leaves_the_far_end_as_it_was() {
    let lab = lab();
    let gro = || {
        let features = lab.a.run("ethtool -k t1").ok().stdout;
        features.contains("generic-receive-offload: on")
    };
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.7", "--drop"]);
    assert!(!gro());
    for (line, errno) in [
        ("add eth0:1 198.51.100.8 --to t0", "EEXIST"),
        ("add eth0:0 198.51.100.9 --to t0", "EEXIST"),
        ("set eth0:2 198.51.100.8 --to t0", "EEXIST"),
    ] {
        let refused = lab.ctl(&line.split(' ').collect::<Vec<_>>());
        assert!(refused.stderr.contains(errno), "{line}: {}", refused.stderr);
        assert!(!gro(), "{line}");
    }
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9", "--to", "t0"]);
    assert!(gro());
}
