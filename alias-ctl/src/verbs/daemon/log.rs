//! The daemon's log: lines on standard error, which systemd keeps with their time. A thread
//! of its own writes them, so that a reader who is slow, or has stopped, holds up neither
//! the work nor the end.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that may wait; what does not fit is counted.
const WAITING: usize = 1024;
/// What the last lines get when the daemon ends.
const PATIENCE: Duration = Duration::from_millis(100);

static LINES: OnceLock<SyncSender<String>> = OnceLock::new();
/// Lines that were taken and are not written yet.
static UNWRITTEN: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// One line.
pub(super) fn say(line: &str) {
    let lines = LINES.get_or_init(|| {
        let (lines, waiting) = sync_channel(WAITING);
        // Without a thread the work goes on, and nothing is said.
        let _ = thread::Builder::new()
            .name("log".into())
            .spawn(move || write(&waiting));
        lines
    });
    UNWRITTEN.fetch_add(1, Ordering::SeqCst);
    if lines.try_send(line.to_owned()).is_err() {
        UNWRITTEN.fetch_sub(1, Ordering::SeqCst);
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

fn write(waiting: &Receiver<String>) {
    for line in waiting {
        let dropped = DROPPED.swap(0, Ordering::SeqCst);
        let more = match dropped {
            0 => String::new(),
            count => format!("alias-ctl: {count} lines were left out: nobody read them\n"),
        };
        // With nobody to read it the work goes on.
        let _ = write!(io::stderr(), "alias-ctl: {line}\n{more}");
        UNWRITTEN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits a moment for what was said last.
pub(super) fn drain() {
    const PAUSE: Duration = Duration::from_millis(1);
    let began = Instant::now();
    while UNWRITTEN.load(Ordering::SeqCst) != 0 && began.elapsed() < PATIENCE {
        thread::sleep(PAUSE);
    }
}
