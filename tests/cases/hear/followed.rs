//! Who hears follows the aliases: made, deleted, moved, grown, killed half way.

use alias_tests::{Lab, Mode, RawSocket, frame::Frame, wait_for};

use super::{STRANGER, announcement, figure, silent_lab};
use crate::aim::Aim;
use crate::daemon_stage::{BOTH, Stage};
use crate::scene::{Family, LIMIT};

/// One announcement makes so many copies.
#[track_caller]
fn copies(lab: &Lab, expected: u64, what: &str) {
    let before = (figure(lab, "heard"), figure(lab, "unheard"));
    let speaks = RawSocket::open(&lab.b, "eth0");
    let sent: Frame = announcement(Family::V4, "203.0.113.77", STRANGER);
    speaks.send(&sent.padded().build());
    wait_for("the copies to be counted", LIMIT, || {
        figure(lab, "heard") - before.0 >= expected
    });
    // What comes behind it is with the host: nothing more is to come.
    lab.b.ping_ok("192.0.2.9", 1);
    assert_eq!(figure(lab, "heard") - before.0, expected, "{what}");
    assert_eq!(figure(lab, "unheard"), before.1, "{what}");
}

#[test]
fn made_and_deleted() {
    let lab = silent_lab(Mode::Native);
    let home = lab.namespace("c0");
    let netns = ["--netns", home.name()];
    copies(&lab, 0, "step 1");
    lab.ctl_ok(&[&["add", "eth0:0", "192.0.2.50/24"][..], &netns].concat());
    copies(&lab, 1, "step 2");
    lab.ctl_ok(&["add", "eth0:1", "192.0.2.51/24", "--join", "eth0:0"]);
    lab.ctl_ok(&["add", "eth0:2", "192.0.2.52/24"]);
    lab.ctl_ok(&["add", "eth0:3", "192.0.2.53/24", "--local"]);
    lab.ctl_ok(
        &[
            &["add", "eth0:4", "192.0.2.54/24", "--vlan", "7"][..],
            &netns,
        ]
        .concat(),
    );
    copies(&lab, 2, "step 3");
    lab.ctl_ok(&["disable", "eth0:0"]);
    copies(&lab, 2, "its routes and its neighbours are still there");
    lab.ctl_ok(&["set", "eth0:2", "--drop"]);
    copies(&lab, 1, "step 4");
    lab.ctl_ok(&[&["set", "eth0:4", "--vlan", "0"][..]].concat());
    copies(&lab, 2, "step 5");
    lab.ctl_ok(&["set", "eth0", "--capacity", "100000"]);
    copies(&lab, 2, "after growth");
    lab.ctl_ok(&["del", "eth0:1", "eth0:0"]);
    copies(&lab, 1, "step 6");
    lab.ctl_ok(&["del", "eth0", "--all"]);
    copies(&lab, 0, "step 7");
}

#[test]
fn moved_to_another_namespace_and_deleted_with_it() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let home = lab.namespace("c0");
        lab.ctl_ok(&["add", "eth0:0", "192.0.2.50/24"]);
        let device = lab.device("eth0:0");
        lab.a
            .ip(&format!("link set {device} netns {}", home.name()));
        stage.put_right("the alias to be where its device is", || {
            lab.row("eth0:0")["netns"] == home.name()
        });
        home.wait_until_up(&device);
        let ear = RawSocket::open(&home, &device);
        let speaks = RawSocket::open(&lab.b, "eth0");
        let sent = announcement(Family::V4, "192.0.2.1", STRANGER)
            .padded()
            .build();
        speaks.send(&sent);
        ear.expect("the announcement", LIMIT, |got| got == sent);
        drop(ear);
        home.ip(&format!("link del {device}"));
        stage.left(&[]);
        let before = figure(lab, "heard");
        let parent = RawSocket::open(&lab.a, "eth0");
        speaks.send(&sent);
        parent.expect("the announcement at the parent", LIMIT, |got| got == sent);
        assert_eq!(figure(lab, "heard"), before);
        assert_eq!(
            figure(lab, "unheard"),
            0,
            "{by:?}: a device that is gone is on the list"
        );
    }
}

/// At least.
const ROUNDS: u32 = 12;

#[test]
fn whatever_was_killed_half_way() {
    let lab = silent_lab(Mode::Native);
    let home = lab.namespace("c0");
    lab.ctl_ok(&["add", "eth0:9", "192.0.2.59", "--drop"]);
    let add = [
        "add",
        "eth0",
        "--range",
        "198.18.0.0/29",
        "--netns",
        home.name(),
    ];
    for line in [&add[..], &["del", "eth0", "--all"]] {
        let prepare = || {
            lab.ctl_ok(&["del", "eth0", "--all"]);
            lab.ctl_ok(&["add", "eth0:9", "192.0.2.59", "--drop"]);
            if line[0] == "del" {
                lab.ctl_ok(&add);
            }
        };
        let mut aim = Aim::new(0x0008_5eed);
        prepare();
        aim.measure(|| drop(lab.ctl_ok(line)));
        while aim.goes_on(ROUNDS) {
            prepare();
            let (_, what) = aim.kill(lab.ctl_spawn(line));
            lab.ctl_ok(&["add", "eth0:20", "192.0.2.60", "--drop"]);
            let devices = lab
                .rows()
                .iter()
                .filter(|row| row["target"] == "device")
                .count();
            copies(&lab, devices as u64, &format!("{line:?} {what}"));
        }
    }
}
