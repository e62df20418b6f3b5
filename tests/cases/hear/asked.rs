//! `--hear`: what a device hears beside announcements, because somebody asked for it.

use super::{ALL_NODES, STRANGER, count, figure, mark, silent_lab, v4, v6};
use crate::scene::{LIMIT, modes};
use alias_tests::{
    RawSocket,
    frame::{BROADCAST, Frame, arp_op, frame, read},
    wait_for,
};

/// What somebody says to everybody and is no announcement, by who hears it: with multicast,
/// with broadcast; and whether it is an ARP question.
fn said() -> Vec<(&'static str, Frame, bool, bool)> {
    let group = |mac| frame().between(STRANGER, mac);
    let gateway = v4("192.0.2.1");
    let router = v6("fe80::1");
    vec![
        (
            "mDNS",
            group([1, 0, 0x5e, 0, 0, 0xfb])
                .ipv4(gateway, v4("224.0.0.251"))
                .udp(5353, 5353, b"x"),
            true,
            false,
        ),
        (
            "VRRP",
            group([1, 0, 0x5e, 0, 0, 0x12])
                .ipv4(gateway, v4("224.0.0.18"))
                .payload(112, &[0x21, 1, 100, 0, 0, 1, 0, 0]),
            true,
            false,
        ),
        (
            "a router advertisement",
            group(ALL_NODES)
                .ipv6(router, v6("ff02::1"))
                .payload(58, &[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
            true,
            false,
        ),
        (
            "a solicitation for somebody else",
            group(ALL_NODES).solicitation(v6("2001:db8:0:1::1"), v6("2001:db8:0:1::9")),
            true,
            false,
        ),
        (
            "CFM",
            group([1, 0x80, 0xc2, 0, 0, 0x30]).raw(0x8902, &[0; 46]),
            true,
            false,
        ),
        (
            "LLDP",
            group([1, 0x80, 0xc2, 0, 0, 0x0e]).raw(0x88cc, &[0; 46]),
            false,
            false,
        ),
        (
            "DHCP",
            group(BROADCAST)
                .ipv4(v4("0.0.0.0"), v4("255.255.255.255"))
                .udp(68, 67, b"x"),
            false,
            true,
        ),
        (
            "to the network",
            group(BROADCAST)
                .ipv4(gateway, v4("192.0.2.255"))
                .udp(137, 137, b"x"),
            false,
            true,
        ),
        (
            "wake-on-LAN",
            group(BROADCAST).raw(0x0842, &[0xff; 102]),
            false,
            true,
        ),
        (
            "an ARP question",
            group(BROADCAST).arp_request(v4("192.0.2.77"), v4("192.0.2.9")),
            false,
            true,
        ),
    ]
}

/// Devices that asked for different things, in one namespace and in several, on a VLAN,
/// beside the parent, and behind `--to`.
#[test]
fn gives_a_device_that_and_nobody_else() {
    for mode in modes() {
        let lab = silent_lab(mode);
        lab.a.ip("link add v0 type veth peer name v1");
        lab.a.ip("link add v2 type veth peer name v3");
        for device in ["v0", "v1", "v2", "v3"] {
            lab.a.ip(&format!("link set {device} up"));
        }
        // What, where, whether multicast, whether broadcast, on which VLAN.
        type Words = [&'static str];
        let asked: [(&str, &Words, bool, bool, &[u16]); 9] = [
            ("nothing", &["--netns", "c0"], false, false, &[]),
            (
                "multicast",
                &["--netns", "c0", "--hear", "multicast"],
                true,
                false,
                &[],
            ),
            (
                "broadcast",
                &["--netns", "c0", "--hear", "broadcast"],
                false,
                true,
                &[],
            ),
            (
                "both",
                &["--netns", "c1", "--hear", "broadcast,multicast"],
                true,
                true,
                &[],
            ),
            (
                "both on VLAN 10",
                &[
                    "--netns",
                    "c1",
                    "--vlan",
                    "10",
                    "--hear",
                    "multicast,broadcast",
                ],
                true,
                true,
                &[10],
            ),
            (
                "nothing on VLAN 10",
                &["--netns", "c1", "--vlan", "10"],
                false,
                false,
                &[10],
            ),
            (
                "beside",
                &["--hear", "multicast,broadcast"],
                true,
                true,
                &[],
            ),
            (
                "to v0",
                &["--to", "v0", "--hear", "multicast,broadcast"],
                true,
                true,
                &[],
            ),
            ("to v2", &["--to", "v2"], false, false, &[]),
        ];
        let homes = ["c0", "c1"].map(|name| lab.namespace(name));
        let mut ears = Vec::new();
        for (slot, (_, words, ..)) in asked.iter().enumerate() {
            let name = |word: &str| match word {
                "c0" => homes[0].name().to_owned(),
                "c1" => homes[1].name().to_owned(),
                word => word.to_owned(),
            };
            let words: Vec<String> = words.iter().map(|word| name(word)).collect();
            let alias = format!("eth0:{slot}");
            let address = format!("198.51.100.{}/24", slot + 10);
            let mut line = vec!["add", &alias, &address];
            line.extend(words.iter().map(String::as_str));
            lab.ctl_ok(&line);
            let (place, device) = match (words.first().map(String::as_str), slot) {
                (Some("--netns"), 0..=2) => (&homes[0], lab.device(&alias)),
                (Some("--netns"), _) => (&homes[1], lab.device(&alias)),
                (Some("--to"), 7) => (&lab.a, "v1".to_owned()),
                (Some("--to"), _) => (&lab.a, "v3".to_owned()),
                _ => (&lab.a, lab.device(&alias)),
            };
            place.wait_until_up(&device);
            ears.push(RawSocket::open(place, &device));
        }
        let speaks = RawSocket::open(&lab.b, "eth0");
        for vlan in [&[][..], &[10]] {
            for (what, built, is_multicast, is_broadcast) in said() {
                let plain = built.clone().build();
                let tagged = vlan.iter().fold(built, |frame, id| frame.vlan(*id));
                speaks.send(&tagged.build());
                mark(&speaks, &[]);
                mark(&speaks, &[10]);
                let mut copies = 0;
                let question = what == "an ARP question";
                for ((who, _, multicast, broadcast, of), ear) in asked.iter().zip(&ears) {
                    if *who == "to v2" {
                        // Hears nothing at all, not even a marker.
                        continue;
                    }
                    let expected = *of == vlan
                        && (*multicast && is_multicast || *broadcast && is_broadcast)
                        && !(question && *who == "beside");
                    let heard = count(&format!("{mode:?} {who}: {what}"), ear, |got| {
                        got.starts_with(&plain)
                    });
                    assert_eq!(
                        heard,
                        usize::from(expected),
                        "{mode:?} {vlan:?} {who}: {what}"
                    );
                    copies += heard;
                }
                assert!(copies > 0 || what == "LLDP", "nobody heard {what}");
            }
        }
        // Nobody answered for others, and v2 was told nothing.
        assert_eq!(lab.counter("eth0:6", "dropped.spoof"), 0, "{mode:?}");
        // All that was said before has been counted.
        lab.b.ping_ok("192.0.2.9", 1);
        let heard = figure(&lab, "heard");
        speaks.send(
            &frame()
                .between(STRANGER, [1, 0x80, 0xc2, 0, 0, 0])
                .raw(0x88cc, &[0; 46])
                .build(),
        );
        mark(&speaks, &[]);
        count("the last", &ears[0], |_| true);
        // Of those without a VLAN only v2 does not hear the marker.
        wait_for("the marker's copies", LIMIT, || {
            figure(&lab, "heard") - heard >= 6
        });
        assert_eq!(figure(&lab, "heard") - heard, 6, "{mode:?}");
        let v3 = ears.last().expect("that of v3");
        let none = v3.receive(std::time::Duration::from_millis(1), |_| true);
        assert_eq!(none, None, "{mode:?}: a --to device that asked for nothing");
    }
}

/// Several devices of one namespace, and one beside the parent, hear all there is: who is
/// asked for answers, once, and nobody answers for another.
#[test]
fn makes_nobody_answer_twice_or_for_others() {
    for mode in modes() {
        let lab = silent_lab(mode);
        let home = lab.namespace("c0");
        let all = ["--hear", "multicast,broadcast"];
        for (alias, address) in [("eth0:0", "192.0.2.50/24"), ("eth0:1", "192.0.2.51/24")] {
            let line = ["add", alias, address, "--netns", home.name()];
            lab.ctl_ok(&[&line[..], &all].concat());
        }
        lab.ctl_ok(&[&["add", "eth0:2", "192.0.2.52/24"][..], &all].concat());
        lab.ctl_ok(&["add", "eth0:3", "192.0.2.53/24", "--local"]);
        let at_b = RawSocket::open(&lab.b, "eth0");
        let (mac_a, mac_b) = (lab.a.mac("eth0"), lab.b.mac("eth0"));
        let b = v4("192.0.2.1");
        for asked in [
            "192.0.2.50",
            "192.0.2.51",
            "192.0.2.52",
            "192.0.2.53",
            "192.0.2.9",
        ] {
            let ask = |address: &str| {
                let question = frame().between(mac_b, BROADCAST);
                at_b.send(&question.arp_request(b, v4(address)).padded().build());
            };
            let answers = |got: &[u8], address: &str| {
                read(got).is_some_and(|seen| {
                    seen.arp.is_some_and(|arp| {
                        arp.operation == arp_op::REPLY
                            && arp.sender == v4(address)
                            && arp.sender_mac == mac_a
                    })
                })
            };
            ask(asked);
            at_b.expect(asked, LIMIT, |got| answers(got, asked));
            // The next one's answer comes behind any second one of the first's.
            ask("192.0.2.9");
            let more = at_b.all_before("the next answer", LIMIT, |got| answers(got, "192.0.2.9"));
            let twice = more.iter().filter(|got| answers(got, asked)).count();
            assert_eq!(twice, 0, "{mode:?} {asked}: answered again");
        }
        for alias in ["eth0:0", "eth0:1", "eth0:2"] {
            assert_eq!(lab.counter(alias, "dropped.spoof"), 0, "{mode:?} {alias}");
        }
    }
}
