//! Announcements: each device once, on its VLAN alone, and the parent as before.

use alias_tests::{
    RawSocket,
    frame::{BROADCAST, arp_op, frame},
    wait_for,
};

use super::{ALL_NODES, Home, STRANGER, announcement, count, figure, mark, silent_lab, v4, v6};
use crate::scene::{Family, LIMIT, modes};
use crate::stacked::has;

/// Every way in which a neighbour says where it is now, and frames beside them that are
/// none.
#[test]
fn reach_every_device_once() {
    for mode in modes() {
        let lab = silent_lab(mode);
        let first = Home::with(&lab, "c0", "eth0:0", "192.0.2.50/24", &[]);
        let second = Home::with(&lab, "c1", "eth0:1", "192.0.2.51/24", &[]);
        let words = [
            "add",
            "eth0:2",
            "192.0.2.52/24",
            "--netns",
            first.place.name(),
        ];
        lab.ctl_ok(&words);
        lab.ctl_ok(&["add", "eth0:3", "198.51.100.8/24"]);
        lab.ctl_ok(&["add", "eth0:4", "192.0.2.54/24", "--join", "eth0:0"]);
        lab.ctl_ok(&["add", "eth0:5", "192.0.2.55", "--drop"]);
        lab.ctl_ok(&["add", "eth0:6", "192.0.2.56/24", "--vlan", "10"]);
        let other = lab.device("eth0:2");
        let beside = lab.device("eth0:3");
        let tagged = lab.device("eth0:6");
        let ears = [
            ("first", first.ear()),
            ("second", second.ear()),
            (
                "the first's other device",
                RawSocket::open(&first.place, &other),
            ),
            ("beside", RawSocket::open(&lab.a, &beside)),
        ];
        let on_vlan = RawSocket::open(&lab.a, &tagged);
        let speaks = RawSocket::open(&lab.b, "eth0");
        let gateway = v4("192.0.2.1");
        let group = || frame().between(STRANGER, BROADCAST);
        let cases = [
            (
                "a gratuitous request",
                announcement(Family::V4, "192.0.2.1", STRANGER),
                true,
            ),
            (
                "a gratuitous reply",
                group().arp_reply(gateway, gateway),
                true,
            ),
            (
                "a reply to all",
                group().arp_reply(gateway, v4("0.0.0.0")),
                true,
            ),
            (
                "an advertisement",
                announcement(Family::V6, "2001:db8:0:1::1", STRANGER),
                true,
            ),
            (
                "a question",
                group().arp_request(gateway, v4("192.0.2.9")),
                false,
            ),
            (
                "a probe",
                group().arp_request(v4("0.0.0.0"), v4("192.0.2.99")),
                false,
            ),
            (
                "a solicitation",
                frame()
                    .between(STRANGER, ALL_NODES)
                    .solicitation(v6("2001:db8:0:1::1"), v6("2001:db8:0:1::9")),
                false,
            ),
            (
                "multicast",
                frame()
                    .between(STRANGER, [1, 0, 0x5e, 0, 0, 0xfb])
                    .ipv4(gateway, v4("224.0.0.251"))
                    .udp(5353, 5353, b"x"),
                false,
            ),
            (
                "broadcast",
                group()
                    .ipv4(gateway, v4("255.255.255.255"))
                    .udp(68, 67, b"x"),
                false,
            ),
            (
                "an answer to another station",
                frame()
                    .between(STRANGER, [2, 0, 0x5e, 0, 0x53, 9])
                    .arp_reply(gateway, gateway),
                false,
            ),
        ];
        let copies = ears.len() as u64;
        for (what, built, is_heard) in cases {
            let sent = built.padded().build();
            let before = figure(&lab, "heard");
            speaks.send(&sent);
            mark(&speaks, &[]);
            mark(&speaks, &[10]);
            for (who, ear) in &ears {
                let heard = count(&format!("{mode:?} {who} {what}"), ear, |got| got == sent);
                assert_eq!(heard, usize::from(is_heard), "{mode:?} {who}: {what}");
            }
            let on_vlan = count(what, &on_vlan, |got| got == sent);
            assert_eq!(on_vlan, 0, "{mode:?}: {what} came to VLAN 10");
            // With both markers'.
            let expected = copies * (1 + u64::from(is_heard)) + 1;
            // The last copy is heard before it is counted.
            wait_for("the copies to be counted", LIMIT, || {
                figure(&lab, "heard") - before >= expected
            });
            assert_eq!(figure(&lab, "heard") - before, expected, "{mode:?}: {what}");
        }
        assert_eq!(figure(&lab, "unheard"), 0);
    }
}

