//! What other tools, the kernel and operators do to a host while aliases are there. An
//! alias that is listed answers afterwards, and nothing is deleted because something could
//! not be seen.

use std::path::PathBuf;

use alias_tests::{Lab, Mode, bpf, wait_for};

use crate::daemon_stage::{BOTH, By, Stage};
use crate::scene::{LIMIT, modes};

/// The pin of the parent's XDP link.
fn xdp_link(lab: &Lab) -> PathBuf {
    let of_xdp = |pin: &PathBuf| pin.ends_with("alias_rx_link");
    lab.pins().into_iter().find(of_xdp).expect("an XDP link")
}

/// What `xdp-loader unload --all` does (BPF_LINK_DETACH).
fn detach_program(lab: &Lab) {
    bpf::detach_link(&xdp_link(lab)).expect("a link can be detached");
}

fn doctor_is_content(lab: &Lab) -> bool {
    lab.ctl(&["doctor"]).code() == 0
}

#[track_caller]
fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

#[test]
fn a_program_that_was_detached_is_attached_again_with_all_aliases() {
    for by in BOTH {
        for mode in modes() {
            let lab = Lab::attached(mode);
            let home = lab.namespace("home");
            let netns = home.name();
            run(&lab, &format!("add eth0:0 192.0.2.10/24 --netns {netns}"));
            run(&lab, "add eth0:1 192.0.2.11/24 --local");
            run(&lab, "add eth0:2 192.0.2.64/28 --prefix --drop");
            for address in ["192.0.2.10", "192.0.2.11"] {
                lab.b.ping_ok(address, 2);
            }
            let before = lab.rows();
            let daemon = matches!(by, By::Daemon).then(|| lab.daemon(&[]));
            detach_program(&lab);
            if daemon.is_none() {
                assert_eq!(lab.rows(), before, "{mode:?}: it is listed as it was");
                assert!(!doctor_is_content(&lab), "{mode:?}");
                let note = lab
                    .ctl(&["add", "eth0:9", "192.0.2.19", "--drop"])
                    .ok()
                    .stderr;
                assert!(note.contains("attached again"), "{mode:?}: {note}");
                run(&lab, "del eth0:9");
            }
            wait_for("the program", LIMIT, || {
                // Of a program at tc `ip link` says nothing.
                mode == Mode::Tc || lab.a.ip("link show dev eth0").contains("xdp")
            });
            assert_eq!(lab.rows(), before, "{by:?} {mode:?}");
            wait_for("doctor to be content", LIMIT, || doctor_is_content(&lab));
            for address in ["192.0.2.10", "192.0.2.11"] {
                lab.b.ping_ok(address, 2);
            }
            assert!(lab.counter("eth0:0", "rx_packets") >= 4, "counters go on");
            run(&lab, "detach eth0 --cascade");
            assert!(!lab.a.ip("addr show dev eth0").contains("192.0.2.11"));
        }
    }
}

#[test]
fn a_foreign_program_in_its_place_is_named_and_nothing_else_is_done() {
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:0 192.0.2.10/24");
    run(&lab, "add eth0:1 192.0.2.11/24 --local");
    let before = lab.rows();
    detach_program(&lab);
    let pass = bpf::load(bpf::Kind::Xdp, &bpf::only_return(2)).expect("a program");
    let foreign = bpf::attach_xdp(&pass, &lab.a, "eth0").expect("it is attached");
    let refused = lab.ctl_err(&["add", "eth0:2", "192.0.2.12", "--drop"], "EBUSY");
    assert!(refused.contains("another XDP program"), "{refused}");
    assert_eq!(lab.rows(), before);
    let said = lab.ctl(&["doctor"]);
    assert_ne!(said.code(), 0);
    // Another device is not barred.
    lab.a.ip("link add v0 type veth peer name v1");
    lab.a.ip_batch("link set v0 up\nlink set v1 up\n");
    run(&lab, "add v0:0 198.51.100.8 --drop");
    run(&lab, "del v0:0");
    drop(foreign);
    run(&lab, "add eth0:2 192.0.2.12 --drop");
    lab.b.ping_ok("192.0.2.10", 2);
    lab.b.ping_ok("192.0.2.11", 2);
}

