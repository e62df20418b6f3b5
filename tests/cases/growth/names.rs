//! A number is a name: aliases whose numbers are far apart take no more room than others,
//! and each is itself, however often records are given to others.

use std::collections::BTreeMap;
use std::process::Stdio;

use alias_tests::{Lab, Mode, RawSocket};

use super::{capacity, nothing_is_left, small};
use crate::scene::{Family, from_b_to_a, ip};

/// By itself a parent begins small, and stays so for a high number.
#[test]
fn one_alias_in_a_high_slot_takes_no_more_than_one_in_a_low_one() {
    let lab = Lab::plain();
    lab.ctl_ok(&["add", "eth0:4000000", "198.51.100.8", "--drop"]);
    assert_eq!(capacity(&lab), 1024);
    lab.ctl_ok(&["add", "eth0:4194303", "198.51.100.9", "--drop"]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.10", "--drop"]);
    assert_eq!(capacity(&lab), 1024);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    nothing_is_left(&lab);
    // Who begins with many has room for them at once, and more than fit are refused.
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.18.0.0-198.18.7.210",
        "--drop",
    ]);
    assert_eq!(capacity(&lab), 2003);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    let many = ["add", "eth0", "--range", "2001:db8:5::/96", "--drop"];
    lab.ctl_err(&many, "ENOSPC");
    nothing_is_left(&lab);
}

/// What `show` and the kernel list are alike, and counted for the one that was sent to.
#[track_caller]
fn check_all(lab: &Lab, expected: &BTreeMap<u32, String>, sent: &mut BTreeMap<u32, u64>) {
    let at_b = RawSocket::open(&lab.b, "eth0");
    for (slot, address) in expected {
        let built = from_b_to_a(lab).ip(Family::V4.b_ip(), ip(address));
        at_b.send(&built.udp(5, 9, b"counted").padded().build());
        *sent.entry(*slot).or_default() += 1;
    }
    for (slot, address) in expected {
        let name = format!("eth0:{slot}");
        assert_eq!(lab.row(&name)["address"], **address, "{name}");
        lab.wait_for_counter(&name, "dropped.policy", sent[slot]);
    }
    let mut names = lab.alias_names();
    names.sort();
    let mut all: Vec<String> = expected.keys().map(|slot| format!("eth0:{slot}")).collect();
    all.sort();
    assert_eq!(names, all);
    let proc = lab.ctl_ok(&["show", "--proc"]);
    for (slot, address) in expected {
        let line = proc
            .lines()
            .find(|line| line.starts_with(&format!("eth0:{slot} ")));
        assert!(
            line.is_some_and(|line| line.contains(&**address)),
            "{slot}: {proc}"
        );
    }
}

/// Records are taken again by others, before it grows and after.
#[test]
fn every_alias_is_itself_whatever_its_record_was_before() {
    for mode in [Mode::Native, Mode::Generic] {
        let options = ["--capacity", "8"];
        let builder = Lab::builder().silent().mode(mode).attach_options(&options);
        let lab = builder.build();
        let (mut there, mut sent) = (BTreeMap::new(), BTreeMap::new());
        let slots = [5, 4_194_303, 16, 0, 2_097_152, 32, 1_000_000, 4_000_000];
        for (number, slot) in (1..).zip(slots) {
            let address = format!("198.51.100.{number}");
            lab.ctl_ok(&["add", &format!("eth0:{slot}"), &address, "--drop"]);
            there.insert(slot, address);
        }
        check_all(&lab, &there, &mut sent);
        // Others take their records; one of them under a number that there was.
        for (old, new) in [(16, 17), (5, 3_000_000), (2_097_152, 16), (0, 5)] {
            lab.ctl_ok(&["del", &format!("eth0:{old}")]);
            lab.ctl_err(&["show", &format!("eth0:{old}")], "ENODEV");
            there.remove(&old);
            sent.remove(&old);
            let address = format!("203.0.113.{}", new % 250 + 1);
            lab.ctl_ok(&["add", &format!("eth0:{new}"), &address, "--drop"]);
            there.insert(new, address);
            check_all(&lab, &there, &mut sent);
        }
        assert_eq!(capacity(&lab), 8);
        // What is changed keeps its record and its figures, and others keep theirs.
        lab.ctl_ok(&["set", "eth0:4194303", "203.0.113.77"]);
        there.insert(4_194_303, "203.0.113.77".into());
        check_all(&lab, &there, &mut sent);
        // The lowest free number, and a larger parent.
        lab.ctl_ok(&["add", "eth0", "198.51.100.77", "--drop"]);
        assert_eq!(lab.row("eth0:0")["address"], "198.51.100.77");
        there.insert(0, "198.51.100.77".into());
        assert_eq!(capacity(&lab), 16);
        check_all(&lab, &there, &mut sent);
        lab.ctl_ok(&["add", "eth0", "198.51.100.78", "--drop"]);
        assert_eq!(lab.row("eth0:1")["address"], "198.51.100.78");
        lab.ctl_ok(&["del", "eth0:0", "eth0:1"]);
        lab.ctl_ok(&["add", "eth0", "198.51.100.79", "--drop"]);
        assert_eq!(lab.row("eth0:0")["address"], "198.51.100.79");
    }
}

