//! Who has the lock that a writer waits for. A writer that was stopped, or hangs, keeps it:
//! whoever waits is told of whom.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::lock_file::try_flock;

/// How long a wait is nothing to speak of. A change of a million aliases takes some seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits for a lock; says who has it when that takes long.
///
/// # Errors
///
/// That of locking.
pub(super) fn wait(file: &File, path: &Path) -> io::Result<()> {
    if try_flock(file)? {
        return Ok(());
    }
    thread::scope(|scope| {
        let (has_it, waits) = mpsc::channel::<()>();
        scope.spawn(move || {
            if waits.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let holder = holder(file).unwrap_or_else(|| "a process that cannot be seen".into());
                let _ = writeln!(
                    io::stderr(),
                    "alias-ctl: note: {}: lock: waiting for {holder}",
                    path.display()
                );
            }
        });
        let locked = file.lock();
        drop(has_it);
        locked
    })
}

/// The process that has a file locked, in words.
fn holder(file: &File) -> Option<String> {
    let found = file.metadata().ok()?;
    let (major, minor) = (libc::major(found.dev()), libc::minor(found.dev()));
    let inode = format!("{major:02x}:{minor:02x}:{}", found.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let pid = locks.lines().find_map(|line| pid_of(line, &inode))?;
    Some(describe(pid))
}

/// The process of a line of /proc/locks that has this inode locked, not one that waits
/// (`->`). proc(5); 0 is a process of a PID namespace that cannot be seen from here.
fn pid_of(line: &str, inode: &str) -> Option<u32> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words[..] {
        [_, "FLOCK", _, _, pid, found, ..] if found == inode => {
            pid.parse().ok().filter(|pid| *pid != 0)
        }
        _ => None,
    }
}

fn describe(pid: u32) -> String {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let command = String::from_utf8_lossy(&read("cmdline"))
        .trim_end_matches('\0')
        .replace('\0', " ");
    // What others chose to be called is nothing to obey.
    let command: String = command.escape_debug().take(200).collect();
    let stat = String::from_utf8_lossy(&read("stat")).into_owned();
    match state(&stat) {
        Some('T' | 't') => {
            format!("process {pid} ({command}), which is stopped: kill -CONT {pid}")
        }
        _ => format!("process {pid} ({command})"),
    }
}

/// The state in /proc/PID/stat: behind the name, which may have parentheses.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_told_from_who_waits() {
        for (line, found) in [
            ("1: FLOCK  ADVISORY  WRITE 4711 00:1a:5 0 EOF", Some(4711)),
            ("1: -> FLOCK  ADVISORY  WRITE 4711 00:1a:5 0 EOF", None),
            ("2: POSIX  ADVISORY  WRITE 4711 00:1a:5 0 EOF", None),
            ("3: FLOCK  ADVISORY  WRITE 4711 00:1a:55 0 EOF", None),
            ("4: FLOCK  ADVISORY  WRITE 0 00:1a:5 0 EOF", None),
            ("", None),
        ] {
            assert_eq!(pid_of(line, "00:1a:5"), found, "{line}");
        }
        assert_eq!(state("7 (a) T b) S 1 7"), Some('S'));
        assert_eq!(state("7"), None);
    }
}
