//! The laboratory itself: what every other case relies on, proven without
//! `alias-ctl`.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    panic,
    path::Path,
    time::Instant,
};

use alias_tests::{
    Lab, NAME_PREFIX, PrivateBpffs, RawSocket, Snapshot, Tap, assert_unchanged,
    bpf::{self, Context, Instruction, Kind, only_return, tc, xdp},
    frame::{BROADCAST, arp_op, frame, read},
    transfer::{self, Direction},
    wait_for,
};

use crate::scene::LIMIT;

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

#[test]
fn the_hosts_reach_each_other() {
    let lab = Lab::plain();
    lab.b.ping_ok("192.0.2.9", 2);
    lab.b.ping_ok("2001:db8:0:1::9", 2);
    lab.a.ping_ok("192.0.2.1", 1);
}

#[test]
fn two_labs_do_not_see_each_other() {
    let (one, other) = (Lab::plain(), Lab::plain());
    one.a.ip("addr add 198.51.100.8/24 dev eth0");
    one.b.ping_ok("198.51.100.8", 1);
    other.b.ping_unanswered("198.51.100.8");
    let program = bpf::load(Kind::Xdp, &only_return(2)).expect("load");
    bpf::pin(&program, &one.bpffs().join("mark")).expect("pin");
    assert!(one.bpffs().join("mark").exists() && !other.bpffs().join("mark").exists());
}

#[test]
fn nothing_is_left_after_a_panic() {
    let mut names = Vec::new();
    let failed = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let lab = Lab::plain();
        let further = lab.namespace("c1");
        names.extend([
            lab.a.name().to_owned(),
            lab.b.name().to_owned(),
            further.name().to_owned(),
        ]);
        names.push(lab.bpffs().display().to_string());
        let sleeper = lab.a.spawn("sleep 600");
        names.push(format!("/proc/{}", sleeper.pid()));
        let program = bpf::load(Kind::Xdp, &only_return(2)).expect("load");
        bpf::pin(&program, &lab.bpffs().join("program")).expect("pin");
        panic!("as a failed test does");
    }));
    assert!(failed.is_err());
    assert_eq!(names.len(), 5);
    for name in &names {
        let path = Path::new("/run/netns").join(name);
        assert!(!path.exists(), "{} is left", path.display());
    }
    let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
    assert!(!mounts.contains(&names[3]), "the bpffs is left");
}

#[test]
fn private_bpffs_mounts_coexist() {
    let name = |which| format!("{NAME_PREFIX}{}-bpffs-{which}", std::process::id());
    let (one, other) = (
        PrivateBpffs::mount(&name("one")),
        PrivateBpffs::mount(&name("other")),
    );
    let program = bpf::load(Kind::Xdp, &only_return(2)).expect("load");
    for (mount, pin) in [(&one, "p"), (&other, "q")] {
        bpf::pin(&program, &mount.path().join(pin)).expect("pin");
    }
    assert!(bpf::open_pinned(&one.path().join("p")).is_ok());
    assert!(bpf::open_pinned(&one.path().join("q")).is_err());
}

#[test]
fn raw_frames_keep_their_tags() {
    let lab = Lab::plain();
    let (at_a, at_b) = (
        RawSocket::open(&lab.a, "eth0"),
        RawSocket::open(&lab.b, "eth0"),
    );
    let ours = || frame().between(lab.b.mac("eth0"), lab.a.mac("eth0"));
    for built in [
        ours().ipv4(B, A).udp(1, 2, b"untagged"),
        ours().vlan(10).ipv4(B, A).udp(1, 2, b"one tag"),
        ours()
            .tag(0x8100, 0xe00a)
            .ipv4(B, A)
            .udp(1, 2, b"with priority"),
        ours()
            .service_vlan(20)
            .vlan(10)
            .ipv4(B, A)
            .udp(1, 2, b"two tags"),
    ] {
        let sent = built.build();
        at_b.send(&sent);
        at_a.expect("the same bytes", LIMIT, |got| got == sent);
    }
}

