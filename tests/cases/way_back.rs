//! Every alias that is listed answers; one that cannot, because its namespace's routes lead
//! no answer back, is said when it is made, and by `doctor` until it can.

use alias_tests::{Lab, Mode, Namespace, comes_true, wait_for};
use serde_json::Value;

use crate::scene::{FAMILIES, Family, LIMIT, modes};

#[track_caller]
fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

/// What the command said on standard error.
#[track_caller]
fn said(lab: &Lab, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    lab.ctl(&words).ok().stderr
}

/// The problems that `doctor` names, by alias.
fn problems(lab: &Lab, words: &[&str]) -> Vec<Value> {
    let output = lab.ctl(&[&["doctor", "-j"], words].concat());
    let found: Value = serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("doctor -j: {error}: {output}"));
    let found = found.as_array().expect("an array").clone();
    let problems: Vec<Value> = found
        .into_iter()
        .filter(|finding| finding["level"] == "problem")
        .collect();
    assert_eq!(output.code(), i32::from(!problems.is_empty()), "{output}");
    problems
}

/// Waits until the problems are these aliases'; hands them on.
#[track_caller]
fn blamed(lab: &Lab, aliases: &[&str]) -> Vec<Value> {
    let mut found = Vec::new();
    let as_expected = comes_true(LIMIT, || {
        found = problems(lab, &[]);
        found.iter().map(|problem| &problem["object"]).eq(aliases)
    });
    assert!(as_expected, "of {aliases:?}: {found:#?}");
    found
}

/// Does what a finding says, in the lab's host.
#[track_caller]
fn heed(lab: &Lab, finding: &Value) {
    let way_out = finding["way_out"].as_str().expect("a way out");
    for command in way_out.split(" && ") {
        lab.a.run(command).ok();
    }
}

#[track_caller]
fn device(lab: &Lab, alias: &str) -> String {
    lab.row(alias)["device"]
        .as_str()
        .expect("a device")
        .to_owned()
}

/// In the network of the cable, and no address of anybody's.
const fn near(family: Family) -> [&'static str; 3] {
    match family {
        Family::V4 => ["192.0.2.20", "192.0.2.21", "192.0.2.22"],
        Family::V6 => ["2001:db8:0:1::20", "2001:db8:0:1::21", "2001:db8:0:1::22"],
    }
}

#[test]
fn a_whole_range_without_a_route_is_said_once_and_mended() {
    for mode in modes() {
        for family in FAMILIES {
            let lab = Lab::attached(mode);
            let home = lab.namespace("home");
            let [first, _, last] = near(family);
            let line = format!("add eth0 --range {first}-{last} --netns {}", home.name());
            let note = said(&lab, &line);
            assert_eq!(note.matches("note:").count(), 1, "{note}");
            let words = format!("no route back to {}", family.cable());
            assert!(note.contains(&words), "{note}");
            assert!(note.contains("eth0:0 (and 2 more"), "{note}");
            lab.b.ping_unanswered(first);
            let found = blamed(&lab, &["eth0:0", "eth0:1", "eth0:2"]);
            heed(&lab, &found[0]);
            blamed(&lab, &[]);
            for address in near(family) {
                lab.b.ping_ok(address, 1);
            }
            // With a route there is nothing to say.
            let address = format!("{}9", first.trim_end_matches('0'));
            let line = format!("add eth0:9 {address} --netns {}", home.name());
            assert_eq!(said(&lab, &line), "");
            lab.b.ping_ok(&address, 1);
        }
    }
}

