//! `set`, `enable`, `disable`: what changes, what stays, and that a change that
//! is refused leaves a working alias.

use alias_tests::{Lab, Mode, RawSocket};
use serde_json::Value;

use crate::scene::{Family, LIMIT, Place, Scene, from_b_to_a, ip};

const FIRST: &str = "198.51.100.8";

/// Datagrams that nobody answers, to the alias's address, on no VLAN or one.
#[track_caller]
fn send_datagrams(lab: &Lab, address: &str, vlan: Option<u16>, count: u16) {
    let at_b = RawSocket::open(&lab.b, "eth0");
    for number in 0..count {
        let mut built = from_b_to_a(lab);
        if let Some(id) = vlan {
            built = built.vlan(id);
        }
        let built = built.ip(Family::V4.b_ip(), ip(address));
        at_b.send(&built.udp(5, number, b"datagram").padded().build());
    }
}

/// Echo requests, answered by an alias's device in a namespace: the way back
/// went with the device that was there before.
#[track_caller]
fn ping_in(lab: &Lab, home: &alias_tests::Namespace, address: &str, count: u32) {
    let row = lab.row("eth0:0");
    let device = row["device"].as_str().expect("a device");
    home.ip(&format!("route replace 192.0.2.0/24 dev {device}"));
    lab.b.ping_ok(address, count);
}

#[track_caller]
fn figures(lab: &Lab, alias: &str) -> [u64; 3] {
    ["rx_packets", "tx_packets", "dropped.policy"].map(|path| lab.counter(alias, path))
}

#[test]
fn counters_go_on_through_every_target() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("c0");
    let nowhere = lab.namespace("v");
    lab.a.ip(&format!(
        "link add v0 type veth peer name v1 netns {}",
        nowhere.name()
    ));
    lab.a.ip("link set v0 up");
    nowhere.ip("link set v1 up");

    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--netns", home.name()]);
    ping_in(&lab, &home, FIRST, 3);
    lab.wait_for_counter("eth0:0", "tx_packets", 3);
    assert_eq!(figures(&lab, "eth0:0"), [3, 3, 0]);

    lab.ctl_ok(&["set", "eth0:0", "--drop"]);
    assert_eq!(figures(&lab, "eth0:0"), [3, 3, 0], "--drop");
    assert!(home.find_link("eth0:0").is_none(), "its device is gone");
    send_datagrams(&lab, FIRST, None, 5);
    lab.wait_for_counter("eth0:0", "dropped.policy", 5);
    assert_eq!(figures(&lab, "eth0:0"), [8, 3, 5], "--drop");

    lab.ctl_ok(&["set", "eth0:0", "--local"]);
    assert_eq!(figures(&lab, "eth0:0"), [8, 3, 5], "--local");
    lab.b.ping_ok(FIRST, 4);
    lab.wait_for_counter("eth0:0", "tx_packets", 7);
    assert_eq!(figures(&lab, "eth0:0"), [12, 7, 5], "--local");

    lab.ctl_ok(&["set", "eth0:0", "--to", "v0"]);
    assert!(!lab.a.ip("addr show dev eth0").contains(FIRST));
    send_datagrams(&lab, FIRST, None, 6);
    lab.wait_for_counter("eth0:0", "rx_packets", 18);
    assert_eq!(figures(&lab, "eth0:0"), [18, 7, 5], "--to");

    lab.ctl_ok(&["set", "eth0:0", "--device", "--netns", home.name()]);
    ping_in(&lab, &home, FIRST, 2);
    lab.wait_for_counter("eth0:0", "tx_packets", 9);
    assert_eq!(figures(&lab, "eth0:0"), [20, 9, 5], "--device");

    lab.ctl_ok(&["set", "eth0:0", "--device"]);
    lab.b.ping_ok(FIRST, 2);
    lab.wait_for_counter("eth0:0", "tx_packets", 11);
    assert_eq!(figures(&lab, "eth0:0"), [22, 11, 5], "--device");

    // Nothing is inherited by who comes after.
    lab.ctl_ok(&["del", "eth0:0"]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    assert_eq!(figures(&lab, "eth0:0"), [0, 0, 0]);
}

