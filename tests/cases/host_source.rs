//! The host's own traffic stays the host's own beside `local` aliases: which source it has,
//! what of an alias's network is there, and what other tools read of it.

use alias_tests::{Lab, Mode, wait_for};

use crate::daemon_stage::{BOTH, By};
use crate::scene::{LIMIT, modes};

#[track_caller]
fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

/// The source that the host's stack takes for a destination.
#[track_caller]
fn source(lab: &Lab, destination: &str) -> String {
    let family = if destination.contains(':') { "-6 " } else { "" };
    let route = lab.a.ip(&format!("{family}route get {destination}"));
    let words: Vec<&str> = route.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "src");
    at.map_or_else(String::new, |at| words[at + 1].to_owned())
}

/// Lines of `ip addr` about addresses of IPv4 and global ones of IPv6, in order.
fn addresses(lab: &Lab) -> Vec<String> {
    let shown = lab.a.ip("-o addr show dev eth0 scope global");
    shown
        .lines()
        .map(|line| {
            line.split_whitespace()
                .skip(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

fn promotes(lab: &Lab) -> String {
    let read = lab
        .a
        .run("sysctl -n net.ipv4.conf.eth0.promote_secondaries");
    read.ok().stdout.trim().to_owned()
}

/// Something that makes the controller look: a command that changes something, or nothing
/// where the daemon runs.
fn look(lab: &Lab, by: &By) {
    if matches!(by, By::NextCommand) {
        run(lab, "add eth0:99 203.0.113.99 --drop");
        run(lab, "del eth0:99");
    }
}

#[test]
fn a_network_of_aliases_has_its_oldest_alias_as_source() {
    for mode in modes() {
        let lab = Lab::attached(mode);
        for (ours, theirs, aliases) in [
            (
                "198.51.100.2/24",
                "198.51.100.2",
                ["198.51.100.8", "198.51.100.9", "198.51.100.7"],
            ),
            (
                "2001:db8:5::2/64",
                "2001:db8:5::2",
                ["2001:db8:5::8", "2001:db8:5::9", "2001:db8:5::7"],
            ),
        ] {
            // The neighbour can answer nobody else.
            lab.b.ip("addr flush dev eth0 scope global");
            lab.b.ip(&format!("addr add {ours} dev eth0 nodad"));
            let len = ours.split_once('/').unwrap().1;
            for (slot, address) in [(5, 0), (3, 1), (4, 2)] {
                run(
                    &lab,
                    &format!("add eth0:{slot} {}/{len} --local", aliases[address]),
                );
                assert_eq!(source(&lab, theirs), aliases[0]);
            }
            lab.a.ping_ok(theirs, 2);
            // What others take away and is put back is the oldest all the same.
            lab.a.ip(&format!("addr del {}/{len} dev eth0", aliases[0]));
            look(&lab, &By::NextCommand);
            assert_eq!(source(&lab, theirs), aliases[0], "put back");
            run(&lab, &format!("set eth0:5 {}/{len} --local", aliases[0]));
            assert_eq!(source(&lab, theirs), aliases[0], "set");
            for (slot, next) in [(5, Some(1)), (3, Some(2)), (4, None)] {
                run(&lab, &format!("del eth0:{slot}"));
                if let Some(next) = next {
                    assert_eq!(source(&lab, theirs), aliases[next]);
                    lab.a.ping_ok(theirs, 1);
                }
            }
            let routes = lab.a.ip("route show") + &lab.a.ip("-6 route show");
            let network = theirs.trim_end_matches('2');
            assert!(!routes.contains(network), "{routes}");
        }
        assert_eq!(promotes(&lab), "0", "as it was");
    }
}

/// Beside the host's own address, and in a network of its own.
#[test]
fn an_alias_has_its_mask_and_its_broadcast() {
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:0 192.0.2.10/24 --local");
    run(&lab, "add eth0:1 198.51.100.8/24 --local");
    run(&lab, "add eth0:2 198.51.100.9/24 --local");
    let shown = addresses(&lab);
    for wanted in [
        "192.0.2.10/24 metric 1000 brd 192.0.2.255 scope global secondary",
        "198.51.100.8/24 metric 1000 brd 198.51.100.255 scope global",
        "198.51.100.9/24 metric 1000 brd 198.51.100.255 scope global secondary",
    ] {
        assert!(
            shown.iter().any(|line| line.contains(wanted)),
            "{wanted}: {shown:?}"
        );
    }
    let local = lab.a.ip("route show table local");
    assert!(
        local.contains("broadcast 198.51.100.255 dev eth0"),
        "{local}"
    );
    lab.b.ip("addr add 198.51.100.2/24 brd + dev eth0");
    // Both ways; a network's broadcast is answered by those who want to.
    for end in [&lab.a, &lab.b] {
        end.sysctl("ipv4/icmp_echo_ignore_broadcasts", "0");
    }
    for end in [&lab.b, &lab.a] {
        let pinged = end
            .run("ping -b -c 3 -i 0.2 -W 2 198.51.100.255")
            .ok()
            .stdout;
        let who = if std::ptr::eq(end, &lab.b) {
            "198.51.100.8"
        } else {
            "192.0.2.1"
        };
        assert!(pinged.contains(&format!("from {who}")), "{who}: {pinged}");
    }
    // The first of a subnet goes, and the others stay; the host's own too.
    run(&lab, "del eth0:1");
    lab.b.ping_ok("198.51.100.9", 1);
    let local = lab.a.ip("route show table local");
    assert!(
        local.contains("broadcast 198.51.100.255 dev eth0"),
        "{local}"
    );
    run(&lab, "del eth0:2");
    let local = lab.a.ip("route show table local");
    assert!(!local.contains("198.51.100.255"), "{local}");
    lab.a.ip("addr del 192.0.2.9/24 dev eth0");
    lab.b.ping_ok("192.0.2.10", 1);
    lab.a.ip("addr add 192.0.2.9/24 dev eth0");
    run(&lab, "del eth0:0");
    assert!(
        addresses(&lab)
            .iter()
            .any(|line| line.contains("192.0.2.9/24"))
    );
    lab.b.ping_ok("192.0.2.9", 1);
}

/// Network managers come late.
#[test]
fn an_alias_that_was_there_first_is_not_the_hosts_source() {
    for by in BOTH {
        let lab = Lab::plain();
        lab.a.ip("addr flush dev eth0 scope global");
        let _daemon = matches!(by, By::Daemon).then(|| lab.daemon(&[]));
        lab.ctl_ok(&["attach", "eth0"]);
        run(&lab, "add eth0:0 192.0.2.10/24 --local");
        run(&lab, "add eth0:6 2001:db8:0:1::66/64 --local");
        lab.b.ping_ok("192.0.2.10", 1);
        lab.a.ip("addr add 192.0.2.9/24 dev eth0");
        lab.a.ip("-6 addr add 2001:db8:0:1::9/64 dev eth0 nodad");
        lab.a.ip("route add default via 192.0.2.1");
        lab.a.ip("-6 route add default via 2001:db8:0:1::1");
        let own = || {
            for (destination, wanted) in [
                ("192.0.2.1", "192.0.2.9"),
                ("203.0.113.1", "192.0.2.9"),
                ("2001:db8:0:1::1", "2001:db8:0:1::9"),
                ("2001:db8:ffff::1", "2001:db8:0:1::9"),
            ] {
                assert_eq!(source(&lab, destination), wanted, "{by:?} {destination}");
            }
        };
        own();
        look(&lab, &by);
        wait_for("its mask", LIMIT, || {
            addresses(&lab)
                .iter()
                .any(|line| line.contains("192.0.2.10/24"))
        });
        own();
        lab.b.ping_ok("192.0.2.10", 1);
        // The host's own goes and comes, as when a network manager starts again.
        lab.a.ip("addr del 192.0.2.9/24 dev eth0");
        lab.b.ping_ok("192.0.2.10", 1);
        lab.a.ip("addr add 192.0.2.9/24 dev eth0");
        look(&lab, &by);
        wait_for("the host's own source", LIMIT, || {
            source(&lab, "192.0.2.1") == "192.0.2.9"
        });
        lab.b.ping_ok("192.0.2.10", 1);
    }
}
