//! Other people's aliases: labels that other tools gave to addresses, and an alias's own
//! device in the state that somebody left it in.

use alias_tests::{Lab, Mode, wait_for};

use crate::ifconfig::{addresses, ifconfig, is_attached, ok, refused};
use crate::scene::LIMIT;

/// A lab with 192.0.2.50/24 as `eth0:0`, made by `ip`.
fn with_a_label() -> Lab {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("addr add 192.0.2.50/24 dev eth0 label eth0:0");
    lab
}

/// The label of an address of A's device.
#[track_caller]
fn label(lab: &Lab, device: &str, address: &str) -> String {
    let links = lab.a.ip_json(&format!("addr show dev {device}"));
    let infos = links[0]["addr_info"].as_array().cloned();
    let found = infos
        .unwrap_or_default()
        .into_iter()
        .find(|info| info["local"] == address);
    let found = found.unwrap_or_else(|| panic!("{device} has no {address}: {links}"));
    found["label"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_slot_whose_name_is_in_use_is_taken() {
    let lab = with_a_label();
    ok(&lab, "eth0 198.51.100.8 netmask 255.255.255.0 alias");
    lab.ctl_ok(&["add", "eth0", "198.51.100.9/24", "--local"]);
    assert_eq!(lab.alias_names(), ["eth0:1", "eth0:2"]);
    assert_eq!(label(&lab, "eth0", "198.51.100.8"), "eth0:1");
    lab.a.ip("addr add 192.0.2.51/24 dev eth0 label eth0:4");
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.51.100.20-198.51.100.22",
        "--local",
    ]);
    lab.ctl_ok(&["add", "eth0", "203.0.113.9", "--drop"]);
    assert_eq!(
        lab.alias_names(),
        ["eth0:1", "eth0:2", "eth0:3", "eth0:5", "eth0:6", "eth0:7"]
    );
    for words in [
        &["ifconfig", "eth0:0", "203.0.113.10"][..],
        &["ifconfig", "eth0:0", "plumb", "203.0.113.10"],
        &["add", "eth0:0", "203.0.113.10", "--local"],
        &["add", "eth0:0", "203.0.113.10", "--drop"],
        &["add", "eth0:0", "203.0.113.10", "--device"],
    ] {
        let before = lab.snapshot();
        let message = lab.ctl_err(words, "EEXIST");
        assert!(message.contains("eth0:0"), "{message}");
        assert!(message.contains("192.0.2.50/24"), "{message}");
        lab.assert_unchanged(&before);
    }
    assert!(addresses(&lab).contains(&"192.0.2.50/24".to_owned()));
}

#[test]
fn an_address_that_is_there_is_taken_over() {
    let lab = with_a_label();
    ok(&lab, "eth0:0 192.0.2.50 netmask 255.255.255.0");
    let before = lab.snapshot();
    ok(&lab, "eth0:0 192.0.2.50 netmask 255.255.255.0");
    ok(&lab, "eth0 192.0.2.50/24 alias");
    lab.assert_unchanged(&before);
    lab.b.ping_ok("192.0.2.50", 3);
    lab.wait_for_counter("eth0:0", "rx_packets", 3);
    let shown = ok(&lab, "-a");
    assert_eq!(
        shown.matches("192.0.2.50").count(),
        1,
        "listed once: {shown}"
    );
    assert!(!shown.contains("not made here"), "{shown}");
    refused(&lab, "eth0:1 192.0.2.50", "EEXIST");
    // `down` takes such an alias away, as it always did.
    ok(&lab, "eth0:0 down");
    assert!(!addresses(&lab).contains(&"192.0.2.50/24".to_owned()));
    lab.b.ping_unanswered("192.0.2.50");
    assert!(ok(&lab, "eth0 add 198.51.100.8/24").is_empty());
    assert_eq!(lab.alias_names(), ["eth0:0"]);
}