#[test]
fn an_address_changes_and_the_counters_go_on() {
    let scene = Scene::with_one(Mode::Native, Family::V4, Place::OwnNamespace);
    let (lab, home) = (&scene.lab, scene.home("eth0:0"));
    lab.b.ping_ok(FIRST, 3);
    lab.wait_for_counter("eth0:0", "tx_packets", 3);
    lab.ctl_ok(&["set", "eth0:0", "203.0.113.9/24"]);
    ping_in(lab, home, "203.0.113.9", 2);
    lab.b.ping_unanswered(FIRST);
    lab.wait_for_counter("eth0:0", "tx_packets", 5);
    assert_eq!(figures(lab, "eth0:0"), [5, 5, 0]);
    let row = lab.row("eth0:0");
    assert_eq!(
        (&row["address"], &row["prefix_len"]),
        (&"203.0.113.9".into(), &24.into())
    );
    assert_eq!(row["netns"], home.name(), "it stays where it was");
    // From one family to the other, and to the same again.
    lab.ctl_ok(&["set", "eth0:0", "2001:db8:5::8/64"]);
    assert_eq!(lab.row("eth0:0")["family"], "ipv6");
    let before = lab.snapshot();
    lab.ctl_ok(&["set", "eth0:0", "2001:db8:5::8/64"]);
    lab.assert_unchanged(&before);
    assert_eq!(figures(lab, "eth0:0"), [5, 5, 0]);
}

#[test]
fn a_vlan_changes_and_the_counters_go_on() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", FIRST, "--drop"]);
    let mut expected = 0;
    for (now, other) in [
        (None, Some(10)),
        (Some(10), None),
        (Some(20), Some(10)),
        (None, Some(20)),
    ] {
        let id = now.unwrap_or(0).to_string();
        lab.ctl_ok(&["set", "eth0:0", "--vlan", &id]);
        assert_eq!(
            lab.row("eth0:0")["vlan"],
            now.map_or(Value::Null, Value::from)
        );
        // The other VLAN's are not its own; its own come after them.
        send_datagrams(&lab, FIRST, other, 7);
        send_datagrams(&lab, FIRST, now, 4);
        expected += 4;
        lab.wait_for_counter("eth0:0", "dropped.policy", expected);
        assert_eq!(figures(&lab, "eth0:0"), [expected, 0, expected], "{now:?}");
    }
}

#[test]
fn a_changed_alias_keeps_its_place_in_the_list() {
    let lab = Lab::attached(Mode::Native);
    for (alias, address) in [
        ("eth0:2", FIRST),
        ("eth0:0", "203.0.113.9"),
        ("eth0:1", "198.18.0.1"),
    ] {
        lab.ctl_ok(&["add", alias, address, "--drop"]);
    }
    for change in [
        &["--local"][..],
        &["198.18.7.7"],
        &["--device"],
        &["--vlan", "5"],
        &["--drop"],
    ] {
        lab.ctl_ok(&[&["set", "eth0:0"], change].concat());
        assert_eq!(
            lab.alias_names(),
            ["eth0:2", "eth0:0", "eth0:1"],
            "{change:?}"
        );
    }
}

#[test]
fn a_refused_change_changes_nothing() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::OwnNamespace);
    let lab = &scene.lab;
    for (change, errno_name) in [
        (&["--netns", "no-such-namespace"][..], "ENOENT"),
        (&["203.0.113.9/24"], "EEXIST"),
        (&["192.0.2.9"], "EEXIST"),
        (&["224.0.0.1"], "EINVAL"),
        (&["--to", "nosuch0"], "ENODEV"),
        (&["--to", "eth0"], "EINVAL"),
        (&["--join", "eth0:7"], "ENODEV"),
        (&["--join", "eth0:0"], "EINVAL"),
        (&["--local", "--vlan", "5"], "EINVAL"),
        (&["--vlan", "4095"], "EINVAL"),
    ] {
        lab.ctl_refused(&[&["set", "eth0:0"], change].concat(), errno_name);
        lab.b.ping_ok(FIRST, 1);
    }
    lab.wait_for_counter("eth0:0", "tx_packets", 10);
    lab.ctl_err(&["set", "eth0:7", "--drop"], "ENODEV");
    lab.ctl_err(&["set", "eth0", "--drop"], "EINVAL");
}

