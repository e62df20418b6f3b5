//! `ifconfig` on the device itself: its own address, its settings, what others put
//! on it, and that a word which is refused leaves all of it alone.

use alias_tests::{Lab, Mode};

use crate::ifconfig::{addresses, ifconfig, is_attached, ok, refused, with_two};

/// Addresses in the order of their text: which of a subnet is its first is the
/// kernel's business.
#[track_caller]
fn sorted(lab: &Lab) -> Vec<String> {
    let mut all = addresses(lab);
    all.sort();
    all
}

#[test]
fn another_address_of_its_own_leaves_all_aliases() {
    let lab = with_two();
    lab.a.ip("addr add 192.0.2.50/24 dev eth0 label eth0:web");
    ok(
        &lab,
        "eth0 192.0.2.10 netmask 255.255.255.0 broadcast 192.0.2.127",
    );
    assert_eq!(
        sorted(&lab),
        [
            "192.0.2.10/24",
            "192.0.2.50/24",
            "198.51.100.8/24",
            "2001:db8:0:1::9/64",
            "203.0.113.9/24"
        ]
    );
    assert!(
        lab.a
            .ip("addr show dev eth0")
            .contains("192.0.2.10/24 brd 192.0.2.127")
    );
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1"]);
    for address in ["192.0.2.10", "192.0.2.50", "198.51.100.8", "203.0.113.9"] {
        lab.b.ping_ok(address, 1);
    }
    lab.b.ping_unanswered("192.0.2.9");
    assert_eq!(
        lab.a
            .run("sysctl -n net.ipv4.conf.eth0.promote_secondaries")
            .ok()
            .stdout
            .trim(),
        "1",
        "as its aliases need it"
    );
    let before = lab.snapshot();
    ok(&lab, "eth0 192.0.2.10 netmask 255.255.255.0");
    lab.assert_unchanged(&before);
    ok(&lab, "eth0 netmask 255.255.0.0");
    assert!(sorted(&lab).contains(&"192.0.2.10/16".to_owned()));
    assert!(sorted(&lab).contains(&"192.0.2.50/24".to_owned()));
    refused(&lab, "eth0 198.51.100.8", "EEXIST");
}

#[test]
fn setting_an_address_brings_the_device_up() {
    let lab = Lab::plain();
    lab.a.ip("link add d0 type veth peer name d1");
    ok(&lab, "d0 203.0.113.1");
    assert!(
        lab.a
            .ip("addr show dev d0")
            .contains("203.0.113.1/24 brd 203.0.113.255")
    );
    assert!(lab.a.ip("link show dev d0").contains(",UP"));
    ok(&lab, "d0 down");
    assert!(!lab.a.ip("link show dev d0").contains(",UP"));
    ok(&lab, "lo 127.0.0.1");
}

#[test]
fn its_own_address_goes_after_its_aliases() {
    for line in ["eth0 0.0.0.0", "eth0 del 192.0.2.9"] {
        let lab = with_two();
        let message = refused(&lab, line, "EBUSY");
        assert!(message.contains("--cascade"), "{line}: {message}");
        ok(&lab, &format!("{line} --cascade"));
        assert_eq!(addresses(&lab), ["2001:db8:0:1::9/64"], "{line}");
        assert!(lab.alias_names().is_empty(), "{line}");
    }
    let lab = with_two();
    ok(&lab, "eth0:0 down");
    ok(&lab, "eth0:1 down");
    ok(&lab, "eth0 0.0.0.0");
    ok(&lab, "eth0 0.0.0.0 up");
    assert_eq!(addresses(&lab), ["2001:db8:0:1::9/64"]);
}

#[test]
fn to_bsd_all_addresses_are_equal() {
    let lab = with_two();
    lab.a.ip("addr add 192.0.2.50/24 dev eth0 label eth0:web");
    ok(&lab, "eth0 192.0.2.9 delete");
    assert_eq!(
        sorted(&lab),
        [
            "192.0.2.50/24",
            "198.51.100.8/24",
            "2001:db8:0:1::9/64",
            "203.0.113.9/24"
        ]
    );
    ok(&lab, "eth0 -alias 192.0.2.50");
    assert_eq!(
        sorted(&lab),
        ["198.51.100.8/24", "2001:db8:0:1::9/64", "203.0.113.9/24"]
    );
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1"]);
}

#[test]
fn what_others_labelled_is_left_alone() {
    let lab = with_two();
    lab.a.ip("addr add 192.0.2.50/24 dev eth0 label eth0:web");
    lab.a.ip("addr add 203.0.113.60/24 dev eth0 label eth0:6");
    let shown = ok(&lab, "-a");
    for label in ["eth0:web", "eth0:6"] {
        let block = shown.split("\n\n").find(|block| block.starts_with(label));
        assert!(
            block.is_some_and(|b| b.contains("not made here")),
            "{label}: {shown}"
        );
    }
    let message = refused(&lab, "eth0:6 down", "ENODEV");
    assert!(
        message.contains("ip addr del 203.0.113.60/24 dev eth0"),
        "{message}"
    );
    refused(&lab, "eth0:web down", "ENODEV");
    ok(&lab, "eth0 --cascade detach");
    assert_eq!(
        sorted(&lab),
        [
            "192.0.2.50/24",
            "192.0.2.9/24",
            "2001:db8:0:1::9/64",
            "203.0.113.60/24"
        ]
    );
}

