//! One command, timed as a whole process.

use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;

/// What a process cost.
pub(crate) struct Spent {
    /// From before fork to after wait4, in milliseconds.
    pub(crate) wall_ms: f64,
    /// The most memory it had at a time (`ru_maxrss`), in KiB.
    pub(crate) peak_rss_kib: f64,
}

/// Runs a command to its end, its standard output to /dev/null. What it says on
/// standard error the user sees.
pub(crate) fn timed(mut command: Command, input: &str) -> Result<Spent> {
    command
        .stdin(if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::null());
    let start = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|error| format!("{}: not started: {error}", shown(&command)))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that leaves without reading says why by its exit code.
        let _ = stdin.write_all(input.as_bytes());
    }
    let (status, usage) = wait(child.id())
        .map_err(|error| format!("{}: not waited for: {error}", shown(&command)))?;
    let wall_ms = start.elapsed().as_secs_f64() * 1e3;
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) != 0 {
        return Err(format!(
            "{}: failed (wait status {status:#x})",
            shown(&command)
        ));
    }
    Ok(Spent {
        wall_ms,
        peak_rss_kib: usage.ru_maxrss as f64,
    })
}

/// Reaps a child that nobody else waits for.
fn wait(pid: u32) -> io::Result<(libc::c_int, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers lead to memory of their type that outlives the
        // call; the pid is that of a child of ours which was not reaped.
        let reaped = unsafe { libc::wait4(pid as libc::pid_t, &mut status, 0, usage.as_mut_ptr()) };
        if reaped >= 0 {
            // SAFETY: zeroed, and for this plain C structure any bytes are a value.
            return Ok((status, unsafe { usage.assume_init() }));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let words = command.get_args().map(|word| word.to_string_lossy());
    words.fold(program, |line, word| format!("{line} {word}"))
}
