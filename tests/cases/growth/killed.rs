//! `kill -9` at any moment while a parent grows: the next command finishes it or takes
//! it back, packets never notice, and no figure is lost.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use alias_tests::bpf::tcx_programs;

use super::traffic::{container, send};
use super::{capacity, nothing_is_left, number, small};
use crate::aim::Aim;
use crate::crash::heartbeat::Heartbeat;
use crate::on_drop::OnDrop;
use crate::scene::{Family, from_b_to_a, ip};

/// At least; and until some were killed before the swap, and some after it.
const ROUNDS: u32 = 40;
/// Of which one is to hit a moment of some milliseconds.
const ATTEMPTS: u32 = 20;

#[test]
fn the_next_command_finishes_it_or_takes_it_back() {
    let lab = small("8");
    let home = lab.namespace("home");
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.1", "--drop"]);
    let device = ["add", "eth0:1", "198.51.100.8/24", "--netns", home.name()];
    lab.ctl_ok(&device);
    let device = lab.device("eth0:1");
    home.ip(&format!("route add 192.0.2.0/24 dev {}", device));
    let (pins, rows) = (lab.pins(), lab.rows());
    let built = from_b_to_a(&lab).ip(Family::V4.b_ip(), ip("198.18.0.1"));
    let frame = built.udp(5, 9, b"counted").padded().build();
    let beat = Heartbeat::start(&lab, &home, "198.51.100.8");
    let over = AtomicBool::new(false);
    let mut aim = Aim::new(0x0006_5eed);
    aim.measure(|| drop(lab.ctl_ok(&["set", "eth0", "--capacity", "9"])));
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&lab, &[&frame], &over));
        let end = OnDrop(|| over.store(true, Ordering::Relaxed));
        let (mut grown, mut slots, mut last) = (0, 9, 0);
        while aim.goes_on(ROUNDS) || grown == 0 || grown == aim.hits() {
            let wanted = (slots + 1).to_string();
            let victim = lab.ctl_spawn(&["set", "eth0", "--capacity", &wanted]);
            let (was_killed, what) = aim.kill(victim);
            // Before anybody has put anything in order.
            assert_eq!(lab.rows(), rows, "{what}");
            let now = number(&lab.stats("eth0:0")["rx_packets"]);
            assert!(last <= now, "{what}: {last}, then {now}");
            last = now;
            lab.ctl_ok(&["enable", "eth0:0"]);
            assert_eq!(lab.pins(), pins, "{what}");
            assert_eq!(lab.rows(), rows, "{what}");
            let is = capacity(&lab);
            assert!(is == slots || is == slots + 1, "{what}: {is} slots");
            grown += u32::from(was_killed && is > slots);
            slots = is;
        }
        drop(end);
        sender.join().expect("the sender does not panic")
    });
    let (beats, lost) = beat.end();
    assert_eq!(lost, 0, "of {beats} packets");
    for counter in ["rx_packets", "tx_packets"] {
        lab.wait_for_counter("eth0:1", counter, beats);
    }
    lab.wait_for_counter("eth0:0", "dropped.policy", sent);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    nothing_is_left(&lab);
}

/// `alias_return` hangs on a `--to` device by no link that goes with the pins: killed
/// after it was replaced, and then without a parent, nobody must leave it there.
#[test]
fn a_parent_that_goes_half_grown_leaves_no_program_behind() {
    let mut hit = false;
    for _ in 0..ATTEMPTS {
        let lab = small("8");
        let far = lab.namespace("far");
        container(&lab, &far);
        lab.ctl_ok(&["add", "eth0:0", "203.0.113.9/24", "--to", "v0"]);
        let hung = || tcx_programs(&lab.a, "v0").expect("to be told what hangs there");
        let before = hung();
        assert_eq!(before.len(), 1, "alias_return");
        let mut victim = lab.ctl_spawn(&["set", "eth0", "--capacity", "9"]);
        while hung() == before && victim.is_alive() {}
        victim.kill();
        let growth = format!("grow-{}", lab.a.ifindex("eth0"));
        let grows = |pin: &PathBuf| pin.iter().any(|part| part == &*growth);
        let half = lab.pins().iter().any(grows);
        hit |= half && hung() != before;
        lab.a.ip("link del eth0");
        // Any change puts right what it finds.
        lab.a.ip("link add other0 type veth peer name other1");
        lab.ctl_ok(&["attach", "other0"]);
        assert_eq!(hung(), [0u32; 0], "half grown: {half}");
        if hit {
            return;
        }
    }
    panic!("of {ATTEMPTS} none was killed in time");
}
