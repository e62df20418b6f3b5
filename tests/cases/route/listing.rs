//! Both layouts show what `ip` knows, with the aliases' names.

use std::net::Ipv4Addr;

use alias_tests::{Lab, Mode};
use serde_json::Value;

use super::{Way, add, lab_with_far_host, route_ok, table};
use crate::scene::Family;

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
        let mask: Ipv4Addr = mask.parse().ok()?;
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
