//! What a refusal says: the object, the operation, the reason with its errno
//! name, and the way out.

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};

use crate::errno::{errno_name, errno_text};

/// The result of everything that can be refused.
pub type Result<T> = std::result::Result<T, Refusal>;

/// Why something was not done. Nothing was changed, or what was is undone.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What the user named: an alias, a device, a namespace.
    pub object: String,
    /// What was to be done with it.
    pub operation: String,
    /// Why not, in words.
    pub reason: String,
    /// The errno that a kernel would have returned.
    pub errno: i32,
    /// What the user can do; empty when there is nothing to add.
    pub hint: String,
}

impl Refusal {
    /// A refusal without a way out yet.
    pub fn new(
        object: impl Into<String>,
        operation: impl Into<String>,
        reason: impl Into<String>,
        errno: i32,
    ) -> Refusal {
        Refusal {
            object: object.into(),
            operation: operation.into(),
            reason: reason.into(),
            errno,
            hint: String::new(),
        }
    }

    /// A system call's error.
    pub fn io(
        object: impl Into<String>,
        operation: impl Into<String>,
        error: &io::Error,
    ) -> Refusal {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        let reason = if error.raw_os_error().is_some() {
            errno_text(errno)
        } else {
            error.to_string()
        };
        Refusal::new(object, operation, reason, errno)
    }

    /// Says which line of a file it is about, from 1; 0 for none.
    #[must_use]
    pub fn at_line(mut self, line: u32) -> Refusal {
        if line != 0 {
            self.reason = format!("line {line}: {}", self.reason);
        }
        self
    }

    /// Whether it says which line of a file it is about.
    #[must_use]
    pub fn names_line(&self) -> bool {
        self.reason.starts_with("line ")
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Refusal {
        self.hint = hint.into();
        self
    }

    /// The same, behind what it says already.
    #[must_use]
    pub fn and_hint(mut self, hint: &str) -> Refusal {
        if !self.hint.is_empty() {
            self.hint.push_str("; ");
        }
        self.hint.push_str(hint);
        self
    }
}

impl Refusal {
    /// Ends what [`catch`] runs with this refusal, from where no other way leads back: what
    /// is memory to everybody could not be mapped.
    pub fn unwind(self) -> ! {
        panic::resume_unwind(Box::new(self))
    }
}

/// Runs a command, which may end by [`Refusal::unwind`] too.
///
/// # Errors
///
/// Those of the command.
pub fn catch<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done,
        Err(payload) => match payload.downcast::<Refusal>() {
            Ok(refusal) => Err(*refusal),
            Err(other) => panic::resume_unwind(other),
        },
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal {
            object,
            operation,
            reason,
            errno,
            hint,
        } = self;
        write!(
            f,
            "{object}: {operation}: {reason} ({})",
            errno_name(*errno)
        )?;
        if !hint.is_empty() {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
