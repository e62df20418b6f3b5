//! What a kernel cannot do is refused by name, or said by `doctor`; it is never found
//! out by packets that vanish. Each of these asks the kernel itself which it is, so that
//! the same test holds on old and new ones: `cargo xtask vm --filter kernels::`.

use std::fs;

use alias_tests::{Lab, Mode, RawSocket, wait_for};

use crate::scene::{Family, LIMIT, MODES, from_b_to_a};

const JUMBO: u32 = 9000;

/// Whether this kernel redirects frames of several fragments: its own types say so.
fn redirects_fragments() -> bool {
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
    for mode in MODES {
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
        "exchange of two directories",
        "addresses of the kernel's functions",
    ] {
        assert!(said.contains(feature), "{feature}: {said}");
    }
    let claims = said.contains("it has XDP redirect of frames in several fragments");
    assert_eq!(claims, redirects_fragments(), "{said}");
}
