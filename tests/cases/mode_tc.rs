//! What mode tc has that the others have not. What all have in common is in the tests of each
//! subject, which go through all modes.

use alias_tests::{Lab, Mode, RawSocket, bpf, transfer};

use crate::alias_types;
use crate::scene::{FAMILIES, Family, Place, Scene, from_b_to_a, has_tcx, ip};

#[track_caller]
fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

/// Through a veth with segmentation offload one skb has many segments. The figures are those
/// of the wire: each segment with headers of its own, 66 bytes of Ethernet, IPv4 and TCP with
/// time stamps (20 more of IPv6), and 8 more in the first.
#[test]
fn a_super_frame_counts_as_its_segments() {
    const SENT: u64 = 8 << 20;
    if !has_tcx() {
        return;
    }
    for family in FAMILIES {
        let builder = Lab::builder().mode(Mode::Tc);
        let scene = Scene::with_two_in(builder, family, Place::OwnNamespace);
        let lab = &scene.lab;
        lab.b.run("ethtool -K eth0 tx on sg on tso on").ok();
        transfer::tcp(
            scene.home("eth0:0"),
            family.alias_ip(0),
            &lab.b,
            SENT,
            transfer::Direction::ToServer,
        );
        let (packets, bytes) = (
            lab.counter("eth0:0", "rx_packets"),
            lab.counter("eth0:0", "rx_bytes"),
        );
        let headers = 66 + 20 * u64::from(family.alias_ip(0).is_ipv6());
        assert!(packets >= SENT / 1448, "{family:?}: {packets} packets");
        let payload = bytes - packets * headers;
        // What is sent a second time counts too; without its headers a segment would be missed.
        assert!(
            (SENT..SENT + SENT / 100).contains(&payload),
            "{family:?}: {bytes} bytes in {packets} packets: {payload} without headers"
        );
        // And it was super-frames that came.
        let parent = &lab.ctl_json(&["stats", "--parent"])[0];
        let skbs = parent["device"].as_u64().expect("a number");
        assert!(
            skbs < packets / 2,
            "{family:?}: {skbs} skbs, {packets} packets"
        );
    }
}

/// At tc there is room for all, whoever comes first.
#[test]
fn it_bears_another_xdp_program() {
    if !has_tcx() {
        return;
    }
    let pass = bpf::load(bpf::Kind::Xdp, &bpf::only_return(2)).expect("a program");
    for first in [true, false] {
        let lab = Lab::plain();
        let attach = || bpf::attach_xdp(&pass, &lab.a, "eth0").expect("it is attached");
        let other = first.then(attach);
        run(&lab, "attach eth0 --mode tc");
        let _other = other.unwrap_or_else(attach);
        run(&lab, "add eth0:0 192.0.2.10/24");
        run(&lab, "add eth0:1 192.0.2.11/24 --local");
        lab.b.ping_ok("192.0.2.10", 2);
        lab.b.ping_ok("192.0.2.11", 2);
        let said = lab.ctl(&["doctor", "eth0"]);
        assert_eq!(said.code(), 0, "{said}");
        run(&lab, "detach eth0 --cascade");
        assert!(lab.a.ip("link show dev eth0").contains("xdp"), "{first}");
    }
}

/// A macvlan has no native XDP.
#[test]
fn best_effort_prefers_it_to_generic_mode() {
    if !has_tcx() {
        return;
    }
    let lab = Lab::plain();
    lab.a
        .ip("link add link eth0 name mv0 type macvlan mode bridge");
    lab.a.ip("link set mv0 up");
    lab.ctl_err(&["attach", "mv0"], "EOPNOTSUPP");
    run(&lab, "attach mv0 --mode best-effort");
    run(&lab, "add mv0:0 192.0.2.77/24");
    assert_eq!(lab.row("mv0:0")["mode"], "tc");
    lab.b.ping_ok("192.0.2.77", 2);
    run(&lab, "detach mv0 --cascade");
    run(&lab, "attach eth0 --mode best-effort");
    run(&lab, "add eth0:0 192.0.2.10/24 --drop");
    assert_eq!(lab.row("eth0:0")["mode"], "native");
}

#[test]
fn it_is_declared_and_saved() {
    if !has_tcx() {
        return;
    }
    let desk = crate::configuration::desk::Desk::plain();
    let path = desk.write(
        "version = 1\n[[parent]]\nname = \"eth0\"\nmode = \"tc\"\n\
         [[alias]]\nname = \"eth0:0\"\naddress = \"192.0.2.10/24\"\n",
    );
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(desk.lab.row("eth0:0")["mode"], "tc");
    desk.lab.ctl_ok(&["save"]);
    desk.lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    desk.lab.ctl_ok(&["restore"]);
    assert_eq!(desk.compare(&[&path]), (0, String::new()));
    desk.lab.b.ping_ok("192.0.2.10", 2);
    // Another is not what it is attached with.
    let text = desk.saved().replace("\"tc\"", "\"native\"");
    let refused = desk.lab.ctl_err(&["apply", &desk.write(&text)], "EBUSY");
    assert!(refused.contains("mode tc"), "{refused}");
}

/// The programs of types are XDP's. Those that are registered harm nobody.
#[test]
fn alias_types_are_refused_by_name() {
    if !has_tcx() {
        return;
    }
    let lab = Lab::attached(Mode::Tc);
    lab.ctl_ok(&["types", "add", &alias_types::object_name()]);
    let words = ["add", "eth0:0", "100", "--family", "mpls", "--drop"];
    let before = lab.snapshot();
    let refused = lab.ctl_err(&words, "EOPNOTSUPP");
    assert!(refused.contains("mode tc"), "{refused}");
    lab.assert_unchanged(&before);
    run(&lab, "add eth0:0 192.0.2.10/24");
    run(&lab, "add eth0:1 198.51.100.0/24 --prefix --drop");
    lab.b.ping_ok("192.0.2.10", 2);
    let built = from_b_to_a(&lab).ip(Family::V4.b_ip(), ip("198.51.100.7"));
    RawSocket::open(&lab.b, "eth0").send(&built.udp(5, 9, b"dropped").padded().build());
    lab.wait_for_counter("eth0:1", "dropped.policy", 1);
    lab.ctl_ok(&["types", "del", "mpls"]);
}
