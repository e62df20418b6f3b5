//! `route`: routes through aliases carry the alias's address, are counted for it,
//! and go with it. What is refused has changed nothing.

mod listing;
mod refusals;

use std::{
    thread,
    time::{Duration, Instant},
};

use alias_tests::{Lab, Mode, RawSocket, frame::read};
use serde_json::Value;

use crate::scene::{FAMILIES, Family, LIMIT, ip};

/// Ways out of host A for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A device of its own beside the parent.
    Device,
    /// The parent.
    Local,
    /// The device of eth0:5.
    Join,
}

const WAYS: [Way; 3] = [Way::Device, Way::Local, Way::Join];

/// A host behind B that only a route leads to, and its network.
fn far(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::V4 => ("203.0.113.50", "203.0.113.0/24"),
        Family::V6 => ("2001:db8:7::50", "2001:db8:7::/64"),
    }
}

/// The alias's neighbour, a router on the cable.
fn gateway(family: Family) -> &'static str {
    match family {
        Family::V4 => "198.51.100.1",
        Family::V6 => "2001:db8:5::1",
    }
}

/// A lab whose host B has the far address and the router's.
#[track_caller]
fn lab_with_far_host(family: Family) -> Lab {
    let lab = Lab::attached(Mode::Native);
    let (host, bits) = (far(family).0, if family == Family::V4 { 32 } else { 128 });
    let nodad = if family == Family::V6 { "nodad" } else { "" };
    lab.b.ip_batch(&format!(
        "addr add {host}/{bits} dev eth0 {nodad}\naddr add {}/{bits} dev eth0 {nodad}\n",
        gateway(family)
    ));
    lab
}

/// Makes eth0:0, with alias address 0.
#[track_caller]
fn add(lab: &Lab, family: Family, way: Way) {
    let address = |number| format!("{}/{}", family.alias(number), family.prefix_len());
    match way {
        Way::Device => drop(lab.ctl_ok(&["add", "eth0:0", &address(0)])),
        Way::Local => drop(lab.ctl_ok(&["add", "eth0:0", &address(0), "--local"])),
        Way::Join => {
            lab.ctl_ok(&["add", "eth0:5", &address(2)]);
            lab.ctl_ok(&["add", "eth0:0", &address(0), "--join", "eth0:5"]);
        }
    }
}

#[track_caller]
fn route_ok(lab: &Lab, line: &str) {
    let words: Vec<&str> = std::iter::once("route")
        .chain(line.split_whitespace())
        .collect();
    lab.ctl_ok(&words);
}

#[track_caller]
fn route_err(lab: &Lab, line: &str, errno: &str) {
    let words: Vec<&str> = std::iter::once("route")
        .chain(line.split_whitespace())
        .collect();
    let before = lab.snapshot();
    lab.ctl_err(&words, errno);
    lab.assert_unchanged(&before);
}

/// Host A's main table, of one family.
#[track_caller]
fn table(lab: &Lab, family: Family) -> Vec<Value> {
    let family = if family == Family::V4 { "-4" } else { "-6" };
    match lab.a.ip_json(&format!("{family} -d route show table main")) {
        Value::Array(routes) => routes,
        other => panic!("{other}"),
    }
}

#[test]
fn traffic_by_a_route_is_the_aliass() {
    for family in FAMILIES {
        for way in WAYS {
            let lab = lab_with_far_host(family);
            add(&lab, family, way);
            let what = format!("{family:?} {way:?}");
            let (host, _) = far(family);
            route_ok(&lab, &format!("add -host {host} dev eth0:0"));
            let at_b = RawSocket::open(&lab.b, "eth0");
            lab.a.ping_ok(host, 3);
            let asked = at_b.expect(&what, LIMIT, |frame| {
                let to_far = |seen: alias_tests::frame::Seen| seen.ip;
                read(frame)
                    .and_then(to_far)
                    .is_some_and(|packet| packet.destination == ip(host))
            });
            let source = read(&asked).and_then(|seen| seen.ip_source());
            assert_eq!(source, Some(family.alias_ip(0)), "{what}");
            // Every packet there and back, and nobody else's.
            lab.wait_for_counter("eth0:0", "tx_packets", 3);
            lab.wait_for_counter("eth0:0", "rx_packets", 3);
            if way == Way::Join {
                assert_eq!(lab.counter("eth0:5", "tx_packets"), 0, "{what}");
            }
            route_ok(&lab, &format!("del -host {host} dev eth0:0"));
            lab.a.run(&format!("ping -n -c 1 -W 1 {host}"));
            assert_eq!(
                lab.counter("eth0:0", "tx_packets"),
                3,
                "{what}: by no route"
            );
        }
    }
}

