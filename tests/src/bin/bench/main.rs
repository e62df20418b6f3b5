//! `cargo xtask bench`: what the controller and the datapath cost, measured on
//! the real binaries in namespaces of their own.
//!
//! Whatever is compared is measured interleaved (A B A B ...), so that what else
//! the machine does meanwhile falls on both. A figure is a median with its
//! minimum and the number of repetitions; the row says how it was measured.
//!
//! What is not here: no knowledge of maps and keys. The bench speaks to the
//! controller by command line and to the programs by packets.

mod child;
mod controller;
mod datapath;
mod detour;
mod options;
mod report;
mod rows;
mod samples;
mod varying;
mod verifier;

use std::process::ExitCode;
use std::time::Instant;

use crate::controller::Controller;
use crate::options::Options;
use crate::report::Report;

/// An error is for the user, and ends the bench.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let done = Options::parse(std::env::args().skip(1)).and_then(|options| run(&options));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("bench: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let progress = Progress(Instant::now());
    let effort = options.effort();
    let mut report = Report::new(options.quick);
    progress.step("building the namespaces");
    let mut controller = Controller::set(&options.ctl);
    controller.measure(&effort, &progress)?;
    controller.report(&mut report);
    datapath::measure(&controller.labs, &effort, &progress, &mut report)?;
    progress.step("verifier's figures");
    verifier::report(&controller.labs.thousands, &mut report)?;
    progress.step("cleaning up");
    drop(controller);
    report.finish();
    if let Some(path) = &options.json {
        report.save(path)?;
    }
    // Last, so that a pipe that closed early costs nothing but the text.
    report.print();
    Ok(())
}

/// One line a step on standard error.
struct Progress(Instant);

impl Progress {
    fn step(&self, what: &str) {
        eprintln!("bench: {:6.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}
