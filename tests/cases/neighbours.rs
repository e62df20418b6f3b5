//! How the neighbours learn where an alias is: announcements when it is
//! added, answers when they ask, both with the parent's station.

use std::net::{Ipv4Addr, Ipv6Addr};

use alias_tests::{
    Lab, Mode, RawSocket,
    frame::{BROADCAST, Seen, arp_op, frame, read},
};

use crate::scene::{FAMILIES, Family, LIMIT, PLACES, Place, Scene, modes};

fn v4(text: &str) -> Ipv4Addr {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no IPv4 address"))
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no IPv6 address"))
}

/// An announcement of `address` that nobody has asked for.
pub(crate) fn announces(seen: &Seen, family: Family, address: &str) -> bool {
    match family {
        Family::V4 => seen
            .arp
            .is_some_and(|arp| arp.sender == v4(address) && arp.target == v4(address)),
        Family::V6 => {
            let to_all_nodes = seen.destination == [0x33, 0x33, 0, 0, 0, 1];
            to_all_nodes
                && seen
                    .advertisement()
                    .is_some_and(|(target, _)| target == v6(address))
        }
    }
}

#[test]
fn a_new_alias_is_announced_with_the_parents_station() {
    for family in FAMILIES {
        for place in PLACES {
            let mut scene = Scene::empty(Lab::builder().mode(Mode::Native), family, place);
            let mac = scene.lab.a.mac("eth0");
            let at_b = RawSocket::open(&scene.lab.b, "eth0");
            scene.add("eth0:0", 0, &[]);
            let seen = at_b.expect(
                &format!("{family:?} {place:?}: an announcement"),
                LIMIT,
                |got| read(got).is_some_and(|seen| announces(&seen, family, family.alias(0))),
            );
            let seen = read(&seen).expect("a whole frame");
            assert_eq!(seen.source, mac);
            match family {
                Family::V4 => {
                    assert_eq!(seen.destination, BROADCAST);
                    assert_eq!(seen.arp.map(|arp| arp.sender_mac), Some(mac));
                }
                Family::V6 => {
                    assert_eq!(seen.advertisement(), Some((v6(family.alias(0)), Some(mac))))
                }
            }
        }
    }
}

#[test]
fn no_announce_announces_nothing() {
    for family in FAMILIES {
        let mut scene = Scene::empty(
            Lab::builder().mode(Mode::Native),
            family,
            Place::OwnNamespace,
        );
        let at_b = RawSocket::open(&scene.lab.b, "eth0");
        scene.add("eth0:0", 0, &["--no-announce"]);
        scene.lab.b.ping_ok(family.alias(0), 1);
        let earlier = at_b.all_before("the echo reply", LIMIT, |got| {
            read(got).is_some_and(|seen| seen.echo_reply().is_some())
        });
        let announced =
            |got: &Vec<u8>| read(got).is_some_and(|seen| announces(&seen, family, family.alias(0)));
        assert!(!earlier.iter().any(announced), "{family:?}");
    }
}

#[test]
fn who_asks_is_told_the_parents_station() {
    for mode in modes() {
        for place in PLACES {
            for family in FAMILIES {
                let scene = Scene::with_two(mode, family, place);
                let lab = &scene.lab;
                let (mac_a, mac_b) = (lab.a.mac("eth0"), lab.b.mac("eth0"));
                let at_b = RawSocket::open(&lab.b, "eth0");
                for number in [0, 1] {
                    let what = format!(
                        "{mode:?} {place:?}: the answer for {}",
                        family.alias(number)
                    );
                    let asked = frame().between(mac_b, BROADCAST);
                    let (sent, station) = match family {
                        Family::V4 => (
                            asked.arp_request(v4(family.b()), v4(family.alias(number))),
                            None,
                        ),
                        Family::V6 => (
                            asked.solicitation(v6(family.b()), v6(family.alias(number))),
                            Some(mac_a),
                        ),
                    };
                    at_b.send(&sent.padded().build());
                    let answers = |seen: &Seen| match family {
                        Family::V4 => seen.arp.is_some_and(|arp| {
                            arp.operation == arp_op::REPLY
                                && arp.sender == v4(family.alias(number))
                                && arp.sender_mac == mac_a
                        }),
                        Family::V6 => {
                            seen.advertisement() == Some((v6(family.alias(number)), station))
                        }
                    };
                    let got = at_b.expect(&what, LIMIT, |got| {
                        read(got).is_some_and(|seen| seen.destination == mac_b && answers(&seen))
                    });
                    assert_eq!(read(&got).map(|seen| seen.source), Some(mac_a), "{what}");
                }
                // Nobody's packets: the neighbours' questions are counted apart.
                for alias in ["eth0:0", "eth0:1"] {
                    assert_eq!(
                        lab.counter(alias, "rx_packets"),
                        0,
                        "{mode:?} {family:?} {alias}"
                    );
                }
            }
        }
    }
}

#[test]
fn arping_gets_the_parents_station() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::OwnNamespace);
    let lab = &scene.lab;
    let mac = lab.a.link("eth0")["address"]
        .as_str()
        .expect("a MAC address")
        .to_uppercase();
    for number in [0, 1] {
        let address = Family::V4.alias(number);
        let output = lab
            .b
            .run(&format!("arping -c 1 -w 5 -I eth0 {address}"))
            .ok();
        assert!(
            output
                .stdout
                .contains(&format!("reply from {address} [{mac}]")),
            "{output}"
        );
    }
}
