//! `--hear` as a property of an alias: changed, saved, refused, killed half way, and the NIC
//! that must take what is heard.

use alias_tests::{Lab, Mode};
use serde_json::{Value, json};

use super::{Home, silent_lab};
use crate::aim::Aim;
use crate::configuration::desk::Desk;
use crate::daemon_stage::{BOTH, Stage};

fn all_multicast(lab: &Lab) -> bool {
    let link = lab.a.link("eth0");
    let flags = link["flags"].as_array().cloned().unwrap_or_default();
    flags.iter().any(|flag| flag == "ALLMULTI")
}

#[test]
fn is_changed_in_place_and_the_nic_takes_what_is_heard() {
    let lab = Lab::attached(Mode::Native);
    let home = Home::with(&lab, "c0", "eth0:0", "192.0.2.50/24", &[]);
    home.place
        .ip(&format!("route add 203.0.113.0/24 dev {}", home.device));
    let index = home.place.ifindex(&home.device);
    let hears = |alias: &str| lab.row(alias)["hear"].clone();
    assert_eq!(hears("eth0:0"), json!([]));
    assert!(!all_multicast(&lab));
    for (words, listed, all) in [
        ("multicast", json!(["multicast"]), true),
        ("broadcast", json!(["broadcast"]), false),
        (
            "multicast,broadcast",
            json!(["multicast", "broadcast"]),
            true,
        ),
        ("none", json!([]), false),
        ("multicast", json!(["multicast"]), true),
    ] {
        lab.ctl_ok(&["set", "eth0:0", "--hear", words]);
        assert_eq!(hears("eth0:0"), listed, "{words}");
        assert_eq!(all_multicast(&lab), all, "{words}");
        assert_eq!(
            home.place.ifindex(&home.device),
            index,
            "{words}: another device"
        );
        assert!(home.place.ip("route").contains("203.0.113.0/24"), "{words}");
    }
    assert!(lab.ctl_ok(&["show"]).contains("HEAR"));
    // Another change keeps it, and growth; a second that hears; the last one ends it.
    lab.ctl_ok(&["set", "eth0:0", "192.0.2.51/24"]);
    lab.ctl_ok(&["set", "eth0", "--capacity", "70000"]);
    assert_eq!(hears("eth0:0"), json!(["multicast"]));
    lab.ctl_ok(&["add", "eth0:1", "192.0.2.52/24", "--hear", "multicast"]);
    lab.ctl_ok(&["del", "eth0:0"]);
    assert!(all_multicast(&lab));
    lab.ctl_ok(&["set", "eth0:1", "--drop"]);
    assert_eq!(hears("eth0:1"), json!([]), "it has no device any more");
    assert!(!all_multicast(&lab));
    // Said twice is once; without the word it stays.
    for _ in 0..2 {
        lab.ctl_ok(&["add", "eth0:2", "192.0.2.53/24", "--hear", "multicast"]);
        lab.ctl_ok(&["add", "eth0:2", "192.0.2.53/24"]);
        assert_eq!(hears("eth0:2"), json!(["multicast"]));
    }
    // Taken away by others it is missed.
    lab.a.ip("link set eth0 allmulticast off");
    let output = lab.ctl(&["doctor", "eth0"]);
    assert_eq!(output.code(), 1, "{output}");
    assert!(
        output
            .stdout
            .contains("ip link set dev eth0 allmulticast on"),
        "{output}"
    );
    let output = lab.ctl(&["enable", "eth0:2"]);
    assert!(output.stderr.contains("set again"), "{output}");
    assert_eq!(lab.ctl(&["doctor", "eth0"]).code(), 0);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    assert!(!all_multicast(&lab));
    // What was set by others stays.
    lab.a.ip("link set eth0 allmulticast on");
    lab.ctl_ok(&["add", "eth0:0", "192.0.2.50/24", "--hear", "multicast"]);
    lab.ctl_ok(&["del", "eth0:0"]);
    assert!(all_multicast(&lab));
}

#[test]
fn others_end_it_and_the_nic_takes_it_again() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        lab.ctl_ok(&["add", "eth0:0", "192.0.2.50/24", "--hear", "multicast"]);
        lab.a.ip("link set eth0 allmulticast off");
        stage.put_right("all-multicast mode", || all_multicast(lab));
        lab.ctl_ok(&["del", "eth0:0"]);
        assert!(!all_multicast(lab), "{by:?}");
    }
}

