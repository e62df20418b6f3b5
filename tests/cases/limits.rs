//! How many fit: the limit, the capacity to begin with, and that what does not fit
//! leaves nothing behind, however far it had come.

use std::collections::BTreeSet;

use alias_tests::{Lab, Mode, Namespace, Snapshot, assert_unchanged};

#[track_caller]
fn attached_with(options: &[&str]) -> Lab {
    Lab::builder()
        .mode(Mode::Native)
        .attach_options(options)
        .build()
}

#[test]
fn the_limit_counts_aliases_not_slots() {
    let lab = attached_with(&["--max-aliases", "10"]);
    lab.ctl_ok(&["add", "eth0:4194303", "198.51.100.8", "--drop"]);
    lab.ctl_ok(&["add", "eth0:256", "203.0.113.9", "--drop"]);
    let range = |range| ["add", "eth0", "--range", range, "--drop"];
    let message = lab.ctl_refused(&range("198.18.0.0-198.18.0.8"), "ENOSPC");
    assert!(
        message.contains("limit 10"),
        "it names the limit: {message}"
    );
    // Of the highest slots four are free: not eight.
    let high = [&range("198.18.0.0/29")[..], &["--start", "4194299"]].concat();
    lab.ctl_refused(&high, "ENOSPC");
    lab.ctl_ok(&range("198.18.0.0/29"));
    for name in ["eth0:8", "eth0:5000", "eth0"] {
        lab.ctl_refused(&["add", name, "203.0.113.10", "--drop"], "ENOSPC");
    }
    // What is changed is no alias more.
    lab.ctl_ok(&["set", "eth0:256", "203.0.113.11"]);
    lab.ctl_ok(&["set", "eth0:256", "--local"]);
    lab.ctl_ok(&["del", "eth0:4194303"]);
    lab.ctl_ok(&["add", "eth0:5000", "203.0.113.10", "--drop"]);
    assert_eq!(lab.rows().len(), 10);
}

#[test]
fn limit_0_refuses_creation() {
    let lab = attached_with(&["--max-aliases", "0"]);
    let message = lab.ctl_refused(&["add", "eth0:0", "198.51.100.8"], "EINVAL");
    assert!(
        message.contains("limit 0") && message.contains("--max-aliases"),
        "it names the limit and what set it: {message}"
    );
    let range = ["add", "eth0", "--range", "198.18.0.0/29", "--drop"];
    lab.ctl_refused(&range, "ENOSPC");
}

#[test]
fn capacity_has_bounds() {
    let lab = Lab::plain();
    for wrong in ["0", "4194305", "4294967295"] {
        lab.ctl_refused(&["attach", "eth0", "--capacity", wrong], "EINVAL");
    }
    lab.ctl_ok(&["attach", "eth0", "--capacity", "1"]);
    lab.ctl_ok(&["add", "eth0", "198.51.100.8/24"]);
    lab.b.ping_ok("198.51.100.8", 1);
    let beyond = ["add", "eth0:4194304", "203.0.113.9", "--drop"];
    lab.ctl_refused(&beyond, "EINVAL");
}

#[test]
fn what_is_full_takes_again_what_is_deleted() {
    let lab = attached_with(&["--capacity", "16", "--max-aliases", "16"]);
    let add = |range| ["add", "eth0", "--range", range, "--drop"];
    lab.ctl_refused(&add("198.18.0.0-198.18.0.16"), "ENOSPC");
    lab.ctl_ok(&add("198.18.0.0/28"));
    lab.ctl_refused(&["add", "eth0", "198.18.1.0", "--drop"], "ENOSPC");
    for round in 0..3 {
        for slot in 0..16 {
            let alias = format!("eth0:{slot}");
            lab.ctl_ok(&["del", &alias]);
            lab.ctl_ok(&["add", "eth0", &format!("198.18.{round}.{slot}"), "--drop"]);
        }
    }
    assert_eq!(lab.rows().len(), 16);
}

#[test]
fn every_slot_of_a_table_can_be_filled() {
    let lab = attached_with(&["--capacity", "4096", "--max-aliases", "4096"]);
    lab.ctl_ok(&["add", "eth0", "--range", "198.18.0.0/20", "--drop"]);
    assert_eq!(lab.rows().len(), 4096);
    lab.ctl_refused(
        &["add", "eth0", "--range", "198.19.0.0/31", "--drop"],
        "ENOSPC",
    );
    lab.ctl_ok(&["del", "eth0", "--all"]);
    lab.ctl_ok(&["add", "eth0", "--range", "2001:db8:5::/116", "--drop"]);
    assert_eq!(lab.rows().len(), 4096);
}

#[test]
fn devices_over_the_limit_leave_nothing() {
    let lab = attached_with(&["--max-aliases", "32"]);
    let home = lab.namespace("c0");
    let before = Snapshot::of(&home);
    for place in [&[][..], &["--netns", home.name()]] {
        let range = ["add", "eth0", "--range", "198.51.100.0/26"];
        lab.ctl_refused(&[&range[..], place].concat(), "ENOSPC");
        assert_unchanged(&before, &Snapshot::of(&home));
    }
}