#[test]
fn settings_of_the_device() {
    let lab = with_two();
    ok(
        &lab,
        "eth0 -arp promisc allmulti -multicast mtu 1400 txqueuelen 77 hw ether 02:00:5e:00:53:01",
    );
    let link = lab.a.link("eth0");
    for (key, expected) in [("mtu", 1400), ("txqlen", 77)] {
        assert_eq!(link[key], expected, "{key}");
    }
    assert_eq!(lab.a.mac("eth0"), [2, 0, 0x5e, 0, 0x53, 1]);
    let flags = link["flags"].to_string();
    for (flag, set) in [
        ("NOARP", true),
        ("PROMISC", true),
        ("ALLMULTI", true),
        ("MULTICAST", false),
    ] {
        assert_eq!(
            flags.contains(&format!("\"{flag}\"")),
            set,
            "{flag}: {flags}"
        );
    }
    ok(&lab, "eth0 arp -promisc -allmulti multicast mtu 1500");
    let flags = lab.a.link("eth0")["flags"].to_string();
    for (flag, set) in [
        ("NOARP", false),
        ("PROMISC", false),
        ("ALLMULTI", false),
        ("MULTICAST", true),
    ] {
        assert_eq!(
            flags.contains(&format!("\"{flag}\"")),
            set,
            "{flag}: {flags}"
        );
    }
    lab.b.ip("neigh flush dev eth0");
    lab.b.ping_ok("198.51.100.8", 2);
    for line in ["eth0:0 mtu 1400", "eth0:0 -arp", "eth0:0 detach"] {
        refused(&lab, line, "EOPNOTSUPP");
    }
}

#[test]
fn a_refusal_takes_back_what_came_before() {
    let lab = with_two();
    refused(&lab, "eth0 mtu 1400 promisc 192.0.2.9 alias", "EEXIST");
    refused(
        &lab,
        "eth0 txqueuelen 55 del 198.51.100.99",
        "EADDRNOTAVAIL",
    );
    refused(&lab, "eth0 promisc mtu 1", "EINVAL");
}

#[test]
fn a_word_that_is_unknown_changes_nothing() {
    let lab = with_two();
    for line in [
        "eth0 10.0.0.1 aliass",
        "eth0 aliass 10.0.0.1",
        "eth0:0 10.0.0.1 bogus",
        "eth0:2 bogus 10.0.0.1",
        "eth0 bogus",
        "eth0 down bogus",
        "eth0 mtu 1400 bogus",
        "eth0:0- bogus",
        "eth0 10.0.0.1 netmask 255.255.255.0 alias up bogus",
    ] {
        let message = refused(&lab, line, "EINVAL");
        let word = if line.contains("bogus") {
            "bogus"
        } else {
            "aliass"
        };
        assert!(message.contains(&format!(" {word}: ")), "{line}: {message}");
    }
    for line in [
        "eth0 mtu",
        "eth0 10.0.0.1 netmask",
        "eth0:0 10.0.0.1 10.0.0.2",
        "eth0 10.0.0.300 alias",
    ] {
        refused(&lab, line, "EINVAL");
    }
    refused(&lab, "eth0 metric 1", "EOPNOTSUPP");
}

#[test]
fn usage_errors_end_with_two() {
    let lab = Lab::attached(Mode::Native);
    let before = lab.snapshot();
    for line in ["-u -d", "-z", "-l eth0", "--style sunos", "-a eth0 up"] {
        let output = ifconfig(&lab, line);
        assert_eq!(output.code(), 2, "{line}: {output}");
        assert!(output.stderr.contains("ifconfig"), "{line}: {output}");
    }
    lab.assert_unchanged(&before);
    assert_eq!(ifconfig(&lab, "--help").ok().code(), 0);
}

#[test]
fn detach_wants_the_aliases_gone() {
    let lab = with_two();
    refused(&lab, "eth0 detach", "EBUSY");
    refused(&lab, "eth0 detach up", "EINVAL");
    ok(&lab, "eth0 detach --cascade");
    assert!(!is_attached(&lab));
    assert_eq!(addresses(&lab), ["192.0.2.9/24", "2001:db8:0:1::9/64"]);
    refused(&lab, "eth0 detach", "ENODEV");
    // The next create works at once.
    ok(&lab, "eth0:0 198.51.100.8");
    lab.b.ping_ok("198.51.100.8", 1);
}