#[test]
fn every_way_to_delete_takes_it_away_or_says_that_it_stays() {
    for (line, stays) in [
        ("eth0:0 0.0.0.0", false),
        ("eth0:0-", false),
        ("eth0:0 unplumb", false),
        ("eth0 192.0.2.50 delete", false),
        ("eth0 del 192.0.2.50", false),
        ("eth0 removeif 192.0.2.50", false),
        ("eth0:0 198.51.100.8/24", false),
    ] {
        let lab = with_a_label();
        // Its network's first, whose removal takes the others along.
        lab.a.ip("addr add 192.0.2.51/24 dev eth0 label eth0:web");
        ok(&lab, "eth0:0 192.0.2.50/24");
        let output = ifconfig(&lab, line).ok();
        let is_there = addresses(&lab).contains(&"192.0.2.50/24".to_owned());
        assert_eq!(is_there, stays, "{line}: {output}");
        assert!(
            addresses(&lab).contains(&"192.0.2.51/24".to_owned()),
            "{line}"
        );
        assert!(
            addresses(&lab).contains(&"192.0.2.9/24".to_owned()),
            "{line}"
        );
    }
    for words in [
        &["del", "eth0:0"][..],
        &["del", "eth0", "192.0.2.50"],
        &["del", "eth0", "--all"],
        &["set", "eth0:0", "198.51.100.8/24"],
    ] {
        let lab = with_a_label();
        lab.ctl_ok(&["add", "eth0:0", "192.0.2.50/24", "--local"]);
        let output = lab.ctl(words).ok();
        assert!(
            output.stderr.contains("192.0.2.50/24 stays on eth0")
                && output.stderr.contains("ip addr del 192.0.2.50/24 dev eth0"),
            "{words:?}: {output}"
        );
        assert!(addresses(&lab).contains(&"192.0.2.50/24".to_owned()));
    }
}

#[test]
fn an_address_without_a_label_stays_and_that_is_said() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("addr add 198.51.100.50/24 dev eth0");
    let message = refused(&lab, "eth0:0 198.51.100.50 netmask 255.255.0.0", "EEXIST");
    assert!(message.contains("24 bits"), "{message}");
    ok(&lab, "eth0:0 198.51.100.50");
    assert_eq!(lab.row("eth0:0")["prefix_len"], 24);
    lab.b.ping_ok("198.51.100.50", 1);
    let output = ifconfig(&lab, "eth0:0 down").ok();
    assert!(
        output.stderr.contains("198.51.100.50/24 stays on eth0"),
        "{output}"
    );
    assert!(addresses(&lab).contains(&"198.51.100.50/24".to_owned()));
    // Who names it means it.
    ok(&lab, "eth0:0 198.51.100.50");
    ok(&lab, "eth0 198.51.100.50 delete");
    assert_eq!(addresses(&lab), ["192.0.2.9/24", "2001:db8:0:1::9/64"]);
    // The device's own becomes none in passing.
    let message = refused(&lab, "eth0:0 192.0.2.9", "EEXIST");
    assert!(message.contains("add eth0 192.0.2.9 --local"), "{message}");
}

#[test]
fn what_is_listed_can_be_named() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("addr add 192.0.2.50/24 dev eth0 label eth0:web");
    lab.a.ip("addr add 192.0.2.51/24 dev eth0 label eth0:6");
    lab.a.ip("addr add 10.9.9.9/32 dev lo label lo:0");
    let shown = ok(&lab, "-a");
    for (name, address) in [
        ("eth0:web", "192.0.2.50"),
        ("eth0:6", "192.0.2.51"),
        ("lo:0", "10.9.9.9"),
    ] {
        let block = ok(&lab, name);
        assert!(block.starts_with(name), "{block}");
        assert!(block.contains(&format!("inet addr:{address}")), "{block}");
        assert_eq!(block.matches("Link encap").count(), 1, "{block}");
        assert!(shown.contains(block.trim_end()), "{name}: {shown}");
    }
    for style in ["bsd", "aix", "solaris"] {
        let block = ok(&lab, &format!("--style {style} eth0:web"));
        assert!(block.contains("192.0.2.50"), "{style}: {block}");
        assert!(!block.contains("192.0.2.51"), "{style}: {block}");
    }
    let message = refused(&lab, "eth0:web 192.0.2.52/24", "ENODEV");
    assert!(
        message.contains("ip addr add 192.0.2.52/24 dev eth0 label eth0:web"),
        "{message}"
    );
    let message = refused(&lab, "eth0:web down", "ENODEV");
    assert!(
        message.contains("ip addr del 192.0.2.50/24 dev eth0"),
        "{message}"
    );
    let message = refused(&lab, "lo:0 down", "ENODEV");
    assert!(
        message.contains("ip addr del 10.9.9.9/32 dev lo"),
        "{message}"
    );
    refused(&lab, "eth0:nobody", "ENODEV");
}

