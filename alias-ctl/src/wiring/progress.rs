//! How far a long change is, for a person who waits: a line on standard error that
//! is drawn over itself, and is gone at the end. Nothing where no terminal is.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::interrupt;
use crate::netlink::outcome::all_done;
use crate::netlink::{self, Conversation, Request};

/// A change that takes less shows nothing; then the line follows as often.
const INTERVAL: Duration = Duration::from_millis(100);
/// Steps between two looks at the clock.
const STRIDE: usize = 1024;
/// Requests to the kernel between two steps: as many as go into one message.
const REQUESTS: usize = 64;
/// Characters of the bar.
const WIDTH: usize = 30;

/// A change of known length.
pub struct Progress {
    what: &'static str,
    /// How many aliases there are to it.
    count: usize,
    /// Steps that it takes.
    total: usize,
    done: usize,
    next_look: usize,
    /// When it was drawn, or else begun; `None` where there is no terminal.
    drawn: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// Begins; `what` is done to so many aliases, each in so many steps.
    #[must_use]
    pub fn new(what: &'static str, count: usize, steps: usize) -> Progress {
        let total = count * steps;
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let drawn = (!dumb && io::stderr().is_terminal()).then(Instant::now);
        Progress {
            what,
            count,
            total,
            done: 0,
            next_look: STRIDE.min(total / 16),
            drawn,
            is_shown: false,
        }
    }

    /// So many more are done.
    pub fn step(&mut self, steps: usize) {
        self.done += steps;
        if self.done >= self.next_look {
            self.look();
        }
    }

    #[cold]
    fn look(&mut self) {
        self.next_look = self.done + STRIDE.min(self.total / 16);
        if self.drawn.is_some_and(|drawn| drawn.elapsed() >= INTERVAL) {
            self.drawn = Some(Instant::now());
            self.is_shown = true;
            // Nobody needs it.
            let _ = write!(
                io::stderr(),
                "\r\x1b[K{}",
                line(self.what, self.done, self.total, self.count)
            );
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Carries out requests, as many for each alias, as [`Conversation::batch`] does.
///
/// # Errors
///
/// As there.
pub fn batch(
    netlink: &mut Conversation,
    what: &'static str,
    count: usize,
    requests: &[Request],
) -> netlink::Result<Vec<netlink::Result<()>>> {
    let mut progress = Progress::new(what, count, requests.len().div_ceil(count.max(1)));
    let mut results = Vec::with_capacity(requests.len());
    for some in requests.chunks(REQUESTS) {
        results.extend(netlink.batch(some)?);
        progress.step(some.len());
    }
    Ok(results)
}

/// The same of requests that make something: between two messages it looks for a signal.
///
/// # Errors
///
/// The first refusal; EINTR.
pub fn make(
    netlink: &mut Conversation,
    (object, what): (&str, &'static str),
    count: usize,
    requests: &[Request],
) -> Result<()> {
    Ok(all_done(make_each(
        netlink,
        (object, what),
        count,
        requests,
    )?)?)
}

/// The same, with what became of each.
///
/// # Errors
///
/// That of the conversation; EINTR.
pub fn make_each(
    netlink: &mut Conversation,
    (object, what): (&str, &'static str),
    count: usize,
    requests: &[Request],
) -> Result<Vec<netlink::Result<()>>> {
    let mut progress = Progress::new(what, count, requests.len().div_ceil(count.max(1)));
    let mut results = Vec::with_capacity(requests.len());
    for some in requests.chunks(REQUESTS) {
        interrupt::check(object, "add")?;
        results.extend(netlink.batch(some)?);
        progress.step(some.len());
    }
    Ok(results)
}

fn line(what: &str, done: usize, total: usize, count: usize) -> String {
    let done = done.min(total);
    let part = |whole: usize| done * whole / total.max(1);
    let bar = "#".repeat(part(WIDTH));
    format!("{what} [{bar:<WIDTH$}] {:>3} % of {count}", part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (done, total, bar, percent) in [
            (0, 1000, 0, "  0 %"),
            (499, 1000, 14, " 49 %"),
            (1000, 1000, 30, "100 %"),
            (2000, 1000, 30, "100 %"),
            (0, 0, 0, "  0 %"),
        ] {
            let found = line("adding", done, total, 500);
            assert_eq!(found.matches('#').count(), bar, "{found}");
            assert!(found.contains(&format!("] {percent} of 500")), "{found}");
        }
    }
}
