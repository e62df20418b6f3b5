//! What a stranger can put in the way, what others can see, and what becomes of
//! aliases whose parent goes.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    thread,
};

use alias_tests::{Lab, Mode, Namespace, Snapshot, assert_unchanged};
use serde_json::json;

use crate::scene::{FAMILIES, PLACES, Place, Scene, modes};

/// Commands that read and commands that write.
const COMMANDS: [&[&str]; 4] = [
    &["show", "-j"],
    &["stats"],
    &["attach", "eth0"],
    &["add", "eth0:0", "198.51.100.8/24"],
];

/// `<bpffs>/alias` was made by somebody else: refused, and left as it is.
#[track_caller]
fn check_stranger(make: impl FnOnce(&Path)) {
    let lab = Lab::plain();
    let path = lab.bpffs().join("alias");
    make(&path);
    let (before, pins) = (Snapshot::of(&lab.a), lab.pins());
    for command in COMMANDS {
        let message = lab.ctl_err(command, "EPERM");
        assert!(message.contains("/alias"), "it names it: {message}");
        assert_unchanged(&before, &Snapshot::of(&lab.a));
        assert_eq!(lab.pins(), pins, "{command:?}: the pins have changed");
    }
}

#[test]
fn a_strangers_link_is_eperm() {
    check_stranger(|path| {
        let elsewhere = path.with_file_name("elsewhere");
        fs::create_dir(&elsewhere).expect("a directory");
        fs::set_permissions(&elsewhere, Permissions::from_mode(0o700)).expect("chmod");
        symlink(&elsewhere, path).expect("a symlink");
    });
}

#[test]
fn a_link_to_nowhere_is_eperm() {
    check_stranger(|path| symlink("/nowhere", path).expect("a symlink"));
}

#[test]
fn a_directory_that_is_open_to_others_is_eperm() {
    for mode in [0o777, 0o1777, 0o755, 0o710, 0o701] {
        check_stranger(|path| {
            fs::create_dir(path).expect("a directory");
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
        });
    }
}

#[test]
fn a_strangers_directory_is_eperm() {
    check_stranger(|path| {
        fs::create_dir(path).expect("a directory");
        fs::set_permissions(path, Permissions::from_mode(0o700)).expect("chmod");
        chown(path, Some(65534), Some(65534)).expect("chown");
    });
}

#[test]
fn pins_are_ours_alone() {
    for mode in modes() {
        let lab = Lab::attached(mode);
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        let pins = our_pins(&lab);
        assert!(pins.len() > 10, "{pins:?}");
        for pin in pins {
            let found = fs::symlink_metadata(&pin).expect("a pin");
            let wanted = if found.is_dir() { 0o700 } else { 0o600 };
            let seen = (found.mode() & 0o7777, found.uid());
            assert_eq!(seen, (wanted, 0), "{}", pin.display());
        }
    }
}

#[test]
fn without_bpffs_it_is_enodev_and_says_how_to_mount_it() {
    let somewhere = std::env::temp_dir();
    let nowhere = somewhere.join("no-such-directory");
    for root in [&somewhere, &nowhere] {
        let root = root.display().to_string();
        let lab = Lab::builder().env("ALIAS_BPFFS_ROOT", &root).build();
        let before = Snapshot::of(&lab.a);
        for command in COMMANDS {
            let message = lab.ctl_err(command, "ENODEV");
            let way_out = format!("mount -t bpf bpf {root}");
            assert!(message.contains(&way_out), "it says how: {message}");
        }
        assert_unchanged(&before, &Snapshot::of(&lab.a));
    }
}

/// What is pinned, but for the two files that every bpffs has.
#[track_caller]
fn our_pins(lab: &Lab) -> Vec<PathBuf> {
    let mut pins = lab.pins();
    pins.retain(|pin| pin.starts_with(lab.bpffs().join("alias")));
    pins
}

#[track_caller]
fn pinned_files(lab: &Lab) -> Vec<PathBuf> {
    let mut pins = our_pins(lab);
    pins.retain(|pin| pin.is_file());
    pins
}

/// Every pin in the place of every other: whatever is not what it is taken for
/// is refused, and nothing crashes.
#[test]
fn a_pin_of_another_shape_is_a_clean_error() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    let pins = pinned_files(&lab);
    let name = |pin: &Path| pin.file_name().expect("a name").to_owned();
    for victim in &pins {
        let aside = victim.with_file_name("aside");
        fs::rename(victim, &aside).expect("rename");
        for other in pins.iter().filter(|other| *other != victim) {
            fs::hard_link(other, victim).expect("link");
            let what = format!("{:?} in place of {:?}", name(other), name(victim));
            for command in [&["show", "-j"][..], &["stats", "eth0:0"]] {
                let output = lab.ctl(command);
                let refused = output.code() == 1 && output.stderr.starts_with("alias-ctl: ");
                assert!(output.code() == 0 || refused, "{what}: {output}");
                assert!(!output.stderr.contains("panicked"), "{what}: {output}");
            }
            fs::remove_file(victim).expect("unlink");
        }
        fs::rename(&aside, victim).expect("rename");
    }
    assert_eq!(lab.alias_names(), ["eth0:0"]);
}