/// A device, what has joined it, and what the journal says of both.
#[test]
fn devices_of_high_numbers_answer_and_are_told_apart() {
    let options = ["--log", "warn", "--capacity", "4"];
    let lab = Lab::builder()
        .mode(Mode::Native)
        .attach_options(&options)
        .build();
    let home = lab.namespace("home");
    lab.ctl_ok(&["add", "eth0:7", "198.51.100.7", "--drop"]);
    let name = "eth0:4194303";
    lab.ctl_ok(&["add", name, "198.51.100.8/24", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth0:4000000", "198.51.100.9/24", "--join", name]);
    let device = lab.device(name);
    home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
    for (alias, address) in [(name, "198.51.100.8"), ("eth0:4000000", "198.51.100.9")] {
        lab.b.ping_ok(address, 2);
        lab.wait_for_counter(alias, "rx_packets", 2);
        assert!(lab.counter(alias, "tx_packets") >= 2, "{alias}");
    }
    // In the name of one that is not its own.
    home.ip(&format!("addr add 198.51.100.7/24 dev {device}"));
    home.run("ping -c 1 -W 1 -I 198.51.100.7 192.0.2.1");
    let spoofs = || lab.counter(name, "dropped.spoof");
    alias_tests::wait_for("a spoofed frame to be counted", crate::scene::LIMIT, || {
        spoofs() > 0
    });
    let mut command = lab.a.command("timeout");
    command
        .arg("5")
        .arg(alias_tests::ctl_binary())
        .args(["journal", "eth0"]);
    command
        .env("ALIAS_BPFFS_ROOT", lab.bpffs())
        .stdin(Stdio::null());
    let output = command.output().expect("timeout runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("slot 4194303: spoofed frame dropped"),
        "{text}"
    );
    lab.ctl_err(&["del", name], "EBUSY");
    lab.ctl_ok(&["del", name, "eth0:4000000"]);
    assert!(home.find_link(&device).is_none());
}

#[test]
fn the_list_is_in_its_order_whatever_the_records_are() {
    let lab = small("4");
    for (slot, address) in [
        (9, "198.51.100.9"),
        (2, "198.51.100.2"),
        (4_000_000, "198.51.100.4"),
    ] {
        lab.ctl_ok(&["add", &format!("eth0:{slot}"), address, "--drop"]);
    }
    let before = lab.alias_names();
    lab.ctl_ok(&["del", "eth0:9"]);
    lab.ctl_ok(&["add", "eth0:5", "198.51.100.5", "--drop"]);
    lab.ctl_ok(&["add", "eth0:9", "198.51.100.9", "--drop"]);
    // By creation, as it always was.
    assert_eq!(before, ["eth0:9", "eth0:2", "eth0:4000000"]);
    assert_eq!(
        lab.alias_names(),
        ["eth0:2", "eth0:4000000", "eth0:5", "eth0:9"]
    );
}
