//! The other fates of an alias's packets: an existing device, another
//! alias's device, the parent itself, nowhere.

use alias_tests::{Lab, Mode, RawSocket, Tap, frame::Echo};

use crate::scene::{FAMILIES, Family, LIMIT, Place, Scene, from_b_to_a, modes};

/// Frames that need no answer and so no neighbour.
#[track_caller]
fn send_datagrams(lab: &Lab, family: Family, count: u16) {
    let at_b = RawSocket::open(&lab.b, "eth0");
    for number in 0..count {
        let built = from_b_to_a(lab).ip(family.b_ip(), family.alias_ip(0));
        at_b.send(&built.udp(5, number, b"datagram").padded().build());
    }
}

#[track_caller]
fn address(family: Family, number: usize) -> String {
    format!("{}/{}", family.alias(number), family.prefix_len())
}

#[test]
fn drop_lets_nothing_through_and_counts() {
    for mode in modes() {
        for family in FAMILIES {
            let lab = Lab::attached(mode);
            lab.ctl_ok(&["add", "eth0:0", &address(family, 0), "--drop"]);
            assert_eq!(lab.row("eth0:0")["target"], "drop");
            let (at_a, at_b) = (
                RawSocket::open(&lab.a, "eth0"),
                RawSocket::open(&lab.b, "eth0"),
            );
            send_datagrams(&lab, family, 5);
            let marker = from_b_to_a(&lab)
                .ip(family.b_ip(), family.nobody())
                .udp(5, 9, b"marker");
            let marker = marker.padded().build();
            at_b.send(&marker);
            let earlier = at_a.all_before("the marker", LIMIT, |got| got == marker);
            let datagram = |got: &Vec<u8>| got.windows(8).any(|w| w == b"datagram");
            // A packet socket listens before tc, and behind XDP.
            assert!(
                mode == Mode::Tc || !earlier.iter().any(datagram),
                "{mode:?} {family:?}: it came through"
            );
            lab.wait_for_counter("eth0:0", "dropped.policy", 5);
            lab.b.ping_unanswered(family.alias(0));
        }
    }
}

#[test]
fn local_stays_on_the_parent() {
    for mode in modes() {
        for family in FAMILIES {
            let lab = Lab::attached(mode);
            lab.ctl_ok(&["add", "eth0:0", &address(family, 0), "--local"]);
            assert_eq!(lab.row("eth0:0")["target"], "local");
            assert!(lab.a.ip("addr show dev eth0").contains(family.alias(0)));
            lab.b.ping_ok(family.alias(0), 5);
            lab.wait_for_counter("eth0:0", "rx_packets", 5);
            lab.ctl_ok(&["del", "eth0:0"]);
            assert!(!lab.a.ip("addr show dev eth0").contains(family.alias(0)));
        }
    }
}

#[test]
fn joined_aliases_share_a_device_and_not_the_counters() {
    for mode in modes() {
        for family in FAMILIES {
            let scene = Scene::with_one(mode, family, Place::OwnNamespace);
            let lab = &scene.lab;
            lab.ctl_ok(&["add", "eth0:1", &address(family, 2), "--join", "eth0:0"]);
            let (first, joined) = (lab.row("eth0:0"), lab.row("eth0:1"));
            assert_eq!(joined["target"], "join");
            assert_eq!(joined["device"], first["device"]);
            lab.b.ping_ok(family.alias(0), 3);
            lab.b.ping_ok(family.alias(2), 5);
            for (alias, count) in [("eth0:0", 3), ("eth0:1", 5)] {
                lab.wait_for_counter(alias, "rx_packets", count);
                lab.wait_for_counter(alias, "tx_packets", count);
            }
        }
    }
}

#[test]
fn a_tap_receives_the_whole_frame() {
    for mode in modes() {
        for family in FAMILIES {
            let lab = Lab::attached(mode);
            let tap = Tap::open(&lab.a, "tap0");
            lab.ctl_ok(&["add", "eth0:0", &address(family, 0), "--to", "tap0"]);
            let row = lab.row("eth0:0");
            assert_eq!(
                (&row["target"], &row["device"]),
                (&"to".into(), &"tap0".into())
            );
            let built = from_b_to_a(&lab).ip(family.b_ip(), family.alias_ip(0));
            let sent = built.udp(5, 9, b"for the machine").padded().build();
            RawSocket::open(&lab.b, "eth0").send(&sent);
            // Whether the destination station is rewritten is not said here.
            let same = |got: &[u8]| got.get(6..) == sent.get(6..);
            assert!(
                tap.receive(LIMIT, same).is_some(),
                "{mode:?} {family:?}: not at the tap"
            );
            lab.wait_for_counter("eth0:0", "rx_packets", 1);
        }
    }
}

