//! Pins of a version that cannot be read, newer or too old: they are named with the way out,
//! nothing is touched, and packets flow.

use std::{fs, path::PathBuf};

use alias_common::ABI_VERSION;
use alias_tests::{Lab, Mode, bpf::tcx_programs};

use super::{Builds, directory, engine};
use crate::crash::heartbeat::Heartbeat;
use crate::growth::traffic::container;

fn check(version: &str, words: [&str; 2]) {
    let lab = Lab::builder().mode(Mode::Native).gro_at_b().build();
    let builds = Builds::of(&lab);
    let (home, far) = (lab.namespace("home"), lab.namespace("far"));
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24", "--to", "v0"]);
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.30/24", "--local"]);
    let device = lab.device("eth0:0");
    home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
    let beats = [
        Heartbeat::start(&lab, &home, "198.51.100.8"),
        Heartbeat::start(&lab, &far, "203.0.113.9"),
    ];
    // Real maps, of another version by their directory.
    let pinned = directory(&lab);
    let own = pinned.parent().expect("the version's").to_owned();
    let other = own.with_file_name(version);
    fs::rename(&own, &other).expect("bpffs can rename");
    let state = || {
        let pins: Vec<PathBuf> = lab.pins();
        let hangs = ["eth0", "v0"].map(|device| tcx_programs(&lab.a, device).expect("asked"));
        (pins, engine(&lab), hangs, lab.a.ip("addr show dev eth0"))
    };
    let before = state();
    let add = ["add", "eth0:7", "198.51.100.77", "--drop"];
    for command in [
        &["upgrade"][..],
        &["upgrade", "eth0"],
        &["upgrade", "--dry-run"],
        &["show"],
        &["show", "eth0"],
        &["stats"],
        &["attach", "eth0"],
        &add,
        &["set", "eth0:0", "--drop"],
        &["del", "eth0:0"],
        &["detach", "eth0", "--cascade"],
        &["set", "eth0", "--capacity", "4096"],
    ] {
        for build in [0, 1].map(|number| builds.number(number)) {
            let output = lab.ctl_of(&build, command);
            let text = &output.stderr;
            assert_eq!(output.code(), 1, "{command:?}: {text}");
            let is_said = |word: &&str| text.contains(*word);
            assert!(
                words.iter().all(is_said) && text.contains("alias-ctl: eth0: "),
                "{command:?}: {text}"
            );
            assert_eq!(state(), before, "{command:?}");
        }
    }
    let doctor = lab.ctl(&["doctor"]);
    assert_eq!(doctor.code(), 1, "{doctor}");
    assert!(
        words.iter().all(|word| doctor.stdout.contains(word)),
        "{doctor}"
    );
    // Another device of the namespace is none of its business.
    lab.a.ip("link add eth1 type veth peer name eth2");
    lab.a.ip_batch("link set eth1 up\nlink set eth2 up\n");
    lab.ctl_ok(&["add", "eth1:0", "198.18.0.1", "--drop"]);
    lab.ctl_ok(&["detach", "eth1", "--cascade"]);
    assert_eq!(engine(&lab), before.1);
    // The one that made them has everything as it was.
    fs::rename(&other, &own).expect("bpffs can rename");
    lab.ctl_ok(&add);
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1", "eth0:2", "eth0:7"]);
    for (alias, beat) in ["eth0:0", "eth0:1"].into_iter().zip(beats) {
        let (sent, lost) = beat.end();
        assert_eq!(lost, 0, "{alias}: of {sent}");
        lab.wait_for_counter(alias, "rx_packets", sent);
    }
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
}

#[test]
fn newer_pins_are_left_alone() {
    let newer = ABI_VERSION + 1;
    let words = format!("version {newer}, a newer alias-ctl's");
    check(
        &format!("v{newer}"),
        [&words, "the alias-ctl that made them"],
    );
}

#[test]
fn pins_that_are_too_old_are_left_alone() {
    check("v6", ["version 6;", "detach eth0 --cascade"]);
}
