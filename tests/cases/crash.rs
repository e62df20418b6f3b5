//! `kill -9` at any moment: what another alias's traffic, the next command and
//! the kernel make of it.

pub(crate) mod heartbeat;
pub(crate) mod ward;

use std::{fs, thread, time::Duration};

use alias_tests::Lab;

use crate::aim::Dice;
use ward::{Step, Ward};

const ONE: &str = "add eth0:0 198.51.100.8/24 --netns D";
const EIGHT: &str = "add eth0 --range 198.51.100.64/29 --netns D";
const JOINED: &str = "add eth0:1 198.51.100.9/24 --join eth0:0";
const LOCAL: &str = "add eth0:0 198.51.100.8/24 --local";
const TUNED: &str = "add eth0:0 198.51.100.8/24 --local --tcp-nodelay 1 --tcp-sendspace 70000";
const TO: &str = "add eth0:0 198.51.100.8/24 --to v0";

#[test]
fn devices() {
    let steps = [
        (&[][..], ONE),
        (&[], EIGHT),
        (
            &[EIGHT],
            "del eth0:0 eth0:1 eth0:2 eth0:3 eth0:4 eth0:5 eth0:6 eth0:7",
        ),
        (&[ONE], "set eth0:0 198.51.100.9/24"),
        (&[ONE, JOINED], "del eth0:0 eth0:1"),
    ];
    let steps = steps.map(|(before, victim)| Step { before, victim });
    let ward = Ward::open();
    ward.kill_each(&steps, 18, 0x0001_5eed);
    ward.close();
}

#[test]
fn other_targets() {
    let steps = [
        (&[][..], LOCAL),
        (&[LOCAL], "del eth0:0"),
        (&[], TO),
        (&[TO], "del eth0:0"),
        (&[ONE], JOINED),
        (&[LOCAL], "set eth0:0 --netns D"),
        (&[ONE], "set eth0:0 --local"),
        (&[TO], "set eth0:0 --drop"),
        (&[ONE], "set eth0:0 --to v0"),
        (
            &[],
            "add eth0 --range 198.51.100.64/29 --prefix-len 24 --local",
        ),
    ];
    let steps = steps.map(|(before, victim)| Step { before, victim });
    let ward = Ward::open();
    ward.kill_each(&steps, 7, 0x0002_5eed);
    ward.close();
}

#[test]
fn attachments() {
    let steps = [
        (&[][..], "attach eth1"),
        (&["attach eth1"], "detach eth1"),
        (&[], "add eth1:0 198.51.100.8/24 --netns D"),
        (
            &["add eth1 --range 198.51.100.64/30 --netns D"],
            "del eth1 --all",
        ),
        (
            &["add eth1:0 198.51.100.8/24 --netns D"],
            "detach eth1 --cascade",
        ),
        (
            &[
                "attach eth1 --capacity 1",
                "add eth1:0 198.51.100.8/24 --netns D",
            ],
            "add eth1 --range 198.51.100.64/30 --netns D",
        ),
    ];
    let steps = steps.map(|(before, victim)| Step { before, victim });
    let ward = Ward::open();
    ward.kill_each(&steps, 8, 0x0003_5eed);
    ward.close();
}

#[test]
fn tcp_options() {
    let steps = [
        (
            &[][..],
            "add eth0:0 198.51.100.8/24 --local --tcp-nodelay 1",
        ),
        (&[LOCAL], "set eth0:0 --tcp-nodelay 1 --tcp-sendspace 70000"),
        (&[TUNED], "set eth0:0 --tcp-nodelay 0 --tcp-sendspace 80000"),
        (
            &[TUNED],
            "set eth0:0 --tcp-nodelay default --tcp-sendspace default",
        ),
        (&[TUNED], "set eth0:0 198.51.100.9/24"),
        (&[TUNED], "del eth0:0"),
    ];
    let steps = steps.map(|(before, victim)| Step { before, victim });
    let ward = Ward::open();
    ward.kill_each(&steps, 10, 0x0005_5eed);
    ward.close();
}

#[test]
fn ten_at_once() {
    let ward = Ward::open();
    let (mut dice, mut killed) = (Dice(0x0004_5eed), 0);
    for round in 0..8 {
        let mut running = Vec::new();
        for n in 0..10 {
            let slot = dice.below(4);
            let line = match dice.below(6) {
                0 => format!("del eth0:{slot}"),
                1 => format!("set eth0:{slot} --local"),
                2 => format!("set eth0:{slot} --netns D"),
                3 => format!("disable eth0:{slot}"),
                _ => format!("add eth0 198.51.100.{n}/24 --netns D"),
            };
            running.push(ward.start(&line));
        }
        while !running.is_empty() {
            let next = dice.below(running.len() as u64);
            thread::sleep(Duration::from_millis(dice.below(20)));
            let victim = running.swap_remove(next as usize);
            killed += u32::from(victim.kill().code().is_none());
        }
        ward.next_command("ten at once");
        ward.check_whole(&format!("ten at once, round {round}"));
    }
    ward.close();
    assert!(killed > 0, "all had ended before");
}

/// The last moment of an attachment, and the first of a detachment: the programs
/// run, and what holds them is a draft, which the next writer clears away.
#[test]
fn a_draft_that_is_attached_is_not_in_the_way() {
    for draft in ["new", "old"] {
        for again in [
            &["attach", "eth0"][..],
            &["add", "eth0:0", "198.51.100.8/24"],
        ] {
            let lab = Lab::plain();
            lab.ctl_ok(&["attach", "eth0"]);
            let ifindex = lab.a.ifindex("eth0").to_string();
            let whole = lab.pins().into_iter().find(|pin| pin.ends_with(&ifindex));
            let whole = whole.expect("a directory of the parent");
            let unfinished = whole.with_file_name(format!("{draft}-{ifindex}"));
            fs::rename(&whole, &unfinished).expect("rename");
            assert_eq!(lab.rows(), [] as [serde_json::Value; 0]);
            lab.ctl_ok(again);
            assert!(whole.exists() && !unfinished.exists(), "{draft} {again:?}");
            lab.b.ping_ok("192.0.2.9", 1);
        }
    }
}