/// What only the kernel can refuse, when the old device is gone already.
#[test]
fn a_change_that_the_kernel_refuses_is_taken_back() {
    let scene = Scene::with_one(Mode::Native, Family::V4, Place::OwnNamespace);
    let (lab, home) = (&scene.lab, scene.home("eth0:0"));
    lab.b.ping_ok(FIRST, 3);
    lab.wait_for_counter("eth0:0", "tx_packets", 3);
    let other = lab.namespace("d0");
    other.ip("link add x0 type veth peer name x1");
    other.ip("link property add dev x0 altname eth0:0");
    let rows = lab.rows();
    lab.ctl_err(&["set", "eth0:0", "--netns", other.name()], "EEXIST");
    assert_eq!(lab.rows(), rows);
    ping_in(lab, home, FIRST, 2);
    lab.wait_for_counter("eth0:0", "tx_packets", 5);
    assert_eq!(figures(lab, "eth0:0"), [5, 5, 0]);
}

/// The port is found by more than its name: whatever `set` answers, the alias
/// is there afterwards, and nothing beside it.
#[test]
fn a_change_of_an_alias_whose_port_was_renamed_loses_nothing() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    let device = lab.a.link("eth0:0");
    let port = device["link"].as_str().expect("a port beside its device");
    lab.a.ip(&format!("link set {port} down"));
    lab.a.ip(&format!("link set {port} name renamed0"));
    lab.a.ip("link set renamed0 up");
    lab.b.ping_ok(FIRST, 1);
    lab.ctl(&["set", "eth0:0", "198.51.100.9/24"]);
    assert_eq!(lab.alias_names(), ["eth0:0"]);
    let address = lab.row("eth0:0")["address"].as_str().map(str::to_owned);
    lab.b.ping_ok(&address.expect("an address"), 1);
    lab.ctl_ok(&["del", "eth0:0"]);
    let links = lab.a.ip_json("link show");
    assert_eq!(links.as_array().map(Vec::len), Some(2), "{links}");
}

#[test]
fn an_alias_that_others_joined_is_ebusy() {
    let lab = Lab::attached(Mode::Native);
    let nothing = lab.snapshot();
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9/24", "--join", "eth0:0"]);
    let before = lab.snapshot();
    for refused in [
        &["set", "eth0:0", "203.0.113.9"][..],
        &["set", "eth0:0", "--drop"],
        &["del", "eth0:0"],
        &["del", "eth0", "198.51.100.8"],
    ] {
        let message = lab.ctl_err(refused, "EBUSY");
        assert!(message.contains("eth0:1"), "{refused:?}: {message}");
        lab.assert_unchanged(&before);
        lab.b.ping_ok("198.51.100.9", 1);
    }
    lab.ctl_ok(&["set", "eth0:1", "198.51.100.10/24"]);
    lab.b.ping_ok("198.51.100.10", 1);
    lab.b.ping_ok(FIRST, 1);
    lab.ctl_ok(&["del", "eth0:0", "eth0:1"]);
    lab.assert_unchanged(&nothing);
}

#[test]
fn a_disabled_alias_keeps_its_counters() {
    let scene = Scene::with_one(Mode::Native, Family::V4, Place::OwnNamespace);
    let lab = &scene.lab;
    let at_a = RawSocket::open(&lab.a, "eth0");
    let mut total = 0;
    for round in 0..3 {
        lab.b.ping_ok(FIRST, 2);
        total += 2;
        lab.wait_for_counter("eth0:0", "tx_packets", total);
        for _ in 0..=round {
            lab.ctl_ok(&["disable", "eth0:0"]);
            assert_eq!(lab.row("eth0:0")["enabled"], false);
        }
        let sent =
            from_b_to_a(lab)
                .ip(Family::V4.b_ip(), ip(FIRST))
                .udp(round, 9, b"while disabled");
        let sent = sent.padded().build();
        RawSocket::open(&lab.b, "eth0").send(&sent);
        at_a.expect("the parent's packet", LIMIT, |got| got == sent);
        assert_eq!(figures(lab, "eth0:0"), [total, total, 0]);
        lab.ctl_ok(&["enable", "eth0:0"]);
        assert_eq!(lab.row("eth0:0")["enabled"], true);
    }
    // A disabled alias that is changed stays disabled.
    lab.ctl_ok(&["disable", "eth0:0"]);
    lab.ctl_ok(&["set", "eth0:0", "--drop"]);
    assert_eq!(lab.row("eth0:0")["enabled"], false);
    lab.ctl_err(&["disable", "eth0:9"], "ENODEV");
    lab.ctl_err(&["enable", "eth0"], "EINVAL");
}
