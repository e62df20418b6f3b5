//! Many addresses of one network in one namespace, each with a device of its own: the
//! namespace's routes send all that they say out of one of these devices.

use alias_tests::{Lab, Mode, Namespace, RawSocket, frame::frame, transfer::udp_echo};

use crate::scene::{FAMILIES, Family, LIMIT, XDP_MODES};

const COUNT: usize = 64;

/// Addresses that no test host has, in a network of B's or beside it.
fn address(family: Family, beside: bool, number: usize) -> String {
    match (family, beside) {
        (Family::V4, true) => format!("192.0.2.{}", 100 + number),
        (Family::V4, false) => format!("198.51.100.{}", 100 + number),
        (Family::V6, true) => format!("2001:db8:0:1::{:x}", 0x100 + number),
        (Family::V6, false) => format!("2001:db8:9::{:x}", 0x100 + number),
    }
}

const fn length(family: Family) -> u8 {
    match family {
        Family::V4 => 24,
        Family::V6 => 64,
    }
}

/// B has an address in the network that is not A's.
fn far(family: Family) -> &'static str {
    match family {
        Family::V4 => "198.51.100.1/24",
        Family::V6 => "2001:db8:9::1/64 nodad",
    }
}

/// All answer, and each is counted for itself.
#[track_caller]
fn all_answer(lab: &Lab, family: Family, beside: bool, what: &str) {
    for number in (0..COUNT).rev() {
        lab.b.ping_ok(&address(family, beside, number), 1);
    }
    for number in 0..COUNT {
        let alias = format!("eth0:{number}");
        for path in ["rx_packets", "tx_packets"] {
            assert!(lab.counter(&alias, path) >= 1, "{what}: {alias}: {path}");
        }
        assert_eq!(lab.counter(&alias, "dropped.spoof"), 0, "{what}: {alias}");
    }
}

/// A socket's answers go where the routes send them, while an echo reply may leave by the
/// device that the request came in by. The last comes first, and whoever sends for it has
/// forgotten its neighbours.
#[track_caller]
fn sockets_answer(lab: &Lab, at: &Namespace, family: Family, beside: bool) {
    for number in [COUNT - 1, 1, 0] {
        at.ip("neigh flush all");
        let to = address(family, beside, number);
        udp_echo(at, to.parse().expect("an address"), &lab.b, 100);
    }
}

/// What no alias of the namespace has as its address is forged, whichever device it
/// leaves by.
#[track_caller]
fn forged_reaches_nobody(lab: &Lab, at: &Namespace, family: Family, what: &str) {
    let at_b = RawSocket::open(&lab.b, "eth0");
    for number in [0, COUNT / 2, COUNT - 1] {
        let alias = format!("eth0:{number}");
        let device = lab.row(&alias)["device"].as_str().map(str::to_owned);
        let device = device.expect("a device");
        let at_alias = RawSocket::open(at, &device);
        let send = |from, data: &[u8]| {
            let start = frame().between(at.mac(&device), lab.b.mac("eth0"));
            let built = start.ip(from, family.b_ip()).udp(5, 9, data);
            at_alias.send(&built.padded().build());
        };
        let own = lab.row(&alias)["address"].as_str().map(str::to_owned);
        let own = own.expect("an address").parse().expect("an address");
        send(family.nobody(), b"forged");
        send(own, b"honest");
        let has = |got: &[u8], data: &[u8]| got.windows(6).any(|window| window == data);
        let earlier = at_b.all_before("the honest one", LIMIT, |got| has(got, b"honest"));
        let came = earlier.iter().any(|got| has(got, b"forged"));
        assert!(!came, "{what}: {device}: it reached B");
        lab.wait_for_counter(&alias, "dropped.spoof", 1);
    }
}

