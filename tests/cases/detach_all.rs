//! `detach --all` and `--all-netns`: what a package's removal leaves.

use std::path::PathBuf;

use alias_tests::{Lab, Namespace, Snapshot, assert_unchanged, bpf};

/// A second host on a cable of its own, with a parent.
fn second(lab: &Lab, name: &str) -> Namespace {
    let second = lab.namespace(name);
    second.ip("link add eth5 type veth peer name eth6");
    second.ip("link set eth5 up");
    second
}

#[track_caller]
fn rows_in(lab: &Lab, host: &Namespace) -> usize {
    let shown = lab.ctl_in(host, &["show", "-j"]).ok().stdout;
    shown.matches("\"alias\":").count()
}

#[test]
fn all_devices_of_a_namespace_and_no_others() {
    let lab = Lab::plain();
    let other = second(&lab, "other");
    lab.a.ip("link add eth1 type veth peer name far1");
    lab.a.ip("link set eth1 up");
    let before = Snapshot::of(&lab.a);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.ctl_ok(&["attach", "eth1"]);
    lab.ctl_in(&other, &["add", "eth5:0", "203.0.113.9/24"])
        .ok();
    lab.b.ping_ok("198.51.100.8", 1);
    let refusal = lab.ctl_err(&["detach", "--all"], "EBUSY");
    assert!(refusal.contains("eth0: detach"), "{refusal}");
    assert_eq!(lab.alias_names(), ["eth0:0"]);
    let shown = lab.ctl_ok(&["show"]);
    assert!(!shown.contains("eth1"), "it had no aliases: {shown}");
    lab.ctl_ok(&["detach", "--all", "--cascade"]);
    assert_unchanged(&before, &Snapshot::of(&lab.a));
    assert_eq!(rows_in(&lab, &other), 1);
    // Nothing to do is no fault.
    lab.ctl_ok(&["detach", "--all"]);
}

#[test]
fn all_namespaces_and_nothing_is_left() {
    let lab = Lab::plain();
    let (home, other) = (lab.namespace("home"), second(&lab, "other"));
    let before = [&lab.a, &home, &other].map(Snapshot::of);
    for (alias, address, target) in [
        ("eth0:0", "192.0.2.10/24", vec!["--netns", home.name()]),
        ("eth0:1", "198.51.100.9/24", vec!["--local"]),
        ("eth0:2", "203.0.113.8", vec!["--drop"]),
    ] {
        lab.ctl_ok(&[&["add", alias, address], target.as_slice()].concat());
    }
    lab.ctl_in(&other, &["add", "eth5:0", "203.0.113.9/24"])
        .ok();
    lab.b.ping_ok("192.0.2.10", 1);
    lab.ctl_ok(&["detach", "--all-netns", "--cascade"]);
    for (host, before) in [&lab.a, &home, &other].iter().zip(&before) {
        assert_unchanged(before, &Snapshot::of(host));
    }
    for (host, device) in [(&lab.a, "eth0"), (&other, "eth5")] {
        let programs = bpf::tcx_programs(host, device).expect("it can be asked for");
        assert!(programs.is_empty(), "{device}: {programs:?}");
        assert!(host.link(device)["xdp"].is_null(), "{device}");
    }
    let pins = lab.pins();
    // The kernel has files of its own on a bpffs.
    let is_ours = |pin: &&PathBuf| pin.starts_with(lab.bpffs().join("alias")) && !pin.is_dir();
    let left: Vec<_> = pins.iter().filter(is_ours).collect();
    assert!(left.is_empty(), "{left:?}");
}
