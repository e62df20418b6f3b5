//! A firewall's rules on the parent do not see its alias devices: `doctor` says so, and the
//! rule that works is the one that docs/HOSTS.md gives.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use alias_tests::{Lab, Mode};
use serde_json::Value;

use crate::scene::ip;

/// Whether nft is here and the kernel has what it needs; said when not.
fn is_here(lab: &Lab) -> bool {
    let works = Command::new("nft").arg("--version").output().is_ok() && {
        let made = lab.a.run("nft add table netdev probe");
        lab.a.run("nft delete table netdev probe");
        made.code() == 0
    };
    if !works {
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: no nft (Debian: nftables), or no nf_tables in this kernel"
        );
    }
    works
}

/// Loads rules in host A, in place of all others.
#[track_caller]
fn rules(lab: &Lab, text: &str) {
    let path: PathBuf = std::env::temp_dir().join(format!("{}.nft", lab.a.name()));
    fs::write(&path, format!("flush ruleset\n{text}\n")).expect("a file");
    lab.a.run(&format!("nft -f {}", path.display())).ok();
    fs::remove_file(&path).expect("our own file");
}

/// Whether B reaches a port of A's on this address: refused is closed.
fn is_open(lab: &Lab, address: &str) -> bool {
    let there = SocketAddr::new(ip(address), 2222);
    // What is dropped is asked for again after a second.
    let patience = Duration::from_millis(900);
    lab.b
        .enter(|| TcpStream::connect_timeout(&there, patience))
        .is_ok()
}

fn notes(lab: &Lab) -> Vec<Value> {
    let output = lab.ctl(&["doctor", "-j"]);
    let found: Value = serde_json::from_str(&output.stdout).expect("doctor -j is JSON");
    let found = found.as_array().expect("an array").iter();
    found
        .filter(|finding| {
            let what = finding["finding"].as_str().unwrap_or_default();
            finding["level"] == "note" && what.contains("nftables rules name it")
        })
        .cloned()
        .collect()
}

/// Names the parent in each way, and how: doctor has a note.
const BLIND: &[(&str, &str)] = &[
    ("inet f in", r#"iifname "eth0" tcp dport 2222 drop"#),
    ("inet f in", r#"iif "eth0" tcp dport 2222 drop"#),
    (
        "inet f in",
        r#"iifname { "eth0", "eth7" } tcp dport 2222 drop"#,
    ),
    ("inet f in", r#"iifname . tcp dport { "eth0" . 2222 } drop"#),
    ("inet f in", r#"iifname vmap { "eth0" : drop }"#),
    ("inet f in", r#"iifname "eth*" tcp dport 2222 drop"#),
];

/// Does not, or names the aliases too: no note.
const SEEING: &[&str] = &[
    "tcp dport 2222 drop",
    r#"iifname "eth1" tcp dport 2222 drop"#,
    "iifname \"eth0\" tcp dport 2222 drop\niifgroup 152615 tcp dport 2222 drop",
    "iifname \"eth0\" tcp dport 2222 drop\niifname \"al*\" tcp dport 2222 drop",
];

fn input(rule: &str) -> String {
    format!("table inet f {{\nchain in {{\ntype filter hook input priority 0;\n{rule}\n}}\n}}")
}

#[test]
fn rules_that_name_a_parent_and_not_its_alias_devices_are_noted() {
    let lab = Lab::attached(Mode::Native);
    if !is_here(&lab) {
        return;
    }
    rules(&lab, &input(BLIND[0].1));
    assert_eq!(notes(&lab), [Value::Null; 0], "no alias has a device yet");
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9", "--local"]);
    assert_eq!(notes(&lab), [Value::Null; 0], "it comes in by the parent");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    for (chain, rule) in BLIND {
        rules(&lab, &input(rule));
        let notes = notes(&lab);
        assert_eq!(notes.len(), 1, "{rule}: {notes:#?}");
        assert_eq!(notes[0]["object"], "eth0", "{rule}");
        let what = notes[0]["finding"].as_str().unwrap_or_default();
        assert!(what.contains(chain), "{rule}: {what}");
    }
    rules(
        &lab,
        "table netdev n {\nchain i {\ntype filter hook ingress device \"eth0\" priority 0;\ntcp dport 2222 drop\n}\n}",
    );
    let found = notes(&lab);
    assert_eq!(found.len(), 1, "netdev ingress: {found:#?}");
    assert!(
        found[0]["finding"]
            .as_str()
            .unwrap_or_default()
            .contains("netdev n i"),
        "{found:#?}"
    );
    for rule in SEEING {
        rules(&lab, &input(rule));
        assert_eq!(notes(&lab), [Value::Null; 0], "{rule}");
    }
    rules(&lab, "");
    assert_eq!(notes(&lab), [Value::Null; 0], "no rules");
}

/// What README, `add --help` and docs/HOSTS.md say of a firewall.
#[test]
fn a_rule_on_the_parent_opens_and_one_on_the_group_closes() {
    let lab = Lab::attached(Mode::Native);
    if !is_here(&lab) {
        return;
    }
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.ctl_ok(&["add", "eth0:1", "203.0.113.9", "--local"]);
    lab.a.wait_until_up("eth0:0");
    let listener = lab.a.enter(|| TcpListener::bind("0.0.0.0:2222"));
    let listener = listener.expect("a port of our own namespace");
    let (parents, device, local) = ("192.0.2.9", "198.51.100.8", "203.0.113.9");
    let on_eth0 = input(r#"iifname "eth0" tcp dport 2222 reject with tcp reset"#);
    let ingress = "table netdev n {\nchain i {\ntype filter hook ingress device \"eth0\" priority 0;\ntcp dport 2222 drop\n}\n}";
    let both = |how: &str| {
        input(&format!(
            "iifname \"eth0\" tcp dport 2222 reject with tcp reset\n{how} tcp dport 2222 reject with tcp reset"
        ))
    };
    for (what, text, open) in [
        ("none", String::new(), [true, true, true]),
        ("iifname eth0", on_eth0, [false, true, false]),
        ("netdev ingress", ingress.to_owned(), [false, true, false]),
        ("group", both("iifgroup 152615"), [false, false, false]),
        ("pattern", both("iifname \"al*\""), [false, false, false]),
        (
            "a set of patterns",
            input(r#"iifname { "eth0", "al*" } tcp dport 2222 reject with tcp reset"#),
            [false, false, false],
        ),
    ] {
        rules(&lab, &text);
        let is = [parents, device, local].map(|address| is_open(&lab, address));
        assert_eq!(is, open, "{what}");
    }
    drop(listener);
}
