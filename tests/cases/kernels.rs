//! What a kernel cannot do is refused by name, or said by `doctor`; it is never found
//! out by packets that vanish. Each of these asks the kernel itself which it is, so that
//! the same test holds on old and new ones: `cargo xtask vm --filter kernels::`.

use std::fs;
use std::net::IpAddr;

use alias_tests::frame::{Echo, frame, read};
use alias_tests::{Lab, Mode, RawSocket, Tap, wait_for};

use crate::scene::{FAMILIES, Family, LIMIT, from_b_to_a, modes};

const JUMBO: u32 = 9000;

/// Whether this kernel redirects frames of several fragments: its own types say so.
pub(crate) fn redirects_fragments() -> bool {
    const SINCE: &[u8] = b"\0xdp_set_features_flag\0";
    let types = fs::read("/sys/kernel/btf/vmlinux").expect("the kernel's types");
    types.windows(SINCE.len()).any(|window| window == SINCE)
}

/// Beside the parent a veth whose far end listens, with room for every frame.
fn veth(lab: &Lab) {
    lab.a.ip_batch(&format!(
        "link add v0 mtu {JUMBO} type veth peer name v1 mtu {JUMBO}\n\
         link set v0 up\n\
         link set v1 up\n"
    ));
    // Without it (or a program there) a veth loses every redirected frame.
    lab.a.run("ethtool -K v1 gro on").ok();
}

/// A frame that no single page holds.
fn large(lab: &Lab) -> Vec<u8> {
    let built = from_b_to_a(lab).ip(Family::V4.b_ip(), Family::V4.alias_ip(0));
    built.udp(5, 9, &[0x5a; 8000]).build()
}

fn expect_at(far: &RawSocket, sent: &[u8]) {
    far.expect("the frame behind the veth", LIMIT, |got| {
        got.get(6..) == sent.get(6..)
    });
}

fn doctor(lab: &Lab) -> (String, bool) {
    let output = lab.ctl(&["doctor"]);
    let well = output.code() == 0;
    (output.stdout, well)
}

#[test]
fn a_parent_whose_frames_have_fragments_has_target_devices_or_says_why_not() {
    for mode in modes() {
        let lab = Lab::builder().mode(mode).mtu(JUMBO).build();
        veth(&lab);
        let add = ["add", "eth0:0", "198.51.100.8", "--to", "v0"];
        if mode == Mode::Native && !redirects_fragments() {
            let before = lab.snapshot();
            let refused = lab.ctl_err(&add, "EOPNOTSUPP");
            assert!(refused.contains("mtu 3498"), "{refused}");
            lab.assert_unchanged(&before);
            // The way out that it names is one.
            lab.a.ip("link set eth0 mtu 3498");
            lab.ctl_ok(&add);
            continue;
        }
        lab.ctl_ok(&add);
        let far = RawSocket::open(&lab.a, "v1");
        let sent = large(&lab);
        RawSocket::open(&lab.b, "eth0").send(&sent);
        expect_at(&far, &sent);
        lab.wait_for_counter("eth0:0", "rx_packets", 1);
        assert_eq!(lab.counter("eth0:0", "dropped.no_target"), 0, "{mode:?}");
    }
}

#[test]
fn an_mtu_raised_later_is_told_and_counted() {
    let lab = Lab::attached(Mode::Native);
    veth(&lab);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--to", "v0"]);
    let (said, well) = doctor(&lab);
    assert!(well, "{said}");
    for host in [&lab.a, &lab.b] {
        host.ip(&format!("link set eth0 mtu {JUMBO}"));
    }
    let far = RawSocket::open(&lab.a, "v1");
    let sent = large(&lab);
    RawSocket::open(&lab.b, "eth0").send(&sent);
    let (said, well) = doctor(&lab);
    if redirects_fragments() {
        assert!(well, "{said}");
        expect_at(&far, &sent);
        return;
    }
    assert!(!well && said.contains("fragment"), "{said}");
    lab.wait_for_counter("eth0:0", "dropped.no_target", 1);
    lab.a.ip("link set eth0 mtu 3498");
    wait_for("doctor to be content", LIMIT, || doctor(&lab).1);
}

#[test]
fn doctor_prints_what_it_asked_the_kernel() {
    let (said, _) = doctor(&Lab::plain());
    for feature in [
        "tcx",
        "XDP redirect of frames in several fragments",
        "any TCP option from programs",
        "exchange of two directories",
        "addresses of the kernel's functions",
    ] {
        assert!(said.contains(feature), "{feature}: {said}");
    }
    let claims = said.contains("it has XDP redirect of frames in several fragments");
    assert_eq!(claims, redirects_fragments(), "{said}");
}

/// A device whose driver takes no XDP metadata: tun before Linux 6.15. What is delivered
/// goes its way all the same, by a second lookup, and `doctor` says so.
#[test]
fn a_driver_without_metadata_delivers_all_the_same() {
    for family in FAMILIES {
        let lab = Lab::plain();
        let home = lab.namespace("home");
        let tap = Tap::open(&lab.a, "tap0");
        lab.ctl_ok(&["attach", "tap0", "--mode", "native"]);
        let to = |number| format!("{}/{}", family.alias(number), family.prefix_len());
        lab.ctl_ok(&["add", "tap0:0", &to(0), "--netns", home.name()]);
        lab.ctl_ok(&["add", "tap0:1", &to(1)]);
        let (gateway, station) = ([2, 0, 0, 0, 0, 1], lab.a.mac("tap0"));
        for (number, host) in [(0, &home), (1, &lab.a)] {
            let name = format!("tap0:{number}");
            // Behind the tap nobody answers ARP and ND: the neighbour is known.
            let far = far_end(family, number);
            host.ip(&format!(
                "neigh replace {far} lladdr 02:00:00:00:00:01 dev {name}"
            ));
            let built = frame().between(gateway, station);
            let built = built.ip(far, family.alias_ip(number));
            tap.send(&built.echo(Echo::Request, 7, 1, b"over a tap").build());
            let answer = |got: &[u8]| {
                let seen = read(got);
                seen.is_some_and(|s| s.destination == gateway && s.echo_reply() == Some((7, 1)))
            };
            assert!(
                tap.receive(LIMIT, answer).is_some(),
                "{family:?}: {name} does not answer"
            );
            lab.wait_for_counter(&name, "rx_packets", 1);
            lab.wait_for_counter(&name, "tx_packets", 1);
        }
        let (said, _) = doctor(&lab);
        let without = said.contains("takes no XDP metadata");
        println!("{family:?}: the tap's driver takes metadata: {}", !without);
        assert_eq!(without, !takes_metadata_on_tun(), "{said}");
    }
}

/// In the network of an alias.
fn far_end(family: Family, number: usize) -> IpAddr {
    let text = match (family, number) {
        (Family::V4, 0) => "198.51.100.77",
        (Family::V4, _) => "203.0.113.77",
        (Family::V6, 0) => "2001:db8:5::77",
        (Family::V6, _) => "2001:db8:6::77",
    };
    text.parse().expect("an address")
}

/// Which came without a name that could be asked for.
fn takes_metadata_on_tun() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 15)
}
