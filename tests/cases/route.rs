//! `route`: routes through aliases carry the alias's address, are counted for it,
//! and go with it. What is refused has changed nothing.

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
fn refusals_change_nothing() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    lab.a.ip("link add v0 type veth peer name v1");
    lab.a.ip("link set v0 up");
    lab.a.ip("addr add 192.0.2.55/24 dev eth0 label eth0:55");
    for (alias, address, options) in [
        ("eth0:0", "198.51.100.8/24", &[][..]),
        ("eth0:1", "198.51.100.9", &["--local"]),
        ("eth0:2", "198.51.100.10/24", &["--netns", home.name()]),
        ("eth0:3", "198.51.100.11", &["--drop"]),
        ("eth0:4", "198.51.100.12", &["--to", "v0"]),
        ("eth0:5", "2001:db8:5::8/64", &[]),
        ("eth0:6", "198.51.100.13", &["--join", "eth0:0"]),
        ("eth0:7", "198.51.100.14", &["--join", "eth0:2"]),
    ] {
        lab.ctl_ok(&[&["add", alias, address], options].concat());
    }
    for (line, errno) in [
        // Never eth0, whatever comes behind the colon.
        ("add -host 203.0.113.7 dev eth0:8", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:55", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:x", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:-1", "ENODEV"),
        ("add -host 203.0.113.7 dev eth0:0:0", "ENODEV"),
        ("add -host 203.0.113.7 dev eth9:0", "ENODEV"),
        ("add -host 203.0.113.7 dev nosuch0", "ENODEV"),
        ("add -host 203.0.113.7 nosuch0", "ENODEV"),
        ("add -host 203.0.113.7 dev v1:0", "ENODEV"),
        ("del -host 203.0.113.7 dev eth0:8", "ENODEV"),
        // What nothing can be sent by from here.
        ("add -host 203.0.113.7 dev eth0:2", "EOPNOTSUPP"),
        ("add -host 203.0.113.7 dev eth0:3", "EOPNOTSUPP"),
        ("add -host 203.0.113.7 dev eth0:4", "EOPNOTSUPP"),
        ("add -host 203.0.113.7 dev eth0:7", "EOPNOTSUPP"),
        ("add -host 203.0.113.7 dev eth0:5", "EAFNOSUPPORT"),
        ("add 2001:db8:9::/64 dev eth0:0", "EAFNOSUPPORT"),
        ("add 2001:db8:9::/64 dev eth0:1", "EAFNOSUPPORT"),
        // The kernel's own reasons.
        ("add default gw 203.0.113.1 dev eth0:0", "ENETUNREACH"),
        ("add default gw 203.0.113.1", "ENETUNREACH"),
        (
            "add 2001:db8:9::/64 gw 2001:db8:6::1 dev eth0:5",
            "EHOSTUNREACH",
        ),
        ("del -host 203.0.113.7 dev eth0:0", "ESRCH"),
        ("del -host 203.0.113.7", "ESRCH"),
        ("del default", "ESRCH"),
        // Words.
        (
            "add -host 203.0.113.7 netmsk 255.255.255.0 dev eth0:0",
            "EINVAL",
        ),
        ("add -host 203.0.113.7 dev eth0:0 forever", "EINVAL"),
        (
            "add -net 203.0.113.0 netmask 255.0.255.0 dev eth0:0",
            "EINVAL",
        ),
        ("add -net 203.0.113.7/24 dev eth0:0", "EINVAL"),
        ("add -host 203.0.113.7", "EINVAL"),
        ("flush", "EINVAL"),
        ("-n add -host 203.0.113.7 -x dev eth0:0", "EINVAL"),
    ] {
        route_err(&lab, line, errno);
    }
    let before = lab.snapshot();
    let line = ["route", "add", "-host", "203.0.113.7", "dev", "eth0:0"];
    lab.ctl_err_unprivileged(&line, "EPERM");
    lab.assert_unchanged(&before);
    assert_eq!(lab.ctl(&["netstat", "-n"]).code(), 1);

    // A device that somebody took away: its number may be another's tomorrow.
    let device = lab.a.link("eth0:0")["ifname"].as_str().map(str::to_owned);
    lab.a.ip(&format!("link del {}", device.expect("a name")));
    route_err(&lab, "add -host 203.0.113.7 dev eth0:0", "ENODEV");
    route_err(&lab, "add -host 203.0.113.7 dev eth0:6", "ENODEV");
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
    route_ok(&lab, "del -net 203.0.113.0/24 192.0.2.1");
    route_ok(&lab, "del 198.51.100.0/24 eth0");
    lab.assert_unchanged(&before);
}

/// `DESTINATION GATEWAY METRIC WAY` of each route that `ip` knows, with the
/// alias's name where the route is through one.
#[track_caller]
fn known(
    lab: &Lab,
    family: Family,
    alias_of: &dyn Fn(&Value) -> Option<&'static str>,
) -> Vec<String> {
    let everything = match family {
        Family::V4 => "0.0.0.0/0",
        Family::V6 => "::/0",
    };
    let bits = if family == Family::V4 { "/32" } else { "/128" };
    table(lab, family)
        .iter()
        .map(|route| {
            let text = |key: &str| route[key].as_str();
            let destination = match text("dst").expect("a destination") {
                "default" => everything.to_owned(),
                host if !host.contains('/') => format!("{host}{bits}"),
                network => network.to_owned(),
            };
            let way = alias_of(route).or(text("dev")).expect("a device");
            format!(
                "{destination} {} {} {way}",
                text("gateway").unwrap_or("-"),
                route["metric"].as_u64().unwrap_or(0)
            )
        })
        .collect()
}

