//! Errors of the adapter.

use std::io;

use crate::errno::{errno_name, errno_text};
use crate::error::Refusal;

/// What the functions of this module return; the error is [`NetlinkError`].
pub type Result<T, E = NetlinkError> = std::result::Result<T, E>;

/// The kernel refused an operation on an object.
///
/// Shown as `OBJECT: OPERATION: reason (ERRNAME)`. The reason is the kernel's own
/// sentence (extended acknowledgement) when it sent one, else the errno's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {operation}: {} ({})", self.reason(), errno_name(*errno))]
pub struct NetlinkError {
    object: String,
    operation: &'static str,
    errno: i32,
    detail: Option<String>,
}

impl NetlinkError {
    /// An error with a positive `errno` value.
    pub fn new(object: impl Into<String>, operation: &'static str, errno: i32) -> Self {
        Self {
            object: object.into(),
            operation,
            errno,
            detail: None,
        }
    }

    /// An error from the standard library; EIO when it carries no errno.
    pub fn from_io(object: impl Into<String>, operation: &'static str, error: &io::Error) -> Self {
        Self::new(object, operation, error.raw_os_error().unwrap_or(libc::EIO))
    }

    /// The errno that the last system call of this thread left.
    pub(super) fn last_os(object: impl Into<String>, operation: &'static str) -> Self {
        Self::from_io(object, operation, &io::Error::last_os_error())
    }

    /// The same error with a sentence that says more than its errno.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The errno value, positive, as in errno(3).
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// What the operation was applied to.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What was tried.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Why it failed: the kernel's own sentence, else the errno's text.
    pub fn reason(&self) -> String {
        self.detail
            .clone()
            .unwrap_or_else(|| errno_text(self.errno))
    }
}

impl From<NetlinkError> for Refusal {
    fn from(error: NetlinkError) -> Refusal {
        let errno = error.errno();
        Refusal::new(error.object(), error.operation(), errno_text(errno), errno)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_object_operation_and_reason() {
        let error = NetlinkError::new("eth0:3", "add altname", libc::EEXIST);
        assert_eq!(
            error.to_string(),
            "eth0:3: add altname: File exists (EEXIST)"
        );
        let error = error.with_detail("Alternative name in use");
        assert_eq!(
            error.to_string(),
            "eth0:3: add altname: Alternative name in use (EEXIST)"
        );
    }
}
