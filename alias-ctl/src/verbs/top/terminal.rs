//! The terminal while `top` has it: it is given back as it was however that ends.

use std::io::{self, BufWriter, Stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// It has been taken and not given back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal that was taken.
pub(super) struct Terminal {
    // One write for each frame: over ssh, one packet and no flicker.
    inner: ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Terminal {
    /// Takes it: no echo, no lines, another screen. A panic gives it back before it says
    /// anything.
    pub(super) fn take() -> io::Result<Terminal> {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |about| {
                give_back();
                before(about);
            }));
        });
        enable_raw_mode()?;
        TAKEN.store(true, SeqCst);
        let out = BufWriter::with_capacity(1 << 16, io::stdout());
        // Dropped when something below fails.
        let terminal = ratatui::Terminal::new(CrosstermBackend::new(out)).inspect_err(|_| {
            give_back();
        })?;
        let mut terminal = Terminal { inner: terminal };
        execute!(io::stdout(), EnterAlternateScreen)?;
        terminal.inner.clear()?;
        Ok(terminal)
    }

    /// Shows what `draw` draws, if that is anything else than what is shown.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        // A thread that panicked has given it back.
        if !TAKEN.load(SeqCst) {
            return Ok(());
        }
        execute!(self.inner.backend_mut(), BeginSynchronizedUpdate)?;
        self.inner.draw(|frame| draw(frame.buffer_mut()))?;
        execute!(self.inner.backend_mut(), EndSynchronizedUpdate)
    }

    /// Its size now.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.inner.size()?;
        Ok((size.width, size.height))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Waits for a key, a signal, or so long; whether there is no terminal any more. What reads
/// keys must not be asked then: crossterm 0.29 reads the end of a file again and again.
pub(super) fn is_gone(wait: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut keys = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
    match poll(&mut keys, Some(&wait)) {
        // A change of size, or a signal to end.
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(keys[0]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR)),
    }
}

fn give_back() {
    if TAKEN.swap(false, SeqCst) {
        // If it is gone there is nothing to give back.
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            LeaveAlternateScreen,
            Show
        );
        let _ = disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread::sleep;
    use std::time::Instant;

    use super::*;

    #[test]
    #[ignore = "a_panic_gives_the_terminal_back runs it in a terminal"]
    fn panics_with_the_terminal() {
        let mut terminal = Terminal::take().expect("a terminal");
        terminal
            .draw(|buffer| {
                buffer.set_string(0, 0, "drawn", ratatui::style::Style::new());
            })
            .expect("it is drawn");
        panic!("what it says is to be read");
    }

    /// tmux without a configuration, with a server of its own.
    fn tmux(socket: &str, arguments: &[&str]) -> io::Result<String> {
        let mut command = Command::new("tmux");
        command
            .args(["-L", socket, "-f", "/dev/null"])
            .args(arguments);
        let said = command.env_remove("TMUX").output()?;
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        let socket = format!("alias-ctl-panic-{}", std::process::id());
        let this = std::env::current_exe().expect("a path");
        let name = "verbs::top::terminal::tests::panics_with_the_terminal";
        let run = format!(
            "{} --ignored --exact {name} --nocapture; echo code=$?; exec cat",
            this.display()
        );
        let size = ["-x", "120", "-y", "50"];
        let started = tmux(
            &socket,
            &[&["new-session", "-d"], &size[..], &[&run]].concat(),
        );
        if let Err(error) = started {
            eprintln!("SKIPPED: no terminal to look at: tmux (Debian: tmux): {error}");
            return;
        }
        let limit = Instant::now() + Duration::from_secs(60);
        let mut screen = String::new();
        while !screen.contains("code=") && Instant::now() < limit {
            sleep(Duration::from_millis(20));
            screen = tmux(&socket, &["capture-pane", "-p"]).expect("a screen");
        }
        let format = "#{alternate_on} #{cursor_flag}";
        let state = tmux(&socket, &["display-message", "-p", format]).expect("a state");
        tmux(&socket, &["kill-server"]).expect("it ends");
        assert!(screen.contains("code=101"), "{screen}");
        assert!(screen.contains("what it says is to be read"), "{screen}");
        assert!(!screen.contains("drawn"), "{screen}");
        assert_eq!(state.trim_end(), "0 1", "{screen}");
    }
}
