//! The command line: words in, a [`Request`](crate::model::request::Request) out. Nothing here touches the
//! machine, but `man`, which writes its pages; and no clap type leaves it.

mod announce;
mod arguments;
mod called_as;
mod configuration;
mod daemon;
mod doctor;
mod ifconfig;
mod invocation;
mod lower;
mod manual;
mod route;
mod tcp_options;
mod top;
mod types;
mod upgrade;

use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, Parser};

use crate::error::Result;

pub use invocation::Invocation;
use invocation::Unreadable;

/// Reads a command line, the program's name first.
///
/// # Errors
///
/// A value that is none of its kind: an address, a slot, a VLAN id.
pub fn read(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Invocation> {
    let words = called_as::spelled_out(words);
    let verb = words.get(1).map(|word| word.to_string_lossy().into_owned());
    let arguments = match arguments::Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(mut error) => {
            // What clap suggests is to pass an unknown option on as a value, "-- --word": as
            // an address or a name it would only be refused once more.
            error.remove(ContextKind::Suggested);
            return Ok(Invocation::Print(error));
        }
    };
    match lower::lower(arguments) {
        Ok(invocation) => Ok(invocation),
        Err(Unreadable::Value(refusal)) => Err(refusal),
        Err(Unreadable::Usage(text)) => {
            let mut command = arguments::Arguments::command();
            command.build();
            let named = verb.and_then(|verb| command.find_subcommand_mut(verb));
            let error = match named {
                Some(verb) => verb.error(ErrorKind::ArgumentConflict, text),
                None => command.error(ErrorKind::ArgumentConflict, text),
            };
            Ok(Invocation::Print(error))
        }
    }
}
