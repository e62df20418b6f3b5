//! Signals that ask a command to end. While it changes something they are only noted; the
//! steps of the change look, and what was begun is taken back, or is finished where that
//! is sooner. A second one ends it at once, as they do while nothing is being changed: what
//! is left then the next command puts in order.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::SeqCst};

use crate::error::{Refusal, Result};

const SIGNALS: [(i32, &str); 3] = [
    (libc::SIGINT, "SIGINT"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGHUP, "SIGHUP"),
];

/// Something is being changed.
static WATCHED: AtomicU32 = AtomicU32::new(0);
/// The signal that came; 0 for none.
static NOTED: AtomicI32 = AtomicI32::new(0);
/// A step has refused for its sake, and the rest is the undoing.
static HEEDED: AtomicBool = AtomicBool::new(false);
/// Work that is not to be stopped in the middle is under way, so many times within itself.
static FINISHING: AtomicU32 = AtomicU32::new(0);
/// The process has other uses for signals.
static LEFT_ALONE: AtomicBool = AtomicBool::new(false);

/// While there is one, signals are noted.
#[must_use]
pub struct Watched;

impl Drop for Watched {
    fn drop(&mut self) {
        WATCHED.fetch_sub(1, SeqCst);
    }
}

/// Begins to note signals. From now on a reader of standard error who has gone ends
/// nothing either. Signals that whoever called the command had ignored stay so.
pub fn watch() -> Watched {
    static ONCE: Once = Once::new();
    WATCHED.fetch_add(1, SeqCst);
    if !LEFT_ALONE.load(SeqCst) {
        ONCE.call_once(|| {
            for (signal, _) in SIGNALS {
                install(signal);
            }
            // SAFETY: the disposition of a signal; nothing of ours handles it.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        });
    }
    Watched
}

/// The process sees to its signals itself.
pub fn leave_alone() {
    LEFT_ALONE.store(true, SeqCst);
}

fn install(signal: i32) {
    // SAFETY: all zero is a valid sigaction, with the default disposition.
    let (mut before, mut action): (libc::sigaction, libc::sigaction) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    // SAFETY: a signal's number and a live structure.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut before) };
    if asked != 0 || before.sa_sigaction != libc::SIG_DFL {
        return;
    }
    // No SA_RESTART: who waits is woken.
    action.sa_sigaction = on_signal as extern "C" fn(i32) as usize;
    // SAFETY: the handler calls nothing that is not safe in one (signal-safety(7)).
    unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
}

extern "C" fn on_signal(signal: i32) {
    let is_first = NOTED.swap(signal, SeqCst) == 0;
    if is_first && WATCHED.load(SeqCst) != 0 {
        return;
    }
    // SAFETY: both are safe in a handler; the signal ends the process once this returns.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// The same as when a signal comes, for who hears of it otherwise.
pub fn note(signal: i32) {
    NOTED.store(signal, SeqCst);
}

/// As if none had come.
pub fn forget() {
    NOTED.store(0, SeqCst);
}

/// The signal that came, if one did.
#[must_use]
pub fn noted() -> Option<i32> {
    Some(NOTED.load(SeqCst)).filter(|signal| *signal != 0)
}

/// Ends the process by a signal that was noted, as if nobody had: who waits for it is told
/// by what it ended.
pub fn end_by(signal: i32) -> ! {
    // SAFETY: the disposition of a signal, and the signal to ourselves.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
    // It was blocked.
    std::process::exit(128 + signal)
}

/// Its name.
#[must_use]
pub fn name(signal: i32) -> &'static str {
    let known = SIGNALS.iter().find(|(number, _)| *number == signal);
    known.map_or("a signal", |(_, name)| name)
}

/// A step of a change: refuses if a signal has come. Only the first that looks does, for
/// the rest is the undoing.
///
/// # Errors
///
/// EINTR.
pub fn check(object: &str, operation: &str) -> Result<()> {
    let Some(signal) = noted() else { return Ok(()) };
    if FINISHING.load(SeqCst) != 0 || HEEDED.swap(true, SeqCst) {
        return Ok(());
    }
    let reason = format!("it was told to end by {}", name(signal));
    Err(Refusal::new(object, operation, reason, libc::EINTR)
        .hint("what it had begun was taken back"))
}

/// Does what is not to be stopped in the middle, as undoing something.
pub fn finish<T>(work: impl FnOnce() -> T) -> T {
    struct Within;
    impl Drop for Within {
        fn drop(&mut self) {
            FINISHING.fetch_sub(1, SeqCst);
        }
    }
    FINISHING.fetch_add(1, SeqCst);
    let _within = Within;
    work()
}
