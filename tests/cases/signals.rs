//! Ctrl-C and its like in the middle of a command, pipes that nobody reads, writers that
//! are killed while the daemon runs: what was begun is taken back or finished, and nothing
//! is left that `show` does not list.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use alias_tests::{Lab, Mode, bpf, ctl_binary, wait_for};

use crate::aim::Dice;
use crate::scene::LIMIT;

#[track_caller]
fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

fn command(lab: &Lab, line: &str) -> std::process::Command {
    let mut command = lab.a.command(ctl_binary());
    command
        .args(line.split(' '))
        .env("ALIAS_BPFFS_ROOT", lab.bpffs())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn signal(child: &Child, signal: i32) {
    let pid = libc::pid_t::try_from(child.id()).expect("a pid");
    // SAFETY: two integers; the child is not reaped yet, so its pid is still its own.
    unsafe { libc::kill(pid, signal) };
}

/// Starts a command and sends it a signal after a part of the time that it takes.
fn strike(lab: &Lab, line: &str, after: Duration, number: i32) -> Output {
    let child = command(lab, line).spawn().expect("it can be run");
    // Not to wait for anything: when it strikes is what is tried.
    thread::sleep(after);
    signal(&child, number);
    child.wait_with_output().expect("our own child")
}

/// Of ours in A's namespace: links, and addresses on eth0 beside its own.
fn left(lab: &Lab) -> (usize, usize) {
    let links = lab.a.ip("-d link show");
    let own = links.lines().filter(|line| line.contains("group 152615"));
    let addresses = lab.a.ip("-o addr show dev eth0");
    let put = addresses.lines().filter(|line| line.contains("198.18."));
    (own.count(), put.count())
}

/// Nothing of a range is there: its first and its last address reach the host.
#[track_caller]
fn nothing_is_swallowed(lab: &Lab, addresses: &[&str], what: &str) {
    for address in addresses {
        lab.a.ip(&format!("addr add {address}/32 dev lo"));
        let reached = lab.b.ping(address, 2);
        lab.a.ip(&format!("addr del {address}/32 dev lo"));
        assert_eq!(reached.received, 2, "{what}: {address}");
    }
}

#[test]
fn what_was_begun_is_taken_back_and_said() {
    const RANGE: [&str; 2] = ["198.18.0.0", "198.18.31.255"];
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    lab.a.ip("link set lo up");
    run(&lab, "add eth0:100000 203.0.113.9 --drop");
    let devices = format!("add eth0 --range 198.18.0.0/25 --netns {}", home.name());
    let file = std::env::temp_dir().join(format!("alias-t{}-signals", std::process::id()));
    fs::write(
        &file,
        "version = 1\n[[range]]\nparent = \"eth0\"\nstart = 0\n\
         addresses = \"198.18.0.0/19\"\ntarget = \"drop\"\n",
    )
    .expect("a file of our own");
    let apply = format!("apply {}", file.display());
    let mut dice = Dice(0x51_6a11);
    for line in [
        "add eth0 --range 198.18.0.0/19 --drop",
        "add eth0 --range 198.18.0.0/21 --local",
        &devices,
        &apply,
    ] {
        let began = Instant::now();
        run(&lab, line);
        let mut whole = began.elapsed();
        let all = lab.alias_names().len();
        run(&lab, "del eth0 --all");
        run(&lab, "add eth0:100000 203.0.113.9 --drop");
        let (mut hits, mut rounds) = (0, 0);
        while rounds < 4 || hits < 2 {
            rounds += 1;
            assert!(rounds < 60, "{line}: {hits} hits");
            let number = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP][rounds % 3];
            let after = whole * dice.below(1000) as u32 / 1000;
            let output = strike(&lab, line, after, number);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let what = format!("{line}: signal {number} after {after:?} of {whole:?}: {said}");
            let listed = lab.alias_names().len();
            match output.status.code() {
                // Before it had begun, or after it had ended.
                None => assert!(listed == 1 || listed == all, "{what}"),
                Some(0) => assert_eq!(listed, all, "{what}"),
                Some(code) => {
                    assert_eq!(code, 128 + number, "{what}");
                    assert!(said.contains("SIG"), "{what}");
                    let is_back = said.contains("EINTR");
                    assert_eq!(listed, if is_back { 1 } else { all }, "{what}");
                    hits += i32::from(is_back);
                }
            }
            // Announcing what was made is no part of the change, and takes its time.
            whole = if listed == all {
                whole * 7 / 10
            } else {
                whole * 11 / 10
            };
            if listed == 1 {
                assert_eq!(left(&lab), (0, 0), "{what}");
                assert!(!home.ip("link show").contains("al"), "{what}");
                nothing_is_swallowed(&lab, &RANGE, &what);
            } else {
                run(&lab, "del eth0 --all");
                run(&lab, "add eth0:100000 203.0.113.9 --drop");
            }
            let doctor = lab.ctl(&["doctor"]);
            assert_eq!(doctor.code(), 0, "{what}: {doctor}");
        }
    }
    fs::remove_file(&file).expect("the file that was written");
}