/// The same from a listing, whose rows `pick` reads.
fn listed(text: &str, pick: impl Fn(&[&str]) -> Option<String>) -> Vec<String> {
    text.lines()
        .filter_map(|line| pick(&line.split_whitespace().collect::<Vec<_>>()))
        .collect()
}

fn or_dash<'a>(gateway: &'a str, none: &str) -> &'a str {
    if gateway == none || gateway.starts_with("link#") {
        "-"
    } else {
        gateway
    }
}

#[test]
fn listings_show_what_ip_knows() {
    let lab = lab_with_far_host(Family::V4);
    add(&lab, Family::V4, Way::Join);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.20", "--local"]);
    lab.ctl_ok(&["add", "eth0:2", "2001:db8:5::8/64"]);
    lab.ctl_ok(&["add", "eth0:3", "2001:db8:6::9/64", "--local"]);
    for line in [
        "add -host 203.0.113.50 dev eth0:0",
        "add -net 203.0.113.0/25 gw 198.51.100.1 metric 4 dev eth0:5",
        "add -host 203.0.113.51 dev eth0:1",
        "add default gw 192.0.2.1",
        "add 2001:db8:7::/64 gw 2001:db8:5::1 dev eth0:2",
        "add 2001:db8:8::1 metric 3 dev eth0:3",
        "add default gw 2001:db8:0:1::1",
    ] {
        route_ok(&lab, line);
    }
    let device = |alias: &str| lab.a.link(alias)["ifname"].clone();
    let (joined, six) = (device("eth0:5"), device("eth0:2"));
    let alias_of = |route: &Value| match route["prefsrc"].as_str() {
        Some("198.51.100.8") => Some("eth0:0"),
        Some("198.51.100.20") => Some("eth0:1"),
        Some("2001:db8:6::9") => Some("eth0:3"),
        _ if route["dev"] == joined => Some("eth0:5"),
        _ if route["dev"] == six => Some("eth0:2"),
        _ => None,
    };
    let (v4, v6) = (
        known(&lab, Family::V4, &alias_of),
        known(&lab, Family::V6, &alias_of),
    );
    assert!(v4.len() >= 5 && v6.len() >= 5, "{v4:?} {v6:?}");

    let linux = lab.ctl_ok(&["route", "-n"]);
    let row = |words: &[&str]| {
        let [destination, gateway, mask, _, metric, _, _, way] = *words else {
            return None;
        };
        let mask: std::net::Ipv4Addr = mask.parse().ok()?;
        let bits = mask.to_bits().count_ones();
        Some(format!(
            "{destination}/{bits} {} {metric} {way}",
            or_dash(gateway, "0.0.0.0")
        ))
    };
    assert_eq!(listed(&linux, row), v4);
    let linux = lab.ctl_ok(&["route", "-n", "-6"]);
    let row = |words: &[&str]| {
        let [destination, gateway, _, metric, _, _, way] = *words else {
            return None;
        };
        destination
            .contains('/')
            .then(|| format!("{destination} {} {metric} {way}", or_dash(gateway, "::")))
    };
    assert_eq!(listed(&linux, row), v6);

    // BSD's has no metric, and writes hosts and the default without a length.
    let bsd = lab.ctl_ok(&["netstat", "-rn", "--style", "bsd"]);
    let rows = listed(&bsd, |words| match *words {
        [destination, gateway, flags, way] if flags.starts_with('U') => {
            Some(format!("{destination} {} {way}", or_dash(gateway, "-")))
        }
        _ => None,
    });
    let without_metric = |line: &String| {
        let words: Vec<&str> = line.split(' ').collect();
        let destination = match words[0] {
            "0.0.0.0/0" | "::/0" => "default",
            other => other.trim_end_matches("/32").trim_end_matches("/128"),
        };
        format!("{destination} {} {}", words[1], words[3])
    };
    let expected: Vec<String> = v4.iter().chain(&v6).map(without_metric).collect();
    assert_eq!(rows, expected, "{bsd}");

    let json = lab.ctl_json(&["route"]);
    let aliases: Vec<&str> = json
        .as_array()
        .expect("an array")
        .iter()
        .filter(|row| row["destination"] == "203.0.113.51")
        .filter_map(|row| row["alias"].as_str())
        .collect();
    assert_eq!(aliases, ["eth0:1"]);
}

#[test]
fn a_link_with_a_verbs_name_is_that_verb() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        lab.ctl_called("route", &words).ok().stdout
    };
    route("add -host 203.0.113.7 dev eth0:0");
    let line = "203.0.113.7     0.0.0.0         255.255.255.255 UH    0      0        0 eth0:0\n";
    assert!(route("-n").contains(line), "{}", route("-n"));
    assert_eq!(route("-n"), lab.ctl_ok(&["route"]));
    let netstat = lab.ctl_called("netstat", &["-rn"]).ok().stdout;
    let line = "203.0.113.7     0.0.0.0         255.255.255.255 UH        0 0          0 eth0:0\n";
    assert!(netstat.contains(line), "{netstat}");
    route("del -host 203.0.113.7");
    assert!(!route("-n").contains("203.0.113.7"));
}