/// A container as others build it: a veth pair with one end in a namespace,
/// which has the alias's address and the parent's station.
#[track_caller]
fn container(lab: &Lab, family: Family) -> alias_tests::Namespace {
    let container = lab.namespace("c1");
    let mac = lab.a.link("eth0")["address"]
        .as_str()
        .expect("a MAC address")
        .to_owned();
    lab.a.ip(&format!(
        "link add v0 type veth peer name v1 netns {}",
        container.name()
    ));
    lab.a.ip("link set v0 up");
    container.ip_batch(&format!(
        "link set v1 address {mac}\n\
         link set v1 up\n\
         addr add {} dev v1 {}\n\
         route add {} dev v1\n",
        address(family, 0),
        if family == Family::V6 { "nodad" } else { "" },
        family.cable()
    ));
    // Without it (or a program there) a veth loses every redirected frame.
    container.run("ethtool -K v1 gro on").ok();
    container
}

#[test]
fn a_container_behind_a_veth_answers() {
    for mode in modes() {
        for family in FAMILIES {
            let lab = Lab::builder().mode(mode).gro_at_b().build();
            let _container = container(&lab, family);
            lab.ctl_ok(&["add", "eth0:0", &address(family, 0), "--to", "v0"]);
            lab.b.ping_ok(family.alias(0), 5);
            lab.wait_for_counter("eth0:0", "rx_packets", 5);
        }
    }
}

/// A container whose end of the veth has a station of its own: frames are given
/// that station on the way in and the parent's on the way out, in ARP and ND too.
#[test]
fn a_container_with_its_own_station_answers() {
    for (mode, vlan) in [
        (Mode::Native, None),
        (Mode::Generic, None),
        (Mode::Native, Some("10")),
    ] {
        for family in FAMILIES {
            let lab = Lab::builder().mode(mode).gro_at_b().build();
            let home = container(&lab, family);
            home.ip("link set v1 address 02:00:00:00:00:77");
            let mut add = vec!["add", "eth0:0", "", "--to", "v0"];
            let address = address(family, 0);
            add[2] = &address;
            add.extend(vlan.iter().flat_map(|id| ["--vlan", *id]));
            lab.ctl_ok(&add);
            let Some(vlan) = vlan else {
                lab.b.ping_ok(family.alias(0), 3);
                lab.wait_for_counter("eth0:0", "rx_packets", 3);
                lab.wait_for_counter("eth0:0", "tx_packets", 3);
                continue;
            };
            // Host B has no VLAN device here: it sends one tagged echo by hand.
            let station = lab.a.mac("eth0");
            let id = vlan.parse().expect("a VLAN id");
            home.ip(&format!(
                "neigh replace {} lladdr {} dev v1",
                family.b(),
                lab.b
                    .mac("eth0")
                    .iter()
                    .map(|b| format!("{b:02x}"))
                    .collect::<Vec<_>>()
                    .join(":")
            ));
            let request = from_b_to_a(&lab)
                .vlan(id)
                .ip(family.b_ip(), family.alias_ip(0))
                .echo(Echo::Request, 7, 1, b"tagged");
            let socket = RawSocket::open(&lab.b, "eth0");
            socket.send(&request.build());
            let answer = socket.expect("the tagged answer", LIMIT, |frame| {
                frame.get(6..12) == Some(&station[..]) && frame.get(12..14) == Some(&[0x81, 0x00])
            });
            assert_eq!(answer[15], 10, "{family:?}: on its VLAN");
            lab.wait_for_counter("eth0:0", "tx_packets", 1);
        }
    }
}

#[test]
fn a_target_that_is_down_is_a_counted_drop() {
    let lab = Lab::attached(Mode::Native);
    let _container = container(&lab, Family::V4);
    lab.ctl_ok(&["add", "eth0:0", &address(Family::V4, 0), "--to", "v0"]);
    lab.a.ip("link set v0 down");
    send_datagrams(&lab, Family::V4, 5);
    lab.wait_for_counter("eth0:0", "dropped.no_target", 5);
}

#[test]
fn a_target_that_does_not_exist_is_refused() {
    let lab = Lab::attached(Mode::Native);
    let before = lab.snapshot();
    lab.ctl_err(
        &["add", "eth0:0", "198.51.100.8/24", "--to", "nosuch0"],
        "ENODEV",
    );
    lab.ctl_err(
        &["add", "eth0:0", "198.51.100.8/24", "--join", "eth0:7"],
        "ENODEV",
    );
    lab.assert_unchanged(&before);
}
