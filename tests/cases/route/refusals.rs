//! What is no route through an alias is refused, and has changed nothing.

use alias_tests::{Lab, Mode};

use super::route_err;

#[test]
fn refusals_change_nothing() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    lab.a.ip("link add v0 type veth peer name v1");
    lab.a.ip("link set v0 up");
    lab.a.ip("addr add 192.0.2.55/24 dev eth0 label eth0:55");
    for (alias, address, options) in [
        ("eth0:0", "198.51.100.8/24", &[][..]),
        ("eth0:1", "198.51.100.9", &["--local"]),
        ("eth0:2", "198.51.100.10/24", &["--netns", home.name()]),
        ("eth0:3", "198.51.100.11", &["--drop"]),
        ("eth0:4", "198.51.100.12", &["--to", "v0"]),
        ("eth0:5", "2001:db8:5::8/64", &[]),
        ("eth0:6", "198.51.100.13", &["--join", "eth0:0"]),
        ("eth0:7", "198.51.100.14", &["--join", "eth0:2"]),
    ] {
        lab.ctl_ok(&[&["add", alias, address], options].concat());
    }
    for (line, errno) in [
        // Never eth0, whatever comes behind the colon.
        ("add -host 203.0.113.7 dev eth0:8", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:55", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:x", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:-1", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:0:0", "ENODEV"),
        ("add -host 203.0.113.7 dev eth9:0", "ENODEV"),
        ("add -host 203.0.113.7 dev nosuch0", "ENODEV"),
        ("add -host 203.0.113.7 nosuch0", "ENODEV"),
        ("add -host 203.0.113.7 dev v1:0", "ENODEV"),
        ("del -host 203.0.113.7 dev eth0:8", "ENODEV"),
        // What nothing can be sent by from here.
        ("add -host 203.0.113.7 dev eth0:2", "EOPNOTSUPP"),
        ("add -host 203.0.113.7 dev eth0:3", "EOPNOTSUPP"),
        ("add -host 203.0.113.7 dev eth0:4", "EOPNOTSUPP"),
        ("add -host 203.0.113.7 dev eth0:7", "EOPNOTSUPP"),
        ("add -host 203.0.113.7 dev eth0:5", "EAFNOSUPPORT"),
        ("add 2001:db8:9::/64 dev eth0:0", "EAFNOSUPPORT"),
        ("add 2001:db8:9::/64 dev eth0:1", "EAFNOSUPPORT"),
        // The kernel's own reasons.
        ("add default gw 203.0.113.1 dev eth0:0", "ENETUNREACH"),
        ("add default gw 203.0.113.1", "ENETUNREACH"),
        (
            "add 2001:db8:9::/64 gw 2001:db8:6::1 dev eth0:5",
            "EHOSTUNREACH",
        ),
        ("del -host 203.0.113.7 dev eth0:0", "ESRCH"),
        ("del -host 203.0.113.7", "ESRCH"),
        ("del default", "ESRCH"),
        // Words.
        (
            "add -host 203.0.113.7 netmsk 255.255.255.0 dev eth0:0",
            "EINVAL",
        ),
        ("add -host 203.0.113.7 dev eth0:0 forever", "EINVAL"),
        (
            "add -net 203.0.113.0 netmask 255.0.255.0 dev eth0:0",
            "EINVAL",
        ),
        ("add -net 203.0.113.7/24 dev eth0:0", "EINVAL"),
        ("add -host 203.0.113.7", "EINVAL"),
        ("flush", "EINVAL"),
        ("-n add -host 203.0.113.7 -x dev eth0:0", "EINVAL"),
    ] {
        route_err(&lab, line, errno);
    }
    let before = lab.snapshot();
    let line = ["route", "add", "-host", "203.0.113.7", "dev", "eth0:0"];
    lab.ctl_err_unprivileged(&line, "EPERM");
    lab.assert_unchanged(&before);
    assert_eq!(lab.ctl(&["netstat", "-n"]).code(), 1);

    // A device that somebody took away: its number may be another's tomorrow.
    let device = lab.a.link("eth0:0")["ifname"].as_str().map(str::to_owned);
    lab.a.ip(&format!("link del {}", device.expect("a name")));
    // The command that is refused finds it gone, and its aliases go with it.
    for alias in ["eth0:0", "eth0:6"] {
        let line = ["route", "add", "-host", "203.0.113.7", "dev", alias];
        lab.ctl_err(&line, "ENODEV");
    }
}