#[test]
fn a_real_arp_reply_is_read() {
    let lab = Lab::plain();
    let (mac_a, mac_b) = (lab.a.mac("eth0"), lab.b.mac("eth0"));
    let socket = RawSocket::open(&lab.b, "eth0");
    socket.send(&frame().between(mac_b, BROADCAST).arp_request(B, A).build());
    let reply = socket.expect("ARP reply", LIMIT, |f| {
        read(f)
            .and_then(|f| f.arp)
            .is_some_and(|arp| arp.operation == arp_op::REPLY)
    });
    let arp = read(&reply).and_then(|f| f.arp).expect("ARP");
    assert_eq!((arp.sender, arp.sender_mac), (A, mac_a));
}

#[test]
fn a_real_neighbour_advertisement_is_read() {
    let lab = Lab::plain();
    let (mac_a, mac_b) = (lab.a.mac("eth0"), lab.b.mac("eth0"));
    let (a, b) = (
        "2001:db8:0:1::9".parse().expect("v6"),
        "2001:db8:0:1::1".parse().expect("v6"),
    );
    let socket = RawSocket::open(&lab.b, "eth0");
    socket.send(&frame().between(mac_b, BROADCAST).solicitation(b, a).build());
    let reply = socket.expect("advertisement", LIMIT, |f| {
        read(f).is_some_and(|f| f.advertisement().is_some())
    });
    assert_eq!(
        read(&reply).and_then(|f| f.advertisement()),
        Some((a, Some(mac_a)))
    );
}

#[test]
fn a_snapshot_sees_each_kind_of_change() {
    let lab = Lab::plain();
    let before = Snapshot::of(&lab.a);
    lab.b.ping_ok("192.0.2.9", 1);
    lab.b.ping_ok("2001:db8:0:1::9", 1);
    assert_unchanged(&before, &Snapshot::of(&lab.a));
    for (change, undo) in [
        (
            "addr add 198.51.100.8/32 dev eth0",
            "addr del 198.51.100.8/32 dev eth0",
        ),
        (
            "-6 addr add 2001:db8::8/128 dev eth0",
            "-6 addr del 2001:db8::8/128 dev eth0",
        ),
        (
            "route add 198.51.100.0/24 dev eth0 table 77",
            "route del 198.51.100.0/24 dev eth0 table 77",
        ),
        (
            "link property add dev eth0 altname eth0:0",
            "link property del dev eth0 altname eth0:0",
        ),
        ("link set eth0 promisc on", "link set eth0 promisc off"),
        (
            "rule add from 198.51.100.8 table 77",
            "rule del from 198.51.100.8 table 77",
        ),
    ] {
        lab.a.ip(change);
        let difference = before.difference(&Snapshot::of(&lab.a));
        assert!(!difference.is_empty(), "{change} is not seen");
        lab.a.ip(undo);
        assert_unchanged(&before, &Snapshot::of(&lab.a));
    }
    let program = bpf::load(Kind::Xdp, &only_return(2)).expect("load");
    let link = bpf::attach_xdp(&program, &lab.a, "eth0").expect("attach");
    assert!(
        !before.difference(&Snapshot::of(&lab.a)).is_empty(),
        "XDP is not seen"
    );
    drop(link);
    // A child that is about to exec holds it, too, for a moment.
    wait_for("the program to be off", LIMIT, || {
        lab.a.link("eth0")["xdp"].is_null()
    });
    assert_unchanged(&before, &Snapshot::of(&lab.a));
}

#[test]
fn a_test_run_returns_verdict_frame_and_metadata() {
    let bytes = frame().ipv4(B, A).udp(1, 2, b"x").padded().build();
    for verdict in [xdp::DROP, xdp::PASS] {
        let program = bpf::load(Kind::Xdp, &only_return(verdict as i32)).expect("load");
        let run = bpf::test_run(&program, &bytes, Context::xdp()).expect("run");
        assert_eq!(
            (run.retval, &run.data_out, run.data_meta.len()),
            (verdict, &bytes, 0)
        );
    }
    let program = bpf::load(Kind::Tc, &only_return(tc::SHOT as i32)).expect("load");
    let run = bpf::test_run(&program, &bytes, Context::tc(0)).expect("run");
    assert_eq!((run.retval, run.data_out), (tc::SHOT, bytes.clone()));

    let lab = Lab::plain();
    let path = lab.bpffs().join("metadata");
    let program = bpf::load(Kind::Xdp, &writes_metadata(0x1234_5678)).expect("load");
    bpf::pin(&program, &path).expect("pin");
    let run = bpf::prog_test_run(&path, &bytes, Context::xdp()).expect("run");
    assert_eq!(run.retval, xdp::PASS);
    assert_eq!(run.data_meta, 0x1234_5678u32.to_ne_bytes());
    assert_eq!(run.data_out, bytes);
}

