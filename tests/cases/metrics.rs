//! Figures for Prometheus: what it reads is what was counted, in its own words.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use alias_tests::{Lab, Mode, NAME_PREFIX, RawSocket};

use crate::scene::{Family, from_b_to_a, ip};

const FORMATS: [&str; 2] = ["openmetrics", "prometheus"];

fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

/// Samples by name with labels.
fn samples(text: &str) -> BTreeMap<&str, u64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            (name, value.parse().expect("a number"))
        })
        .collect()
}

fn send(lab: &Lab, address: &str, count: usize) {
    let built = from_b_to_a(lab).ip(Family::V4.b_ip(), ip(address));
    let frame = built.udp(5, 9, b"counted").padded().build();
    let socket = RawSocket::open(&lab.b, "eth0");
    (0..count).for_each(|_| socket.send(&frame));
}

fn lab() -> Lab {
    let lab = Lab::builder().mode(Mode::Native).silent().build();
    run(&lab, "add eth0:0 198.51.100.8/24 --drop");
    run(&lab, "add eth0:1 198.51.100.9/24 --local");
    run(&lab, "add eth0:2 198.51.100.64/28 --prefix --drop");
    run(&lab, "add eth0:3 198.51.100.10/24 --vlan 7.8");
    run(&lab, "disable eth0:3");
    for (address, count) in [
        ("198.51.100.8", 7),
        ("198.51.100.9", 3),
        ("198.51.100.70", 9),
        ("198.51.100.99", 2),
    ] {
        send(&lab, address, count);
    }
    lab.wait_for_counter("eth0:2", "rx_packets", 9);
    lab
}

#[test]
fn figures_are_those_that_stats_shows() {
    let lab = lab();
    let words = ["stats", "--format", "openmetrics"];
    let text = lab.ctl_ok(&words);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let found = samples(&text);
    for row in lab.rows() {
        let alias = row["alias"].as_str().expect("a name");
        for key in [
            "rx_packets",
            "rx_bytes",
            "tx_packets",
            "tx_bytes",
            "neighbor_rx_packets",
            "neighbor_tx_packets",
        ] {
            let name = format!("alias_{key}_total{{alias=\"{alias}\",parent=\"eth0\"}}");
            assert_eq!(Some(&lab.counter(alias, key)), found.get(&*name), "{name}");
        }
        for key in ["policy", "spoof", "no_target"] {
            let name = format!(
                "alias_dropped_packets_total{{alias=\"{alias}\",parent=\"eth0\",reason=\"{key}\"}}"
            );
            let wanted = lab.counter(alias, &format!("dropped.{key}"));
            assert_eq!(Some(&wanted), found.get(&*name), "{name}");
        }
    }
    for info in [
        "alias_info{alias=\"eth0:0\",parent=\"eth0\",address=\"198.51.100.8\",family=\"ip\",\
         target=\"drop\",device=\"\",netns=\"\",vlan=\"\",enabled=\"true\"}",
        "alias_info{alias=\"eth0:2\",parent=\"eth0\",address=\"198.51.100.64/28\",family=\"ip\",\
         target=\"drop\",device=\"\",netns=\"\",vlan=\"\",enabled=\"true\"}",
        "alias_parent_aliases{parent=\"eth0\"}",
        "alias_parent_packets_total{parent=\"eth0\",verdict=\"drop\"}",
    ] {
        assert!(found.contains_key(info), "{info}: {text}");
    }
    assert!(text.contains("vlan=\"7.8\",enabled=\"false\""), "{text}");
    let of_parent = &lab.ctl_json(&["stats", "--parent"])[0];
    let miss = found["alias_parent_packets_total{parent=\"eth0\",verdict=\"miss\"}"];
    assert_eq!(of_parent["miss"], miss);
    // One alias alone.
    let one = lab.ctl_ok(&["stats", "eth0:1", "--format", "prometheus"]);
    assert!(!one.contains("eth0:0") && one.contains("alias=\"eth0:1\""));
}

/// Every name once, and all of its samples behind it.
#[test]
fn a_familys_samples_stand_together() {
    let lab = lab();
    run(&lab, "add eth0 --range 198.18.0.0/22 --drop");
    for format in FORMATS {
        let text = lab.ctl_ok(&["stats", "--format", format]);
        let mut seen: Vec<&str> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().expect("a name");
            if seen.last() != Some(&name) {
                assert!(!seen.contains(&name), "{format}: {name} twice");
                seen.push(name);
            }
        }
        assert!(seen.len() > 12, "{format}: {seen:?}");
    }
}

#[test]
fn the_busiest_bound_what_is_read() {
    let lab = lab();
    run(&lab, "add eth0 --range 198.18.0.0/22 --drop");
    let names = |top: &str| -> Vec<String> {
        let text = lab.ctl_ok(&["stats", "--format", "openmetrics", "--top", top]);
        let found = samples(&text);
        assert!(
            found["alias_parent_aliases{parent=\"eth0\"}"] == 1028,
            "of all"
        );
        let infos = found.keys().filter(|name| name.starts_with("alias_info"));
        infos
            .filter_map(|name| Some(name.split('"').nth(1)?.to_owned()))
            .collect()
    };
    assert_eq!(names("2"), ["eth0:0", "eth0:2"]);
    assert_eq!(names("0"), [""; 0]);
    assert_eq!(names("3"), ["eth0:0", "eth0:1", "eth0:2"]);
    assert_eq!(names("100000").len(), 1028);
    for words in [
        "stats --top 3",
        "stats -j --top 3",
        "stats --format prometheus --watch 1",
    ] {
        lab.ctl_err(&words.split(' ').collect::<Vec<_>>(), "EINVAL");
    }
}

/// `promtool` of Debian's package, unpacked and not installed.
pub(crate) fn promtool(directory: &Path) -> Option<PathBuf> {
    let quiet = |command: &mut Command| {
        let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    };
    let fetched = quiet(
        Command::new("apt-get")
            .args(["download", "prometheus"])
            .current_dir(directory),
    );
    let package = fs::read_dir(directory).ok()?.next()?.ok()?.path();
    let unpacked = fetched
        && quiet(
            Command::new("dpkg-deb")
                .arg("-x")
                .args([&package, directory]),
        );
    unpacked.then(|| directory.join("usr/bin/promtool"))
}

/// What Prometheus itself says of names, types and help.
#[test]
fn promtool_has_nothing_to_say() {
    let lab = lab();
    let name = format!("{NAME_PREFIX}{}-promtool", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir(&directory).expect("a directory of our own");
    let _gone = crate::on_drop::OnDrop(|| drop(fs::remove_dir_all(&directory)));
    let Some(promtool) = promtool(&directory) else {
        // A line that cannot be written is no reason to fail.
        let _ = writeln!(io::stderr(), "SKIPPED: no promtool: apt offers none here");
        return;
    };
    let check = |text: &str| {
        let mut child = Command::new(&promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool runs");
        let mut input = child.stdin.take().expect("a pipe was asked for");
        input.write_all(text.as_bytes()).expect("it reads");
        drop(input);
        let output = child.wait_with_output().expect("our own child");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let text = lab.ctl_ok(&["stats", "--format", "prometheus"]);
    assert_eq!(check(&text), (true, String::new()), "{text}");
    // And it does look.
    assert!(!check("# TYPE alias_wrong counter\nalias_wrong 1\n").0);
}
