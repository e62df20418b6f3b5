//! The daemon as a process: one of them, light, ended cleanly or not, deaf for a
//! while.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use alias_tests::{Lab, Mode, wait_for};

use crate::daemon_stage::{By, Stage};
use crate::scene::LIMIT;

#[test]
fn there_is_one_in_a_namespace() {
    let mut stage = Stage::new(By::Daemon);
    stage.lab.ctl_err(&["daemon"], "EBUSY");
    let daemon = stage.daemon.take().expect("it runs");
    assert_eq!(daemon.stop(libc::SIGTERM), Some(0));
    let daemon = stage.lab.daemon(&["--on-parent-down", "keep"]);
    assert_eq!(daemon.stop(libc::SIGINT), Some(0));
    stage.lab.daemon(&[]).kill();
    stage.lab.daemon(&[]).kill();
}

#[test]
fn it_waits_for_the_first_parent_and_leaves_nothing_behind() {
    let lab = Lab::plain();
    let daemon = lab.daemon(&["--on-parent-down", "keep"]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.a.ip("link del eth0:0");
    wait_for("the alias to go", LIMIT, || lab.alias_names().is_empty());
    lab.ctl_ok(&["detach", "eth0"]);
    lab.ctl_err(&["daemon"], "EBUSY");
    assert_eq!(daemon.stop(libc::SIGTERM), Some(0));
    assert_eq!(ours(&lab), Vec::<PathBuf>::new());
    // What one leaves that is killed goes with the next change.
    lab.daemon(&["--on-parent-down", "keep"]).kill();
    lab.ctl_ok(&["attach", "eth0"]);
    lab.ctl_ok(&["detach", "eth0"]);
    assert_eq!(ours(&lab), Vec::<PathBuf>::new());
}

/// A killed daemon changes nothing for packets, and the next one finds what it missed.
#[test]
fn killed_and_started_again_it_finds_what_it_missed() {
    let mut stage = Stage::new(By::Daemon);
    for round in 1..=3 {
        let lab = &stage.lab;
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        if round == 1 {
            lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24"]);
        }
        stage.daemon.take().expect("it runs").kill();
        let lab = &stage.lab;
        lab.b.ping_ok("203.0.113.9", 2);
        let before = lab.rows();
        assert_eq!(before.len(), 3);
        let device = lab.device("eth0:0");
        lab.a.ip(&format!("link del {device}"));
        assert_eq!(lab.rows().len(), 3, "nobody was there to see it");
        stage.daemon = Some(stage.lab.daemon(&[]));
        assert_eq!(
            stage.of_eth0(),
            ["eth0:1"],
            "its first pass is before it is ready"
        );
        stage
            .lab
            .wait_for_counter("eth0:1", "rx_packets", 2 * round);
        stage
            .lab
            .wait_for_counter("eth0:1", "tx_packets", 2 * round);
    }
}

/// More happens than the socket can hold, while nobody reads it.
#[test]
fn an_overrun_is_a_reason_to_look_at_everything() {
    let stage = Stage::with_options(By::Daemon, &["--event-buffer", "4096"]);
    let lab = &stage.lab;
    for slot in 0..3 {
        let (name, address) = (format!("eth0:{slot}"), format!("198.51.100.{}", 8 + slot));
        lab.ctl_ok(&["add", &name, &address]);
    }
    let device = lab.device("eth0:1");
    stage.let_a_marker_pass();
    let daemon = stage.daemon.as_ref().expect("it runs");
    daemon.signal(libc::SIGSTOP);
    let flood: String = (1..=200)
        .map(|n| format!("addr add 198.19.0.{n}/32 dev eth1\n"))
        .collect();
    lab.a.ip_batch(&flood);
    lab.a.ip(&format!("link del {device}"));
    daemon.signal(libc::SIGCONT);
    stage.left(&["eth0:0", "eth0:2"]);
    wait_for("the daemon to say why", LIMIT, || {
        daemon.log().contains("events were lost")
    });
    lab.b.ping_ok("198.51.100.8", 1);
}

/// From the event to its consequence.
#[test]
fn it_reacts_within_a_second() {
    let stage = Stage::new(By::Daemon);
    let lab = &stage.lab;
    let took: Vec<Duration> = (0..7)
        .map(|_| {
            stage.add_two(&["--local"]);
            lab.a.ip("link set eth0 down");
            let from = Instant::now();
            stage.left(&[]);
            let took = from.elapsed();
            lab.a.ip("link set eth0 up");
            took
        })
        .collect();
    // The fastest: others use this machine too.
    assert!(
        took.iter().min() < Some(&Duration::from_secs(1)),
        "{took:?}"
    );
    eprintln!("from link down to no alias listed: {took:?}");
}

/// A pass over very many aliases takes little, and so does waiting.
#[test]
fn thousands_of_aliases_cost_little() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.18.0.0-198.18.15.255",
        "--local",
    ]);
    let mut daemon = lab.daemon(&[]);
    lab.a.ip("addr del 198.18.7.7/32 dev eth0");
    wait_for("one of 4,096 to be put back", LIMIT, || {
        lab.a.ip("addr show dev eth0").contains("198.18.7.7/32")
    });
    assert_eq!(lab.rows().len(), 4096);
    assert!(daemon.is_alive());
    lab.a.ip("link set eth0 down");
    wait_for("all to go", LIMIT, || lab.rows().is_empty());
}

/// What is pinned, but for the kernel's own two files.
fn ours(lab: &Lab) -> Vec<PathBuf> {
    let mut pins = lab.pins();
    pins.retain(|pin| pin.extension().is_none_or(|extension| extension != "debug"));
    pins
}
