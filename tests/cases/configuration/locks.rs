//! Other users and other writers beside `save` and `restore`: whom they believe, who can
//! keep them waiting, and what is said of who does.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use alias_tests::ctl_binary;

use super::desk::{Desk, text};

/// What is obeyed without being named is a file that nobody else could have put there.
#[test]
fn a_saved_file_is_checked_with_its_directory() {
    let desk = Desk::attached();
    desk.lab
        .ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    desk.lab.ctl_ok(&["save"]);
    let (path, directory) = (desk.saved_path(), desk.path("saved"));
    for mode in [0o777, 0o775] {
        fs::set_permissions(&directory, Permissions::from_mode(mode)).expect("it is ours");
        let message = desk.lab.ctl_refused(&["restore"], "EPERM");
        let words = format!("saved: read: others can write it (mode {mode:o})");
        assert!(message.contains(&words), "{message}");
    }
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).expect("it is ours");
    chown(&directory, Some(65_534), None).expect("we are root");
    let message = desk.lab.ctl_refused(&["restore"], "EPERM");
    assert!(message.contains("belongs to user 65534"), "{message}");
    chown(&directory, Some(0), None).expect("we are root");

    let real = desk.path("real.toml");
    fs::rename(&path, &real).expect("it is ours");
    symlink(&real, &path).expect("a link of our own");
    let message = desk.lab.ctl_refused(&["restore"], "ELOOP");
    assert!(message.contains("symbolic link"), "{message}");
    fs::remove_file(&path).expect("it is ours");
    fs::create_dir(&path).expect("a directory of our own");
    desk.lab.ctl_refused(&["restore"], "EINVAL");
    fs::remove_dir(&path).expect("it is ours");
    desk.lab
        .a
        .run(&format!("mkfifo -m 600 {}", path.display()))
        .ok();
    desk.lab.ctl_refused(&["restore"], "EINVAL");
    fs::remove_file(&path).expect("it is ours");
    let huge = File::create(&path).expect("a file of our own");
    huge.set_len(1 << 40).expect("a hole");
    desk.lab.ctl_refused(&["restore"], "EFBIG");
    fs::remove_file(&path).expect("it is ours");
    desk.lab.ctl_refused(&["restore"], "ENOENT");
    fs::rename(&real, &path).expect("it is ours");
    desk.lab.ctl_ok(&["del", "eth0:0"]);
    desk.lab.ctl_ok(&["restore"]);
    assert_eq!(desk.lab.alias_names(), ["eth0:0"]);
}

/// Ends with its test.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command of another user in A's namespace, which only root can enter.
fn as_user(desk: &Desk, user: u32) -> Command {
    let mut command = desk.lab.a.command("setpriv");
    command.args([&format!("--reuid={user}"), "--clear-groups", "--"]);
    command
}

/// A process of this user that has a directory locked.
fn holder(desk: &Desk, directory: &Path, user: u32) -> Holder {
    let mut command = as_user(desk, user);
    command.args(["flock", "-F", &text(directory), "sleep", "600"]);
    let holder = Holder(command.spawn().expect("util-linux is there"));
    alias_tests::wait_for("the directory is locked", crate::scene::LIMIT, || {
        let file = File::open(directory).expect("it is there");
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    });
    holder
}

/// A directory that others may read they can lock too.
#[test]
fn no_other_user_keeps_save_waiting() {
    let desk = Desk::attached();
    desk.lab.ctl_ok(&["save"]);
    // As /etc is, for the user to come to what is below.
    fs::set_permissions(desk.path("."), Permissions::from_mode(0o755)).expect("it is ours");
    let _holder = holder(&desk, &desk.path("saved"), 65_534);
    desk.lab
        .ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    desk.lab.ctl_ok(&["save"]);
    assert!(desk.saved().contains("198.51.100.8"), "{}", desk.saved());
}

fn namespace_directory(desk: &Desk) -> PathBuf {
    let entries = fs::read_dir(desk.lab.bpffs().join("alias")).expect("it is there");
    let mut found = entries.map(|entry| entry.expect("an entry").path());
    found.next().expect("A's")
}

/// Nor does anybody open the directory whose lock the writers have.
#[test]
fn no_other_user_opens_the_writers_lock() {
    let desk = Desk::attached();
    let mut command = as_user(&desk, 65_534);
    command.args(["flock", "-n", &text(&namespace_directory(&desk)), "true"]);
    let output = command.output().expect("util-linux is there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("Permission denied"), "{said}");
}

/// Between what it reads and what it writes nobody changes anything.
#[test]
fn save_writes_under_the_lock_under_which_it_reads() {
    let desk = Desk::attached();
    desk.lab.ctl_ok(&["save"]);
    let draft = desk.path("saved/.aliases.toml.new");
    let held = File::create(&draft).expect("a file of our own");
    held.set_permissions(Permissions::from_mode(0o600))
        .expect("it is ours");
    held.lock().expect("it is ours");
    let inode = held.metadata().expect("it is there").ino();
    let save = desk.lab.ctl_spawn(&["save"]);
    alias_tests::wait_for("save waits for the draft", crate::scene::LIMIT, || {
        let locks = fs::read_to_string("/proc/locks").expect("it is there");
        let waits = |line: &str| line.contains("->") && line.contains(&format!(":{inode} "));
        locks.lines().any(waits)
    });
    let lock = File::open(namespace_directory(&desk)).expect("it is there");
    assert!(
        matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
        "the writer's lock is free while save has read and not written"
    );
    drop(held);
    alias_tests::wait_for("save has ended", crate::scene::LIMIT, || {
        lock.try_lock().is_ok()
    });
    drop((lock, save));
    let names = fs::read_dir(desk.path("saved")).expect("it is there");
    assert_eq!(names.count(), 1, "nothing beside it");
}

/// Who waits is told for whom, also for one that was stopped.
#[test]
fn a_writer_that_was_stopped_is_named() {
    let desk = Desk::attached();
    let holder = holder(&desk, &namespace_directory(&desk), 0);
    let pid = holder.0.id();
    desk.lab.a.run(&format!("kill -STOP {pid}")).ok();
    let mut command = desk.lab.a.command(ctl_binary());
    command
        .args(["add", "eth0:0", "198.51.100.8", "--drop"])
        .env("ALIAS_BPFFS_ROOT", desk.lab.bpffs())
        .stderr(Stdio::piped());
    let mut waits = Holder(command.spawn().expect("it can be run"));
    let mut said = String::new();
    let stderr = waits.0.stderr.take().expect("a pipe");
    BufReader::new(stderr)
        .read_line(&mut said)
        .expect("it says something");
    let words = format!("process {pid} (sleep 600), which is stopped: kill -CONT {pid}");
    assert!(said.contains(&words), "{said}");
    drop(holder);
    assert!(waits.0.wait().expect("our own child").success(), "{said}");
    assert_eq!(desk.lab.alias_names(), ["eth0:0"]);
}
