//! What a message advises can be followed, and does what was wanted.

use alias_tests::{Lab, Mode};

/// Refused so, with these words and without those.
#[track_caller]
fn check(lab: &Lab, arguments: &[&str], errno_name: &str, says: &str, not: &str) {
    let message = lab.ctl_err(arguments, errno_name);
    assert!(message.contains(says), "{arguments:?}: {message}");
    assert!(!message.contains(not), "{arguments:?}: {message}");
}

#[test]
fn who_deletes_is_not_told_to_make_one() {
    let lab = Lab::plain();
    for words in [
        &["del", "eth0:0"][..],
        &["del", "eth0", "198.51.100.8"],
        &["detach", "eth0", "--cascade"],
        &["disable", "eth0:0"],
        &["announce", "eth0:0"],
    ] {
        check(&lab, words, "ENODEV", "alias-ctl show", "make one");
    }
    check(
        &lab,
        &["enable", "eth0:0"],
        "ENODEV",
        "make one",
        "alias-ctl show",
    );
}

/// To leave the word out gave an alias of IPv4 the IPv6 address in place of its own.
#[test]
fn a_second_address_is_another_alias() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["ifconfig", "eth0:1", "198.51.100.8/24"]);
    let words = ["ifconfig", "eth0:1", "inet6", "add", "2001:db8:5::9/64"];
    check(
        &lab,
        &words,
        "EINVAL",
        "alias-ctl ifconfig eth0 inet6 add 2001:db8:5::9",
        "leave the word out",
    );
    lab.ctl_ok(&["ifconfig", "eth0", "inet6", "add", "2001:db8:5::9/64"]);
    assert_eq!(lab.alias_names(), ["eth0:1", "eth0:0"]);
}

#[test]
fn restore_and_apply_name_their_file() {
    let directory = std::env::temp_dir().join(format!("alias-words-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("aliases.toml");
    let path = file.to_str().expect("a path in UTF-8");
    let text =
        "version = 1\n\n[[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8\"\nto = \"tap9\"\n";
    std::fs::write(&file, text).expect("a file");
    let lab = Lab::builder()
        .mode(Mode::Native)
        .env("ALIAS_CONFIG", path)
        .build();
    let line = format!("{path}, line 3");
    for words in [
        &["restore"][..],
        &["restore", "--file", path],
        &["restore", "--dry-run"],
        &["apply", path],
    ] {
        check(&lab, words, "ENODEV", &line, "nothing is saved");
    }
    check(
        &lab,
        &["restore", "eth7"],
        "ENOENT",
        path,
        "nothing is saved of it",
    );
    std::fs::remove_dir_all(&directory).expect("our own directory");
}

/// By its address an alias is shown, counted and deleted, as by its name.
#[test]
fn an_address_names_its_alias() {
    let lab = Lab::attached(Mode::Native);
    for line in [
        "add eth0:0 198.51.100.8/24 --drop",
        "add eth0:1 2001:db8:5::8/64 --drop",
        "add eth0:2 203.0.113.0/24 --prefix --drop",
        "add eth0:3 198.51.100.8/24 --vlan 7 --drop",
        "add eth0:4 198.51.100.9/24 --drop",
    ] {
        lab.ctl_ok(&line.split(' ').collect::<Vec<_>>());
    }
    let listed = |verb: &str, address: &str| -> Vec<String> {
        let rows = lab.ctl_json(&[verb, address]);
        let rows = rows.as_array().expect("rows").clone();
        let name = |row: &serde_json::Value| row["alias"].as_str().expect("a name").to_owned();
        rows.iter().map(name).collect()
    };
    for verb in ["show", "stats"] {
        for (address, names) in [
            ("198.51.100.8", &["eth0:0", "eth0:3"][..]),
            ("198.51.100.9/24", &["eth0:4"]),
            ("2001:db8:5::8", &["eth0:1"]),
            ("203.0.113.0/24", &["eth0:2"]),
        ] {
            assert_eq!(listed(verb, address), names, "{verb} {address}");
        }
        check(
            &lab,
            &[verb, "198.51.100.77"],
            "EADDRNOTAVAIL",
            "show",
            "device",
        );
    }
    let several = lab.ctl_err(&["del", "198.51.100.8"], "EINVAL");
    assert!(several.contains("eth0:0, eth0:3"), "{several}");
    check(
        &lab,
        &["del", "198.51.100.77"],
        "EADDRNOTAVAIL",
        "show",
        "make one",
    );
    lab.ctl_ok(&["del", "198.51.100.9", "2001:db8:5::8"]);
    lab.ctl_ok(&["del", "203.0.113.0/24"]);
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:3"]);
}

/// The word that `doctor` uses is a column, and why something was dropped is said.
#[test]
fn why_packets_were_dropped_is_a_column() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "192.0.2.20/24"]);
    let heading = || {
        let text = lab.ctl_ok(&["stats"]);
        text.lines().next().expect("a heading").to_owned()
    };
    assert!(!heading().contains("SPOOF"), "{}", heading());
    let device = lab.device("eth0:0");
    let socket = alias_tests::RawSocket::open(&lab.a, &device);
    let mac = lab.a.mac("eth0");
    let stranger = "203.0.113.9".parse().expect("an address");
    let neighbour = "192.0.2.1".parse().expect("an address");
    let frame = alias_tests::frame::frame()
        .between(mac, lab.b.mac("eth0"))
        .ipv4(stranger, neighbour)
        .udp(1, 2, b"not mine");
    socket.send(&frame.padded().build());
    lab.wait_for_counter("eth0:0", "dropped.spoof", 1);
    assert!(heading().contains("SPOOF"), "{}", heading());
    assert!(!heading().contains("NO-TARGET"), "{}", heading());
    let said = lab.ctl_ok(&["doctor", "eth0:0"]);
    assert!(said.contains("see SPOOF"), "{said}");
}

#[test]
fn help_has_an_example_a_line_and_no_wrong_tip() {
    let lab = Lab::plain();
    let help = lab.ctl_ok(&["--help"]);
    let examples = help.split("Examples:").nth(1).expect("examples");
    let examples = examples.split("\n\n").next().expect("a paragraph");
    for line in examples.lines().filter(|line| !line.trim().is_empty()) {
        assert!(line.trim().starts_with("alias-ctl "), "{line}");
    }
    let usage = lab.ctl(&["add", "eth0:0", "192.0.2.20", "--dorp"]);
    assert_eq!(usage.code(), 2, "{usage}");
    assert!(!usage.stderr.contains("tip: to pass"), "{usage}");
}