#[test]
fn a_gateway_behind_an_alias_is_reached() {
    for family in FAMILIES {
        for way in WAYS {
            let lab = lab_with_far_host(family);
            add(&lab, family, way);
            let (host, network) = far(family);
            let line = format!(
                "add -net {network} gw {} metric 7 dev eth0:0",
                gateway(family)
            );
            route_ok(&lab, &line);
            lab.a.ping_ok(host, 2);
            lab.wait_for_counter("eth0:0", "tx_packets", 2);
            route_err(&lab, &line, "EEXIST");
            let made = table(&lab, family);
            let made: Vec<&Value> = made.iter().filter(|r| r["dst"] == network).collect();
            let [made] = made[..] else {
                panic!("{family:?} {way:?}: one route: {made:?}");
            };
            assert_eq!(made["gateway"], gateway(family));
            assert_eq!(made["metric"], 7);
            assert_eq!(made["prefsrc"], family.alias(0));
        }
    }
}

/// Whatever leads through an alias goes with it, and nothing else does.
#[test]
fn routes_go_with_the_alias() {
    for family in FAMILIES {
        for way in WAYS {
            let lab = lab_with_far_host(family);
            let (host, network) = far(family);
            // A route of the operator's own, and one through another alias.
            let before_alias = lab.snapshot();
            lab.ctl_ok(&["add", "eth0:9", family.alias(1), "--local"]);
            route_ok(&lab, &format!("add -host {host} metric 9 dev eth0:9"));
            lab.a.ip(&format!("route add {network} dev eth0 metric 77"));
            let before = lab.snapshot();

            add(&lab, family, way);
            let gateway = gateway(family);
            route_ok(&lab, &format!("add -host {host} dev eth0:0"));
            route_ok(&lab, &format!("add -net {network} gw {gateway} dev eth0:0"));
            let six = if family == Family::V6 { "-6" } else { "-4" };
            route_ok(&lab, &format!("{six} add default gw {gateway} dev eth0:0"));
            match way {
                Way::Join => {
                    lab.ctl_ok(&["del", "eth0:0"]);
                    let left = lab.a.ip(&format!("{six} route show table all"));
                    // That of eth0:9 stays.
                    let ours = left.matches("proto 161").count();
                    let source = format!("src {} ", family.alias(0));
                    let gone = ours == 1 && !left.contains(&source) && !left.contains("via");
                    assert!(gone, "{family:?}:\n{left}");
                    lab.ctl_ok(&["del", "eth0:5"]);
                }
                _ => drop(lab.ctl_ok(&["del", "eth0:0"])),
            }
            lab.assert_unchanged(&before);

            lab.ctl_ok(&["del", "eth0:9"]);
            lab.a.ip(&format!("route del {network} dev eth0 metric 77"));
            lab.assert_unchanged(&before_alias);
        }
    }
}

/// An address that was the parent's before the alias stays when the alias goes;
/// the routes through the alias do not.
#[test]
fn routes_go_where_the_address_stays() {
    for family in FAMILIES {
        let lab = lab_with_far_host(family);
        let before = lab.snapshot();
        lab.ctl_ok(&["add", "eth0:0", family.a(), "--local"]);
        let (host, _) = far(family);
        route_ok(&lab, &format!("add -host {host} dev eth0:0"));
        lab.a.ping_ok(host, 1);
        lab.wait_for_counter("eth0:0", "tx_packets", 1);
        lab.ctl_ok(&["del", "eth0:0"]);
        lab.assert_unchanged(&before);
    }
}

/// A route that somebody asked for is not taken for the one that a local alias's
/// network has, though nothing but its source tells them apart.
#[test]
fn a_networks_route_is_not_anothers() {
    const METRIC_OF_NETWORKS: u32 = 1000;
    for family in FAMILIES {
        let lab = lab_with_far_host(family);
        lab.ctl_ok(&["add", "eth0:1", family.alias(1), "--local"]);
        let (network, bits) = match family {
            Family::V4 => ("198.51.100.0", 24),
            Family::V6 => ("2001:db8:5::", 64),
        };
        route_ok(
            &lab,
            &format!("add {network}/{bits} metric {METRIC_OF_NETWORKS} dev eth0:1"),
        );
        let before = lab.snapshot();
        add(&lab, family, Way::Local);
        lab.ctl_ok(&["del", "eth0:0"]);
        lab.assert_unchanged(&before);
    }
}

