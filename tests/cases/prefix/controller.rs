//! What the controller says of prefixes, what it refuses, and which engine it runs.

use alias_tests::{Lab, Mode};
use serde_json::{Value, json};

use super::running;
use crate::scene::XDP_MODES;

#[track_caller]
fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

/// Who has no prefix pays nothing: the program without one is not the one with one, and
/// comes back when the last goes.
#[test]
fn without_a_prefix_the_engine_knows_of_none() {
    for mode in XDP_MODES {
        let lab = Lab::attached(mode);
        let before = (lab.pins(), running(&lab));
        run(&lab, "add eth0:0 198.51.100.0/24 --drop");
        assert_eq!(
            running(&lab),
            before.1,
            "{mode:?}: an address changes nothing"
        );
        run(&lab, "add eth0:1 198.51.100.0/24 --prefix --drop");
        let full = running(&lab);
        assert_ne!(full, before.1, "{mode:?}: another engine runs");
        assert!(full.2 > before.1.2, "{mode:?}: a larger one");
        run(&lab, "add eth0:2 2001:db8:1::/48 --prefix --drop");
        run(&lab, "set eth0:1 198.51.100.0/25 --prefix");
        run(&lab, "del eth0:1");
        assert_eq!(running(&lab).0, full.0, "{mode:?}: one is left");
        run(&lab, "del eth0:2");
        let after = (lab.pins(), running(&lab));
        assert_eq!(after, before, "{mode:?}: the one from before is back");
        // Refused is refused: nothing of the engine is left either.
        lab.ctl_err(
            &["add", "eth0:3", "192.0.2.0/24", "--prefix", "--drop"],
            "EEXIST",
        );
        lab.ctl_err(
            &["add", "eth0:3", "198.18.0.0/15", "--prefix", "--to", "none"],
            "ENODEV",
        );
        assert_eq!((lab.pins(), running(&lab)), before, "{mode:?}");
    }
}

/// Prefixes and types need the same engine; it stays until both are gone.
#[test]
fn the_full_engine_serves_prefixes_and_types() {
    let objects = std::env::var_os("ALIAS_EBPF_OBJECTS").expect("set by .cargo/config.toml");
    let object = std::path::PathBuf::from(objects).join("mpls.bpf.o");
    let object = object.display().to_string();
    let lab = Lab::attached(Mode::Native);
    let before = running(&lab);
    for (first, last) in [("prefix", "type"), ("type", "prefix")] {
        for what in [first, last] {
            match what {
                "prefix" => drop(run(&lab, "add eth0:0 198.51.100.0/24 --prefix --drop")),
                _ => drop(lab.ctl_ok(&["types", "add", &object])),
            }
            assert_ne!(running(&lab), before);
        }
        lab.b.ip("route replace 198.51.100.0/24 via 192.0.2.9");
        lab.b.ping_unanswered("198.51.100.9");
        for what in [first, last] {
            assert_ne!(running(&lab), before, "{first}, {last}");
            match what {
                "prefix" => drop(run(&lab, "del eth0:0")),
                _ => drop(run(&lab, "types del mpls")),
            }
        }
        assert_eq!(running(&lab), before, "{first}, {last}");
    }
}

