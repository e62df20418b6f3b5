//! `cargo xtask bench`: what the controller and the datapath cost, measured on
//! the real binaries in namespaces of their own.
//!
//! Whatever is compared is measured interleaved (A B A B ...), so that what else
//! the machine does meanwhile falls on both, and compared turn by turn. A figure is a
//! median with its minimum and the number of repetitions; the row says how it was measured.
//!
//! What is not here: no knowledge of maps and keys, but for their sizes. The bench
//! speaks to the controller by command line and to the programs by packets.

mod capacity;
mod child;
mod classifier;
mod controller;
mod cpu;
mod datapath;
mod delivery;
mod detour;
mod document;
mod ends;
mod goal;
mod growth;
mod latency;
mod live;
mod memory;
mod options;
mod peers;
mod plot;
mod redirect;
mod report;
mod rows;
mod samples;
mod stream;
mod traffic;
mod varying;
mod verifier;

use std::process::ExitCode;
use std::time::Instant;

use crate::controller::Controller;
use crate::options::{Group, Options};
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
    retreat()?;
    let progress = Progress(Instant::now());
    let effort = options.effort();
    let mut report = Report::new(options.quick);
    if [Group::Controller, Group::Datapath, Group::Programs]
        .into_iter()
        .any(|group| options.wants(group))
    {
        progress.step("building the namespaces");
        let mut controller = Controller::set(&options.ctl)?;
        if options.wants(Group::Controller) {
            controller.measure(&effort, &progress)?;
            controller.report(&mut report);
        }
        if options.wants(Group::Datapath) {
            datapath::measure(&controller.labs, &effort, &progress, &mut report)?;
        }
        if options.wants(Group::Programs) {
            progress.step("verifier's figures");
            verifier::report(&controller.labs.thousands, &mut report)?;
        }
    }
    if options.wants(Group::Traffic) {
        traffic::measure(&effort, &progress, &mut report)?;
    }
    if options.wants(Group::Delivery) {
        delivery::measure(&effort, &progress, &mut report)?;
    }
    if options.wants(Group::Stream) {
        stream::measure(&effort, &progress, &mut report)?;
    }
    if options.wants(Group::Latency) {
        latency::measure(&effort, &progress, &mut report)?;
    }
    if options.wants(Group::Memory) {
        memory::measure(&progress, &mut report)?;
    }
    if options.wants(Group::Growth) {
        growth::measure(&effort, &progress, &mut report)?;
    }
    if options.wants(Group::Capacity) {
        capacity::measure(&effort, &progress, &mut report)?;
    }
    report.finish();
    if let Some(path) = &options.json {
        report.save(path)?;
    }
    if let Some(directory) = &options.docs {
        document::save(&report, directory)?;
    }
    // Last, so that a pipe that closed early costs nothing but the text.
    report.print();
    Ok(())
}

/// Mounts of our own, so that nothing is left behind however this ends, what
/// peers pin and what labs mount included.
fn retreat() -> Result<()> {
    alias_tests::retreat()?;
    // SAFETY: there is no second thread yet.
    unsafe { std::env::set_var("TMPDIR", alias_tests::SCRATCH) };
    Ok(())
}

/// One line a step on standard error.
struct Progress(Instant);

impl Progress {
    fn step(&self, what: &str) {
        eprintln!("bench: {:6.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}