#[test]
fn attaching_and_growing_end_as_they_began() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("link add eth1 type veth peer name far1");
    lab.a.ip_batch("link set eth1 up\nlink set far1 up\n");
    let mut dice = Dice(0x51_6a12);
    for (line, back) in [
        ("attach eth1", "detach eth1"),
        ("add eth1:0 198.18.0.1 --drop", "detach eth1 --cascade"),
        ("set eth0 --capacity 200000", ""),
    ] {
        let began = Instant::now();
        run(&lab, line);
        let whole = began.elapsed();
        if !back.is_empty() {
            run(&lab, back);
        }
        for round in 0..8u32 {
            let number = [libc::SIGINT, libc::SIGTERM][round as usize % 2];
            let line = match back {
                "" => format!("set eth0 --capacity {}", 300_000 + round * 50_000),
                _ => line.to_owned(),
            };
            let after = whole * dice.below(1000) as u32 / 1000;
            let output = strike(&lab, &line, after, number);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let what = format!("{line}: signal {number} after {after:?} of {whole:?}: {said}");
            // Killed before it had begun anything, or it has said how it ended.
            if let Some(code) = output.status.code() {
                assert!(code == 0 || code == 128 + number, "{what}");
            }
            assert_eq!(lab.ctl(&["doctor"]).code(), 0, "{what}");
            let is_attached = lab.a.ip("link show dev eth1").contains("xdp");
            let names = lab.alias_names();
            if back.is_empty() {
                continue;
            }
            if output.status.code() == Some(0) || (is_attached && !said.contains("EINTR")) {
                run(&lab, back);
            } else {
                assert!(!is_attached && names.is_empty(), "{what}: {names:?}");
            }
        }
    }
}

/// A second signal ends it at once, as SIGKILL does; the next command mends.
#[test]
fn a_second_signal_ends_it_at_once() {
    let lab = Lab::attached(Mode::Native);
    let line = "add eth0 --range 198.18.0.0/20 --local";
    let (mut died, mut dice) = (0, Dice(0x51_6a13));
    let began = Instant::now();
    run(&lab, line);
    let whole = began.elapsed();
    run(&lab, "del eth0 --all");
    for _ in 0..20 {
        let child = command(&lab, line).spawn().expect("it can be run");
        thread::sleep(whole * dice.below(800) as u32 / 1000);
        signal(&child, libc::SIGINT);
        signal(&child, libc::SIGTERM);
        let output = child.wait_with_output().expect("our own child");
        died += i32::from(output.status.code().is_none());
        run(&lab, "add eth0:100000 203.0.113.9 --drop");
        assert!(lab.alias_names().len() == 1 || lab.alias_names().len() == 4097);
        run(&lab, "del eth0 --all");
        assert_eq!(left(&lab), (0, 0));
        assert_eq!(lab.ctl(&["doctor"]).code(), 0);
    }
    assert!(died > 5, "{died} of 20 died");
}

/// The daemon hears of no event when a writer is killed, and looks all the same.
#[test]
fn the_daemon_mends_what_a_killed_writer_left() {
    let lab = Lab::attached(Mode::Native);
    let line = "add eth0 --range 198.18.0.0/20 --local";
    let daemon = lab.daemon(&[]);
    let mut killed = 0;
    while killed < 3 {
        let mut child = command(&lab, line).spawn().expect("it can be run");
        // It is in the middle once it has put addresses there.
        wait_for("addresses", LIMIT, || left(&lab).1 > 100);
        child.kill().expect("it is ours");
        let ended = child.wait().expect("it is ours");
        if ended.code().is_none() {
            killed += 1;
            wait_for("it to be mended", Duration::from_secs(4), || {
                left(&lab) == (0, 0)
            });
            assert_eq!(lab.ctl(&["doctor"]).code(), 0);
        } else {
            run(&lab, "del eth0 --all");
        }
    }
    assert_eq!(daemon.stop(libc::SIGTERM), Some(0));
}