#[test]
fn it_is_listed_as_a_prefix() {
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:0 198.51.100.0/24 --prefix --drop");
    run(&lab, "add eth0:1 198.51.100.0/24 --drop");
    run(&lab, "add eth0:2 2001:db8:1::/48 --prefix --vlan 10 --drop");
    let facts = |row: &Value| {
        ["alias", "family", "address", "prefix_len", "prefix", "vlan"].map(|key| row[key].clone())
    };
    let expected = [
        json!(["eth0:0", "ip", "198.51.100.0", 24, true, null]),
        json!(["eth0:1", "ip", "198.51.100.0", 24, false, null]),
        json!(["eth0:2", "ipv6", "2001:db8:1::", 48, true, 10]),
    ];
    for verb in ["show", "stats"] {
        let rows = lab.ctl_json(&[verb]);
        let rows: Vec<Value> = rows
            .as_array()
            .expect("an array")
            .iter()
            .map(|row| json!(facts(row)))
            .collect();
        assert_eq!(rows, expected, "{verb}");
    }
    let words = |text: String, alias: &str| {
        let line = text.lines().find(|line| line.starts_with(alias));
        let line = line.unwrap_or_else(|| panic!("no {alias} in {text}"));
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words
    };
    let shown = run(&lab, "show");
    assert!(shown.contains("  PREFIX"), "{shown}");
    let cells = words(shown, "eth0:0");
    assert_eq!([&*cells[2], &*cells[8]], ["198.51.100.0/24", "yes"]);
    assert_eq!(words(run(&lab, "show"), "eth0:1")[8], "-");
    assert_eq!(words(run(&lab, "stats"), "eth0:0")[1], "198.51.100.0/24");
    assert_eq!(words(run(&lab, "stats"), "eth0:1")[1], "198.51.100.0");
    let listing = run(&lab, "show --proc");
    for (alias, address) in [
        ("eth0:0", "198.51.100.0/24"),
        ("eth0:1", "198.51.100.0"),
        ("eth0:2", "2001:db8:1::/48"),
    ] {
        assert_eq!(words(listing.clone(), alias)[2], address, "{listing}");
    }
    run(&lab, "del eth0:0 eth0:2");
    let shown = run(&lab, "show");
    assert!(!shown.contains("PREFIX"), "no column for nothing: {shown}");
}

#[test]
fn what_is_refused_says_the_way_out() {
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:0 198.51.100.0/24 --prefix --drop");
    run(&lab, "add eth0:1 198.51.100.7 --drop");
    let before = (lab.rows(), lab.pins(), running(&lab));
    for (line, errno, said) in [
        (
            "add eth0:5 198.51.100.9/24 --prefix --drop",
            "EINVAL",
            "198.51.100.0/24",
        ),
        (
            "add eth0:5 198.51.100.9/32 --prefix --drop",
            "EINVAL",
            "without --prefix",
        ),
        (
            "add eth0:5 2001:db8::1/128 --prefix --drop",
            "EINVAL",
            "without --prefix",
        ),
        (
            "add eth0:5 198.51.100.0 --prefix --drop",
            "EINVAL",
            "198.51.100.0/24",
        ),
        (
            "add eth0:5 192.0.0.0/2 --prefix --drop",
            "EINVAL",
            "multicast",
        ),
        (
            "add eth0:5 198.51.100.0/24 --prefix --drop",
            "EEXIST",
            "eth0:0",
        ),
        (
            "add eth0:0 198.51.100.0/25 --prefix --drop",
            "EEXIST",
            "alias-ctl set",
        ),
        (
            "add eth0:0 198.51.100.0/24 --drop",
            "EEXIST",
            "alias-ctl set",
        ),
        (
            "add eth0:5 192.0.2.0/24 --prefix --drop",
            "EEXIST",
            "alias-ctl add eth0 192.0.2.9 --local",
        ),
        ("set eth0:1 198.51.100.0/24 --prefix", "EEXIST", "eth0:0"),
        ("set eth0:1 192.0.2.0/25 --prefix", "EEXIST", "192.0.2.9"),
        (
            "add eth0:5 203.0.113.0/24 --prefix --local --tcp-nodelay 1",
            "EOPNOTSUPP",
            "prefix",
        ),
        (
            "add eth0:5 203.0.113.0/24 --prefix --local --vlan 10",
            "EINVAL",
            "VLAN",
        ),
        (
            "del eth0 198.51.100.7/24",
            "EINVAL",
            "alias-ctl del eth0 198.51.100.7",
        ),
        (
            "del eth0 198.51.100.7/32",
            "EINVAL",
            "alias-ctl del eth0 198.51.100.7",
        ),
        (
            "del eth0 198.51.100.0/25",
            "EADDRNOTAVAIL",
            "alias-ctl show",
        ),
        ("del eth0 198.51.100.0", "EADDRNOTAVAIL", "alias-ctl show"),
        (
            "del eth0 198.51.100.0/24 --vlan 10",
            "EADDRNOTAVAIL",
            "alias-ctl show",
        ),
        (
            "route add -host 203.0.113.7 dev eth0:0",
            "EOPNOTSUPP",
            "src",
        ),
    ] {
        let said_of_it = lab.ctl_err(&line.split(' ').collect::<Vec<_>>(), errno);
        assert!(said_of_it.contains(said), "{line}: {said_of_it}");
        let after = (lab.rows(), lab.pins(), running(&lab));
        assert_eq!(after, before, "{line}: nothing was changed");
    }
    for line in [
        "add eth0 --range 198.18.0.0/24 --prefix --drop",
        "set eth0:0 --prefix",
        "add eth0:5 100 --family mpls --prefix",
    ] {
        let output = lab.ctl(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.code(), 2, "{line}: {output}");
    }
    // An alias of its own for the parent's address, and the prefix may be had.
    run(&lab, "add eth0:5 192.0.2.9 --local");
    run(&lab, "add eth0:6 192.0.2.0/24 --prefix --drop");
    lab.b.ping_ok("192.0.2.9", 1);
}

