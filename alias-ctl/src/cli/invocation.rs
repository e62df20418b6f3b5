//! What a command line comes to: something to run, to print, or nothing that can be
//! read.

use crate::error::Refusal;
use crate::model::request::Request;

/// What to do with a command line.
pub enum Invocation {
    /// Run this.
    Run(Request),
    /// Print this help or version, or this usage error, and end with its code.
    Print(clap::Error),
    /// Write this to standard output.
    Text(Vec<u8>),
}

/// Why words are no request.
pub(super) enum Unreadable {
    /// They do not go together: usage, exit code 2.
    Usage(String),
    /// A value is none of its kind.
    Value(Refusal),
}

impl From<Refusal> for Unreadable {
    fn from(refusal: Refusal) -> Unreadable {
        Unreadable::Value(refusal)
    }
}