/// IPv6 keeps a route whose source is gone, so a deletion takes the routes first:
/// wherever it is killed, the next one finds those that are left.
#[test]
fn a_killed_deletion_leaves_no_route() {
    const ROUNDS: u32 = 12;
    let family = Family::V6;
    let (host, network) = far(family);
    let lab = lab_with_far_host(family);
    let before = lab.snapshot();
    let mut run = Duration::ZERO;
    for round in 0..=ROUNDS {
        add(&lab, family, Way::Local);
        route_ok(&lab, &format!("add -host {host} dev eth0:0"));
        route_ok(&lab, &format!("add {network} dev eth0:0"));
        if round == 0 {
            let started = Instant::now();
            lab.ctl_ok(&["del", "eth0:0"]);
            run = started.elapsed();
        } else {
            let victim = lab.ctl_spawn(&["del", "eth0:0"]);
            // Not to wait for anything: when it strikes is what is tried.
            thread::sleep(run * (round - 1) / ROUNDS);
            victim.kill();
            let next = lab.ctl(&["del", "eth0:0"]);
            let is_gone = next.stderr.contains("(ENODEV)");
            assert!(next.code() == 0 || is_gone, "round {round}: {next}");
        }
        lab.assert_unchanged(&before);
    }
}

#[test]
fn deletion_takes_what_was_described_and_no_more() {
    for family in FAMILIES {
        let lab = lab_with_far_host(family);
        let (host, network) = far(family);
        add(&lab, family, Way::Local);
        lab.ctl_ok(&["add", "eth0:1", family.alias(1), "--local"]);
        let by = |metric: u32, alias: &str| format!("-host {host} metric {metric} dev {alias}");
        route_ok(&lab, &format!("add {}", by(3, "eth0:0")));
        route_ok(&lab, &format!("add {}", by(4, "eth0:1")));
        route_ok(&lab, &format!("add {}", by(5, "eth0:0")));
        let metrics = |lab: &Lab| -> Vec<u64> {
            table(lab, family)
                .iter()
                .filter(|route| route["dst"] == host)
                .filter_map(|route| route["metric"].as_u64())
                .collect()
        };
        for line in [
            by(4, "eth0:0"),
            by(6, "eth0:0"),
            format!("-host {host} gw {} dev eth0:0", gateway(family)),
            format!("-net {network} dev eth0:0"),
            // eth0's own routes are not the alias's, though they leave by eth0.
            format!("{} dev eth0:0", family.cable()),
        ] {
            route_err(&lab, &format!("del {line}"), "ESRCH");
        }
        route_ok(&lab, &format!("del -host {host} dev eth0:1"));
        assert_eq!(metrics(&lab), [3, 5], "{family:?}");
        // Of several the one in use, as the historic route did.
        route_ok(&lab, &format!("delete {host}"));
        assert_eq!(metrics(&lab), [5], "{family:?}");
        route_ok(&lab, &format!("del {host} metric 5"));
        route_err(&lab, &format!("del {host}"), "ESRCH");
    }
}

#[test]
fn devices_have_routes_of_their_own() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--netns", home.name()]);
    let before = lab.snapshot();
    route_ok(&lab, "add -net 203.0.113.0/24 gw 192.0.2.1");
    route_ok(
        &lab,
        "add -net 198.51.100.0 -netmask 0xffffff00 -interface eth0",
    );
    let made = table(&lab, Family::V4);
    for (network, gateway) in [
        ("203.0.113.0/24", Some("192.0.2.1")),
        ("198.51.100.0/24", None),
    ] {
        let route = made.iter().find(|route| route["dst"] == network);
        let route = route.unwrap_or_else(|| panic!("{network} in {made:?}"));
        assert_eq!(route["dev"], "eth0", "{network}");
        assert_eq!(route["gateway"].as_str(), gateway, "{network}");
        assert_eq!(route["protocol"], "boot", "{network}: the operator's own");
        assert_eq!(route["prefsrc"], Value::Null, "{network}");
    }
    // Where the alias's device is, its name is a device's.
    let line = "route add default gw 198.51.100.1 dev eth0:0";
    let words: Vec<&str> = line.split(' ').collect();
    lab.ctl_in(&home, &words).ok();
    let there = home.ip_json("route show default");
    assert_eq!(there[0]["gateway"], "198.51.100.1");
    assert_eq!(there[0]["dev"], home.link("eth0:0")["ifname"]);
    route_ok(&lab, "del -net 203.0.113.0/24 192.0.2.1");
    route_ok(&lab, "del 198.51.100.0/24 eth0");
    lab.assert_unchanged(&before);
}
