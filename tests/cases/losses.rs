//! What cannot be delivered is counted, never silent: alias devices that are
//! down or gone, in the parent's namespace and in another.

use alias_tests::{Lab, Mode};

use crate::scene::{FAMILIES, Family, PLACES, Place, Scene, from_b_to_a, modes};
use alias_tests::RawSocket;

/// Sends datagrams to alias 0 from host B, past its neighbour table.
fn send_datagrams(lab: &Lab, family: Family, count: usize) {
    let built = from_b_to_a(lab).ip(family.b_ip(), family.alias_ip(0));
    let frame = built.udp(5, 9, b"to nobody's device").build();
    let socket = RawSocket::open(&lab.b, "eth0");
    for _ in 0..count {
        socket.send(&frame);
    }
}

fn check(mode: Mode, family: Family, place: Place, change: &str) {
    let scene = Scene::with_one(mode, family, place);
    let device = scene.device("eth0:0");
    scene.home("eth0:0").ip(&change.replace("DEV", &device));
    send_datagrams(&scene.lab, family, 5);
    scene.lab.wait_for_counter("eth0:0", "rx_packets", 5);
    scene.lab.wait_for_counter("eth0:0", "dropped.no_target", 5);
}

#[test]
fn packets_for_a_device_that_is_down_are_counted() {
    for mode in modes() {
        for place in PLACES {
            check(mode, Family::V4, place, "link set DEV down");
        }
    }
}

#[test]
fn packets_for_a_device_that_is_gone_are_counted() {
    for family in FAMILIES {
        for place in PLACES {
            check(Mode::Native, family, place, "link del DEV");
        }
    }
}

#[test]
fn packets_that_arrive_are_not_counted_as_lost() {
    for place in PLACES {
        let mut scene = Scene::empty(Lab::builder().mode(Mode::Native), Family::V4, place);
        scene.add("eth0:0", 0, &[]);
        // Nobody listens: the stack behind the device drops them, which is its
        // business and no loss of ours.
        send_datagrams(&scene.lab, Family::V4, 50);
        scene.lab.wait_for_counter("eth0:0", "rx_packets", 50);
        assert_eq!(scene.lab.counter("eth0:0", "dropped.no_target"), 0);
    }
}
