//! Packets of every kind while the parent grows, and a reader.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use alias_tests::{
    Destinations, Generator, Lab, LabBuilder, Mode, Namespace, RawSocket, frame::Frame, wait_for,
};

use super::{capacity, number, received, small};
use crate::alias_types::{labelled, object_name, to_a};
use crate::crash::heartbeat::Heartbeat;
use crate::on_drop::OnDrop;
use crate::scene::{Family, LIMIT, from_b_to_a, has_tcx, ip};

/// At full speed: what the device was given is what was counted, packet by packet.
#[test]
fn no_packet_is_lost_or_counted_twice_at_full_speed() {
    const ALIASES: u32 = 100;
    let lab = small("100");
    lab.ctl_ok(&["add", "eth0", "--range", "198.18.0.0-198.18.0.99", "--drop"]);
    let destinations = Destinations {
        first: [198, 18, 0, 0].into(),
        count: ALIASES,
        mac: lab.a.mac("eth0"),
        mac_each: false,
    };
    let before = received(&lab);
    let (sent, ()) = while_sending(&lab, destinations, || {
        for (round, wanted) in [200, 400, 800, 1600].into_iter().enumerate() {
            let slot = format!("eth0:{}", 1_000_000 * (round + 1) - 1);
            lab.ctl_ok(&["add", &slot, &format!("198.51.100.{round}"), "--drop"]);
            assert_eq!(capacity(&lab), wanted);
            // As many as there is room for now.
            let last = wanted / 2 - 2;
            let (first, over) = (round as u32 * 8, last / 256);
            let range = format!("198.19.{first}.0-198.19.{}.{}", first + over, last % 256);
            lab.ctl_ok(&["add", "eth0", "--range", &range, "--drop"]);
            assert_eq!(capacity(&lab), wanted);
        }
    });
    let mut after = received(&lab);
    wait_for("all to come in, or to find the ring full", LIMIT, || {
        after = received(&lab);
        after.iter().sum::<u64>() == before.iter().sum::<u64>() + sent
    });
    let parent = &lab.ctl_json(&["stats", "--parent"])[0];
    let came = after[0] - before[0];
    assert_eq!(parent["dropped"]["policy"], came, "of {sent}: {parent}");
    assert_eq!(parent["miss"], 0, "{parent}");
    let rows = lab.ctl_json(&["stats"]);
    let rows = rows.as_array().expect("an array");
    let (packets, bytes) = (sum(rows, "rx_packets"), sum(rows, "rx_bytes"));
    assert_eq!((packets, bytes), (came, came * 60));
    assert!(came > 100_000, "too little traffic to say anything: {came}");
}

/// What is sent on and then lost is counted once too, by the one that sent it on.
#[test]
fn no_loss_is_missed_or_counted_twice() {
    let lab = small("2");
    let (home, far) = (lab.namespace("home"), lab.namespace("far"));
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.0", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth0:1", "198.18.0.1", "--to", "v0"]);
    let device = lab.device("eth0:0");
    home.ip(&format!("link set {device} down"));
    lab.a.ip("link set v0 down");
    let destinations = Destinations {
        first: [198, 18, 0, 0].into(),
        count: 2,
        mac: lab.a.mac("eth0"),
        mac_each: false,
    };
    let before = received(&lab);
    let (sent, ()) = while_sending(&lab, destinations, || {
        for number in 2..17 {
            let name = format!("eth0:{}", number * 1000);
            lab.ctl_ok(&["add", &name, &format!("198.51.100.{number}"), "--drop"]);
        }
    });
    wait_for("all to come in, or to find the ring full", LIMIT, || {
        // A redirect that the kernel refuses is in both of the device's figures.
        let twice = lab.counter("eth0:1", "rx_packets");
        received(&lab).iter().sum::<u64>() == before.iter().sum::<u64>() + sent + twice
    });
    assert_eq!(capacity(&lab), 32);
    for alias in ["eth0:0", "eth0:1"] {
        let stats = lab.stats(alias);
        assert_eq!(
            stats["rx_packets"], stats["dropped"]["no_target"],
            "{stats}"
        );
        assert!(number(&stats["rx_packets"]) > 10_000, "too few: {stats}");
    }
    let parent = &lab.ctl_json(&["stats", "--parent"])[0];
    assert_eq!(parent["device"], 0, "{parent}");
    assert_eq!(parent["to"], 0, "{parent}");
}

