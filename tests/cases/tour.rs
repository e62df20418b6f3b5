//! Everything once, with one load of the programs: what `cargo xtask vm` asks of
//! every kernel first, where a load takes seconds. Depth is the other cases' matter.

use alias_tests::{Lab, Mode, Namespace, RawSocket, Tap};

use crate::hear::{STRANGER, announcement};
use crate::scene::{FAMILIES, Family, LIMIT, from_b_to_a, has_tcx, ip};

/// An alias of the tour: its slot, its address of either family, its target's words.
struct Stop {
    slot: usize,
    v4: &'static str,
    v6: &'static str,
    target: &'static [&'static str],
}

const BESIDE: Stop = stop(0, "203.0.113.9/24", "2001:db8:6::9/64", &[]);
const LOCAL: Stop = stop(1, "198.18.0.3/32", "2001:db8:7::3/128", &["--local"]);
const DROP: Stop = stop(2, "198.18.0.4/32", "2001:db8:7::4/128", &["--drop"]);
const TO: Stop = stop(3, "198.18.0.5/32", "2001:db8:7::5/128", &["--to", "tap0"]);

const fn stop(
    slot: usize,
    v4: &'static str,
    v6: &'static str,
    target: &'static [&'static str],
) -> Stop {
    Stop {
        slot,
        v4,
        v6,
        target,
    }
}

impl Stop {
    fn name(&self, family: Family) -> String {
        format!("eth0:{}", self.slot + offset(family))
    }

    fn address(&self, family: Family) -> &'static str {
        let with_length = match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        };
        with_length.split('/').next().unwrap_or_default()
    }

    #[track_caller]
    fn add(&self, lab: &Lab, family: Family) {
        let name = self.name(family);
        let address = match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        };
        lab.ctl_ok(&[&["add", &name, address], self.target].concat());
        if self.target.is_empty() {
            lab.a.wait_until_up(&name);
        }
    }
}

/// The slots of a family.
fn offset(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 10,
    }
}

#[track_caller]
fn send_datagram(lab: &Lab, stop: &Stop, family: Family) -> Vec<u8> {
    let built = from_b_to_a(lab).ip(family.b_ip(), ip(stop.address(family)));
    let sent = built.udp(5, 9, b"for the machine").padded().build();
    RawSocket::open(&lab.b, "eth0").send(&sent);
    sent
}

/// An alias in a namespace of its own and one that joins it; both sides ask.
#[track_caller]
fn visit_namespace(lab: &Lab, home: &Namespace, family: Family) {
    let slot = |number: usize| format!("eth0:{}", number + offset(family));
    let (own, joined) = (slot(4), slot(5));
    let address = |number: usize| format!("{}/{}", family.alias(number), family.prefix_len());
    lab.ctl_ok(&["add", &own, &address(0), "--netns", home.name()]);
    lab.ctl_ok(&["add", &joined, &address(2), "--join", &own]);
    let link = home.link(&own);
    let device = link["ifname"].as_str().expect("a device has a name");
    home.ip(&format!("route replace {} dev {device}", family.cable()));
    home.wait_until_up(device);
    lab.b.ping_ok(family.alias(0), 5);
    home.ping_with(family.b(), 5, &format!("-I {}", family.alias(0)));
    lab.b.ping_ok(family.alias(2), 3);
    // What is said to everybody is heard there too.
    let ear = RawSocket::open(home, device);
    let somebody = match family {
        Family::V4 => "203.0.113.77",
        Family::V6 => "2001:db8:0:1::77",
    };
    let news = announcement(family, somebody, STRANGER).padded().build();
    RawSocket::open(&lab.b, "eth0").send(&news);
    ear.expect("an announcement", LIMIT, |got| got == news);
    for counter in ["rx_packets", "tx_packets"] {
        lab.wait_for_counter(&own, counter, 10);
        lab.wait_for_counter(&joined, counter, 3);
    }
}

#[track_caller]
fn tour(mode: Mode) {
    let lab = Lab::builder().mode(mode).gro_at_b().build();
    let home = lab.namespace("home");
    let tap = Tap::open(&lab.a, "tap0");
    for family in FAMILIES {
        for stop in [&BESIDE, &LOCAL, &DROP, &TO] {
            stop.add(&lab, family);
        }
        visit_namespace(&lab, &home, family);
        for stop in [&BESIDE, &LOCAL] {
            lab.b.ping_ok(stop.address(family), 5);
            lab.wait_for_counter(&stop.name(family), "rx_packets", 5);
        }
        lab.wait_for_counter(&BESIDE.name(family), "tx_packets", 5);
        let sent = send_datagram(&lab, &TO, family);
        // Whether the destination station is rewritten is not said here.
        let same = |got: &[u8]| got.get(6..) == sent.get(6..);
        assert!(
            tap.receive(LIMIT, same).is_some(),
            "{mode:?} {family:?}: not at the tap: {}",
            lab.stats(&TO.name(family))
        );
        send_datagram(&lab, &DROP, family);
        lab.wait_for_counter(&DROP.name(family), "dropped.policy", 1);
        // The parent's own stack has lost nothing by it.
        lab.b.ping_ok(family.a(), 2);
    }
    assert_eq!(lab.rows().len(), 12, "{mode:?}");
    lab.ctl_ok(&["del", &BESIDE.name(Family::V4)]);
    lab.b.ping_unanswered(BESIDE.address(Family::V4));
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    assert_eq!(lab.alias_names(), [""; 0]);
    let left = lab.a.ip("link show dev eth0");
    assert!(!left.contains("xdp"), "{mode:?}: {left}");
    lab.b.ping_ok(Family::V4.a(), 2);
}

#[test]
fn every_target_native() {
    tour(Mode::Native);
}

#[test]
fn every_target_tc() {
    if has_tcx() {
        tour(Mode::Tc);
    }
}

#[test]
fn every_target_generic() {
    tour(Mode::Generic);
}
