//! Parents: what happens to their aliases when the parent itself changes, and
//! what attaching one leaves and does not leave.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use alias_tests::{Lab, Mode, RawSocket, ctl_binary, frame::Echo, frame::read, wait_for};

use crate::scene::{FAMILIES, Family, LIMIT, PLACES, Place, Scene, from_b_to_a, modes};

#[test]
fn the_lowest_free_slot_is_taken() {
    let lab = Lab::attached(Mode::Native);
    for slot in [0, 1, 3] {
        let (name, address) = (format!("eth0:{slot}"), format!("198.51.100.{}", 10 + slot));
        lab.ctl_ok(&["add", &name, &address, "--drop"]);
    }
    lab.ctl_ok(&["add", "eth0", "198.51.100.20", "--drop"]);
    lab.ctl_ok(&["add", "eth0", "198.51.100.21", "--drop"]);
    assert_eq!(lab.row("eth0:2")["address"], "198.51.100.20");
    assert_eq!(lab.row("eth0:4")["address"], "198.51.100.21");
}

#[test]
fn a_limit_that_is_set_later_refuses_creation_and_keeps_what_is_there() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::SameHost);
    let lab = &scene.lab;
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "0"]);
    lab.ctl_err(&["add", "eth0:2", "198.51.100.30", "--drop"], "EINVAL");
    lab.ctl_err(&["add", "eth0", "198.51.100.30", "--drop"], "EINVAL");
    lab.b.ping_ok(Family::V4.alias(0), 2);
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "3"]);
    lab.ctl_ok(&["add", "eth0:255", "198.51.100.30", "--drop"]);
    lab.ctl_err(&["add", "eth0:2", "198.51.100.31", "--drop"], "ENOSPC");
}

#[test]
fn a_refused_first_alias_leaves_the_parent_unattached() {
    let lab = Lab::plain();
    let before = lab.snapshot();
    for add in [
        [
            "add",
            "eth0:0",
            "198.51.100.8",
            "--netns",
            "no-such-namespace",
        ],
        ["add", "eth0:0", "198.51.100.8", "--to", "no-such-device"],
    ] {
        let refusal = lab.ctl(&add);
        assert_eq!(refusal.code(), 1, "{add:?}");
        lab.assert_unchanged(&before);
        assert!(
            lab.pins()
                .iter()
                .all(|pin| !pin.to_string_lossy().contains("/alias/"))
        );
    }
}

#[test]
fn detaching_and_attaching_again_meets_nothing_of_ours() {
    let lab = Lab::plain();
    for _ in 0..25 {
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
        lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    }
}

#[test]
fn a_new_station_of_the_parent_is_the_aliases_too() {
    for place in PLACES {
        let scene = Scene::with_two(Mode::Native, Family::V4, place);
        let lab = &scene.lab;
        lab.a.ip("link set eth0 address 02:00:00:00:00:55");
        // Any change puts right what it finds.
        lab.ctl_ok(&["disable", "eth0:1"]);
        lab.ctl_ok(&["enable", "eth0:1"]);
        lab.b.ip("neigh flush dev eth0");
        lab.b.ping_ok(Family::V4.alias(0), 2);
        assert_eq!(
            scene.home("eth0:0").mac("eth0:0"),
            [2, 0, 0, 0, 0, 0x55],
            "{place:?}"
        );
        assert_eq!(lab.counter("eth0:0", "dropped.spoof"), 0, "{place:?}");
    }
}

#[test]
fn a_parent_that_moved_away_leaves_nothing_behind() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("link add other0 type veth peer name other1");
    lab.a.ip("link set other0 up");
    lab.ctl_ok(&["add", "other0:0", "198.51.100.40/24"]);
    let away = lab.namespace("away");
    lab.a.ip(&format!("link set other0 netns {}", away.name()));
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.41", "--drop"]);
    assert_eq!(lab.alias_names(), ["eth0:0"]);
    assert!(!lab.a.ip("link show").contains("altname other0:0"));
    assert!(
        !away.ip("link show dev other0").contains("xdp"),
        "its programs are off"
    );
}