/// Sends as fast as one CPU can for as long as the work takes. Returns how many.
fn while_sending<T>(lab: &Lab, to: Destinations, work: impl FnOnce() -> T) -> (u64, T) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            lab.b.enter(|| {
                let generator = Generator::new(&lab.b, "eth0", to).expect("a generator");
                let mut sent = 0;
                while !over.load(Ordering::Relaxed) {
                    generator.send(1 << 14).expect("to send");
                    sent += 1u64 << 14;
                }
                sent
            })
        });
        let end = OnDrop(|| over.store(true, Ordering::Relaxed));
        let done = work();
        drop(end);
        (sender.join().expect("the sender does not panic"), done)
    })
}

fn sum(rows: &[serde_json::Value], key: &str) -> u64 {
    rows.iter().map(|row| number(&row[key])).sum()
}

#[test]
fn every_kind_of_alias_goes_on_native() {
    check(Lab::builder().mode(Mode::Native), true);
}

#[test]
fn every_kind_of_alias_goes_on_on_clsact() {
    let builder = Lab::builder().mode(Mode::Native);
    check(builder.attach_options(&["--tc", "clsact"]), false);
}

#[test]
fn every_kind_of_alias_goes_on_tc() {
    if has_tcx() {
        check(Lab::builder().mode(Mode::Tc), false);
    }
}

#[test]
fn every_kind_of_alias_goes_on_generic() {
    check(Lab::builder().mode(Mode::Generic), true);
}

/// An alias that is sent frames which nobody answers, and what is to be counted.
struct Target {
    alias: &'static str,
    frame: Vec<u8>,
    counter: &'static str,
    counts: bool,
}

fn targets(lab: &Lab, typed: bool) -> Vec<Target> {
    let to = |address: &str, start: Frame| {
        let to: IpAddr = ip(address);
        let from = if to.is_ipv4() { Family::V4 } else { Family::V6 };
        let built = start.ip(from.b_ip(), to).udp(5, 9, b"counted");
        built.padded().build()
    };
    let target = |alias, frame, counts| Target {
        alias,
        frame,
        counter: "rx_packets",
        counts,
    };
    let mut all = vec![
        target("eth0:0", to("198.18.0.1", from_b_to_a(lab)), true),
        target("eth0:1", to("2001:db8:7::1", from_b_to_a(lab)), true),
        target("eth0:2", to("198.18.0.2", from_b_to_a(lab).vlan(7)), true),
        target("eth0:3", to("198.18.0.3", from_b_to_a(lab)), false),
    ];
    if typed {
        all.push(target("eth0:4", labelled(to_a(lab), 100, b"counted"), true));
    }
    all
}