/// `if (!bpf_xdp_adjust_meta(ctx, -4)) *(u32 *)ctx->data_meta = value; return XDP_PASS`
fn writes_metadata(value: i32) -> [Instruction; 13] {
    const ADJUST_META: i32 = 54;
    [
        Instruction(0xbf, 0x16, 0, 0),           // r6 = r1
        Instruction(0xb7, 0x02, 0, -4),          // r2 = -4
        Instruction(0x85, 0x00, 0, ADJUST_META), // call
        Instruction(0x55, 0x00, 7, 0),           // if r0 != 0 goto pass
        Instruction(0x61, 0x62, 8, 0),           // r2 = ctx->data_meta
        Instruction(0x61, 0x63, 0, 0),           // r3 = ctx->data
        Instruction(0xbf, 0x24, 0, 0),           // r4 = r2
        Instruction(0x07, 0x04, 0, 4),           // r4 += 4
        Instruction(0x2d, 0x34, 2, 0),           // if r4 > r3 goto pass
        Instruction(0xb7, 0x05, 0, value),       // r5 = value
        Instruction(0x63, 0x52, 0, 0),           // *(u32 *)r2 = r5
        Instruction(0xb7, 0x00, 0, 2),           // pass: r0 = XDP_PASS
        Instruction(0x95, 0x00, 0, 0),           // exit
    ]
}

#[test]
fn tcp_and_large_datagrams_between_the_hosts() {
    let lab = Lab::plain();
    for address in ["192.0.2.9", "2001:db8:0:1::9"] {
        let address: IpAddr = address.parse().expect("an address");
        for direction in [Direction::ToServer, Direction::ToClient] {
            transfer::tcp(&lab.a, address, &lab.b, 100_000_000, direction);
        }
        transfer::udp_echo(&lab.a, address, &lab.b, 4000);
    }
}

#[test]
fn a_jumbo_cable_carries_jumbo_frames() {
    let lab = Lab::builder().mtu(9000).build();
    let ping = lab.b.ping_with("192.0.2.9", 2, "-M do -s 8972");
    assert_eq!(ping.received, 2);
}

#[test]
fn a_tap_hands_frames_over() {
    let lab = Lab::plain();
    let tap = Tap::open(&lab.a, "tap0");
    let at_tap = RawSocket::open(&lab.a, "tap0");
    let bytes = frame().ipv4(B, A).udp(1, 2, b"out").padded().build();
    at_tap.send(&bytes);
    assert!(tap.receive(LIMIT, |f| f == bytes).is_some());
    let bytes = frame().ipv4(B, A).udp(1, 2, b"in").padded().build();
    tap.send(&bytes);
    at_tap.expect("what the tap sent", LIMIT, |f| f == bytes);
}

#[test]
fn commands_run_inside_and_see_the_bpffs() {
    let lab = Lab::plain();
    let program = bpf::load(Kind::Xdp, &only_return(2)).expect("load");
    bpf::pin(&program, &lab.bpffs().join("seen")).expect("pin");
    let listing = lab.a.run(&format!("ls {}", lab.bpffs().display())).ok();
    // The kernel puts files of its own into every new bpffs.
    assert!(
        listing.stdout.lines().any(|name| name == "seen"),
        "{listing}"
    );
    let started = Instant::now();
    assert!(lab.a.spawn("sleep 600").kill().code().is_none());
    assert!(started.elapsed() < LIMIT);
}