#[test]
fn on_clsact_aliases_work_as_on_tcx() {
    for family in FAMILIES {
        for place in PLACES {
            let builder = Lab::builder()
                .mode(Mode::Native)
                .attach_options(&["--tc", "clsact"]);
            let scene = Scene::with_two_in(builder, family, place);
            let lab = &scene.lab;
            assert!(
                lab.a
                    .run("tc filter show dev eth0 ingress")
                    .stdout
                    .contains("alias_deliver")
            );
            lab.b.ping_ok(family.alias(0), 5);
            lab.wait_for_counter("eth0:0", "rx_packets", 5);
            lab.wait_for_counter("eth0:0", "tx_packets", 5);
            lab.ctl_ok(&["detach", "eth0", "--cascade"]);
            let left = lab.a.run("tc filter show dev eth0 ingress").stdout;
            assert!(!left.contains("alias"), "{left}");
        }
    }
}

#[test]
fn a_disabled_alias_of_a_vlan_is_not_matched_and_enabled_is_again() {
    for mode in modes() {
        for family in FAMILIES {
            let mut scene = Scene::empty(Lab::builder().mode(mode), family, Place::OwnNamespace);
            scene.add("eth0:0", 0, &["--vlan", "10"]);
            let lab = &scene.lab;
            let built = from_b_to_a(lab)
                .vlan(10)
                .ip(family.b_ip(), family.alias_ip(0));
            let echo = built.echo(Echo::Request, 40, 1, b"vlan").padded().build();
            let at_a = RawSocket::open(&lab.a, "eth0");
            let at_b = RawSocket::open(&lab.b, "eth0");
            lab.ctl_ok(&["disable", "eth0:0"]);
            at_b.send(&echo);
            at_a.expect("the frame, at the parent, with its tag", LIMIT, |got| {
                read(got).is_some_and(|seen| seen.vlans == [10])
            });
            assert_eq!(
                lab.counter("eth0:0", "rx_packets"),
                0,
                "{mode:?} {family:?}"
            );
            lab.ctl_ok(&["enable", "eth0:0"]);
            at_b.send(&echo);
            lab.wait_for_counter("eth0:0", "rx_packets", 1);
        }
    }
}

/// What programs write is a constant of theirs: others take their place, while packets flow.
#[test]
fn the_journal_needs_no_detach() {
    for mode in modes() {
        let mut scene = Scene::empty(Lab::builder().mode(mode), Family::V4, Place::OwnNamespace);
        scene.add("eth0:0", 0, &[]);
        let lab = &scene.lab;
        lab.ctl_err(&["journal", "eth0"], "ENODATA");
        lab.b.ping_ok(Family::V4.alias(0), 3);
        let before = lab.counter("eth0:0", "rx_packets");
        for _ in 0..2 {
            lab.ctl_ok(&["set", "eth0", "--log", "warn"]);
        }
        let home = scene.home("eth0:0");
        let device = scene.device("eth0:0");
        home.ip(&format!("addr add 203.0.113.77/32 dev {device}"));
        home.run("ping -c1 -W1 -I 203.0.113.77 192.0.2.1");
        let mut command = lab.a.command("timeout");
        command
            .arg("60")
            .arg(ctl_binary())
            .args(["journal", "eth0"])
            .env("ALIAS_BPFFS_ROOT", lab.bpffs())
            .stdout(Stdio::piped());
        let mut journal = command.spawn().expect("timeout runs");
        let output = journal.stdout.take().expect("a pipe was asked for");
        let told = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .any(|line| line.contains("from 203.0.113.77"));
        lab.a.run(&format!("kill {}", journal.id()));
        journal.wait().expect("our own child");
        assert!(told, "{mode:?}: nothing of a spoofed frame");
        lab.ctl_ok(&["set", "eth0", "--log", "off", "--capacity", "2000"]);
        lab.ctl_err(&["journal", "eth0"], "ENODATA");
        lab.b.ping_ok(Family::V4.alias(0), 3);
        assert!(
            lab.counter("eth0:0", "rx_packets") >= before + 3,
            "{mode:?}"
        );
        assert_eq!(lab.ctl(&["doctor", "eth0"]).code(), 0, "{mode:?}");
    }
}