/// What the datapath and the controller share, by a name that is the interface.
#[test]
fn a_foreign_table_is_einval_and_named() {
    let lab = Lab::attached(Mode::Native);
    let pins = pinned_files(&lab);
    let find = |name: &str| pins.iter().find(|pin| pin.ends_with(name)).expect(name);
    fs::remove_file(find("table")).expect("unlink");
    fs::hard_link(find("counters"), find("table")).expect("link");
    for command in [&["show"][..], &["add", "eth0:0", "198.51.100.8"]] {
        let message = lab.ctl_err(command, "EINVAL");
        assert!(message.contains("/table"), "it names it: {message}");
    }
}

#[test]
fn a_parent_whose_pins_are_spoilt_does_not_stop_the_others() {
    let lab = two_parents();
    let ifindex = lab.a.ifindex("eth1").to_string();
    let table = lab.pins().into_iter().find(|pin| {
        pin.ends_with("table") && pin.parent().is_some_and(|dir| dir.ends_with(&ifindex))
    });
    fs::remove_file(table.expect("eth1 has a table")).expect("unlink");
    assert_eq!(lab.row("eth0:0")["address"], "198.51.100.8");
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9/24"]);
    lab.b.ping_ok("198.51.100.9", 1);
    lab.ctl_ok(&["del", "eth0:1"]);
}

/// eth0 and eth1, with one alias each, whose devices are beside them.
#[track_caller]
fn two_parents() -> Lab {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("link add eth1 type veth peer name far1");
    lab.a.ip_batch("link set far1 up\nlink set eth1 up\n");
    lab.a.wait_until_up("eth1");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.ctl_ok(&["add", "eth1:0", "203.0.113.9/24"]);
    lab
}

#[track_caller]
fn devices(namespace: &Namespace) -> usize {
    namespace
        .ip_json("link show")
        .as_array()
        .map_or(0, Vec::len)
}