/// Who reads what a command says has gone: the change is carried out.
#[test]
fn a_command_that_nobody_hears_does_its_work() {
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:0 192.0.2.13/24 --local");
    for (line, names) in [
        ("add eth0:1 192.0.2.14 --drop", &["eth0:0", "eth0:1"][..]),
        ("del eth0:1", &["eth0:0"]),
    ] {
        // So that it has a note to print first.
        lab.a.ip("addr del 192.0.2.13/24 dev eth0");
        let mut child = command(&lab, line).spawn().expect("it can be run");
        drop(child.stderr.take());
        let ended = child.wait().expect("our own child");
        assert_eq!(ended.code(), Some(0), "{line}: {ended:?}");
        assert_eq!(lab.alias_names(), names, "{line}");
        assert!(lab.a.ip("addr show dev eth0").contains("192.0.2.13/24"));
    }
}

/// A pipe that is full: its reader is alive, and does not read.
fn full_pipe() -> (File, OwnedFd) {
    let (reader, writer) = io::pipe().expect("a pipe");
    let (reader, mut writer) = (OwnedFd::from(reader), File::from(OwnedFd::from(writer)));
    let nonblocking = |on: i32| {
        // SAFETY: integers.
        let set = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, on) };
        assert_eq!(set, 0);
    };
    nonblocking(libc::O_NONBLOCK);
    loop {
        match (&writer).write(&[b'x'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    nonblocking(0);
    writer.flush().expect("nothing is buffered");
    (writer, reader)
}

/// A daemon that ends with the test, however that ends.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // It has ended, unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_daemon_whose_log_is_full_works_and_ends_when_told_to() {
    for number in [libc::SIGTERM, libc::SIGINT] {
        let lab = Lab::attached(Mode::Native);
        run(&lab, "add eth0:0 192.0.2.13/24 --local");
        let (writer, reader) = full_pipe();
        let mut child = Ends(
            command(&lab, "daemon")
                .stderr(writer)
                .spawn()
                .expect("it can be run"),
        );
        for _ in 0..3 {
            lab.a.ip("addr del 192.0.2.13/24 dev eth0");
            wait_for("the address", LIMIT, || {
                lab.a.ip("addr show dev eth0").contains("192.0.2.13/24")
            });
        }
        let told = Instant::now();
        signal(&child.0, number);
        let mut ended = None;
        wait_for("it to end", Duration::from_secs(2), || {
            ended = child.0.try_wait().expect("our own child");
            ended.is_some()
        });
        assert_eq!(ended.and_then(|status| status.code()), Some(0));
        assert!(told.elapsed() < Duration::from_secs(2));
        let mut byte = [0; 1];
        let read = File::from(reader).read(&mut byte).expect("it is full");
        assert_eq!(read, 1);
    }
}

/// What could not be taken back only the records know: they stay until it can.
#[test]
fn an_undo_that_failed_is_not_thrown_away() {
    let lab = Lab::plain();
    let home = lab.namespace("home");
    let line = format!("add eth0 --range 198.18.0.0/24 --netns {}", home.name());
    let child = command(&lab, &line).spawn().expect("it can be run");
    let find = || {
        let of_parent = |pin: &std::path::PathBuf| {
            let directory = pin.parent().and_then(|parent| parent.file_name());
            let name = directory.and_then(|name| name.to_str());
            pin.ends_with("port") && name.is_some_and(|name| name.parse::<u32>().is_ok())
        };
        lab.pins().into_iter().find(of_parent)
    };
    let began = Instant::now();
    let pin = loop {
        if let Some(pin) = find() {
            break pin;
        }
        assert!(began.elapsed() < LIMIT, "it does not attach");
    };
    signal(&child, libc::SIGSTOP);
    let map = bpf::open_pinned(&pin).expect("a map");
    fs::remove_file(&pin).expect("a pin can be removed");
    signal(&child, libc::SIGCONT);
    let output = child.wait_with_output().expect("our own child");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("could be taken back"), "{said}");
    assert!(pin.parent().expect("a directory").exists(), "{said}");
    assert_eq!(lab.ctl(&["show", "-j"]).ok().stdout.trim(), "[]");
    bpf::pin(&map, &pin).expect("it can be pinned again");
    run(&lab, "add eth0:300 203.0.113.9 --drop");
    assert_eq!(left(&lab), (0, 0));
    assert_eq!(lab.alias_names(), ["eth0:300"]);
    run(&lab, "detach eth0 --cascade");
}
