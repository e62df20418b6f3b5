//! `alias-ctl daemon` in host A: started until it is ready, listened to, ended.

use std::{
    io::{Read, Write, stderr},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{lab::Lab, process::end_with_this_thread, wait::wait_for};

/// What a start and an end may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A running daemon; killed by pid and reaped on drop.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    notify: UnixDatagram,
}

impl Lab {
    /// Starts the daemon, and returns when it says that it is ready.
    #[track_caller]
    pub fn daemon(&self, options: &[&str]) -> Daemon {
        // Abstract, so in the namespace only. Not the last one's name: a child that is
        // about to exec may hold that for a moment.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("alias-test-ready-{number}");
        let socket = self.a.enter(|| {
            let address = SocketAddr::from_abstract_name(&name)?;
            UnixDatagram::bind_addr(&address)
        });
        let socket = socket.expect("an abstract socket of our own namespace");
        let mut command = self.ctl_command(&self.a, &[&["daemon"], options].concat());
        end_with_this_thread(&mut command);
        command
            .env("NOTIFY_SOCKET", format!("@{name}"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("alias-ctl can be started");
        let log = Arc::default();
        let pipe = child.stderr.take().expect("a pipe was asked for");
        copy(pipe, Arc::clone(&log));
        let daemon = Daemon {
            child,
            log,
            notify: socket,
        };
        wait_for("the daemon to be ready", LIMIT, || {
            let word = daemon.notified(LIMIT);
            let word = word
                .unwrap_or_else(|| panic!("the daemon is not ready; it said: {}", daemon.log()));
            // A heart may beat before that.
            word.lines().next() == Some("READY=1")
        });
        daemon
    }
}

/// Keeps what the daemon says, and repeats it for whoever reads a failed test.
fn copy(mut pipe: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut chunk) {
            let text = String::from_utf8_lossy(&chunk[..length]).into_owned();
            let _ = stderr().write_all(text.as_bytes());
            log.lock()
                .unwrap_or_else(|e| e.into_inner())
                .push_str(&text);
        }
    });
}

impl Daemon {
    /// What it has said so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// What it tells the service manager next, if it does so in this time.
    #[track_caller]
    pub fn notified(&self, within: Duration) -> Option<String> {
        self.notify
            .set_read_timeout(Some(within))
            .expect("a limit that is not zero");
        let mut word = [0; 256];
        let length = self.notify.recv(&mut word).ok()?;
        Some(String::from_utf8_lossy(&word[..length]).into_owned())
    }

    /// Bytes of memory that are its own: neither files nor maps.
    pub fn anonymous_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("our own child's");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        let kibibytes: u64 = number
            .and_then(|number| number.parse().ok())
            .expect("a number");
        kibibytes << 10
    }

    /// Still running?
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid");
        // SAFETY: kill takes two integers; the child is not reaped yet, so its pid
        // is still its own.
        unsafe { libc::kill(pid, signal) };
    }

    /// Ends it by SIGKILL, as a crash would.
    pub fn kill(self) {
        drop(self);
    }

    /// Tells it to end, and returns its exit code.
    #[track_caller]
    pub fn stop(mut self, signal: libc::c_int) -> Option<i32> {
        self.signal(signal);
        let mut status = None;
        wait_for("the daemon to end", LIMIT, || {
            status = self.child.try_wait().expect("our own child");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