/// A cable between the hosts whose end at A has this ifindex, and a network of its own.
fn numbered(lab: &Lab, name: &str, ifindex: u32, network: &str) {
    lab.a.ip(&format!(
        "link add {name} index {ifindex} type veth peer name {name} netns {}",
        lab.b.name()
    ));
    for (host, last) in [(&lab.a, 9), (&lab.b, 1)] {
        host.ip(&format!("addr add {network}.{last}/24 dev {name}"));
        host.ip(&format!("link set {name} up"));
    }
    lab.b
        .run(&format!("ethtool -K {name} tx off txvlan off gro on"));
    lab.a.wait_until_up(name);
}

/// Devices' names fit whatever ifindex and slot are, each device is its own, and two parents
/// whose numbers are alike in their last 24 bits keep to themselves.
#[test]
fn devices_fit_whatever_the_numbers_are() {
    let lab = Lab::plain();
    for (ifindex, other) in [(1_234_567, 18_011_783), (2_147_483_647, 2_130_706_431)] {
        numbered(&lab, "nic0", ifindex, "198.18.1");
        numbered(&lab, "nic1", other, "198.18.2");
        let home = lab.namespace("home");
        let aliases = [
            ("nic0:100000", "198.18.1.20"),
            ("nic0:4194303", "198.18.1.21"),
            ("nic1:100000", "198.18.2.20"),
            ("nic1:4194303", "198.18.2.21"),
        ];
        let mut names = BTreeSet::new();
        for (alias, address) in aliases {
            lab.ctl_ok(&[
                "add",
                alias,
                &format!("{address}/24"),
                "--netns",
                home.name(),
            ]);
            let device = lab.device(alias);
            assert!(device.len() <= 15, "{device}");
            assert!(device.starts_with("al") && device.contains('_'), "{device}");
            assert!(names.insert(device.clone()), "{device} twice");
            assert!(home.find_link(&device).is_some(), "{device}");
            assert!(home.find_link(alias).is_some(), "the altname {alias}");
        }
        for (alias, address) in aliases {
            lab.b.ping_ok(address, 2);
            lab.wait_for_counter(alias, "rx_packets", 2);
            lab.wait_for_counter(alias, "tx_packets", 2);
        }
        // One parent's end is not the other's.
        lab.ctl_ok(&["detach", "nic1", "--cascade"]);
        lab.b.ping_ok("198.18.1.20", 2);
        lab.ctl_ok(&["add", "nic0:4000000", "198.18.1.22/24", "--local"]);
        lab.b.ping_ok("198.18.1.22", 2);
        lab.ctl_ok(&["detach", "nic0", "--cascade"]);
        assert!(home.find_link(names.first().expect("four")).is_none());
        lab.a.ip("link del nic0");
        lab.a.ip("link del nic1");
    }
}

/// The devices of a namespace, by name.
#[track_caller]
fn devices(namespace: &Namespace) -> BTreeSet<String> {
    let links = namespace.ip_json("link show");
    let links = links.as_array().expect("an array of links");
    links
        .iter()
        .filter_map(|link| link["ifname"].as_str().map(str::to_owned))
        .collect()
}

/// A name that one alias of a range wants is somebody else's: the others are
/// taken back, and the stranger's device stays.
#[track_caller]
fn check_stranger(lab: &Lab, home: &Namespace, make: impl FnOnce()) {
    make();
    let (before, host) = (Snapshot::of(home), Snapshot::of(&lab.a));
    let range = ["add", "eth0", "--range", "198.51.100.0/28"];
    lab.ctl_err(&[&range[..], &["--netns", home.name()]].concat(), "EEXIST");
    assert_unchanged(&host, &Snapshot::of(&lab.a));
    assert_unchanged(&before, &Snapshot::of(home));
    assert_eq!(lab.rows(), [] as [serde_json::Value; 0]);
}

#[test]
fn a_strangers_altname_takes_the_whole_range_back() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("c0");
    check_stranger(&lab, &home, || {
        home.ip("link add x0 type veth peer name x1");
        home.ip("link property add dev x0 altname eth0:5");
    });
}

#[test]
fn a_strangers_device_name_takes_the_whole_range_back() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("c0");
    lab.ctl_ok(&["add", "eth0:5", "198.51.100.99", "--netns", home.name()]);
    let taken = lab.row("eth0:5")["device"].as_str().map(str::to_owned);
    let taken = taken.expect("a device alias has a device");
    lab.ctl_ok(&["del", "eth0:5"]);
    check_stranger(&lab, &home, || {
        home.ip(&format!("link add {taken} type veth peer name x1"));
    });
}

#[test]
fn a_strangers_device_with_a_ports_name_survives() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("c0");
    let before = devices(&lab.a);
    lab.ctl_ok(&["add", "eth0:5", "198.51.100.99", "--netns", home.name()]);
    let port = devices(&lab.a)
        .difference(&before)
        .next()
        .cloned()
        .expect("a device alias has a port");
    lab.ctl_ok(&["del", "eth0:5"]);
    check_stranger(&lab, &home, || {
        lab.a.ip(&format!("link add {port} type veth peer name x1"));
    });
}