fn check(builder: LabBuilder, typed: bool) {
    let lab = builder.attach_options(&["--capacity", "10"]).build();
    let (home, far) = (lab.namespace("home"), lab.namespace("far"));
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.1", "--drop"]);
    lab.ctl_ok(&["add", "eth0:1", "2001:db8:7::1", "--drop"]);
    lab.ctl_ok(&["add", "eth0:2", "198.18.0.2", "--vlan", "7", "--drop"]);
    lab.ctl_ok(&["add", "eth0:3", "198.18.0.3", "--drop"]);
    lab.ctl_ok(&["disable", "eth0:3"]);
    if typed {
        lab.ctl_ok(&["types", "add", &object_name()]);
        let alias = ["add", "eth0", "100", "--family", "mpls", "--drop"];
        lab.ctl_ok(&alias);
    } else {
        lab.ctl_ok(&["add", "eth0:4", "198.18.0.4", "--drop"]);
    }
    let at_home = ["--netns", home.name()];
    lab.ctl_ok(&[&["add", "eth0:5", "198.51.100.8/24"][..], &at_home].concat());
    lab.ctl_ok(&["add", "eth0:6", "198.51.100.9/24", "--join", "eth0:5"]);
    lab.ctl_ok(&[&["add", "eth0:7", "2001:db8:5::8/64"][..], &at_home].concat());
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:8", "203.0.113.9/24", "--to", "v0"]);
    let local = ["add", "eth0:9", "198.51.100.30/24", "--local"];
    lab.ctl_ok(&[&local[..], &["--tcp-nodelay", "1"]].concat());
    for (alias, network) in [("eth0:5", "192.0.2.0/24"), ("eth0:7", "2001:db8:0:1::/64")] {
        let device = lab.device(alias);
        home.ip(&format!("route add {network} dev {device}"));
    }
    let beats = [
        ("eth0:5", "198.51.100.8", &home),
        ("eth0:6", "198.51.100.9", &home),
        ("eth0:7", "2001:db8:5::8", &home),
        ("eth0:8", "203.0.113.9", &far),
    ];
    let listed: Vec<String> = lab.alias_names();
    let targets = targets(&lab, typed);
    let running = beats.map(|(_, address, home)| Heartbeat::start(&lab, home, address));
    let over = AtomicBool::new(false);
    let frames: Vec<&[u8]> = targets.iter().map(|target| &target.frame[..]).collect();
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&lab, &frames, &over));
        let reader = scope.spawn(|| read(&lab, &listed, &over));
        let end = OnDrop(|| over.store(true, Ordering::Relaxed));
        for (range, wanted) in [
            ("198.19.0.0/27", 42),
            ("198.19.1.0/26", 106),
            ("2001:db8:8::/120", 362),
        ] {
            lab.ctl_ok(&["add", "eth0", "--range", range, "--drop"]);
            assert_eq!(capacity(&lab), wanted);
        }
        drop(end);
        let readings = reader.join().expect("the reader does not panic");
        assert!(readings > 3, "too few readings to say anything: {readings}");
        sender.join().expect("the sender does not panic")
    });
    for ((alias, address, _), beat) in beats.into_iter().zip(running) {
        let (beats, lost) = beat.end();
        assert_eq!(lost, 0, "{address}: of {beats} packets");
        for counter in ["rx_packets", "tx_packets"] {
            lab.wait_for_counter(alias, counter, beats);
        }
    }
    for target in &targets {
        let expected = if target.counts { sent } else { 0 };
        lab.wait_for_counter(target.alias, target.counter, expected);
    }
    check_afterwards(&lab, &listed, typed);
    // Both that hear of a loss are of this generation: it is counted once. At tc a `--to`
    // device that is down drops by itself, and one that is gone is heard of.
    let gone = match lab.row("eth0:8")["mode"] == "tc" {
        true => "link del v0",
        false => "link set v0 down",
    };
    lab.a.ip(gone);
    let lost = lab.counter("eth0:8", "dropped.no_target");
    let at_b = RawSocket::open(&lab.b, "eth0");
    let built = from_b_to_a(&lab).ip(Family::V4.b_ip(), ip("203.0.113.9"));
    for number in 0..5 {
        at_b.send(&built.clone().udp(5, number, b"lost").padded().build());
    }
    lab.wait_for_counter("eth0:8", "dropped.no_target", lost + 5);
    // A device that is down in another namespace: the other kind.
    let device = lab.device("eth0:5");
    home.ip(&format!("link set {device} down"));
    let built = from_b_to_a(&lab).ip(Family::V4.b_ip(), ip("198.51.100.8"));
    for number in 0..5 {
        at_b.send(&built.clone().udp(5, number, b"lost").padded().build());
    }
    lab.wait_for_counter("eth0:5", "dropped.no_target", 5);
    lab.ctl_ok(&["del", "eth0", "--all"]);
    lab.ctl_ok(&["detach", "eth0"]);
}

