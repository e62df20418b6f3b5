//! `kill -9` at any moment of an upgrade: the programs are those of one build or of the
//! other, the next command that changes something finishes it or takes it back, and packets
//! and figures never notice.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use alias_tests::{Lab, Mode, bpf::tcx_programs};

use super::{Builds, directory, engine, info};
use crate::aim::Aim;
use crate::crash::heartbeat::Heartbeat;
use crate::growth::traffic::{container, send};
use crate::on_drop::OnDrop;
use crate::scene::{Family, from_b_to_a, ip};

/// At least; and until some were killed before the swap, and some after it.
const ROUNDS: u32 = 40;

#[test]
fn the_next_command_finishes_it_or_takes_it_back() {
    let lab = Lab::builder().mode(Mode::Native).silent().build();
    let builds = Builds::of(&lab);
    let (home, far) = (lab.namespace("home"), lab.namespace("far"));
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.1", "--drop"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.8/24", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth0:2", "203.0.113.9/24", "--to", "v0"]);
    let local = ["add", "eth0:3", "198.51.100.30/24", "--local"];
    lab.ctl_ok(&[&local[..], &["--tcp-nodelay", "1"]].concat());
    let device = lab.device("eth0:1");
    home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
    let (pins, rows, pinned) = (lab.pins(), lab.rows(), directory(&lab));
    let built = from_b_to_a(&lab).ip(Family::V4.b_ip(), ip("198.18.0.1"));
    let frame = built.udp(5, 9, b"counted").padded().build();
    let beats = [
        ("eth0:1", Heartbeat::start(&lab, &home, "198.51.100.8")),
        ("eth0:2", Heartbeat::start(&lab, &far, "203.0.113.9")),
    ];
    let over = AtomicBool::new(false);
    let mut aim = Aim::new(0x0007_5eed);
    // Which build it is, by its tag, and by whom the next upgrade is.
    let tag = || info(&pinned, "alias_rx").tag;
    let mut tags = [tag(), [0; 2]];
    aim.measure(|| drop(lab.ctl_of(builds.other(), &["upgrade"]).ok()));
    tags[1] = tag();
    assert_ne!(tags[0], tags[1]);
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&lab, &[&frame], &over));
        let end = OnDrop(|| over.store(true, Ordering::Relaxed));
        let (mut finished, mut is, mut last) = (0, 1, 0);
        while aim.goes_on(ROUNDS) || finished == 0 || finished == aim.hits() {
            let victim = lab.ctl_spawn_of(&builds.number(is + 1), &["upgrade"]);
            let (was_killed, what) = aim.kill(victim);
            // Before anybody has put anything in order.
            assert_eq!(lab.rows(), rows, "{what}");
            let now = lab.counter("eth0:0", "rx_packets");
            assert!(last <= now, "{what}: {last}, then {now}");
            last = now;
            // By the build that upgraded, or by the one before.
            let by = builds.number(aim.hits() as usize);
            lab.ctl_of(&by, &["enable", "eth0:0"]).ok();
            assert_eq!(lab.pins(), pins, "{what}");
            assert_eq!(lab.rows(), rows, "{what}");
            let now = tags.iter().position(|tag_of| *tag_of == tag());
            let now = now.unwrap_or_else(|| panic!("{what}: programs of neither build"));
            let was = is;
            is = now;
            let rx = u64::from(info(&pinned, "alias_rx").id);
            assert_eq!(engine(&lab), rx, "{what}");
            let hangs = |device: &str| tcx_programs(&lab.a, device).expect("to be told");
            assert_eq!(hangs("eth0"), [info(&pinned, "alias_deliver").id], "{what}");
            assert_eq!(hangs("v0"), [info(&pinned, "alias_return").id], "{what}");
            finished += u32::from(was_killed && was != is);
        }
        drop(end);
        sender.join().expect("the sender does not panic")
    });
    for (alias, beat) in beats {
        let (beats, lost) = beat.end();
        assert_eq!(lost, 0, "{alias}: of {beats} packets");
        for counter in ["rx_packets", "tx_packets"] {
            lab.wait_for_counter(alias, counter, beats);
        }
    }
    lab.wait_for_counter("eth0:0", "dropped.policy", sent);
    // Whatever it was left as, the next one makes it whole.
    lab.ctl_of(builds.other(), &["upgrade"]).ok();
    let text = lab.ctl_of(builds.other(), &["upgrade"]).ok().stdout;
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("nothing to do"), "{text}");
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
}
