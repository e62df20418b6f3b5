//! `alias-ctl`: read the command line, do it, say how it ended.

use std::io::{self, Write};
use std::process::ExitCode;

use alias_ctl::cli::{self, Invocation};
use alias_ctl::error;
use alias_ctl::interrupt;
use alias_ctl::model::request::{Outcome, Request};
use alias_ctl::verbs;

fn main() -> ExitCode {
    // A reader that closes the pipe ends a listing, as with any other tool. What
    // changes the state prints nothing before it is done.
    // SAFETY: no other thread runs yet, and no handler is replaced.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let code = run().unwrap_or_else(|error| {
        // With standard error gone the exit code still tells.
        let _ = writeln!(io::stderr(), "alias-ctl: {error:#}");
        ExitCode::FAILURE
    });
    match interrupt::noted() {
        Some(signal) => {
            if code == ExitCode::SUCCESS {
                let name = interrupt::name(signal);
                let _ = writeln!(io::stderr(), "alias-ctl: {name} came when it was done");
            }
            // As shells say it of who was ended by a signal.
            ExitCode::from(128 + signal as u8)
        }
        None => code,
    }
}

fn run() -> anyhow::Result<ExitCode> {
    match cli::read(std::env::args_os())? {
        Invocation::Run(request) => {
            let compares = matches!(request, Request::Diff { .. });
            match error::catch(|| verbs::run::run(request)) {
                Ok(Outcome::Done) => Ok(ExitCode::SUCCESS),
                Ok(Outcome::Found) => Ok(ExitCode::FAILURE),
                // As with diff(1), 1 is a difference, and trouble is 2.
                Err(refusal) if compares => {
                    let _ = writeln!(io::stderr(), "alias-ctl: {refusal}");
                    Ok(ExitCode::from(2))
                }
                Err(refusal) => Err(refusal.into()),
            }
        }
        Invocation::Text(text) => {
            io::stdout().write_all(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Invocation::Print(text) => {
            // Help goes to standard output, a usage error to standard error; a
            // reader that is gone needs neither.
            let _ = text.print();
            Ok(ExitCode::from(text.exit_code() as u8))
        }
    }
}