/// What is listed, and that all of it can still be changed.
fn check_afterwards(lab: &Lab, listed: &[String], typed: bool) {
    let names = lab.alias_names();
    assert_eq!(names.len(), listed.len() + 32 + 64 + 256);
    assert_eq!(names[..listed.len()], *listed, "the order of creation");
    let proc = lab.ctl_ok(&["show", "--proc"]);
    let in_proc: Vec<&str> = proc
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.contains(':'))
        .collect();
    assert_eq!(in_proc, names, "the kernel's own listing");
    assert_eq!(lab.row("eth0:3")["enabled"], false);
    assert_eq!(lab.row("eth0:9")["tcp"]["tcp_nodelay"], 1);
    lab.ctl_ok(&["set", "eth0:9", "--tcp-nodelay", "0"]);
    lab.ctl_ok(&["set", "eth0:9", "--tcp-nodelay", "default"]);
    lab.ctl_ok(&["enable", "eth0:3"]);
    let at_b = RawSocket::open(&lab.b, "eth0");
    let frame = &targets(lab, typed)[3].frame;
    at_b.send(frame);
    lab.wait_for_counter("eth0:3", "rx_packets", 1);
    lab.ctl_ok(&["set", "eth0:3", "198.18.0.5"]);
    at_b.send(frame);
    assert_eq!(lab.counter("eth0:3", "rx_packets"), 1);
    lab.b.ping_ok("198.51.100.30", 2);
}

/// Sends each of these frames, again and again. Returns how often.
pub(crate) fn send(lab: &Lab, frames: &[&[u8]], over: &AtomicBool) -> u64 {
    let at_b = RawSocket::open(&lab.b, "eth0");
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        for frame in frames {
            at_b.send(frame);
        }
        sent += 1;
        // The pace: a ring that is full would lose frames before they are anybody's, and it
        // leaves the processors to whoever else is at work.
        thread::sleep(Duration::from_millis(1));
    }
    sent
}

/// Reads without a lock; returns how often. What is counted never goes back, and what
/// was there from the beginning is listed, in its order.
fn read(lab: &Lab, listed: &[String], over: &AtomicBool) -> u32 {
    let (mut readings, mut last) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        let rows = lab.ctl_json(&["stats"]);
        let rows = rows.as_array().expect("an array");
        let names: Vec<&str> = rows
            .iter()
            .filter_map(|row| row["alias"].as_str())
            .collect();
        assert_eq!(names[..listed.len()], *listed);
        let now = number(&rows[0]["rx_packets"]);
        assert!(last <= now, "{last}, then {now}");
        last = now;
        let proc = lab.ctl_ok(&["show", "--proc"]);
        let lines: Vec<&str> = proc.lines().skip(1).collect();
        let is_there = |name: &String| {
            lines
                .iter()
                .filter(|line| line.starts_with(&format!("{name} ")))
                .count()
                == 1
        };
        assert!(listed.iter().all(is_there), "{proc}");
        readings += 1;
    }
    readings
}

/// A container as others build it, with the parent's station.
pub(crate) fn container(lab: &Lab, far: &Namespace) {
    let mac = lab.a.link("eth0")["address"].as_str().map(str::to_owned);
    lab.a.ip(&format!(
        "link add v0 type veth peer name v1 netns {}",
        far.name()
    ));
    lab.a.ip("link set v0 up");
    far.ip_batch(&format!(
        "link set v1 address {}\n\
         link set v1 up\n\
         addr add 203.0.113.9/24 dev v1\n\
         route add 192.0.2.0/24 dev v1\n",
        mac.expect("a MAC address")
    ));
    far.run("ethtool -K v1 tx off gro on").ok();
    lab.a.wait_until_up("v0");
}
