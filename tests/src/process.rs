//! Child processes: run to the end within a time limit, or in the background.
//!
//! A child is ended by its own pid, by nobody else's name, and the kernel ends
//! it as well when the test thread that started it is gone.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::wait::deadline;

/// What a finished child left behind.
#[derive(Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it wrote to standard output.
    pub stdout: String,
    /// Everything it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// The exit code; a death by signal N is 128 + N, as a shell has it.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .or_else(|| self.status.signal().map(|n| 128 + n))
            .expect("a child that was reaped has a code or a signal")
    }

    /// Panics unless the child succeeded; hands the output on.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code(), 0, "{self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}`: exit code {}\nstdout: {}\nstderr: {}",
            self.command,
            self.code(),
            self.stdout.trim_end(),
            self.stderr.trim_end()
        )
    }
}

/// Makes the kernel end the child when the thread that starts it is gone.
pub(crate) fn end_with_this_thread(command: &mut Command) {
    // SAFETY: prctl with these arguments is async-signal-safe and touches only
    // the child that is about to exec.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// Runs `command` to its end with `input` as its standard input. Past `limit`
/// the child is killed and the test panics with what it had said until then.
#[track_caller]
pub fn run_to_end(mut command: Command, input: &[u8], limit: Duration) -> Output {
    let line = command_line(&command);
    end_with_this_thread(&mut command);
    command
        .stdin(if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("`{line}` cannot be started: {error}"),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A child that leaves without reading says why by its exit code.
        let _ = stdin.write_all(input);
    }
    let mut streams = [
        Stream::of(child.stdout.take()),
        Stream::of(child.stderr.take()),
    ];
    let finished = collect(&child, &mut streams, deadline(limit));
    if !matches!(finished, Ok(true)) {
        let _ = child.kill();
    }
    let status = child.wait().expect("our own child can be waited for");
    let [stdout, stderr] = streams.map(|s| String::from_utf8_lossy(&s.bytes).into_owned());
    let output = Output {
        command: line,
        status,
        stdout,
        stderr,
    };
    match finished {
        Ok(true) => output,
        Ok(false) => panic!("killed after {limit:?}: {output}"),
        Err(error) => panic!("its output cannot be read ({error}): {output}"),
    }
}

/// One of the child's two output pipes and what came out of it.
struct Stream {
    pipe: Option<Box<dyn PipeRead>>,
    bytes: Vec<u8>,
}

trait PipeRead: Read + AsRawFd {}
impl<T: Read + AsRawFd> PipeRead for T {}

impl Stream {
    fn of<T: Read + AsRawFd + 'static>(pipe: Option<T>) -> Self {
        Self {
            pipe: pipe.map(|p| Box::new(p) as Box<dyn PipeRead>),
            bytes: Vec::new(),
        }
    }

    /// poll(2) ignores a negative descriptor.
    fn fd(&self) -> RawFd {
        self.pipe.as_ref().map_or(-1, |p| p.as_raw_fd())
    }

    fn take_what_is_ready(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        let mut chunk = [0; 16 * 1024];
        match pipe.read(&mut chunk)? {
            0 => self.pipe = None,
            n => self.bytes.extend_from_slice(&chunk[..n]),
        }
        Ok(())
    }
}

/// Reads both streams until the child has ended and both are drained.
/// `Ok(false)`: the deadline came first. A grandchild that keeps a pipe open
/// does not hold us up once the child itself is gone.
fn collect(child: &Child, streams: &mut [Stream; 2], deadline: Instant) -> io::Result<bool> {
    let pidfd = pidfd_of(child)?;
    loop {
        let mut fds =
            [pidfd.as_raw_fd(), streams[0].fd(), streams[1].fd()].map(|fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            });
        if !poll_until(&mut fds, deadline)? {
            return Ok(false);
        }
        let mut read_something = false;
        for (stream, polled) in streams.iter_mut().zip(&fds[1..]) {
            if polled.revents != 0 {
                stream.take_what_is_ready()?;
                read_something = true;
            }
        }
        if fds[0].revents != 0 && !read_something {
            return Ok(true);
        }
    }
}

/// Polls until something is ready (true) or the deadline has passed (false).
pub(crate) fn poll_until(fds: &mut [libc::pollfd], deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up: a poll of 0 ms would spin through the last millisecond.
        let millis =
            libc::c_int::try_from(left.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX);
        // SAFETY: the pointer and the length describe `fds`, which outlives the call.
        match unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, millis) } {
            0 if left.is_zero() => return Ok(false),
            0 => {}
            n if n > 0 => return Ok(true),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

fn pidfd_of(child: &Child) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers; the child is not reaped yet, so
    // its pid is still its own.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id() as libc::pid_t, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just handed us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn command_line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A child in the background; killed by pid and reaped on drop.
#[derive(Debug)]
pub struct Background {
    child: Child,
}

impl Background {
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let line = command_line(&command);
        end_with_this_thread(&mut command);
        command.stdin(Stdio::null());
        match command.spawn() {
            Ok(child) => Self { child },
            Err(error) => panic!("`{line}` cannot be started: {error}"),
        }
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Still running?
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it by SIGKILL, as a crash would, and reaps it.
    pub fn kill(mut self) -> ExitStatus {
        let _ = self.child.kill();
        self.child.wait().expect("our own child can be waited for")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_and_the_code_arrive() {
        let output = run_to_end(
            shell("cat; echo err >&2; exit 3"),
            b"in",
            Duration::from_secs(10),
        );
        assert_eq!(
            (
                output.code(),
                output.stdout.as_str(),
                output.stderr.as_str()
            ),
            (3, "in", "err\n")
        );
    }

    #[test]
    fn more_output_than_a_pipe_holds_arrives_whole() {
        let output = run_to_end(
            shell("head -c 1000000 /dev/zero"),
            b"",
            Duration::from_secs(10),
        );
        assert_eq!(output.stdout.len(), 1_000_000);
    }

    #[test]
    #[should_panic(expected = "killed after")]
    fn a_child_past_its_limit_is_killed() {
        run_to_end(shell("exec sleep 60"), b"", Duration::from_millis(50));
    }

    #[test]
    fn a_grandchild_that_holds_the_pipe_does_not_hold_us() {
        let limit = Duration::from_secs(30);
        let started = Instant::now();
        let output = run_to_end(shell("sleep 60 & echo $!"), b"", limit);
        assert!(started.elapsed() < limit);
        let pid: libc::pid_t = output.stdout.trim().parse().expect("a pid");
        // SAFETY: kill takes two integers; the pid is the sleeper's own, which
        // cannot have ended yet.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}