fn check(mode: Mode, family: Family, beside: bool, by_range: bool, in_namespace: bool) {
    let what =
        format!("{mode:?} {family:?}, beside {beside}, range {by_range}, netns {in_namespace}");
    let lab = Lab::attached(mode);
    let home = lab.namespace("home");
    if !beside {
        lab.b.ip(&format!("addr add {} dev eth0", far(family)));
        if matches!(family, Family::V4) {
            // The lab's route there would have B ask from its other address, to which the
            // namespace has no way.
            lab.b
                .ip("route replace 198.51.100.0/24 dev eth0 src 198.51.100.1");
        }
    }
    let mut options: Vec<&str> = Vec::new();
    if in_namespace {
        options.extend(["--netns", home.name()]);
    }
    let len = length(family).to_string();
    if by_range {
        let range = format!(
            "{}-{}",
            address(family, beside, 0),
            address(family, beside, COUNT - 1)
        );
        let mut words = vec!["add", "eth0", "--range", &range, "--prefix-len", &len];
        words.extend(&options);
        lab.ctl_ok(&words);
    } else {
        for number in 0..COUNT {
            let (name, to) = (
                format!("eth0:{number}"),
                format!("{}/{len}", address(family, beside, number)),
            );
            let mut words = vec!["add", &name, &to];
            words.extend(&options);
            lab.ctl_ok(&words);
        }
    }
    let at = if in_namespace { &home } else { &lab.a };
    for row in lab.rows() {
        at.wait_until_up(row["device"].as_str().expect("a device"));
    }
    all_answer(&lab, family, beside, &what);
    sockets_answer(&lab, at, family, beside);
    forged_reaches_nobody(&lab, at, family, &what);
}

#[test]
fn in_a_namespace_all_answer() {
    for (mode, by_range) in XDP_MODES.into_iter().zip([false, true]) {
        for family in FAMILIES {
            check(mode, family, true, by_range, true);
        }
    }
}

#[test]
fn in_a_network_away_from_the_parents_all_answer() {
    for (mode, by_range) in XDP_MODES.into_iter().zip([true, false]) {
        for family in FAMILIES {
            check(mode, family, false, by_range, true);
        }
    }
}

#[test]
fn beside_the_parent_all_answer() {
    for (mode, by_range) in XDP_MODES.into_iter().zip([true, false]) {
        for family in FAMILIES {
            check(mode, family, false, by_range, false);
        }
    }
}

/// The gateway's neighbour entry is right, somebody else's is not: a unicast frame for
/// another station's MAC is nobody's, whatever its IP destination.
#[test]
fn a_frame_for_another_station_is_nobodys() {
    for mode in XDP_MODES {
        for family in FAMILIES {
            let lab = Lab::attached(mode);
            let home = lab.namespace("home");
            let options: [(&str, &[&str]); 3] = [
                ("eth0:0", &["--netns", home.name()]),
                ("eth0:1", &["--drop"]),
                ("eth0:2", &["--local"]),
            ];
            for (number, (name, options)) in options.into_iter().enumerate() {
                let to = format!("{}/{}", family.alias(number), family.prefix_len());
                let mut words = vec!["add", name, &to];
                words.extend(options);
                lab.ctl_ok(&words);
            }
            lab.a.ip("link set eth0 promisc on");
            let at_b = RawSocket::open(&lab.b, "eth0");
            let before = lab.ctl_json(&["stats"]);
            for number in 0..3 {
                let stranger = frame().between(lab.b.mac("eth0"), [2, 0, 0, 0, 0, 0x77]);
                let built = stranger.ip(family.b_ip(), family.alias_ip(number));
                at_b.send(&built.udp(5, 9, b"for another").padded().build());
            }
            // Behind them, one that is for the parent: what came before has been seen.
            let own = frame().between(lab.b.mac("eth0"), lab.a.mac("eth0"));
            let built = own.ip(family.b_ip(), family.alias_ip(1));
            at_b.send(&built.udp(5, 9, b"for us").padded().build());
            lab.wait_for_counter("eth0:1", "dropped.policy", 1);
            let after = lab.ctl_json(&["stats"]);
            // With the line that the others are told in: what nobody was to see is counted.
            let parent = &lab.ctl_json(&["stats", "--parent"])[0];
            assert!(
                parent["other_station"].as_u64() >= Some(3),
                "{mode:?} {family:?}: {parent}"
            );
            for number in [0, 2] {
                assert_eq!(
                    after[number]["rx_packets"], before[number]["rx_packets"],
                    "{mode:?} {family:?}: eth0:{number}"
                );
            }
            assert_eq!(
                lab.counter("eth0:1", "rx_packets"),
                1,
                "{mode:?} {family:?}"
            );
        }
    }
}