#[test]
fn labels_that_are_no_slots_are_refused_with_what_makes_them() {
    let lab = Lab::plain();
    for (line, errno, way) in [
        (
            "eth0:ucarp 192.0.2.60 netmask 255.255.255.0",
            "ENODEV",
            "ip addr add 192.0.2.60/24 dev eth0 label eth0:ucarp",
        ),
        (
            "lo:0 192.0.2.60 netmask 255.255.255.255 up",
            "EOPNOTSUPP",
            "ip addr add 192.0.2.60/32 dev lo label lo:0",
        ),
        (
            "lo:0 127.0.0.2",
            "EOPNOTSUPP",
            "ip addr add 127.0.0.2/8 dev lo label lo:0",
        ),
        (
            "lo 192.0.2.60/32 alias",
            "EOPNOTSUPP",
            "ip addr add 192.0.2.60/32 dev lo",
        ),
    ] {
        let message = refused(&lab, line, errno);
        assert!(message.contains(way), "{line}: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
        assert!(!is_attached(&lab), "{line}");
    }
}

/// A name of 15 bytes has no room for a label's slot. Without a label of its own an
/// address would be the device's to other tools.
#[test]
fn long_names_do_not_hand_an_alias_out_as_the_devices_own() {
    let lab = Lab::plain();
    lab.a.ip_batch(
        "link add abcdefghijklmno type veth peer name abcdefghijklmn\n\
         link set abcdefghijklmno up\n\
         link set abcdefghijklmn up\n",
    );
    for device in ["abcdefghijklmno", "abcdefghijklmn"] {
        let index = lab.a.ifindex(device);
        let altnames = || lab.a.link(device)["altnames"].clone();
        ok(&lab, &format!("{device}:3 198.51.100.8/24"));
        lab.ctl_ok(&["add", &format!("{device}:14"), "198.51.100.9/24", "--local"]);
        // Other tools cut it at the colon, and must find the device before it.
        assert_eq!(label(&lab, device, "198.51.100.8"), format!("al{index}:3"));
        assert_eq!(label(&lab, device, "198.51.100.9"), format!("al{index}:14"));
        assert_eq!(lab.a.link(&format!("al{index}"))["ifname"], device);
        // So the device's own address is another, and aliases stay when it changes.
        ok(&lab, &format!("{device} 203.0.113.1/24"));
        ok(&lab, &format!("{device} 203.0.113.2/24"));
        assert_eq!(label(&lab, device, "203.0.113.2"), device);
        assert_eq!(lab.alias_names().len(), 2);
        let shown = ok(&lab, device);
        assert!(
            shown.contains("203.0.113.2") && !shown.contains("198.51.100"),
            "{shown}"
        );
        ok(&lab, &format!("{device}:3 down"));
        assert!(!altnames().is_null(), "the other needs it");
        ok(&lab, &format!("{device}:14 down"));
        assert!(altnames().is_null(), "{}", altnames());
        lab.ctl_ok(&["detach", device]);
    }
}

#[test]
fn an_alias_device_is_up_as_it_is() {
    let lab = Lab::attached(Mode::Native);
    let web = lab.namespace("web");
    let here = &lab.a;
    lab.ctl_ok(&["add", "eth0:0", "192.0.2.10/24"]);
    lab.ctl_ok(&["add", "eth0:1", "2001:db8:0:1::11/64"]);
    lab.ctl_ok(&["add", "eth0:2", "192.0.2.12/24", "--netns", web.name()]);
    lab.ctl_ok(&["add", "eth0:3", "192.0.2.13/24", "--join", "eth0:2"]);
    for (alias, address, place) in [
        ("eth0:0", "192.0.2.10", here),
        ("eth0:1", "2001:db8:0:1::11", here),
        ("eth0:2", "192.0.2.12", &web),
        ("eth0:3", "192.0.2.13", &web),
    ] {
        let is_up = |line: &str| ok(&lab, line).contains("UP BROADCAST RUNNING");
        let device = lab.row(alias)["device"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        // The kernel sees a carrier some time after.
        wait_for("the alias to run", LIMIT, || is_up(alias));
        lab.b.ping_ok(address, 1);
        place.ip(&format!("link set dev {device} down"));
        assert!(!is_up(alias), "{alias}: {}", ok(&lab, alias));
        assert!(ok(&lab, "-d -l").contains(alias), "{alias}");
        assert!(is_up("eth0"), "its parent is");
        ok(&lab, &format!("{alias} up"));
        wait_for("the alias to run again", LIMIT, || is_up(alias));
        lab.b.ping_ok(address, 1);
    }
    // An address that was flushed comes back as well.
    web.ip("addr flush dev eth0:2 to 192.0.2.12/32");
    ok(&lab, "eth0:2 up");
    lab.b.ping_ok("192.0.2.12", 1);
}