/// Addresses that others take off an alias's device, or off the parent.
#[test]
fn an_address_that_was_taken_away_comes_back() {
    for by in BOTH {
        let lab = Lab::attached(Mode::Native);
        let home = lab.namespace("home");
        let netns = home.name();
        run(&lab, &format!("add eth0:0 192.0.2.10/24 --netns {netns}"));
        run(
            &lab,
            &format!("add eth0:1 2001:db8:0:1::10/64 --netns {netns}"),
        );
        run(&lab, "add eth0:2 192.0.2.12/24");
        run(&lab, "add eth0:3 192.0.2.13/24 --local");
        run(&lab, "add eth0:4 2001:db8:0:1::14/64 --local");
        let device = |slot: usize| lab.row(&format!("eth0:{slot}"))["device"].clone();
        let device = |slot| device(slot).as_str().expect("a device").to_owned();
        let answers = || {
            for address in [
                "192.0.2.10",
                "2001:db8:0:1::10",
                "192.0.2.12",
                "192.0.2.13",
                "2001:db8:0:1::14",
            ] {
                lab.b.ping_ok(address, 2);
            }
        };
        answers();
        let daemon = matches!(by, By::Daemon).then(|| lab.daemon(&[]));
        let rows = lab.rows();
        let changes: [(&str, Vec<(bool, String)>); 4] = [
            (
                "flush",
                vec![
                    (true, format!("addr flush dev {}", device(0))),
                    (true, format!("addr flush dev {}", device(1))),
                    (false, format!("addr flush dev {}", device(2))),
                ],
            ),
            (
                "down and up",
                vec![
                    (true, format!("link set {} down", device(1))),
                    (true, format!("link set {} up", device(1))),
                ],
            ),
            (
                "from the parent",
                vec![
                    (false, "addr del 192.0.2.13/24 dev eth0".into()),
                    (false, "addr del 2001:db8:0:1::14/64 dev eth0".into()),
                ],
            ),
            (
                "MTU below 1280 and back",
                vec![
                    (false, "link set eth0 mtu 1200".into()),
                    (false, "link set eth0 mtu 1500".into()),
                    (false, "addr add 2001:db8:0:1::9/64 dev eth0 nodad".into()),
                ],
            ),
        ];
        for (what, steps) in changes {
            for (inside, step) in steps {
                let host = if inside { &home } else { &lab.a };
                host.ip(&step);
            }
            if daemon.is_none() {
                assert!(!doctor_is_content(&lab), "{what}: doctor has seen nothing");
                let note = lab
                    .ctl(&["add", "eth0:9", "192.0.2.99", "--drop"])
                    .ok()
                    .stderr;
                assert!(note.contains("put back"), "{what}: {note}");
                run(&lab, "del eth0:9");
            }
            wait_for("doctor to be content", LIMIT, || doctor_is_content(&lab));
            assert_eq!(lab.rows().len(), rows.len(), "{by:?} {what}");
            answers();
        }
    }
}

/// IPv6 off on one device is that device's trouble.
#[test]
fn trouble_on_one_device_is_that_devices() {
    let stage = Stage::new(By::NextCommand);
    let lab = &stage.lab;
    run(lab, "add eth0:6 2001:db8:0:1::66/64 --local");
    run(lab, "add eth0:7 2001:db8:7::/48 --prefix --local");
    run(lab, "add eth0:8 2001:db8:0:1::68/64");
    run(lab, "add eth1:7 203.0.113.17 --drop");
    for off in ["mtu", "sysctl"] {
        match off {
            "mtu" => drop(lab.a.ip("link set eth0 mtu 1200")),
            _ => lab.a.sysctl("ipv6/conf/eth0/disable_ipv6", "1"),
        }
        run(lab, "add eth1:8 203.0.113.18 --drop");
        run(lab, "del eth1:8");
        run(lab, "add eth0:9 192.0.2.19 --drop");
        run(lab, "del eth0:9");
        assert!(!doctor_is_content(lab), "{off}");
        match off {
            "mtu" => drop(lab.a.ip("link set eth0 mtu 1500")),
            _ => lab.a.sysctl("ipv6/conf/eth0/disable_ipv6", "0"),
        }
        run(lab, "add eth0:9 192.0.2.19 --drop");
        run(lab, "del eth0:9");
        assert!(
            doctor_is_content(lab),
            "{off}: {}",
            lab.ctl(&["doctor"]).stdout
        );
    }
    lab.a.ip("link set eth0 mtu 1200");
    run(lab, "del eth0:6");
    run(lab, "detach eth0 --cascade");
}

