//! `kill -9` while a prefix comes, changes or goes: the next command makes header,
//! engine and routes what the records say.

use alias_tests::{Lab, Mode};

use super::running;
use crate::aim::Aim;

const PREFIX: &str = "add eth0:0 198.51.100.0/24 --prefix --local";
const DEVICE: &str = "add eth0:0 198.51.100.0/24 --prefix --netns HOME";

#[test]
fn the_next_command_makes_it_whole() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    lab.ctl_ok(&["add", "eth0:9", "203.0.113.9", "--drop"]);
    lab.b.ip("route replace 198.51.100.0/24 via 192.0.2.9");
    let (first, pins) = (running(&lab), lab.pins());
    let words = |line: &str| -> Vec<String> {
        let line = line.replace("HOME", home.name());
        line.split(' ').map(str::to_owned).collect()
    };
    let run = |line: &str| {
        let words = words(line);
        lab.ctl_ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    };
    let clear = || {
        if lab.alias_names().len() > 1 {
            run("del eth0:0");
        }
    };
    let mut aim = Aim::new(0x0006_5eed);
    for (before, victim) in [
        (None, PREFIX),
        (None, DEVICE),
        (Some(PREFIX), "del eth0:0"),
        (Some(DEVICE), "del eth0:0"),
        (Some(PREFIX), "set eth0:0 198.51.100.0/25 --prefix"),
        (Some(PREFIX), "set eth0:0 198.51.100.1"),
        (
            Some("add eth0:0 198.51.100.1 --local"),
            "set eth0:0 198.51.100.0/24 --prefix",
        ),
        (Some(PREFIX), "set eth0:0 --netns HOME"),
    ] {
        let prepare = || {
            clear();
            before.iter().for_each(|line| run(line));
        };
        prepare();
        aim.measure(|| run(victim));
        while aim.goes_on(8) {
            prepare();
            let words = words(victim);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (_, what) = aim.kill(lab.ctl_spawn(&words));
            run("enable eth0:9");
            check_whole(&lab, &home, &first, &format!("{victim} {what}"));
        }
    }
    clear();
    assert_eq!(running(&lab), first);
    assert_eq!(lab.pins(), pins);
}

#[track_caller]
fn check_whole(lab: &Lab, home: &alias_tests::Namespace, first: &(String, u64, u32), what: &str) {
    let rows = lab.rows();
    let row = rows.iter().find(|row| row["alias"] == "eth0:0");
    let prefix = row.filter(|row| row["prefix"] == true);
    assert_eq!(running(lab) == *first, prefix.is_none(), "{what}: {row:?}");
    let full = lab.pins().iter().any(|pin| pin.ends_with("alias_rx_types"));
    assert_eq!(full, prefix.is_some(), "{what}: pins");
    let routes = |host: &alias_tests::Namespace| host.ip("route show table local proto 161");
    let (here, there) = (routes(&lab.a), routes(home));
    let expected = |target: &str| match prefix {
        Some(row) if row["target"] == target => {
            let (address, len) = (row["address"].as_str(), row["prefix_len"].as_u64());
            format!("{}/{}", address.expect("text"), len.expect("a number"))
        }
        _ => String::new(),
    };
    for (routes, target) in [(here, "local"), (there, "device")] {
        let expected = expected(target);
        assert_eq!(
            routes.lines().count(),
            usize::from(!expected.is_empty()),
            "{what}: {routes}"
        );
        assert!(routes.contains(&expected), "{what}: {routes}");
    }
    // It is in the index, and found by the engine that runs.
    if let Some(row) = prefix
        && row["target"] == "local"
    {
        let before = lab.counter("eth0:0", "rx_packets");
        lab.b.ping_ok("198.51.100.33", 1);
        assert_eq!(lab.counter("eth0:0", "rx_packets"), before + 1, "{what}");
    }
}
