//! What users send: echoes, streams, fragments, large frames. Each alias
//! counts its own packets and nobody else's.

use alias_tests::{
    Lab, Mode,
    transfer::{self, Direction},
};

use crate::scene::{FAMILIES, Family, PLACES, Place, Scene, has_tcx, modes};

/// One TCP stream, each way.
const STREAM: u64 = 100_000_000;

/// The smallest echo that `ping` sends: IPv4 header, ICMP header, 56 bytes.
const ECHO_BYTES: u64 = 20 + 8 + 56;

#[track_caller]
fn check_echo_counts(mode: Mode, place: Place) {
    for family in FAMILIES {
        let scene = Scene::with_two(mode, family, place);
        let lab = &scene.lab;

        lab.b.ping_ok(family.alias(0), 5);
        lab.wait_for_counter("eth0:0", "rx_packets", 5);
        lab.wait_for_counter("eth0:0", "tx_packets", 5);
        for counter in ["rx_bytes", "tx_bytes"] {
            let bytes = lab.counter("eth0:0", counter);
            assert!(bytes >= 5 * ECHO_BYTES, "{family:?} {counter}: {bytes}");
        }
        for counter in ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes"] {
            assert_eq!(
                lab.counter("eth0:1", counter),
                0,
                "{family:?} eth0:1 {counter}"
            );
        }

        lab.b.ping_ok(family.alias(1), 1);
        lab.wait_for_counter("eth0:1", "rx_packets", 1);
        lab.wait_for_counter("eth0:1", "tx_packets", 1);
        assert_eq!(lab.counter("eth0:0", "rx_packets"), 5, "{family:?}");
    }
}

#[test]
fn echoes_are_counted_native_same_host() {
    check_echo_counts(Mode::Native, Place::SameHost);
}

#[test]
fn echoes_are_counted_native_own_namespace() {
    check_echo_counts(Mode::Native, Place::OwnNamespace);
}

#[test]
fn echoes_are_counted_generic_same_host() {
    check_echo_counts(Mode::Generic, Place::SameHost);
}

#[test]
fn echoes_are_counted_tc() {
    if has_tcx() {
        PLACES
            .into_iter()
            .for_each(|place| check_echo_counts(Mode::Tc, place));
    }
}

#[test]
fn echoes_are_counted_generic_own_namespace() {
    check_echo_counts(Mode::Generic, Place::OwnNamespace);
}

#[test]
fn a_row_says_what_the_alias_is() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::OwnNamespace);
    let row = scene.lab.row("eth0:0");
    for (key, expected) in [
        ("alias", "eth0:0".into()),
        ("parent", "eth0".into()),
        ("slot", 0.into()),
        ("family", "ip".into()),
        ("address", "198.51.100.8".into()),
        ("prefix_len", 24.into()),
        ("vlan", serde_json::Value::Null),
        ("target", "device".into()),
        ("netns", scene.home("eth0:0").name().into()),
        ("enabled", true.into()),
    ] {
        assert_eq!(row.get(key), Some(&expected), "{key} in {row}");
    }
    let six = Scene::with_two(Mode::Native, Family::V6, Place::SameHost);
    assert_eq!(six.lab.row("eth0:1")["family"], "ipv6");
    assert_eq!(six.lab.alias_names(), ["eth0:0", "eth0:1"]);
}

#[track_caller]
fn check_streams(mode: Mode, family: Family, place: Place) {
    let scene = Scene::with_two(mode, family, place);
    let server = scene.home("eth0:0");
    let stream =
        |direction| transfer::tcp(server, family.alias_ip(0), &scene.lab.b, STREAM, direction);
    stream(Direction::ToServer);
    let received = scene.lab.counter("eth0:0", "rx_bytes");
    assert!(received >= STREAM, "rx_bytes {received}");
    stream(Direction::ToClient);
    let sent = scene.lab.counter("eth0:0", "tx_bytes");
    assert!(sent >= STREAM, "tx_bytes {sent}");
}

#[test]
fn streams_native_same_host() {
    check_streams(Mode::Native, Family::V4, Place::SameHost);
}

#[test]
fn streams_native_own_namespace() {
    check_streams(Mode::Native, Family::V4, Place::OwnNamespace);
    check_streams(Mode::Native, Family::V6, Place::OwnNamespace);
}

#[test]
fn streams_generic_own_namespace() {
    check_streams(Mode::Generic, Family::V4, Place::OwnNamespace);
}

#[test]
fn streams_tc() {
    if has_tcx() {
        for place in PLACES {
            check_streams(Mode::Tc, Family::V4, place);
            check_streams(Mode::Tc, Family::V6, place);
        }
    }
}

#[test]
fn fragmented_datagrams_reach_the_alias_and_return() {
    for mode in modes() {
        for family in FAMILIES {
            let scene = Scene::with_two(mode, family, Place::OwnNamespace);
            let server = scene.home("eth0:0");
            transfer::udp_echo(server, family.alias_ip(0), &scene.lab.b, 4000);
            // 4,000 bytes in frames of 1,500: three fragments each way.
            scene.lab.wait_for_counter("eth0:0", "rx_packets", 3);
            scene.lab.wait_for_counter("eth0:0", "tx_packets", 3);
        }
    }
}

#[test]
fn jumbo_frames_reach_the_alias() {
    const MTU: u32 = 9000;
    for mode in modes() {
        for (family, headers) in [(Family::V4, 20 + 8), (Family::V6, 40 + 8)] {
            let builder = Lab::builder().mtu(MTU).mode(mode);
            let scene = Scene::with_two_in(builder, family, Place::OwnNamespace);
            assert_eq!(
                scene.home("eth0:0").link("eth0:0")["mtu"],
                MTU,
                "the parent's MTU"
            );
            let options = format!("-M do -s {}", MTU - headers);
            let ping = scene.lab.b.ping_with(family.alias(0), 5, &options);
            assert_eq!(ping.received, 5, "{mode:?} {family:?}");
            scene.lab.wait_for_counter("eth0:0", "rx_packets", 5);
            scene.lab.wait_for_counter("eth0:0", "tx_packets", 5);
        }
    }
}
