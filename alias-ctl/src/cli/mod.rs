//! The command line: words in, a [`Request`] out. Nothing here touches the
//! machine, and no clap type leaves it.

mod arguments;
mod lower;

use clap::Parser;

use crate::command::Request;
use crate::error::Result;

/// What to do with a command line.
pub enum Invocation {
    /// Run this.
    Run(Request),
    /// Print this help or version, or this usage error, and end with its code.
    Print(clap::Error),
}

/// Reads a command line, the program's name first.
///
/// # Errors
///
/// A value that is none of its kind: an address, a slot, a VLAN id.
pub fn read(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Invocation> {
    match arguments::Arguments::try_parse_from(words) {
        Ok(arguments) => lower::lower(arguments).map(Invocation::Run),
        Err(error) => Ok(Invocation::Print(error)),
    }
}