/// At boot not everything is there: what can be made is, the rest is named, and comes when
/// what it needs does.
#[test]
fn boot_in_any_order() {
    for by_daemon_alone in [false, true] {
        let name = format!("alias-t{}-boot-{by_daemon_alone}", std::process::id());
        let saved = std::env::temp_dir().join(&name);
        let builder = Lab::builder().mode(Mode::Native);
        let lab = builder
            .env("ALIAS_CONFIG", &saved.display().to_string())
            .build();
        // A name that nobody has yet.
        let late = lab.namespace("late");
        let netns = late.name().to_owned();
        drop(late);
        let text = [
            ("eth0:0", "198.51.100.8/24", String::new()),
            ("eth0:1", "192.0.2.11/24", format!("netns = \"{netns}\"\n")),
            ("eth0:2", "198.51.100.10", "to = \"late0\"\n".into()),
            ("usb0:0", "203.0.113.7", "target = \"drop\"\n".into()),
        ]
        .iter()
        .map(|(name, address, more)| {
            format!("[[alias]]\nname = \"{name}\"\naddress = \"{address}\"\n{more}")
        })
        .collect::<String>();
        std::fs::write(&saved, format!("version = 1\n{text}")).expect("a file of our own");
        let daemon = lab.daemon(&[]);
        let there = |names: &[&str]| {
            wait_for(&format!("{names:?}"), LIMIT, || lab.alias_names() == names);
        };
        if !by_daemon_alone {
            let refused = lab.ctl(&["restore"]);
            assert_eq!(refused.code(), 1, "{refused}");
            for named in [netns.as_str(), "late0", "usb0", &name] {
                assert!(
                    refused.stderr.contains(named),
                    "{named}: {}",
                    refused.stderr
                );
            }
        }
        there(&["eth0:0"]);
        lab.b.ping_ok("198.51.100.8", 2);
        lab.a.ip("link add late0 type veth peer name late1");
        lab.a.ip_batch("link set late0 up\nlink set late1 up\n");
        there(&["eth0:0", "eth0:2"]);
        let home = lab.namespace("late");
        assert_eq!(home.name(), netns);
        there(&["eth0:0", "eth0:2", "eth0:1"]);
        lab.b.ping_ok("192.0.2.11", 2);
        lab.a.ip("link add usb0 type veth peer name usb1");
        lab.a.ip_batch("link set usb0 up\nlink set usb1 up\n");
        there(&["eth0:0", "eth0:2", "eth0:1", "usb0:0"]);
        assert!(daemon.stop(libc::SIGTERM) == Some(0));
        // Before the lab goes, so that nothing reads it any more.
        std::fs::remove_file(&saved).expect("the file that was written");
    }
}

/// `ip netns exec` brings a mount namespace without a bpffs. One that is mounted there goes
/// with it, and so would the aliases.
#[test]
fn in_a_mount_namespace_of_its_own_it_names_nsenter() {
    let lab = Lab::plain();
    let output = std::process::Command::new("ip")
        .args(["netns", "exec", lab.a.name()])
        .arg(alias_tests::ctl_binary())
        .arg("show")
        .env_remove("ALIAS_BPFFS_ROOT")
        .output()
        .expect("ip can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("ENODEV") && said.contains("nsenter --net="),
        "{said}"
    );
}

/// journald is started anew: nobody reads the daemon's log any more, and it goes on.
#[test]
fn a_daemon_whose_log_nobody_reads_goes_on() {
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:0 192.0.2.13/24 --local");
    let mut daemon = lab
        .a
        .command(alias_tests::ctl_binary())
        .arg("daemon")
        .env("ALIAS_BPFFS_ROOT", lab.bpffs())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(daemon.stderr.take());
    for _ in 0..2 {
        lab.a.ip("addr del 192.0.2.13/24 dev eth0");
        wait_for("the address", LIMIT, || {
            lab.a.ip("addr show dev eth0").contains("192.0.2.13/24")
        });
    }
    let ended = daemon.try_wait().expect("it can be asked for");
    daemon.kill().expect("it is ours");
    daemon.wait().expect("it is ours");
    assert_eq!(ended, None, "it is at work");
}