/// The daemon has nothing to do with it: it is the command that says so.
#[test]
fn of_an_apply_it_is_said_once() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    let _daemon = lab.daemon(&[]);
    let alias = |name: &str, address: &str, netns: &str| {
        format!("[[alias]]\nname = \"{name}\"\naddress = \"{address}\"\nnetns = \"{netns}\"\n\n")
    };
    let text = format!(
        "version = 1\n\n{}{}",
        alias("eth0:0", "192.0.2.20", home.name()),
        alias("eth0:1", "192.0.2.21", home.name()),
    );
    let path = std::env::temp_dir().join(format!("alias-way-back-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("a file");
    let note = said(&lab, &format!("apply {}", path.display()));
    std::fs::remove_file(&path).expect("our own file");
    assert_eq!(note.matches("note:").count(), 1, "{note}");
    assert!(note.contains("eth0:0 (and one more"), "{note}");
    blamed(&lab, &["eth0:0", "eth0:1"]);
}

/// The parent has a default route; the namespace has its network, and no gateway.
#[test]
fn who_is_behind_a_gateway_gets_an_answer_or_that_is_said() {
    for family in FAMILIES {
        let lab = Lab::attached(Mode::Native);
        let home = lab.namespace("home");
        let (flag, far, default) = match family {
            Family::V4 => ("", "203.0.113.77", "default"),
            Family::V6 => ("-6 ", "2001:db8:77::77", "::/0"),
        };
        lab.a.ip(&format!(
            "{flag}route add {default} via {} dev eth0",
            family.b()
        ));
        let bits = if flag.is_empty() { 32 } else { 128 };
        lab.b.ip(&format!("{flag}addr add {far}/{bits} dev lo"));
        let [address, ..] = near(family);
        let line = format!(
            "add eth0:0 {address}/{} --netns {}",
            family.prefix_len(),
            home.name()
        );
        let note = said(&lab, &line);
        assert!(
            note.contains("no route back to the rest of the world"),
            "{note}"
        );
        let ask = || lab.b.ping_with(address, 1, &format!("-I {far}")).received;
        assert_eq!(ask(), 0);
        heed(&lab, &blamed(&lab, &["eth0:0"])[0]);
        blamed(&lab, &[]);
        assert_eq!(ask(), 1);
    }
}

/// A neighbour's device that is down takes the way of both; only the silent one is blamed.
#[test]
fn the_silent_one_is_blamed_and_not_its_neighbour() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    for slot in 0..2 {
        run(
            &lab,
            &format!("add eth0:{slot} 192.0.2.2{slot}/24 --netns {}", home.name()),
        );
        home.wait_until_up(&format!("eth0:{slot}"));
    }
    blamed(&lab, &[]);
    let first = device(&lab, "eth0:0");
    home.ip(&format!("link set {first} down"));
    blamed(&lab, &["eth0:0"]);
    lab.b.ping_ok("192.0.2.21", 1);
    assert!(problems(&lab, &["eth0:1"]).is_empty());
    assert_eq!(problems(&lab, &["eth0:0"]).len(), 1);
    home.ip(&format!("link set {first} up"));
    blamed(&lab, &[]);
    // Its route stays, and leads nowhere.
    home.ip("link add sink type veth peer name far");
    home.ip_batch("link set far up\nlink set sink up\n");
    home.ip("route add 192.0.2.1/32 dev sink");
    lab.b.ping_unanswered("192.0.2.21");
    let found = blamed(&lab, &["eth0:0", "eth0:1"]);
    let what = found[1]["finding"].as_str().expect("a sentence");
    assert!(what.contains("leave by sink"), "{what}");
    for finding in &found {
        heed(&lab, finding);
    }
    blamed(&lab, &[]);
    lab.b.ping_ok("192.0.2.21", 1);
}

/// Two parents on one link, with an alias each in one namespace.
#[test]
fn answers_that_leave_by_the_other_parent_are_named() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    let (a, b): (&Namespace, &Namespace) = (&lab.a, &lab.b);
    a.ip("link add eth1 type veth peer name far1");
    a.ip(&format!("link set far1 netns {} name eth1", b.name()));
    a.ip("addr add 198.51.100.1/24 dev eth1");
    b.ip("addr add 198.51.100.2/24 dev eth1");
    for (host, mac) in [(a, "02:00:5e:10:01:01"), (b, "02:00:5e:10:01:02")] {
        host.ip(&format!("link set eth1 address {mac} up"));
    }
    b.ip("route add 192.0.2.128/25 dev eth1 src 192.0.2.1");
    a.ip("route add 192.0.2.0/24 dev eth1 metric 7");
    run(
        &lab,
        &format!("add eth0:0 192.0.2.20/24 --netns {}", home.name()),
    );
    home.wait_until_up("eth0:0");
    let note = said(
        &lab,
        &format!("add eth1:0 192.0.2.200/24 --netns {}", home.name()),
    );
    assert!(note.contains("the device of eth0:0"), "{note}");
    home.wait_until_up("eth1:0");
    lab.b.ping_unanswered("192.0.2.200");
    let found = blamed(&lab, &["eth1:0"]);
    heed(&lab, &found[0]);
    blamed(&lab, &[]);
    wait_for("an answer by its own device", LIMIT, || {
        lab.b.ping("192.0.2.200", 1).received == 1
    });
    lab.b.ping_ok("192.0.2.20", 1);
}

#[test]
fn beside_a_parent_without_a_link_local_address_it_is_said() {
    for mode in modes() {
        let lab = Lab::attached(mode);
        lab.a.ip("-6 addr flush dev eth0 scope link");
        let note = said(&lab, "add eth0:6 2001:db8:0:1::66/64");
        assert!(note.contains("no IPv6 link-local address"), "{note}");
        lab.b.ping_unanswered("2001:db8:0:1::66");
        heed(&lab, &blamed(&lab, &["eth0:6"])[0]);
        wait_for("an answer", LIMIT, || {
            lab.b.ping("2001:db8:0:1::66", 1).received == 1
        });
        blamed(&lab, &[]);
    }
}

/// Its device asks for its neighbours by itself.
#[test]
fn a_prefix_of_ipv6_answers_in_a_namespace_of_its_own() {
    for mode in modes() {
        let lab = Lab::attached(mode);
        let home = lab.namespace("home");
        lab.b
            .ip("-6 route add 2001:db8:9::/64 via 2001:db8:0:1::9 dev eth0");
        let note = said(
            &lab,
            &format!(
                "add eth0:0 2001:db8:9::/64 --prefix --netns {}",
                home.name()
            ),
        );
        assert!(note.contains("no route back"), "{note}");
        heed(&lab, &blamed(&lab, &["eth0:0"])[0]);
        blamed(&lab, &[]);
        for address in ["2001:db8:9::1", "2001:db8:9::ffff"] {
            wait_for("an answer", LIMIT, || lab.b.ping(address, 1).received == 1);
        }
    }
}
