//! A parent that has no room left grows while packets flow: none is lost, none is
//! counted twice, and whoever reads meanwhile sees a whole state.

mod crowded;
mod killed;
mod names;
mod refused;
mod taken_off;
pub(crate) mod traffic;

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use alias_tests::{Destinations, Generator, Lab, Mode, ctl_binary, wait_for};
use serde_json::Value;

use crate::scene::LIMIT;

/// How many aliases `show` says there is room for.
#[track_caller]
pub(crate) fn capacity(lab: &Lab) -> u32 {
    let text = lab.ctl_ok(&["show", "eth0"]);
    let (_, rest) = text.split_once(", room for ").expect("a heading");
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().expect("a number")
}

fn small(capacity: &str) -> Lab {
    let options = ["--capacity", capacity];
    let builder = Lab::builder().silent().mode(Mode::Native);
    builder.attach_options(&options).build()
}

#[track_caller]
fn nothing_is_left(lab: &Lab) {
    let mut pins = lab.pins();
    pins.retain(|pin| pin.starts_with(lab.bpffs().join("alias")));
    assert!(pins.is_empty(), "{pins:?}");
}

/// Doubling, as far as a batch needs, and as told; never for a number.
#[test]
fn as_large_as_it_has_to_be() {
    let lab = small("2");
    let pins = lab.pins();
    for (slot, wanted) in [(0, 2), (1, 2), (2, 4), (3, 4), (4, 8), (4_000_009, 8)] {
        let name = format!("eth0:{slot}");
        let address = format!("198.51.100.{}", slot % 100 + 1);
        lab.ctl_ok(&["add", &name, &address, "--drop"]);
        assert_eq!(capacity(&lab), wanted, "{name}");
    }
    lab.ctl_ok(&["add", "eth0", "--range", "198.18.0.0/22", "--drop"]);
    // Those that were free came first.
    assert_eq!(capacity(&lab), 6 + 1024);
    lab.ctl_ok(&["add", "eth0", "198.51.100.8", "--drop"]);
    assert_eq!(capacity(&lab), 2 * (6 + 1024));
    lab.ctl_ok(&["set", "eth0", "--capacity", "3000"]);
    assert_eq!(capacity(&lab), 3000);
    lab.ctl_ok(&["set", "eth0", "--capacity", "3000"]);
    lab.ctl_err(&["set", "eth0", "--capacity", "2999"], "EINVAL");
    lab.ctl_err(&["set", "eth0", "--capacity", "4194305"], "EINVAL");
    assert_eq!(capacity(&lab), 3000);
    assert!(lab.ctl_ok(&["doctor", "eth0"]).contains("room for 3000"));
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "3000"]);
    lab.ctl_ok(&["add", "eth0:3000", "198.51.100.9", "--drop"]);
    let range = ["add", "eth0", "--range", "198.19.0.0/20", "--drop"];
    lab.ctl_err(&range, "ENOSPC");
    assert_eq!(capacity(&lab), 3000);
    assert_eq!(
        lab.pins(),
        pins,
        "the pins are those of a parent that never grew"
    );
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    nothing_is_left(&lab);
}

/// More aliases than the smallest table has room for: every alias is found in the new
/// one, and none of the old is found twice.
#[test]
fn beyond_the_smallest_table() {
    let lab = small("1");
    let first = [
        "add",
        "eth0",
        "--range",
        "198.18.0.0-198.18.78.31",
        "--drop",
    ];
    lab.ctl_ok(&first);
    send_to_all(&lab, 20_000, 100_000);
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.18.78.32-198.18.195.79",
        "--drop",
    ]);
    assert_eq!(capacity(&lab), 50_000);
    lab.ctl_ok(&["add", "eth0", "--range", "2001:db8:5::/113", "--drop"]);
    send_to_all(&lab, 50_000, 200_000);
    let parent = &lab.ctl_json(&["stats", "--parent"])[0];
    assert_eq!(parent["miss"], 0, "{parent}");
    let rows = lab.ctl_json(&["stats"]);
    let rows = rows.as_array().expect("an array");
    assert_eq!(rows.len(), 50_000 + 32_768);
    let sum: u64 = rows.iter().map(|row| number(&row["rx_packets"])).sum();
    assert_eq!(Some(sum), parent["dropped"]["policy"].as_u64());
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// Packets to random ones of the first addresses, all of which are aliases'.
#[track_caller]
fn send_to_all(lab: &Lab, count: u32, packets: u32) {
    let destinations = Destinations {
        first: [198, 18, 0, 0].into(),
        count,
        mac: lab.a.mac("eth0"),
        mac_each: false,
    };
    let before = received(lab);
    lab.b.enter(|| {
        let generator = Generator::new(&lab.b, "eth0", destinations);
        let sent = generator.and_then(|generator| generator.send(packets));
        sent.unwrap_or_else(|error| panic!("the generator: {error}"));
    });
    wait_for("all to come in, or to find the ring full", LIMIT, || {
        received(lab).iter().sum::<u64>() == before.iter().sum::<u64>() + u64::from(packets)
    });
}

/// What the parent's programs were given, and what its sender could not put into the
/// ring, by the device.
#[track_caller]
fn received(lab: &Lab) -> [u64; 2] {
    let links = lab.a.ip_json("-s link show dev eth0");
    let device = &links[0]["stats64"]["rx"];
    [number(&device["packets"]), number(&device["dropped"])]
}