/// Without the tags; and with them, priority and all, to the parent: to a macvlan on it, for
/// a packet socket on the parent itself sees a frame before the programs do.
#[test]
fn on_a_vlan_reach_its_devices_alone() {
    for mode in modes() {
        let lab = silent_lab(mode);
        let homes = [
            (
                "untagged",
                Home::with(&lab, "c0", "eth0:0", "192.0.2.50/24", &[]),
                &[][..],
            ),
            (
                "VLAN 10",
                Home::with(&lab, "c1", "eth0:1", "192.0.2.51/24", &["--vlan", "10"]),
                &[10][..],
            ),
            (
                "VLAN 10.20",
                Home::with(&lab, "c2", "eth0:2", "192.0.2.52/24", &["--vlan", "10.20"]),
                &[10, 20][..],
            ),
        ];
        let ears = homes.each_ref().map(|(_, home, _)| home.ear());
        let macvlan = "link eth0 type macvlan mode bridge";
        let stack = has(&lab, "macvlan", macvlan).then(|| {
            lab.a.ip(&format!("link add mv0 {macvlan}"));
            lab.a.ip("link set mv0 up");
            lab.a.wait_until_up("mv0");
            RawSocket::open(&lab.a, "mv0")
        });
        let speaks = RawSocket::open(&lab.b, "eth0");
        // Priority 5; the last is a priority tag, which is no tag.
        type Tags = [(u16, u16)];
        let taggings: [(&str, &Tags, &[u16]); 5] = [
            ("no tag", &[], &[]),
            ("10", &[(0x8100, 0xa00a)], &[10]),
            ("10.20", &[(0x88a8, 0xa00a), (0x8100, 0x6014)], &[10, 20]),
            ("11", &[(0x8100, 11)], &[11]),
            ("priority", &[(0x8100, 0xa000)], &[]),
        ];
        for (tagging, tags, vlan) in taggings {
            let plain = announcement(Family::V4, "192.0.2.1", STRANGER);
            let plain = plain.clone().arp(
                arp_op::REPLY,
                (STRANGER, v4("192.0.2.1")),
                (STRANGER, v4("192.0.2.1")),
            );
            let mut sent = plain.clone();
            for (tpid, tci) in tags {
                sent = sent.tag(*tpid, *tci);
            }
            let sent = sent.build();
            speaks.send(&sent);
            for (_, _, of) in &homes {
                mark(&speaks, of);
            }
            if let Some(stack) = &stack {
                let arp = &sent[sent.len() - 28..];
                let whole = stack.expect(tagging, LIMIT, |got| got.ends_with(arp));
                assert_eq!(whole, sent, "{mode:?} {tagging}: at the parent");
            }
            for ((who, _, of), ear) in homes.iter().zip(&ears) {
                let heard = count(&format!("{mode:?} {who}"), ear, |got| {
                    got.starts_with(&plain.clone().build())
                });
                assert_eq!(heard, usize::from(*of == vlan), "{mode:?} {who}: {tagging}");
            }
        }
    }
}

/// So many devices that one frame's copies do not reach them all: the next frame begins
/// with those that this one left out.
#[test]
fn are_bounded_and_the_next_one_reaches_the_rest() {
    let lab = silent_lab(alias_tests::Mode::Native);
    let home = lab.namespace("c0");
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.18.0.0-198.18.2.19",
        "--netns",
        home.name(),
    ]);
    let speaks = RawSocket::open(&lab.b, "eth0");
    let received = || -> Vec<u64> {
        let links = home.ip_json("-s link show group 152615");
        let links = links.as_array().cloned().unwrap_or_default();
        let of = |link: &serde_json::Value| link["stats64"]["rx"]["packets"].as_u64();
        links.iter().filter_map(of).collect()
    };
    assert_eq!(received().len(), 532);
    let sent = announcement(Family::V4, "192.0.2.1", STRANGER)
        .padded()
        .build();
    for (frames, least) in [(1, 0), (2, 1)] {
        speaks.send(&sent);
        let total = 512 * frames;
        wait_for("the copies", LIMIT, || figure(&lab, "heard") >= total);
        let received = received();
        assert_eq!(received.iter().sum::<u64>(), total);
        assert_eq!(received.iter().min(), Some(&least));
        assert!(received.iter().max() <= Some(&frames), "one had it twice");
        assert_eq!(figure(&lab, "heard"), total);
        assert_eq!(figure(&lab, "unheard"), 20 * frames);
    }
}
