//! Addresses that stand in a file, and how far a long change is.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use alias_tests::{Lab, Mode, ctl_binary, run_to_end, wait_for};

use crate::configuration::desk::{Desk, text};

const LIMIT: Duration = Duration::from_secs(60);

/// Refused with these words, and afterwards everything is as it was.
#[track_caller]
fn refused(desk: &Desk, arguments: &[&str], errno: &str, words: &str) {
    let message = desk.lab.ctl_refused(arguments, errno);
    assert!(message.contains(words), "{words} in {message}");
}

#[test]
fn a_list_is_added_and_deleted_whole() {
    let desk = Desk::attached();
    let lab = &desk.lab;
    let before = lab.snapshot();
    let list = desk.write("# ours\n198.51.100.9/24\n\n 198.51.100.7/24 # b\n2001:db8::7/24\n");
    lab.ctl_ok(&["add", "eth0:1", "192.0.2.1", "--drop"]);
    lab.ctl_ok(&["add", "eth0", "--from", &list, "--drop"]);
    let shown: Vec<(u64, String, u64)> = lab.rows()[1..]
        .iter()
        .map(|row| {
            let address = row["address"].as_str().expect("an address").to_owned();
            let number = |key: &str| row[key].as_u64().expect("a number");
            (number("slot"), address, number("prefix_len"))
        })
        .collect();
    let expected = [
        (0, "198.51.100.9", 24),
        (2, "198.51.100.7", 24),
        (3, "2001:db8::7", 24),
    ];
    assert_eq!(shown, expected.map(|(n, ip, len)| (n, ip.to_owned(), len)));
    lab.ctl_ok(&["del", "eth0", "--from", &list]);
    assert_eq!(lab.alias_names(), ["eth0:1"]);
    lab.ctl_ok(&["del", "eth0:1"]);
    lab.assert_unchanged(&before);

    // From standard input, into slots and with a length of their own; on a VLAN.
    let from_stdin = |arguments: &[&str]| {
        let mut command = lab.a.command(ctl_binary());
        command.args(arguments).env("ALIAS_BPFFS_ROOT", lab.bpffs());
        run_to_end(command, b"198.51.100.1\r\n198.51.100.2", LIMIT).ok()
    };
    let options = ["--start", "7", "--prefix-len", "25", "--vlan", "9"];
    let add = [&["add", "eth0", "--from", "-", "--drop"], &options[..]].concat();
    assert_eq!(from_stdin(&add).stderr, "");
    assert_eq!(lab.alias_names(), ["eth0:7", "eth0:8"]);
    assert_eq!(lab.row("eth0:8")["prefix_len"], 25);
    assert_eq!(lab.row("eth0:8")["vlan"], 9);
    from_stdin(&["del", "eth0", "--from", "-", "--vlan", "9"]);
    lab.assert_unchanged(&before);
}

/// What editors and shells hand over: a byte order mark, a pipe; and to delete by, all
/// families in one.
#[test]
fn a_list_comes_as_it_is() {
    let desk = Desk::attached();
    let lab = &desk.lab;
    let list = desk.write("\u{feff}192.0.2.1\r\n192.0.2.2\r\n");
    lab.ctl_ok(&["add", "eth0", "--from", &list, "--drop"]);
    lab.ctl_ok(&["add", "eth0", "2001:db8:5::1", "--drop"]);
    let mixed = desk.write("192.0.2.1\n2001:db8:5::1\n192.0.2.2\n");
    let pipe = text(&desk.path("pipe"));
    lab.a.run(&format!("mkfifo {pipe}")).ok();
    let mut writer = lab.a.spawn(&format!("cp {mixed} {pipe}"));
    lab.ctl_ok(&["del", "eth0", "--from", &pipe]);
    assert!(lab.rows().is_empty());
    wait_for("the writer to end", LIMIT, || !writer.is_alive());
}

