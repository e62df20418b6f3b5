//! The pins go: somebody removes them, or unmounts their bpffs. What is left of the aliases
//! is found by its marks, named by `doctor`, and gone after the next command that changes
//! something; what another bpffs has is nobody else's.

use std::fs;
use std::path::PathBuf;

use alias_tests::{Lab, Mode, bpf, wait_for};

use crate::daemon_stage::{BOTH, By};
use crate::scene::{LIMIT, has_tcx, modes};

#[track_caller]
fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

/// The directory of eth0's pins.
fn pins_of_eth0(lab: &Lab) -> PathBuf {
    let of_parent = |pin: &PathBuf| pin.ends_with("alias_rx_link");
    let link = lab.pins().into_iter().find(of_parent);
    let link = link.expect("it is attached");
    link.parent().expect("a directory").to_owned()
}

/// What there is of ours in A's namespace and in another.
fn left(lab: &Lab, home: &alias_tests::Namespace) -> Vec<String> {
    let mut found = Vec::new();
    for (host, what) in [(&lab.a, "link show"), (home, "link show")] {
        let links = host.ip(&format!("-d {what}"));
        let own = links.lines().filter(|line| line.contains("group 152615"));
        found.extend(own.map(str::to_owned));
    }
    let addresses = lab.a.ip("-o addr show dev eth0");
    for address in ["198.51.100.9", "2001:db8:5::9"] {
        if addresses.contains(address) {
            found.push(address.to_owned());
        }
    }
    for family in ["-4", "-6"] {
        for table in ["main", "local"] {
            let routes = lab.a.ip(&format!("{family} route show table {table}"));
            let own = routes.lines().filter(|line| line.contains("proto 161"));
            found.extend(own.map(str::to_owned));
        }
    }
    let filters = lab.a.run("tc filter show dev eth0 egress");
    if filters.stdout.contains("alias_egress") {
        found.push("a filter on eth0".into());
    }
    for device in ["eth0", "v0"] {
        if lab.a.find_link(device).is_none() {
            continue;
        }
        let programs = bpf::tcx_programs(&lab.a, device).expect("it can be asked for");
        found.extend(programs.iter().map(|_| format!("a program on {device}")));
    }
    found
}

/// One alias of each kind that has something outside of the maps.
fn add_all(lab: &Lab, netns: &str) {
    run(lab, &format!("add eth0:0 192.0.2.10/24 --netns {netns}"));
    run(lab, "add eth0:1 198.51.100.8/24");
    run(lab, "add eth0:2 198.51.100.9/24 --local");
    run(lab, "add eth0:3 2001:db8:5::9/64 --local");
    run(lab, "add eth0:4 2001:db8:7::/48 --prefix --local");
    run(lab, "add eth0:5 203.0.113.7 --to v0");
    run(lab, "add eth0:6 203.0.113.8 --drop");
}

/// Ways in which pins go.
#[derive(Clone, Copy, Debug)]
enum How {
    /// `rm -rf` of all of it.
    Everything,
    /// Of the directory of one parent.
    OneParent,
}

#[test]
fn what_is_left_is_named_and_goes() {
    for (mode, options) in [
        (Mode::Native, &[][..]),
        (Mode::Generic, &[]),
        (Mode::Tc, &[]),
        (Mode::Native, &["--tc", "clsact"]),
    ] {
        if mode == Mode::Tc && !has_tcx() {
            continue;
        }
        for (by, how) in [
            (By::NextCommand, How::Everything),
            (By::NextCommand, How::OneParent),
            (By::Daemon, How::OneParent),
        ] {
            let what = format!("{mode:?} {options:?} {by:?} {how:?}");
            let lab = Lab::builder().mode(mode).attach_options(options).build();
            let home = lab.namespace("home");
            lab.a.ip("link add v0 type veth peer name v1");
            lab.a.ip_batch("link set v0 up\nlink set v1 up\n");
            lab.a.ip("link add eth1 type veth peer name far1");
            lab.a.ip_batch("link set eth1 up\nlink set far1 up\n");
            add_all(&lab, home.name());
            run(&lab, "add eth1:0 198.18.0.1 --drop");
            assert!(left(&lab, &home).len() >= 9, "{:?}", left(&lab, &home));
            let daemon = matches!(by, By::Daemon).then(|| lab.daemon(&[]));
            match how {
                How::Everything => {
                    fs::remove_dir_all(lab.bpffs().join("alias")).expect("pins can be removed");
                }
                How::OneParent => {
                    fs::remove_dir_all(pins_of_eth0(&lab)).expect("pins can be removed");
                }
            }
            if daemon.is_none() {
                let said = lab.ctl(&["doctor"]);
                assert_eq!(said.code(), 1, "{what}: {said}");
                assert!(
                    said.stdout.contains("pins of its aliases are gone"),
                    "{what}: {}",
                    said.stdout
                );
                // A command that has nothing to do with it.
                let note = lab.ctl(&["add", "eth1:1", "198.18.0.2", "--drop"]).ok();
                assert!(note.stderr.contains("eth0: the pins"), "{}", note.stderr);
                assert_eq!(left(&lab, &home), [""; 0], "{what}");
            } else {
                wait_for("it to be gone", LIMIT, || left(&lab, &home) == [""; 0]);
            }
            drop(daemon);
            assert_eq!(lab.ctl(&["doctor", "eth0"]).code(), 0, "{what}");
            add_all(&lab, home.name());
            lab.b.ping_ok("192.0.2.10", 2);
            run(&lab, "detach eth0 --cascade");
            assert_eq!(left(&lab, &home), [""; 0], "{what}");
        }
    }
}

