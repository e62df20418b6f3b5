//! `cargo xtask VERB`: everything this repository needs that cargo alone does
//! not do. This file only reads the command line and dispatches; each verb has
//! a file of its own, and so has each noun they share (compiler, linker,
//! packages).

mod accepted;
mod bench;
mod build;
mod companions;
mod compiler;
mod counts;
mod demo;
mod deny;
mod host;
mod kernel;
mod linker;
mod lint;
mod package;
mod packages;
mod picture;
mod process;
mod remap;
mod reproduce;
mod setup;
mod slowest;
mod test;
mod test_binaries;
mod verifier;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Set up, build, demonstrate and test this workspace
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "\
Examples:
  cargo xtask demo                      from a fresh clone to a running demonstration
  cargo xtask setup                     install what is missing, and nothing else
  cargo xtask build                     the eBPF object and the host binary
  sudo cargo xtask test --filter vlan   only the tests whose name contains \"vlan\""
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find out what is missing, say how it will be installed, then install it
    #[command(after_help = setup::EXAMPLES)]
    Setup(setup::Options),
    /// Compile the eBPF object, then alias-ctl, which embeds it
    #[command(after_help = build::EXAMPLES)]
    Build(build::Options),
    /// Lint, then run every test: on the host, then in namespaces (needs root)
    #[command(after_help = test::EXAMPLES)]
    Test(test::Options),
    /// Build everything and show it at work in namespaces (needs root)
    #[command(after_help = demo::EXAMPLES)]
    Demo,
    /// Draw what alias-ctl top shows of real traffic, as docs/top.svg (needs root)
    #[command(after_help = picture::EXAMPLES)]
    Picture,
    /// Measure controller and datapath in namespaces (needs root)
    #[command(after_help = bench::EXAMPLES)]
    Bench(bench::Options),
    /// Load and test it on other kernels, each in an emulated machine (needs root)
    #[command(after_help = vm::EXAMPLES)]
    Vm(vm::Options),
    /// Make a Debian package of it, and try that in a bare root
    #[command(after_help = package::EXAMPLES)]
    Package(package::Options),
    /// Check formatting, clippy, rustdoc, and what comes from outside
    #[command(after_help = lint::EXAMPLES)]
    Lint,
    /// Build this commit in two folders and compare every byte
    #[command(after_help = reproduce::EXAMPLES)]
    Reproduce(reproduce::Options),
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Self::Setup(_) => "setup",
            Self::Build(_) => "build",
            Self::Test(_) => "test",
            Self::Demo => "demo",
            Self::Picture => "picture",
            Self::Bench(_) => "bench",
            Self::Vm(_) => "vm",
            Self::Package(_) => "package",
            Self::Lint => "lint",
            Self::Reproduce(_) => "reproduce",
        }
    }

    fn run(&self, workspace: &Workspace) -> Result<()> {
        match self {
            Self::Setup(options) => setup::run(workspace, options),
            Self::Build(options) => build::run(workspace, options),
            Self::Test(options) => test::run(workspace, options),
            Self::Demo => demo::run(workspace),
            Self::Picture => picture::run(workspace),
            Self::Bench(options) => bench::run(workspace, options),
            Self::Vm(options) => vm::run(workspace, options),
            Self::Package(options) => package::run(workspace, options),
            Self::Lint => lint::run(workspace),
            Self::Reproduce(options) => reproduce::run(workspace, options),
        }
    }
}

fn main() -> ExitCode {
    let verb = Arguments::parse().verb;
    match Workspace::locate().and_then(|workspace| verb.run(&workspace)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {}: {error:#}", verb.name());
            ExitCode::FAILURE
        }
    }
}
