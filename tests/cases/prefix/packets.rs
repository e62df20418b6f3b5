//! Prefixes with real stacks behind them: what is sent to any of their addresses
//! arrives and is answered, and what they send is theirs.

use alias_tests::{
    Lab, Mode, Namespace, RawSocket,
    frame::{Frame, frame, read},
    wait_for,
};

use crate::scene::{FAMILIES, Family, LIMIT, ip, modes};

/// Three addresses of the prefix, the network's number among them.
fn members(family: Family) -> [&'static str; 3] {
    match family {
        Family::V4 => ["198.51.100.0", "198.51.100.99", "198.51.100.255"],
        Family::V6 => ["2001:db8:5::", "2001:db8:5::99", "2001:db8:5:ffff::1"],
    }
}

fn prefix(family: Family) -> &'static str {
    match family {
        Family::V4 => "198.51.100.0/24",
        Family::V6 => "2001:db8:5::/48",
    }
}

/// Host B sends to the prefix by host A: its stack cannot ask for each address of IPv6,
/// which nobody would answer.
#[track_caller]
fn route_by_a(lab: &Lab, family: Family) {
    let net = prefix(family);
    lab.b
        .ip(&format!("route replace {net} via {} dev eth0", family.a()));
}

/// The way back from a namespace that has no address of its own.
#[track_caller]
fn route_back(lab: &Lab, home: &Namespace, device: &str, family: Family) {
    home.ip(&format!("route replace {} dev {device}", family.cable()));
    let [a, b, c, d, e, f] = lab.b.mac("eth0");
    home.ip(&format!(
        "neigh replace {} lladdr {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} dev {device} nud permanent",
        family.b()
    ));
}

/// A lab whose eth0:0 is the prefix, on a device in another namespace.
#[track_caller]
fn in_a_home(mode: Mode, family: Family) -> (Lab, Namespace) {
    let lab = Lab::attached(mode);
    let home = lab.namespace("home");
    let target = ["--prefix", "--netns", home.name()];
    lab.ctl_ok(&[&["add", "eth0:0", prefix(family)][..], &target].concat());
    (lab, home)
}

#[track_caller]
fn local_routes(host: &Namespace, family: Family) -> String {
    let version = if family == Family::V4 { "-4" } else { "-6" };
    host.ip(&format!("{version} route show table local proto 161"))
}

/// Pings every member; the alias has counted each packet once, both ways.
#[track_caller]
fn check_answers(lab: &Lab, alias: &str, family: Family) {
    route_by_a(lab, family);
    for member in members(family) {
        lab.b.ping_ok(member, 2);
    }
    lab.wait_for_counter(alias, "rx_packets", 6);
    lab.wait_for_counter(alias, "tx_packets", 6);
    assert_eq!(lab.counter(alias, "dropped.spoof"), 0);
}

#[test]
fn a_device_answers_for_all_of_it() {
    for mode in modes() {
        for family in FAMILIES {
            let (lab, home) = in_a_home(mode, family);
            let device = lab.device("eth0:0");
            assert!(local_routes(&home, family).contains(prefix(family)));
            let shown = home.ip(&format!("addr show dev {device}"));
            // Of IPv6 one to ask its neighbours from, and none that it answers for.
            assert!(!shown.contains("inet "), "{family:?}: no address: {shown}");
            assert!(!shown.contains("scope global"), "{family:?}: {shown}");
            route_back(&lab, &home, &device, family);
            check_answers(&lab, "eth0:0", family);
            lab.ctl_ok(&["del", "eth0:0"]);
            assert_eq!(local_routes(&home, family), "");
        }
    }
}

#[test]
fn a_device_beside_its_parent_answers_for_all_of_it() {
    for mode in modes() {
        for family in FAMILIES {
            let lab = Lab::attached(mode);
            lab.ctl_ok(&["add", "eth0:0", prefix(family), "--prefix"]);
            check_answers(&lab, "eth0:0", family);
            lab.ctl_ok(&["del", "eth0:0"]);
            assert_eq!(local_routes(&lab.a, family), "");
        }
    }
}