/// The first `restore` works, and after `del` nothing is left.
#[test]
fn a_restore_makes_what_was_saved_at_once() {
    for by in BOTH {
        let name = format!("alias-t{}-lost-{by:?}", std::process::id());
        let saved = std::env::temp_dir().join(&name);
        let builder = Lab::builder().mode(Mode::Native);
        let lab = builder
            .env("ALIAS_CONFIG", &saved.display().to_string())
            .build();
        let home = lab.namespace("home");
        lab.a.ip("link add v0 type veth peer name v1");
        lab.a.ip_batch("link set v0 up\nlink set v1 up\n");
        add_all(&lab, home.name());
        run(&lab, "save");
        let daemon = matches!(by, By::Daemon).then(|| lab.daemon(&[]));
        let rows = lab.alias_names();
        fs::remove_dir_all(lab.bpffs().join("alias")).expect("pins can be removed");
        if daemon.is_none() {
            run(&lab, "restore");
            assert_eq!(lab.alias_names(), rows);
        } else {
            wait_for("what was saved", LIMIT, || lab.alias_names() == rows);
        }
        drop(daemon);
        lab.b.ping_ok("192.0.2.10", 2);
        run(&lab, "detach eth0 --cascade");
        assert_eq!(left(&lab, &home), [""; 0]);
        fs::remove_file(&saved).expect("the file that was written");
    }
}

/// A second bpffs shows no aliases, and touches none that the first one has.
#[test]
fn what_another_bpffs_has_is_left_alone() {
    for mode in modes() {
        let lab = Lab::attached(mode);
        let home = lab.namespace("home");
        run(
            &lab,
            &format!("add eth0:0 192.0.2.10/24 --netns {}", home.name()),
        );
        run(&lab, "add eth0:1 198.51.100.9/24 --local");
        lab.a.ip("link add eth1 type veth peer name far1");
        lab.a.ip_batch("link set eth1 up\nlink set far1 up\n");
        let before = (left(&lab, &home), lab.rows());
        let name = format!("alias-t{}-second-{mode:?}", std::process::id());
        let second = alias_tests::PrivateBpffs::mount(&name);
        let there = |line: &str| {
            let output = lab
                .a
                .command(alias_tests::ctl_binary())
                .args(line.split(' '))
                .env("ALIAS_BPFFS_ROOT", second.path())
                .output()
                .expect("it can be run");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let out = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code(), said + &out)
        };
        for line in [
            "add eth0:5 192.0.2.15 --drop",
            "attach eth0",
            "del eth0:0",
            "detach eth0 --cascade",
        ] {
            let (code, said) = there(line);
            assert_eq!(code, Some(1), "{line}: {said}");
            assert!(said.contains("EBUSY"), "{line}: {said}");
            let place = lab.bpffs().display().to_string();
            assert!(said.contains(&place), "{line}: {said}");
        }
        let (code, said) = there("doctor");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("another bpffs"), "{said}");
        // Another device is free.
        let (code, said) = there("add eth1:0 198.18.0.1 --drop");
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = there("detach eth1 --cascade");
        assert_eq!(code, Some(0), "{said}");
        assert_eq!((left(&lab, &home), lab.rows()), before);
        lab.b.ping_ok("192.0.2.10", 2);
        // Its program was taken off meanwhile: it is still the first one's.
        let link = pins_of_eth0(&lab).join("alias_rx_link");
        alias_tests::bpf::detach_link(&link).expect("a link can be detached");
        let (code, said) = there("add eth0:5 192.0.2.15 --drop");
        assert_eq!(code, Some(1), "{said}");
        run(&lab, "disable eth0:1");
        run(&lab, "enable eth0:1");
        lab.b.ping_ok("192.0.2.10", 2);
    }
}

/// Somebody still holds on to the link that was pinned: the program runs, and nobody has
/// its aliases.
#[test]
fn a_program_that_runs_without_pins_is_named_and_replaced() {
    for line in ["attach eth0", "add eth0:0 192.0.2.10/24"] {
        let lab = Lab::attached(Mode::Native);
        let home = lab.namespace("home");
        run(&lab, "add eth0:0 192.0.2.10/24");
        let link = pins_of_eth0(&lab).join("alias_rx_link");
        let held = bpf::open_pinned(&link).expect("a link");
        fs::remove_dir_all(lab.bpffs().join("alias")).expect("pins can be removed");
        let said = lab.ctl(&["doctor", "eth0"]);
        assert_eq!(said.code(), 1, "{said}");
        for word in ["runs on it, and its pins are gone", "alias-ctl attach eth0"] {
            assert!(said.stdout.contains(word), "{word}: {}", said.stdout);
        }
        assert!(
            !said.stdout.contains("another XDP program"),
            "{}",
            said.stdout
        );
        run(&lab, line);
        drop(held);
        assert_eq!(lab.ctl(&["doctor", "eth0"]).code(), 0);
        run(&lab, "detach eth0 --cascade");
        assert_eq!(left(&lab, &home), [""; 0]);
    }
}

/// A command was ended while it attached: its program is ours, and the next command takes
/// it off.
#[test]
fn what_an_ended_attach_left_is_ours() {
    let lab = Lab::attached(Mode::Native);
    let pins = pins_of_eth0(&lab);
    let number = lab.a.ifindex("eth0");
    fs::rename(&pins, pins.with_file_name(format!("new-{number}"))).expect("one bpffs");
    let said = lab.ctl(&["doctor", "eth0"]);
    assert_eq!(said.code(), 1, "{said}");
    assert!(said.stdout.contains("is attaching it"), "{}", said.stdout);
    assert!(
        !said.stdout.contains("another XDP program"),
        "{}",
        said.stdout
    );
    run(&lab, "add eth0:0 192.0.2.10/24");
    assert_eq!(lab.ctl(&["doctor", "eth0"]).code(), 0);
    lab.b.ping_ok("192.0.2.10", 2);
}