/// A machine without the memory refuses, and everything is as it was.
#[test]
fn without_memory_it_stays_as_it_is() {
    let lab = small("4");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    let (before, pins) = (lab.snapshot(), lab.pins());
    let add = ["add", "eth0", "--range", "198.18.0.0/15", "--drop"];
    let refused = with_available(&lab, &ctl_binary(), 8192, &add);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(
        text.contains("(ENOMEM)") && text.contains("room for 4"),
        "{text}"
    );
    lab.assert_unchanged(&before);
    assert_eq!(lab.pins(), pins);
    assert_eq!(capacity(&lab), 4);
    lab.ctl_ok(&add);
    assert_eq!(capacity(&lab), 131_073);
}

/// Where there is no memory for twice as many aliases, those that are needed will do.
#[test]
fn without_memory_to_double_it_grows_as_far_as_needed() {
    let lab = small("40000");
    let fill = "198.18.0.0-198.18.156.63";
    lab.ctl_ok(&["add", "eth0", "--range", fill, "--drop"]);
    let add = ["add", "eth0", "198.51.100.9", "--drop"];
    // Room for twice as many takes nearly twice as much: a quarter more at a time does not
    // leap over all that is enough for one of both only.
    let mut kilobytes = 8192;
    loop {
        let output = with_available(&lab, &ctl_binary(), kilobytes, &add);
        if output.status.success() {
            break;
        }
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("(ENOMEM)"), "{text}");
        assert_eq!(capacity(&lab), 40_000);
        kilobytes += kilobytes / 4;
    }
    assert_eq!(capacity(&lab), 40_001, "with {kilobytes} kB");
    lab.ctl_ok(&["add", "eth0", "198.51.100.10", "--drop"]);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    nothing_is_left(&lab);
}

/// Runs an `alias-ctl` on a machine that has so much memory to give.
pub(crate) fn with_available(
    lab: &Lab,
    program: &Path,
    kilobytes: u32,
    arguments: &[&str],
) -> Output {
    let fake = lab.bpffs().with_extension("meminfo");
    let text = format!("MemTotal: 16777216 kB\nMemAvailable: {kilobytes} kB\n");
    fs::write(&fake, text).expect("a file of our own");
    let mut command = lab.a.command("unshare");
    // Seen by this one process: it has a mount namespace of its own.
    command.args(["--mount", "sh", "-c"]);
    command.arg("mount --bind \"$0\" /proc/meminfo && exec \"$@\"");
    command.arg(&fake).arg(program).args(arguments);
    command.env("ALIAS_BPFFS_ROOT", lab.bpffs());
    let output = command.stdin(Stdio::null()).output();
    fs::remove_file(&fake).expect("our own file");
    output.expect("unshare")
}

/// A process that may not map as much as the parent has is told so, by the map's name, and
/// nothing has changed: no command dies of it half way.
#[test]
fn without_addresses_a_command_is_refused_by_the_maps_name() {
    let lab = small("500000");
    lab.ctl_ok(&["add", "eth0:7", "198.51.100.8", "--drop"]);
    let before = lab.snapshot();
    let rows = lab.rows();
    for words in [
        &["add", "eth0:8", "198.51.100.9", "--drop"][..],
        &["add", "eth0", "--range", "198.18.0.0/24", "--drop"],
        &["set", "eth0:7", "198.51.100.10"],
        &["del", "eth0:7"],
        &["show", "eth0"],
        &["stats", "eth0"],
        &["detach", "eth0", "--cascade"],
    ] {
        let mut command = lab.a.command("prlimit");
        // Less than the index takes, and enough for everything else.
        command.arg("--as=60000000").arg(ctl_binary()).args(words);
        command.env("ALIAS_BPFFS_ROOT", lab.bpffs());
        let output = command.stdin(Stdio::null()).output().expect("prlimit");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
        assert!(
            text.contains("alias-ctl: table: map:") && text.contains("(ENOMEM)"),
            "{words:?}: {text}"
        );
        assert_eq!(lab.rows(), rows, "{words:?}");
        lab.assert_unchanged(&before);
    }
    assert_eq!(capacity(&lab), 500_000);
}

/// There is no room for aliases that cannot be created.
#[test]
fn it_does_not_grow_beyond_its_limit() {
    let lab = small("4");
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "6"]);
    let mut names = [700, 3, 5, 4_194_303, 0, 9].map(|slot| format!("eth0:{slot}"));
    for (number, wanted) in (1..).zip([4, 4, 4, 4, 6, 6]) {
        let name = &names[number - 1];
        lab.ctl_ok(&["add", name, &format!("198.51.100.{number}"), "--drop"]);
        assert_eq!(capacity(&lab), wanted, "{name}");
    }
    names.sort();
    lab.ctl_err(&["add", "eth0:6", "198.51.100.7", "--drop"], "ENOSPC");
    lab.ctl_err(&["add", "eth0", "198.51.100.7", "--drop"], "ENOSPC");
    assert_eq!(capacity(&lab), 6);
    let mut listed = lab.alias_names();
    listed.sort();
    assert_eq!(listed, names);
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "100"]);
    lab.ctl_ok(&["add", "eth0:6", "198.51.100.7", "--drop"]);
    assert_eq!(capacity(&lab), 12);
}