#[test]
fn of_what_has_no_device_or_is_unknown_is_refused() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "192.0.2.50/24"]);
    lab.ctl_ok(&["add", "eth0:1", "192.0.2.51", "--drop"]);
    lab.ctl_ok(&["add", "eth0:2", "192.0.2.52/24", "--join", "eth0:0"]);
    lab.ctl_ok(&["add", "eth0:3", "192.0.2.53/24", "--local"]);
    for alias in ["eth0:1", "eth0:2", "eth0:3"] {
        let message = lab.ctl_refused(&["set", alias, "--hear", "multicast"], "EINVAL");
        assert!(message.contains("no device of its own"), "{message}");
    }
    for word in ["all", "multicast;broadcast", ""] {
        lab.ctl_refused(&["set", "eth0:0", "--hear", word], "EINVAL");
    }
    for target in [&["--drop"][..], &["--local"], &["--join", "eth0:0"]] {
        let line = [
            &["add", "eth0:9", "192.0.2.59", "--hear", "multicast"][..],
            target,
        ]
        .concat();
        assert_eq!(lab.ctl(&line).code(), 2, "{target:?}");
    }
}

#[test]
fn is_saved_restored_declared_and_compared() {
    let desk = Desk::attached();
    let lab = &desk.lab;
    lab.ctl_ok(&[
        "add",
        "eth0:0",
        "198.51.100.8/24",
        "--hear",
        "multicast,broadcast",
    ]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9/24"]);
    let rows = lab.rows();
    lab.ctl_ok(&["save"]);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    lab.ctl_ok(&["restore"]);
    let without_device = |rows: &[Value]| -> Vec<Value> {
        let hear = |row: &Value| json!([row["alias"], row["hear"]]);
        rows.iter().map(hear).collect()
    };
    assert_eq!(without_device(&lab.rows()), without_device(&rows));
    assert_eq!(lab.ctl(&["diff"]).code(), 0);
    let device = lab.a.ifindex(&lab.device("eth0:0"));
    let declare = |hear: &str| {
        let text = format!(
            "version = 1\n[[parent]]\nname = \"eth0\"\n\
             [[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8/24\"\n{hear}\n\
             [[alias]]\nname = \"eth0:1\"\naddress = \"198.51.100.9/24\"\n"
        );
        desk.write(&text)
    };
    for (key, listed) in [
        ("hear = \"broadcast\"", json!(["broadcast"])),
        ("", json!([])),
        (
            "hear = \"multicast,broadcast\"",
            json!(["multicast", "broadcast"]),
        ),
    ] {
        let file = declare(key);
        let differs = lab.ctl(&["diff", &file]);
        assert_eq!(differs.code(), 1, "{key}: {differs}");
        lab.ctl_ok(&["apply", &file]);
        assert_eq!(lab.row("eth0:0")["hear"], listed, "{key}");
        assert_eq!(lab.ctl(&["diff", &file]).code(), 0, "{key}");
        let now = lab.a.ifindex(&lab.device("eth0:0"));
        assert_eq!(now, device, "{key}: another device");
    }
    for (key, says) in [
        ("hear = \"all\"", "unknown"),
        ("hear = \"multicast\"\ntarget = \"drop\"", "no device"),
        ("hear = 1", "a string"),
    ] {
        let message = lab.ctl_err(&["apply", &declare(key)], "EINVAL");
        assert!(message.contains(says), "{key}: {message}");
    }
}

/// At least.
const ROUNDS: u32 = 10;

#[test]
fn whatever_was_killed_half_way_the_nic_takes_what_is_heard() {
    let lab = silent_lab(Mode::Native);
    lab.ctl_ok(&["add", "eth0:9", "192.0.2.59", "--drop"]);
    let add = ["add", "eth0:0", "192.0.2.50/24", "--hear", "multicast"];
    let set = |what| ["set", "eth0:0", "--hear", what];
    let steps: [(&[&str], &[&str]); 4] = [
        (&["del", "eth0", "--all"], &add),
        (&add, &set("none")),
        (&set("none"), &set("multicast")),
        (&set("multicast"), &["del", "eth0:0"]),
    ];
    let mut aim = Aim::new(0x0009_5eed);
    for (before, line) in steps {
        let prepare = || {
            lab.ctl_ok(&["del", "eth0", "--all"]);
            lab.ctl_ok(&["add", "eth0:9", "192.0.2.59", "--drop"]);
            if before[0] != "del" {
                lab.ctl_ok(&add);
                lab.ctl_ok(before);
            }
        };
        prepare();
        aim.measure(|| drop(lab.ctl_ok(line)));
        while aim.goes_on(ROUNDS) {
            prepare();
            let (_, what) = aim.kill(lab.ctl_spawn(line));
            lab.ctl_ok(&["add", "eth0:20", "192.0.2.60", "--drop"]);
            let hears = |row: &Value| row["hear"] == json!(["multicast"]);
            let needed = lab.rows().iter().any(hears);
            assert_eq!(all_multicast(&lab), needed, "{line:?} {what}");
        }
    }
}
