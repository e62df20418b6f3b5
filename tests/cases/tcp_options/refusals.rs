//! What Linux cannot do is refused with the reason, and nothing changes.

use alias_tests::{Lab, Mode, Tap, wait_for};

use super::{DEFAULTS, Home, OPTIONS, scene, set_options};
use crate::scene::{Family, LIMIT};

#[test]
fn what_the_kernel_cannot_do() {
    let scene = scene(Family::V4, Home::Local);
    let lab = &scene.lab;
    set_options(lab);
    let before = lab.snapshot();
    let said = lab.ctl_err(&["set", "eth0:0", "--rfc1323", "0"], "EOPNOTSUPP");
    assert!(said.contains("net.ipv4.tcp_window_scaling=0"), "{said}");
    for sysctl in ["tcp_window_scaling", "tcp_timestamps"] {
        lab.a.sysctl(&format!("ipv4/{sysctl}"), "0");
        let said = lab.ctl_err(&["set", "eth0:0", "--rfc1323", "1"], "EOPNOTSUPP");
        assert!(
            said.contains(&format!("sysctl -w net.ipv4.{sysctl}=1")),
            "{said}"
        );
        lab.a.sysctl(&format!("ipv4/{sysctl}"), "1");
    }
    let said = lab.ctl_err(&["set", "eth0:0", "--drop"], "EOPNOTSUPP");
    assert!(said.contains("--tcp-nodelay default"), "{said}");
    let tap = Tap::open(&lab.a, "tap0");
    for target in [&["--drop"][..], &["--to", "tap0"]] {
        let add = [&["add", "eth0:1", "203.0.113.9"], target, &OPTIONS[..]].concat();
        lab.ctl_err(&add, "EOPNOTSUPP");
    }
    drop(tap);
    wait_for("the tap to go", LIMIT, || lab.a.find_link("tap0").is_none());
    lab.assert_unchanged(&before);
    // Without them, in one call, it may.
    lab.ctl_ok(&[&["set", "eth0:0", "--drop"][..], &DEFAULTS].concat());
}

/// The sockets' namespace is asked, not the caller's.
#[test]
fn rfc1323_is_asked_for_where_the_sockets_are() {
    let scene = scene(Family::V4, Home::Elsewhere);
    scene.lab.a.sysctl("ipv4/tcp_timestamps", "0");
    scene.lab.ctl_ok(&["set", "eth0:0", "--rfc1323", "1"]);
    scene.home("eth0:0").sysctl("ipv4/tcp_timestamps", "0");
    scene
        .lab
        .ctl_err(&["set", "eth0:0", "--rfc1323", "1"], "EOPNOTSUPP");
}

#[test]
fn values_out_of_range() {
    let scene = scene(Family::V4, Home::Local);
    let lab = &scene.lab;
    set_options(lab);
    let before = lab.snapshot();
    for (option, value, named) in [
        ("--tcp-nodelay", "2", "from 0 to 1"),
        ("--tcp-nodelay", "yes", "from 0 to 1"),
        ("--rfc1323", "", "from 0 to 1"),
        ("--tcp-mssdflt", "87", "from 88 to 32767"),
        ("--tcp-mssdflt", "32768", "from 88 to 32767"),
        ("--tcp-sendspace", "0", "bytes"),
        ("--tcp-sendspace", "1", "net.core.wmem_max"),
        ("--tcp-sendspace", "1073741823", "net.core.wmem_max"),
        ("--tcp-recvspace", "1", "net.core.rmem_max"),
        ("--tcp-recvspace", "1073741823", "net.core.rmem_max"),
        ("--tcp-recvspace", "99999999999", "bytes"),
    ] {
        // A good one beside it is not set either.
        let good = if option == "--tcp-mssdflt" {
            ["--tcp-nodelay", "0"]
        } else {
            ["--tcp-mssdflt", "500"]
        };
        let set = [&["set", "eth0:0"], &good[..], &[option, value]].concat();
        let said = lab.ctl_err(&set, "EINVAL");
        assert!(said.contains(named), "{option} {value}: {said}");
    }
    lab.assert_unchanged(&before);
    lab.ctl_err(&["set", "eth0:1", "--tcp-nodelay", "1"], "ENODEV");
    lab.ctl_err(&["set", "eth0", "--tcp-nodelay", "1"], "EINVAL");
    assert_eq!(
        lab.ctl(&["set", "eth0", "--max-aliases", "4", "--tcp-nodelay", "1"])
            .code(),
        2
    );
    lab.ctl_err_unprivileged(&["set", "eth0:0", "--tcp-nodelay", "0"], "EPERM");
    lab.assert_unchanged(&before);
}

/// One address on two VLANs is one address for the sockets of a namespace.
#[test]
fn two_aliases_cannot_want_different_things_of_the_same_sockets() {
    let lab = Lab::attached(Mode::Native);
    lab.a.run("ethtool -K eth0 rxvlan off");
    for (alias, vlan) in [("eth0:0", "10"), ("eth0:1", "20")] {
        lab.ctl_ok(&["add", alias, "198.51.100.8/24", "--vlan", vlan]);
    }
    lab.ctl_ok(&["set", "eth0:0", "--tcp-nodelay", "1"]);
    let said = lab.ctl_err(&["set", "eth0:1", "--tcp-nodelay", "1"], "EEXIST");
    assert!(said.contains("eth0:0"), "{said}");
    lab.ctl_ok(&["set", "eth0:0", "--tcp-nodelay", "default"]);
    lab.ctl_ok(&["set", "eth0:1", "--tcp-nodelay", "1"]);
}
