//! What the aliases must leave alone: everything that is not theirs arrives
//! at the parent byte for byte, and no alias counts it.

use alias_tests::{
    Mode, RawSocket,
    frame::{BROADCAST, Echo, ethertype, frame, truncations},
};

use crate::scene::{FAMILIES, Family, LIMIT, Place, Scene, from_b_to_a, ip, modes};

#[track_caller]
fn assert_nothing_counted(scene: &Scene) {
    for alias in ["eth0:0", "eth0:1"] {
        for counter in ["rx_packets", "tx_packets"] {
            assert_eq!(scene.lab.counter(alias, counter), 0, "{alias} {counter}");
        }
    }
}

#[test]
fn foreign_frames_arrive_at_the_parent_unchanged() {
    for mode in modes() {
        for family in FAMILIES {
            let scene = Scene::with_two(mode, family, Place::OwnNamespace);
            let lab = &scene.lab;
            let (at_a, at_b) = (
                RawSocket::open(&lab.a, "eth0"),
                RawSocket::open(&lab.b, "eth0"),
            );
            let mac_b = lab.b.mac("eth0");
            let group = match family {
                Family::V4 => frame()
                    .between(mac_b, [1, 0, 0x5e, 0, 0, 0xfb])
                    .ip(family.b_ip(), ip("224.0.0.251")),
                Family::V6 => frame()
                    .between(mac_b, [0x33, 0x33, 0, 0, 0, 0xfb])
                    .ip(family.b_ip(), ip("ff02::fb")),
            };
            for (what, built) in [
                (
                    "unknown destination",
                    from_b_to_a(lab)
                        .ip(family.b_ip(), family.nobody())
                        .udp(5, 9, b"unknown"),
                ),
                (
                    "alias as the source only",
                    from_b_to_a(lab)
                        .ip(family.alias_ip(0), family.nobody())
                        .udp(5, 9, b"source"),
                ),
                ("multicast", group.udp(5, 9, b"multicast")),
                (
                    "broadcast",
                    frame()
                        .between(mac_b, BROADCAST)
                        .ip(ip("192.0.2.1"), ip("192.0.2.255"))
                        .udp(5, 9, b"broadcast"),
                ),
                (
                    "unknown EtherType, with an alias's address inside",
                    // IEEE 802 local experimental EtherType 1.
                    from_b_to_a(lab).raw(0x88b5, &[198, 51, 100, 8]),
                ),
                (
                    "ARP for nobody's address",
                    frame()
                        .between(mac_b, BROADCAST)
                        .raw(ethertype::ARP, &[0, 1, 8, 0, 6, 4, 0, 9]),
                ),
            ] {
                let sent = built.padded().build();
                at_b.send(&sent);
                at_a.expect(&format!("{mode:?} {family:?}: {what}"), LIMIT, |got| {
                    got == sent
                });
            }
            assert_nothing_counted(&scene);
        }
    }
}

#[test]
fn truncated_frames_arrive_at_the_parent_unchanged() {
    for mode in modes() {
        let scene = Scene::with_two(mode, Family::V4, Place::OwnNamespace);
        let lab = &scene.lab;
        let (at_a, at_b) = (
            RawSocket::open(&lab.a, "eth0"),
            RawSocket::open(&lab.b, "eth0"),
        );
        // Up to the end of the IPv4 header, of which the destination is the
        // last field: no part is enough to know the alias.
        let whole = from_b_to_a(lab)
            .ip(ip("192.0.2.1"), ip("198.51.100.8"))
            .udp(5, 9, b"")
            .build();
        // A device wants at least its header.
        for part in truncations(&whole[..34]).skip(14) {
            at_b.send(part);
            at_a.expect(&format!("{mode:?}: {} bytes", part.len()), LIMIT, |got| {
                got == part
            });
        }
        assert_nothing_counted(&scene);
        lab.b.ping_ok("198.51.100.8", 1);
    }
}

#[test]
fn the_parents_own_address_still_answers() {
    for mode in modes() {
        for family in FAMILIES {
            let scene = Scene::with_two(mode, family, Place::SameHost);
            scene.lab.b.ping_ok(family.a(), 5);
            scene.lab.a.ping_ok(family.b(), 2);
            assert_nothing_counted(&scene);
        }
    }
}

#[test]
fn a_disabled_alias_is_not_matched() {
    for mode in modes() {
        for family in FAMILIES {
            let scene = Scene::with_two(mode, family, Place::OwnNamespace);
            let lab = &scene.lab;
            let (at_a, at_b) = (
                RawSocket::open(&lab.a, "eth0"),
                RawSocket::open(&lab.b, "eth0"),
            );
            let echo = |sequence| {
                from_b_to_a(lab)
                    .ip(family.b_ip(), family.alias_ip(0))
                    .echo(Echo::Request, 7, sequence, b"disabled")
                    .padded()
                    .build()
            };
            lab.ctl_ok(&["disable", "eth0:0"]);
            assert_eq!(lab.row("eth0:0")["enabled"], false);
            for sequence in 0..5 {
                let sent = echo(sequence);
                at_b.send(&sent);
                at_a.expect("a disabled alias's packet at the parent", LIMIT, |got| {
                    got == sent
                });
            }
            lab.b.ping_ok(family.alias(1), 1);
            assert_eq!(
                lab.counter("eth0:0", "rx_packets"),
                0,
                "{mode:?} {family:?}"
            );

            lab.ctl_ok(&["enable", "eth0:0"]);
            assert_eq!(lab.row("eth0:0")["enabled"], true);
            lab.b.ping_ok(family.alias(0), 5);
            lab.wait_for_counter("eth0:0", "rx_packets", 5);
        }
    }
}

#[test]
fn an_address_of_the_other_family_is_another_address() {
    // ::ffff:198.51.100.8 and its like must not be taken for 198.51.100.8.
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::OwnNamespace);
    let lab = &scene.lab;
    let (at_a, at_b) = (
        RawSocket::open(&lab.a, "eth0"),
        RawSocket::open(&lab.b, "eth0"),
    );
    for mapped in ["::ffff:198.51.100.8", "::198.51.100.8", "c633:6408::"] {
        let sent = from_b_to_a(lab)
            .ip(Family::V6.b_ip(), ip(mapped))
            .udp(5, 9, b"mapped")
            .build();
        at_b.send(&sent);
        at_a.expect(mapped, LIMIT, |got| got == sent);
    }
    assert_nothing_counted(&scene);
}
