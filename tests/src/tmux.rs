//! A terminal that a test can see and type into: a shell in tmux, in host A.

use std::{
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::{
    ctl::ctl_binary,
    lab::{Lab, NAME_PREFIX},
    namespace::TOOL_LIMIT,
    process::{Output, run_to_end},
    wait::comes_true,
};

/// A tmux server of its own with one window, ended on drop.
#[derive(Debug)]
pub struct Terminal<'a> {
    lab: &'a Lab,
    socket: String,
}

impl<'a> Terminal<'a> {
    /// A shell whose `$CTL` is `alias-ctl`; `None`, loudly, where there is no tmux.
    #[track_caller]
    pub fn open(lab: &'a Lab, (width, height): (u16, u16)) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let missing = std::process::Command::new("tmux").arg("-V").output();
        if let Err(error) = missing {
            let _ = writeln!(
                io::stderr(),
                "SKIPPED: no terminal to look at: tmux (Debian: tmux): {error}"
            );
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let terminal = Self {
            lab,
            socket: format!("{NAME_PREFIX}{}-{number}", std::process::id()),
        };
        let (width, height) = (width.to_string(), height.to_string());
        let shell = format!("exec env PS1='$ ' CTL={} sh", ctl_binary().display());
        let new = ["new-session", "-d", "-x", &width, "-y", &height, &shell];
        terminal.tmux(&[&["-u", "-f", "/dev/null"], &new[..]].concat());
        terminal.wait_for("a prompt", |screen| screen.starts_with('$'));
        Some(terminal)
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = self.lab.command_of(Path::new("tmux"), &self.lab.a, &[]);
        command
            .args(["-L", &self.socket])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX")
            .env_remove("NO_COLOR");
        run_to_end(command, b"", TOOL_LIMIT).ok()
    }

    /// Types a line, and Enter.
    #[track_caller]
    pub fn enter(&self, line: &str) {
        self.write(line);
        self.press(&["Enter"]);
    }

    /// Types a text.
    #[track_caller]
    pub fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses keys, by tmux's names for them.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "--"], keys].concat());
    }

    /// What is on the screen.
    #[track_caller]
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).stdout
    }

    /// The same with its colours, as escape sequences.
    #[track_caller]
    pub fn colored(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"]).stdout
    }

    /// Waits until the screen is as it should be; hands it on.
    #[track_caller]
    pub fn wait_for(&self, what: &str, mut condition: impl FnMut(&str) -> bool) -> String {
        let mut last = String::new();
        let came = comes_true(Duration::from_secs(30), || {
            last = self.screen();
            condition(&last)
        });
        assert!(came, "waited in vain for {what}; on the screen is\n{last}");
        last
    }

    /// Another size.
    #[track_caller]
    pub fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        self.tmux(&["resize-window", "-x", &width, "-y", &height]);
    }

    /// What tmux knows by a format, for example `#{alternate_on}`.
    #[track_caller]
    pub fn value(&self, format: &str) -> String {
        let said = self.tmux(&["display-message", "-p", format]).stdout;
        said.trim_end().to_owned()
    }

    /// The process that the shell has started.
    #[track_caller]
    pub fn child(&self) -> libc::pid_t {
        let shell = self.value("#{pane_pid}");
        let path = format!("/proc/{shell}/task/{shell}/children");
        let children = std::fs::read_to_string(&path).expect("the shell's children");
        let first = children.split_whitespace().next();
        first.and_then(|pid| pid.parse().ok()).expect("a child")
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("tmux");
        // It is gone when its shell is.
        let _ = command.args(["-L", &self.socket, "kill-server"]).output();
        let directory = std::env::var("TMUX_TMPDIR").unwrap_or_else(|_| "/tmp".into());
        // SAFETY: it takes nothing and cannot fail.
        let user = unsafe { libc::geteuid() };
        let _ = std::fs::remove_file(format!("{directory}/tmux-{user}/{}", self.socket));
    }
}
