//! Somebody else has an alias's address: who owns the alias hears it, and finds the
//! duplicate when he looks for one.

use alias_tests::{
    Lab, Namespace, RawSocket,
    frame::{BROADCAST, frame},
    wait_for,
};

use super::{Home, STRANGER, count, mark, silent_lab, v4};
use crate::scene::{LIMIT, modes};

#[test]
fn arping_finds_the_duplicate() {
    for mode in modes() {
        let lab = Lab::attached(mode);
        let home = Home::with(&lab, "c0", "eth0:0", "192.0.2.50/24", &[]);
        lab.ctl_ok(&["add", "eth0:1", "198.51.100.8/24"]);
        let beside = lab.device("eth0:1");
        let looks = |place: &Namespace, device: &str, address: &str| {
            place.run(&format!("arping -D -c 2 -w 3 -I {device} {address}"))
        };
        for (place, device, address) in [
            (&home.place, &home.device, "192.0.2.50"),
            (&lab.a, &beside, "198.51.100.8"),
        ] {
            let free = looks(place, device, address);
            assert!(free.status.success(), "{mode:?}: free, and found: {free}");
            lab.b.ip(&format!("addr add {address}/32 dev eth0"));
            let taken = looks(place, device, address);
            assert_eq!(taken.status.code(), Some(1), "{mode:?}: {taken}");
            assert!(taken.stdout.contains("reply from"), "{mode:?}: {taken}");
            lab.b.ip(&format!("addr del {address}/32 dev eth0"));
        }
    }
}

#[test]
fn duplicate_address_detection_finds_it() {
    for mode in modes() {
        let lab = Lab::attached(mode);
        let home = Home::with(&lab, "c0", "eth0:0", "2001:db8:0:1::50/64", &[]);
        let (place, device) = (&home.place, &home.device);
        // These tests' namespaces do without.
        for devices in ["all", device] {
            place.sysctl(&format!("ipv6/conf/{devices}/accept_dad"), "1");
        }
        for has in [false, true] {
            if has {
                lab.b.ip("addr add 2001:db8:0:1::50/128 dev eth0 nodad");
            }
            place.ip(&format!("addr del 2001:db8:0:1::50/64 dev {device}"));
            place.ip(&format!("addr add 2001:db8:0:1::50/64 dev {device}"));
            let flags = || {
                let shown = place.ip(&format!("-o -6 addr show dev {device}"));
                let own = shown
                    .lines()
                    .find(|line| line.contains("2001:db8:0:1::50/64"));
                let own = own.expect("the address that was added").to_owned();
                (own.contains("dadfailed"), own.contains("tentative"))
            };
            wait_for("the detection to end", LIMIT, || {
                let (failed, tentative) = flags();
                failed || !tentative
            });
            assert_eq!(flags().0, has, "{mode:?}: found; B has it: {has}");
        }
    }
}

/// What is said in an alias's name goes to that alias beside whom it is for: to that one
/// alone, once.
#[test]
fn what_is_said_in_its_name_reaches_it() {
    for mode in modes() {
        let lab = silent_lab(mode);
        let owner = Home::with(&lab, "c0", "eth0:0", "192.0.2.50/24", &[]);
        let other = Home::with(&lab, "c1", "eth0:1", "192.0.2.51/24", &[]);
        let tagged = Home::with(&lab, "c2", "eth0:2", "192.0.2.50/24", &["--vlan", "10"]);
        let ears = [owner.ear(), other.ear(), tagged.ear()];
        let speaks = RawSocket::open(&lab.b, "eth0");
        let (own, parent) = (v4("192.0.2.50"), lab.a.mac("eth0"));
        let to = |mac| frame().between(STRANGER, mac);
        // To the owner, to the other, to its namesake on VLAN 10.
        let cases = [
            (
                "an answer to a probe",
                to(parent).arp_reply(own, v4("0.0.0.0")),
                [1, 0, 0],
            ),
            (
                "an answer to the parent",
                to(parent).arp_reply(own, v4("192.0.2.9")),
                [1, 0, 0],
            ),
            (
                "a question to the parent",
                to(parent).arp_request(own, v4("192.0.2.9")),
                [1, 0, 0],
            ),
            (
                "a question for nobody",
                to(BROADCAST).arp_request(own, v4("192.0.2.99")),
                [1, 0, 0],
            ),
            (
                "a question for the other",
                to(BROADCAST).arp_request(own, v4("192.0.2.51")),
                [1, 1, 0],
            ),
            (
                "an answer to the other",
                to(parent).arp_reply(own, v4("192.0.2.51")),
                [1, 1, 0],
            ),
            (
                "an announcement",
                to(BROADCAST).arp_request(own, own),
                [1, 1, 0],
            ),
            (
                "an announced answer",
                to(BROADCAST).arp_reply(own, own),
                [1, 1, 0],
            ),
            (
                "a probe",
                to(BROADCAST).arp_request(v4("0.0.0.0"), own),
                [1, 0, 0],
            ),
            (
                "to another station",
                to([2, 0, 0x5e, 0, 0x53, 9]).arp_reply(own, v4("192.0.2.9")),
                [0, 0, 0],
            ),
            (
                "on VLAN 10",
                to(parent).vlan(10).arp_reply(own, v4("0.0.0.0")),
                [0, 0, 1],
            ),
        ];
        for (what, built, expected) in cases {
            let sent = built.build();
            let arp = &sent[sent.len() - 28..];
            speaks.send(&sent);
            mark(&speaks, &[]);
            mark(&speaks, &[10]);
            let heard = ears.each_ref().map(|ear| {
                count(&format!("{mode:?}: {what}"), ear, |got| {
                    got.windows(arp.len()).any(|part| part == arp)
                })
            });
            assert_eq!(heard, expected, "{mode:?}: {what}");
        }
    }
}