#[test]
fn a_deleted_parent_takes_its_aliases_and_no_others() {
    let lab = two_parents();
    let home = lab.namespace("c0");
    lab.ctl_ok(&["add", "eth1:1", "203.0.113.10/24", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth1:2", "203.0.113.11/24", "--join", "eth1:0"]);
    lab.b.ping_ok("198.51.100.8", 2);
    let of_eth0 = lab.row("eth0:0");
    lab.a.ip("link del eth1");
    assert_eq!(
        lab.alias_names(),
        ["eth0:0"],
        "before anybody has cleaned up"
    );
    lab.ctl_ok(&["enable", "eth0:0"]);
    assert_eq!(lab.rows(), [of_eth0]);
    // lo, eth0, and eth0:0's pair.
    assert_eq!((devices(&lab.a), devices(&home)), (4, 1));
    let alone = Lab::attached(Mode::Native);
    assert_eq!(lab.pins().len(), alone.pins().len());
    lab.b.ping_ok("198.51.100.8", 2);
    lab.wait_for_counter("eth0:0", "tx_packets", 4);
}

#[test]
fn a_parent_that_is_made_again_starts_anew() {
    for same_index in [false, true] {
        let lab = two_parents();
        let index = if same_index {
            lab.a.ifindex("eth1")
        } else {
            4000
        };
        lab.a.ip("link del eth1");
        lab.a.ip(&format!(
            "link add eth1 index {index} type veth peer name far1"
        ));
        lab.a.ip_batch("link set far1 up\nlink set eth1 up\n");
        assert_eq!(lab.alias_names(), ["eth0:0"], "{same_index}");
        lab.ctl_ok(&["add", "eth1:0", "203.0.113.9/24"]);
        assert_eq!(lab.alias_names(), ["eth0:0", "eth1:0"], "{same_index}");
        lab.a.ping_ok("203.0.113.9", 1);
        lab.b.ping_ok("198.51.100.8", 1);
        lab.ctl_ok(&["detach", "eth1", "--cascade"]);
        // lo, eth0, eth0:0's pair, and eth1's.
        assert_eq!(devices(&lab.a), 6, "{same_index}");
    }
}

#[test]
fn large_frames_reach_an_alias() {
    for mode in modes() {
        for family in FAMILIES {
            for place in PLACES {
                let builder = Lab::builder().mode(mode).mtu(9000);
                let mut scene = Scene::empty(builder, family, place);
                scene.add("eth0:0", 0, &[]);
                let home = scene.home("eth0:0");
                assert_eq!(home.link("eth0:0")["mtu"], 9000);
                let ping = scene.lab.b.ping_with(family.alias(0), 3, "-s 8900 -M do");
                assert_eq!(ping.received, 3, "{mode:?} {family:?} {place:?}");
                scene.lab.wait_for_counter("eth0:0", "tx_packets", 3);
                if place == Place::OwnNamespace && mode == Mode::Native {
                    let bytes = scene.lab.counter("eth0:0", "rx_bytes");
                    assert!(bytes >= 3 * 8900, "{bytes}");
                }
            }
        }
    }
}

/// Runs `work` in a thread whose children lack a capability.
fn without<T: Send>(capabilities: &[libc::c_ulong], work: impl FnOnce() -> T + Send) -> T {
    let limited = || {
        for &capability in capabilities {
            // SAFETY: prctl with integers changes this thread only. Its own
            // rights stay; root's exec takes none outside the bounding set.
            let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
            assert_eq!(result, 0, "root can drop a capability");
        }
        work()
    };
    thread::scope(|scope| scope.spawn(limited).join()).expect("the work does not panic")
}

// linux/capability.h.
const NET_ADMIN: libc::c_ulong = 12;
const SYS_ADMIN: libc::c_ulong = 21;
const PERFMON: libc::c_ulong = 38;
const BPF: libc::c_ulong = 39;

#[track_caller]
fn check_capability(lost: &[libc::c_ulong], named: &str) {
    let lab = Lab::plain();
    let (before, pins) = (Snapshot::of(&lab.a), lab.pins());
    let add = ["add", "eth0:0", "198.51.100.8/24"];
    let message = without(lost, || lab.ctl_err(&add, "EPERM"));
    assert!(message.contains(named), "{named}: {message}");
    assert_unchanged(&before, &Snapshot::of(&lab.a));
    assert_eq!(lab.pins(), pins, "{named}");
}

#[test]
fn a_missing_capability_is_named() {
    check_capability(&[NET_ADMIN], "CAP_NET_ADMIN");
    check_capability(&[BPF, SYS_ADMIN], "CAP_BPF");
}

/// The verifier's answer says nothing to somebody who has no root.
#[test]
fn missing_perfmon_is_named() {
    check_capability(&[PERFMON, SYS_ADMIN], "CAP_PERFMON");
}

#[test]
fn what_has_all_it_needs_is_not_asked_for_more() {
    let lab = Lab::plain();
    without(&[SYS_ADMIN], || lab.ctl_ok(&["attach", "eth0"]));
    without(&[SYS_ADMIN], || {
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"])
    });
    lab.b.ping_ok("198.51.100.8", 1);
    let home = lab.namespace("c0");
    let before = lab.snapshot();
    let elsewhere = ["add", "eth0:1", "203.0.113.9", "--netns", home.name()];
    without(&[SYS_ADMIN], || lab.ctl_err(&elsewhere, "EPERM"));
    lab.assert_unchanged(&before);
}

/// Each is a usage error, and changes nothing. All that are not are told at once.
#[track_caller]
fn check_usage(lines: &[&[&str]]) {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    let before = lab.snapshot();
    let mut wrong = Vec::new();
    for arguments in lines {
        let output = lab.ctl(arguments);
        if output.code() != 2 || !output.stdout.is_empty() || output.stderr.is_empty() {
            wrong.push(output.to_string());
        }
    }
    assert!(wrong.is_empty(), "no usage errors:\n{}", wrong.join("\n"));
    lab.assert_unchanged(&before);
}

#[test]
fn a_usage_error_is_2_and_changes_nothing() {
    check_usage(&[
        &[],
        &["frobnicate"],
        &["add"],
        &["add", "eth0:1"],
        &["add", "eth0:1", "198.51.100.9", "--frobnicate"],
        &["add", "eth0:1", "198.51.100.9", "--local", "--drop"],
        &["add", "eth0:1", "198.51.100.9", "--drop", "--netns", "x"],
        &["add", "eth0", "198.51.100.9", "--range", "198.18.0.0/30"],
        &["add", "eth0", "--range", "198.18.0.0/30", "--start", "-1"],
        &["del"],
        &["attach", "eth0", "--mode", "magic"],
        &["attach", "eth0", "--capacity", "many"],
        &["attach", "eth0", "--capacity", "4294967296"],
        &["show", "eth0", "eth1"],
        &["stats", "--watch", "often"],
    ]);
}

/// A word that would be passed over is not: who wrote it meant something.
#[test]
fn a_word_without_effect_is_a_usage_error() {
    check_usage(&[
        &["add", "eth0:1", "198.51.100.9", "--start", "5"],
        &["add", "eth0:1", "198.51.100.9", "--prefix-len", "24"],
        &["del", "eth0", "eth1", "--all"],
        &["del", "eth0", "198.51.100.8", "--all"],
        &["del", "eth0:0", "--vlan", "100"],
        &["del", "eth0", "--all", "--vlan", "100"],
    ]);
}

#[test]
fn nothing_is_an_empty_list() {
    let lab = Lab::plain();
    assert_eq!(lab.ctl_json(&["show"]), json!([]));
    assert_eq!(lab.ctl_json(&["stats"]), json!([]));
    assert_eq!(lab.ctl_json(&["show", "eth0"]), json!([]));
    assert_eq!(
        our_pins(&lab),
        [] as [PathBuf; 0],
        "who only reads makes nothing"
    );
}
