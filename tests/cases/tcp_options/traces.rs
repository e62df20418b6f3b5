//! Options come and go with their alias, and with the last of them the programs.

use std::fs;

use alias_tests::bpf::{link_exists, link_id};
use alias_tests::{Lab, Mode, wait_for};
use serde_json::{Value, json};

use super::{
    APPLIED, DEFAULTS, Home, OPTIONS, assert_options, assert_untouched, opened, scene, set_options,
    taken,
};
use crate::scene::{FAMILIES, Family, LIMIT};

/// The pins that are there only while an alias has options.
#[track_caller]
fn pins(lab: &Lab) -> Vec<std::path::PathBuf> {
    let mut pins = lab.pins();
    pins.retain(|pin| {
        let name = pin.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("tcp_"))
    });
    pins
}

/// Ids of the links of the programs, by which the kernel knows them.
#[track_caller]
fn links(lab: &Lab) -> Vec<u32> {
    let pins = pins(lab);
    assert_eq!(pins.len(), 3, "a map and two links: {pins:?}");
    let links = pins
        .iter()
        .filter(|pin| pin.to_string_lossy().ends_with("_link"));
    let ids: Vec<u32> = links
        .map(|pin| link_id(pin).expect("a pinned link"))
        .collect();
    assert!(
        ids.len() == 2 && ids.iter().all(|id| exists(*id)),
        "{ids:?}"
    );
    for pin in pins {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&pin).expect("a pin").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", pin.display());
    }
    ids
}

fn exists(link: u32) -> bool {
    link_exists(link).expect("the kernel says whether it has a link")
}

#[track_caller]
fn assert_gone(lab: &Lab, links: &[u32]) {
    assert_eq!(pins(lab), [] as [std::path::PathBuf; 0]);
    for link in links {
        wait_for("the kernel to forget the link", LIMIT, || !exists(*link));
    }
}

#[test]
fn nothing_is_left_of_them() {
    let ends: [&[&str]; 5] = [
        &[&["set", "eth0:0"][..], &DEFAULTS].concat(),
        &["del", "eth0:0"],
        &["detach", "eth0", "--cascade"],
        &["del", "eth0", "--all"],
        &[&["set", "eth0:0", "198.51.100.10/24"][..], &DEFAULTS].concat(),
    ];
    for end in ends {
        let scene = scene(Family::V4, Home::Local);
        let lab = &scene.lab;
        assert_eq!(
            pins(lab),
            [] as [std::path::PathBuf; 0],
            "not before they are needed"
        );
        set_options(lab);
        let links = links(lab);
        lab.ctl_ok(end);
        assert_gone(lab, &links);
        // The address as a plain one: its sockets get nothing.
        lab.a.ip("addr replace 198.51.100.8/24 dev eth0");
        let address = Family::V4.alias_ip(0);
        assert_untouched("afterwards", &opened(lab, &lab.a, address, Family::V4));
        assert_untouched("afterwards", &taken(lab, &lab.a, address));
    }
}

#[test]
fn the_parent_or_its_namespace_goes() {
    let scene = scene(Family::V4, Home::Beside);
    set_options(&scene.lab);
    let ids = links(&scene.lab);
    scene.lab.a.ip("link del eth0");
    // The next change puts in order what it finds.
    scene.lab.ctl_err(&["del", "eth0:0"], "ENODEV");
    assert_gone(&scene.lab, &ids);
}

#[test]
fn they_follow_the_alias_to_another_address() {
    for family in FAMILIES {
        let scene = scene(family, Home::Local);
        let lab = &scene.lab;
        set_options(lab);
        let ids = links(lab);
        let there = format!("{}/{}", family.alias(2), family.prefix_len());
        lab.ctl_ok(&["set", "eth0:0", &there]);
        assert_eq!(
            links(lab),
            ids,
            "the programs have stayed, and what they noted"
        );
        assert_options(
            "there",
            &opened(lab, &lab.a, family.alias_ip(2), family),
            &APPLIED,
        );
        let nodad = if family == Family::V6 { "nodad" } else { "" };
        lab.a.ip(&format!(
            "addr add {}/{} dev eth0 {nodad}",
            family.alias(0),
            family.prefix_len()
        ));
        assert_untouched("here", &opened(lab, &lab.a, family.alias_ip(0), family));
    }
}

#[test]
fn they_follow_the_device_to_another_namespace() {
    let scene = scene(Family::V4, Home::Beside);
    let lab = &scene.lab;
    set_options(lab);
    let there = lab.namespace("there");
    let name = scene.device("eth0:0");
    lab.a.ip(&format!("link set {name} netns {}", there.name()));
    // Any command that changes something finds it there.
    lab.ctl_ok(&["enable", "eth0:0"]);
    there.ip(&format!("route replace {} dev {name}", Family::V4.cable()));
    let connection = opened(lab, &there, Family::V4.alias_ip(0), Family::V4);
    assert_options("there", &connection, &APPLIED);
}

#[test]
fn add_takes_them_and_show_tells_of_them() {
    let lab = Lab::attached(Mode::Native);
    let add = ["add", "eth0:0", "198.51.100.8/24", "--local"];
    let all = json!({
        "tcp_nodelay": 1, "tcp_sendspace": 70000, "tcp_recvspace": 60000, "tcp_mssdflt": 1000,
    });
    lab.ctl_ok(&[&add, &OPTIONS[..]].concat());
    assert_eq!(lab.row("eth0:0")["tcp"], all);
    // Once more, with and without: they stay, and others come.
    lab.ctl_ok(&add);
    assert_eq!(lab.row("eth0:0")["tcp"], all);
    lab.ctl_ok(&[&add, &["--tcp-nodelay", "0", "--rfc1323", "1"][..]].concat());
    let tcp = &lab.row("eth0:0")["tcp"];
    assert_eq!(
        (&tcp["tcp_nodelay"], &tcp["rfc1323"]),
        (&json!(0), &json!(1))
    );
    let table = lab.ctl_ok(&["show"]);
    assert!(
        table.contains("TCP") && table.contains("tcp_sendspace=70000"),
        "{table}"
    );

    lab.ctl_ok(&["add", "eth0:1", "203.0.113.9", "--local"]);
    assert_eq!(lab.row("eth0:1")["tcp"], Value::Null);
    lab.ctl_ok(&["del", "eth0:0"]);
    assert!(
        !lab.ctl_ok(&["show"]).contains("TCP"),
        "no column for nothing"
    );
}

#[test]
fn a_range_has_them_all() {
    let lab = Lab::attached(Mode::Native);
    let add = ["add", "eth0", "--range", "198.51.100.8/30", "--local"];
    lab.ctl_ok(&[&add, &OPTIONS[..]].concat());
    let ids = links(&lab);
    for last in 8..12 {
        let address = [198, 51, 100, last].into();
        assert_options(
            "in a range",
            &opened(&lab, &lab.a, address, Family::V4),
            &APPLIED,
        );
    }
    lab.ctl_ok(&["del", "eth0:0", "eth0:1", "eth0:2"]);
    assert_eq!(links(&lab), ids, "one still has options");
    lab.ctl_ok(&["del", "eth0:3"]);
    assert_gone(&lab, &ids);
}