#[test]
fn the_parents_stack_answers_for_all_of_it() {
    for mode in modes() {
        for family in FAMILIES {
            let lab = Lab::attached(mode);
            lab.ctl_ok(&["add", "eth0:0", prefix(family), "--prefix", "--local"]);
            check_answers(&lab, "eth0:0", family);
            // Others' routes to the same prefix are theirs.
            let net = prefix(family);
            lab.a.ip(&format!("route add local {net} dev lo"));
            lab.ctl_ok(&["del", "eth0:0"]);
            assert_eq!(local_routes(&lab.a, family), "");
            lab.a.ip(&format!("route del local {net} dev lo"));
        }
    }
}

/// On the cable itself, where nobody routes: Linux answers ARP for what is local.
#[test]
fn arp_is_answered_for_all_of_it() {
    for target in ["--local", "--device", "--netns"] {
        let lab = Lab::attached(Mode::Native);
        let home = lab.namespace("home");
        let mut words = vec!["add", "eth0:0", "198.51.100.0/24", "--prefix", target];
        if target == "--netns" {
            words.push(home.name());
        }
        lab.ctl_ok(&words);
        if target == "--netns" {
            let device = lab.device("eth0:0");
            route_back(&lab, &home, &device, Family::V4);
        }
        lab.b.ip("route replace 198.51.100.0/24 dev eth0");
        for member in members(Family::V4) {
            lab.b.ping_ok(member, 1);
        }
        lab.wait_for_counter("eth0:0", "rx_packets", 3);
        assert!(
            lab.counter("eth0:0", "neighbor_rx_packets") >= 3,
            "{target}"
        );
        assert!(
            lab.counter("eth0:0", "neighbor_tx_packets") >= 3,
            "{target}"
        );
    }
}

#[test]
fn a_route_that_was_taken_away_is_put_back() {
    for family in FAMILIES {
        let lab = Lab::attached(Mode::Native);
        lab.ctl_ok(&["add", "eth0:0", prefix(family), "--prefix", "--local"]);
        let net = prefix(family);
        lab.a
            .ip(&format!("route del local {net} dev eth0 table local"));
        let problem = lab.ctl(&["doctor"]);
        assert_eq!(problem.code(), 1, "{problem}");
        assert!(problem.stdout.contains("eth0:0"), "{problem}");
        lab.ctl_ok(&["enable", "eth0:0"]);
        assert!(local_routes(&lab.a, family).contains(net), "{family:?}");
        assert_eq!(lab.alias_names(), ["eth0:0"]);
    }
}

#[test]
fn a_prefix_joins_a_device() {
    for family in FAMILIES {
        let lab = Lab::attached(Mode::Native);
        let home = lab.namespace("home");
        let owner = match family {
            Family::V4 => "203.0.113.1/24",
            Family::V6 => "2001:db8:6::1/64",
        };
        lab.ctl_ok(&["add", "eth0:0", owner, "--netns", home.name()]);
        lab.ctl_ok(&[
            "add",
            "eth0:1",
            prefix(family),
            "--prefix",
            "--join",
            "eth0:0",
        ]);
        let device = lab.device("eth0:1");
        route_back(&lab, &home, &device, family);
        check_answers(&lab, "eth0:1", family);
        assert_eq!(lab.counter("eth0:0", "rx_packets"), 0);
        lab.ctl_ok(&["del", "eth0:1"]);
        assert_eq!(local_routes(&home, family), "");
        assert_eq!(lab.alias_names(), ["eth0:0"]);
    }
}

/// A container behind a veth, as others build it, which has the whole prefix.
#[test]
fn a_device_that_exists_sends_what_is_in_it() {
    for family in FAMILIES {
        let lab = Lab::builder().mode(Mode::Native).gro_at_b().build();
        let far = lab.namespace("far");
        let [a, b, c, d, e, f] = lab.a.mac("eth0");
        lab.a.ip(&format!(
            "link add v0 type veth peer name v1 address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} netns {}",
            far.name()
        ));
        lab.a.ip("link set v0 up");
        far.ip("link set v1 up");
        far.ip(&format!("route add local {} dev v1", prefix(family)));
        route_back(&lab, &far, "v1", family);
        lab.ctl_ok(&["add", "eth0:0", prefix(family), "--prefix", "--to", "v0"]);
        check_answers(&lab, "eth0:0", family);
        // What is not in it stays with host A.
        let (at_far, at_a) = (RawSocket::open(&far, "v1"), RawSocket::open(&lab.a, "v0"));
        let at_b = RawSocket::open(&lab.b, "eth0");
        let start = frame().between(far.mac("v1"), lab.b.mac("eth0"));
        let alien = match family {
            Family::V4 => "198.51.101.1",
            Family::V6 => "2001:db8:6::99",
        };
        let sent = start.clone().ip(ip(alien), family.b_ip());
        let sent = sent.udp(5, 9, b"alien").padded().build();
        at_far.send(&sent);
        at_a.expect("the alien at v0", LIMIT, |got| got == sent);
        let marker = start.ip(ip(members(family)[1]), family.b_ip());
        at_far.send(&marker.udp(5, 9, b"marker").padded().build());
        let udp = |got: &[u8]| read(got).and_then(|f| f.udp().map(|(_, data)| data.to_vec()));
        let earlier = at_b.all_before("the marker", LIMIT, |got| {
            udp(got).is_some_and(|data| data == b"marker")
        });
        assert!(!earlier.iter().any(|got| udp(got).is_some()), "{family:?}");
        lab.wait_for_counter("eth0:0", "tx_packets", 7);
    }
}