#[test]
fn a_list_is_refused_whole_and_by_its_line() {
    let desk = Desk::attached();
    let lab = &desk.lab;
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.1", "--drop"]);
    lab.a.ip("addr add 198.51.100.200/32 dev eth0");
    for (content, errno, at) in [
        ("192.0.2.1\nx\n", "EINVAL", ":2: x: "),
        ("192.0.2.1\n192.0.2.1\n", "EEXIST", ":2: 192.0.2.1: "),
        ("192.0.2.1\n2001:db8::1\n", "EINVAL", ":2: 2001:db8::1: "),
        ("192.0.2.1\n\n198.51.100.1", "EEXIST", ":3: 198.51.100.1: "),
        (
            "192.0.2.1\n198.51.100.200",
            "EEXIST",
            ":2: 198.51.100.200: ",
        ),
        ("", "EINVAL", "there is no address in it"),
        ("192.0.2.1\n\u{fffd}", "EINVAL", ":2: "),
    ] {
        let list = desk.write(content);
        refused(
            &desk,
            &["add", "eth0", "--from", &list, "--drop"],
            errno,
            at,
        );
    }
    let list = desk.write(&"9".repeat(100_000));
    let cut = format!("{list}:1: {}…: ", "9".repeat(60));
    refused(&desk, &["add", "eth0", "--from", &list], "EINVAL", &cut);
    let list = desk.write("198.51.100.1\n198.51.100.2\n");
    let absent = format!("{list}:2: 198.51.100.2: ");
    refused(
        &desk,
        &["del", "eth0", "--from", &list],
        "EADDRNOTAVAIL",
        &absent,
    );
    refused(
        &desk,
        &["add", "eth0:9", "--from", &list],
        "EINVAL",
        "--start",
    );
    let none = text(&desk.path("none"));
    refused(&desk, &["add", "eth0", "--from", &none], "ENOENT", &none);
    let wrong = desk.write_bytes(b"192.0.2.1\n\xff");
    refused(
        &desk,
        &["add", "eth0", "--from", &wrong],
        "EILSEQ",
        "line 2",
    );
    for usage in [
        &["add", "eth0", "192.0.2.1", "--from", "x"][..],
        &["add", "eth0", "--range", "192.0.2.0/24", "--from", "x"],
        &["del", "eth0", "--from", "x", "--all"],
        &["del", "eth0", "eth1", "--from", "x"],
        &["add", "eth0", "192.0.2.1", "--start", "4"],
    ] {
        assert_eq!(lab.ctl(usage).code(), 2, "{usage:?}");
    }
}

/// A terminal: its master, and the other end for a child.
fn terminal() -> (File, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: two live integers for the descriptors; the rest may be null.
    let made = unsafe { libc::openpty(&mut master, &mut slave, none, none.cast(), none.cast()) };
    assert_eq!(made, 0, "openpty: {}", std::io::Error::last_os_error());
    // Another test's child is not to keep the terminal from hanging up.
    for fd in [master, slave] {
        // SAFETY: fcntl takes integers; the descriptor was just opened.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: both were just opened, and nobody else has them.
    unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
}

/// What `alias-ctl` writes to a terminal as its standard error.
fn seen(lab: &Lab, arguments: &[&str]) -> String {
    let (mut master, slave) = terminal();
    let mut command = lab.a.command(ctl_binary());
    command
        .args(arguments)
        .env("ALIAS_BPFFS_ROOT", lab.bpffs())
        .env("TERM", "xterm")
        .stderr(slave);
    let mut child = command.spawn().expect("alias-ctl starts");
    // The terminal hangs up when the last end of this kind is closed.
    drop(command);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // EIO is how a terminal says that nobody is left.
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    let status = child.wait().expect("our own child");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(status.success(), "{arguments:?}: {status}: {text}");
    text
}

#[test]
fn a_long_change_shows_how_far_it_is_on_a_terminal_only() {
    let options = ["--capacity", "1000000"];
    let lab = Lab::builder()
        .mode(Mode::Native)
        .attach_options(&options)
        .build();
    let add = [
        "add",
        "eth0",
        "--range",
        "2001:db8::1-2001:db8::f:4240",
        "--drop",
    ];
    let text = seen(&lab, &add);
    assert!(text.contains("adding ["), "{text:?}");
    assert!(text.contains(" % of "), "{text:?}");
    assert!(text.ends_with("\r\u{1b}[K"), "the line stays: {text:?}");
    let text = seen(&lab, &["del", "eth0", "--all"]);
    assert!(text.contains("deleting ["), "{text:?}");
    assert!(text.ends_with("\r\u{1b}[K"), "the line stays: {text:?}");

    assert_eq!(lab.ctl(&add).ok().stderr, "");
    assert_eq!(lab.ctl(&["del", "eth0", "--all"]).ok().stderr, "");
}