#[test]
fn the_journal_tells_of_spoofed_frames_and_in_whose_name_they_were() {
    let mut scene = Scene::empty(
        Lab::builder()
            .mode(Mode::Native)
            .attach_options(&["--log", "warn"]),
        Family::V4,
        Place::OwnNamespace,
    );
    scene.add("eth0:0", 0, &[]);
    let device = scene.device("eth0:0");
    let home = scene.home("eth0:0");
    home.ip(&format!("addr add 203.0.113.77/32 dev {device}"));
    home.run("ping -c1 -W1 -I 203.0.113.77 192.0.2.1");
    // ARP is tried up to three times in the foreign name.
    wait_for("a spoofed frame to be counted", LIMIT, || {
        scene.lab.counter("eth0:0", "dropped.spoof") >= 1
    });
    // What was written before a reader came is still there; the limit ends a silence.
    let mut command = scene.lab.a.command("timeout");
    command
        .arg("60")
        .arg(ctl_binary())
        .args(["journal", "eth0"])
        .env("ALIAS_BPFFS_ROOT", scene.lab.bpffs())
        .stdout(Stdio::piped());
    let mut journal = command.spawn().expect("timeout runs");
    let output = journal.stdout.take().expect("a pipe was asked for");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let mut is_told = |address: &str| {
        let wanted = format!("slot 0: spoofed frame dropped, from {address}: its source is");
        lines.any(|line| line.contains(&wanted))
    };
    let told = is_told("203.0.113.77");
    home.sysctl(&format!("ipv6/conf/{device}/disable_ipv6"), "0");
    home.ip(&format!(
        "-6 addr add 2001:db8:77::7/128 dev {device} nodad"
    ));
    home.ip(&format!("-6 route add 2001:db8:0:1::/64 dev {device}"));
    home.run("ping -c1 -W1 -I 2001:db8:77::7 2001:db8:0:1::1");
    let told_of_ipv6 = is_told("2001:db8:77::7");
    scene.lab.a.run(&format!("kill {}", journal.id()));
    journal.wait().expect("our own child");
    assert!(told, "nothing of a spoofed frame");
    assert!(told_of_ipv6, "nothing of a spoofed frame of IPv6");
}

#[test]
fn the_parents_figures_add_up() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::SameHost);
    let lab = &scene.lab;
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.50", "--drop"]);
    let socket = RawSocket::open(&lab.b, "eth0");
    let send = |address: &str, count: usize| {
        let built = from_b_to_a(lab).ip(Family::V4.b_ip(), address.parse().expect("an address"));
        let frame = built.udp(5, 9, b"counted").padded().build();
        (0..count).for_each(|_| socket.send(&frame));
    };
    let figure = |name: &str| {
        let all = lab.ctl_json(&["stats", "--parent"]);
        name.split('.')
            .fold(all[0].clone(), |value, key| value[key].clone())
            .as_u64()
            .expect(name)
    };
    let (miss, device) = (figure("miss"), figure("device"));
    send("198.51.100.50", 7);
    send(Family::V4.alias(0), 3);
    send("198.51.100.99", 5);
    lab.wait_for_counter("eth0:2", "dropped.policy", 7);
    lab.wait_for_counter("eth0:0", "rx_packets", 3);
    assert_eq!(figure("dropped.policy"), 7);
    assert!(figure("device") >= device + 3);
    assert!(figure("miss") >= miss + 5);
}