/// What a prefix's device may not say: what is outside of it, what is another alias's,
/// and the parent's.
#[test]
fn what_is_not_in_it_is_forged() {
    for mode in modes() {
        for (family, alien, others) in [
            (Family::V4, "198.51.101.1", "198.51.100.7"),
            (Family::V6, "2001:db8:6::1", "2001:db8:5::7"),
        ] {
            let (lab, home) = in_a_home(mode, family);
            // In another namespace: what is an alias of its own the device may speak for.
            let away = lab.namespace("away");
            lab.ctl_ok(&["add", "eth0:1", others, "--netns", away.name()]);
            let device = lab.device("eth0:0");
            let (at_alias, at_b) = (
                RawSocket::open(&home, &device),
                RawSocket::open(&lab.b, "eth0"),
            );
            home.wait_until_up(&device);
            let station = frame().between(home.mac(&device), lab.b.mac("eth0"));
            let udp = |start: &Frame, from: &str, data: &[u8]| {
                let built = start.clone().ip(ip(from), family.b_ip());
                built.udp(5, 9, data).padded().build()
            };
            for (number, forged) in (1u64..).zip([alien, others, family.a()]) {
                at_alias.send(&udp(&station, forged, b"forged"));
                at_alias.send(&udp(&station, members(family)[1], b"honest"));
                let data = |got: &[u8]| read(got).and_then(|f| f.udp().map(|(_, d)| d.to_vec()));
                let earlier = at_b.all_before("the honest packet", LIMIT, |got| {
                    data(got).is_some_and(|data| data == b"honest")
                });
                let came = earlier.iter().any(|got| data(got).is_some());
                assert!(!came, "{mode:?} {family:?}: {forged} reached host B");
                wait_for("the forged one to be counted", LIMIT, || {
                    lab.counter("eth0:0", "dropped.spoof") == number
                });
            }
            lab.wait_for_counter("eth0:0", "tx_packets", 3);
            assert_eq!(lab.counter("eth0:1", "tx_packets"), 0);
            // An alias that is disabled is as if it were not: its address is the prefix's.
            lab.ctl_ok(&["disable", "eth0:1"]);
            at_alias.send(&udp(&station, others, b"in it"));
            lab.wait_for_counter("eth0:0", "tx_packets", 4);
        }
    }
}

/// The tag comes back on what a prefix's device sends.
#[test]
fn a_tagged_prefix_answers_with_its_tag() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    let netns = home.name();
    let words = [
        "add",
        "eth0:0",
        "198.51.100.0/24",
        "--prefix",
        "--vlan",
        "10",
    ];
    lab.ctl_ok(&[&words[..], &["--netns", netns]].concat());
    let device = lab.device("eth0:0");
    let (at_alias, at_b) = (
        RawSocket::open(&home, &device),
        RawSocket::open(&lab.b, "eth0"),
    );
    home.wait_until_up(&device);
    let start = frame().between(home.mac(&device), lab.b.mac("eth0"));
    let sent = start.ip(ip("198.51.100.9"), ip("192.0.2.1"));
    at_alias.send(&sent.udp(5, 9, b"tagged").padded().build());
    let got = at_b.expect("the datagram", LIMIT, |got| {
        read(got).is_some_and(|f| f.udp().is_some_and(|(_, data)| data == b"tagged"))
    });
    assert_eq!(read(&got).expect("a frame").vlans, [10]);
    lab.wait_for_counter("eth0:0", "tx_packets", 1);
}