/// A list has addresses only: the same words are no prefix in it.
#[test]
fn a_list_deletes_no_prefix() {
    let directory = std::env::temp_dir().join(format!("alias-t{}-plist", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory of our own");
    let list = directory.join("list").display().to_string();
    std::fs::write(&list, "\n198.51.100.0/24\n").expect("a file of our own");
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:3 198.51.100.0/24 --prefix --drop");
    let said = lab.ctl_err(&["del", "eth0", "--from", &list], "EADDRNOTAVAIL");
    assert!(said.contains("list:2: 198.51.100.0"), "{said}");
    assert!(said.contains("alias-ctl del eth0:3"), "{said}");
    let both = ["add", "eth0", "--from", &list, "--prefix", "--drop"];
    assert_eq!(lab.ctl(&both).code(), 2);
    assert_eq!(lab.alias_names(), ["eth0:3"]);
    // As the address that the line is, beside the prefix.
    lab.ctl_ok(&["add", "eth0", "--from", &list, "--drop"]);
    lab.ctl_ok(&["del", "eth0", "--from", &list]);
    assert_eq!(lab.alias_names(), ["eth0:3"]);
    std::fs::remove_dir_all(&directory).expect("a directory of our own");
}

/// An address becomes a prefix and an address again, and its counters go on.
#[test]
fn it_changes_in_place() {
    let lab = Lab::attached(Mode::Native);
    for net in ["198.51.100.0/24", "198.51.101.0/24"] {
        lab.b.ip(&format!("route replace {net} via 192.0.2.9"));
    }
    let first = running(&lab);
    run(&lab, "add eth0:0 198.51.100.7/24 --drop");
    lab.b.ping_unanswered("198.51.100.7");
    let mut counted = lab.counter("eth0:0", "rx_packets");
    assert!(counted > 0);
    for (line, hit, missed, prefix) in [
        (
            "set eth0:0 198.51.100.0/24 --prefix",
            "198.51.100.99",
            "198.51.101.1",
            json!([24, true]),
        ),
        (
            "set eth0:0 198.51.100.0/25 --prefix",
            "198.51.100.99",
            "198.51.100.199",
            json!([25, true]),
        ),
        (
            "set eth0:0 --drop",
            "198.51.100.99",
            "198.51.100.199",
            json!([25, true]),
        ),
        (
            "set eth0:0 198.51.100.99",
            "198.51.100.99",
            "198.51.100.98",
            json!([32, false]),
        ),
        (
            "set eth0:0 198.51.100.0/24 --prefix --drop",
            "198.51.100.1",
            "198.51.101.1",
            json!([24, true]),
        ),
    ] {
        run(&lab, line);
        let row = lab.row("eth0:0");
        assert_eq!(json!([row["prefix_len"], row["prefix"]]), prefix, "{line}");
        lab.b.ping_unanswered(missed);
        assert_eq!(lab.counter("eth0:0", "rx_packets"), counted, "{line}");
        lab.b.ping_unanswered(hit);
        assert!(lab.counter("eth0:0", "rx_packets") > counted, "{line}");
        counted = lab.counter("eth0:0", "rx_packets");
    }
    run(&lab, "set eth0:0 198.51.100.7");
    assert_eq!(running(&lab), first);
}

/// Adding the very same again changes nothing, and enabling is in place.
#[test]
fn it_is_disabled_and_enabled() {
    let lab = Lab::attached(Mode::Native);
    lab.b.ip("route replace 198.51.100.0/24 via 192.0.2.9");
    run(&lab, "add eth0:0 198.51.100.0/24 --prefix --local");
    run(&lab, "add eth0:0 198.51.100.0/24 --prefix --local");
    run(&lab, "add eth0:1 198.51.100.128/25 --prefix --drop");
    lab.b.ping_unanswered("198.51.100.200");
    run(&lab, "disable eth0:1");
    lab.b.ping_ok("198.51.100.200", 1);
    run(&lab, "enable eth0:1");
    lab.b.ping_unanswered("198.51.100.200");
    assert_eq!(lab.counter("eth0:0", "rx_packets"), 1);
}

#[test]
fn it_is_saved_and_made_again() {
    let directory = std::env::temp_dir().join(format!("alias-t{}-prefix", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory of our own");
    let file = directory.join("aliases.toml").display().to_string();
    let lab = Lab::attached(Mode::Native);
    let first = running(&lab);
    let home = lab.namespace("home");
    for line in [
        "add eth0:0 198.51.100.0/24 --prefix --drop",
        "add eth0:1 198.51.100.0/25 --prefix --local",
        "add eth0:2 198.51.100.0/24 --drop",
        "add eth0:3 2001:db8:1::/48 --prefix --vlan 10.20 --netns HOME",
        "add eth0:4 2001:db8:1::/64 --prefix --vlan 10.20 --join eth0:3",
        "disable eth0:0",
    ] {
        run(&lab, &line.replace("HOME", home.name()));
    }
    let rows = lab.rows();
    run(&lab, &format!("save --file {file}"));
    let text = std::fs::read_to_string(&file).expect("what was saved");
    assert_eq!(text.matches("prefix = true").count(), 4, "{text}");
    assert_eq!(lab.ctl(&["diff", &file]).code(), 0);
    run(&lab, "del eth0 --all");
    assert_eq!(running(&lab), first);
    let differs = lab.ctl(&["diff", &file]);
    assert_eq!(differs.code(), 1);
    assert!(
        differs
            .stdout
            .contains("+ eth0:0 prefix 198.51.100.0/24 drop"),
        "{differs}"
    );
    run(&lab, &format!("restore --file {file}"));
    assert_eq!(lab.rows(), rows);
    assert_eq!(lab.ctl(&["diff", &file]).code(), 0);
    // What is declared otherwise replaces it, and the address of the same number stays.
    let was = "address = \"198.51.100.0/24\"\nprefix = true\n";
    assert!(text.contains(was), "{text}");
    let other = text.replace(was, "address = \"198.51.102.0/23\"\n");
    std::fs::write(&file, other).expect("a file of our own");
    run(&lab, &format!("apply {file}"));
    let row = lab.row("eth0:0");
    assert_eq!(
        json!([row["address"], row["prefix_len"], row["prefix"]]),
        json!(["198.51.102.0", 23, false])
    );
    assert_eq!(lab.alias_names().len(), 5);
    std::fs::remove_dir_all(&directory).expect("a directory of our own");
}
