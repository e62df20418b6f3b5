//! `setup`: (what is needed, what is there) -> what to install, said before it
//! is done. Quick and silent about the system when nothing is missing.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::accepted;
use crate::compiler::{Compiler, Found, OVERRIDE, has_rustup};
use crate::deny;
use crate::kernel;
use crate::linker;
use crate::packages::{self, Manager, Tool};
use crate::process::{self, step};
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask setup              everything: compiler, bpf-linker, cargo-deny, ip, ping ...
  cargo xtask setup --dry-run    only say what is missing and what would be run
  ALIAS_BPF_RUSTC=/opt/rust/bin/rustc cargo xtask setup
                                 use this compiler for the eBPF object

The eBPF compiler is, in this order: $ALIAS_BPF_RUSTC, whatever it is; a rustc whose
sysroot has core for bpfel-unknown-none (Debian: rustc-web, cargo-web,
libstd-rust-web-dev-bpf) and which is on the accepted list; one dated nightly of
rustup with the rust-src component, and no other. docs/TOOLCHAIN.md has the list.
bpf-linker goes to target/tools, one for each compiler, and cargo-deny beside it.";

#[derive(Args)]
pub(crate) struct Options {
    /// Say what is missing and what would be run; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What compiles and links eBPF.
pub(crate) struct Toolchain {
    pub(crate) compiler: Compiler,
    pub(crate) linker: PathBuf,
}

/// The ways to an eBPF compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CompilerSource {
    Debian,
    Rustup,
}

/// What is missing and how it will come. Computed before anything changes.
struct Plan {
    manager: Manager,
    packages: Vec<&'static str>,
    compiler: Option<CompilerSource>,
    /// A compiler is here, and may not be taken.
    unlisted: bool,
    linker: bool,
}

const RUSTUP_NIGHTLY: &[&str] = &[
    "toolchain",
    "install",
    accepted::NIGHTLY,
    "--profile",
    "minimal",
    "--component",
    "rust-src",
];

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let start = Instant::now();
    if options.dry_run {
        let tools = missing_tools(true);
        let found = Compiler::find(workspace)?;
        let plan = Plan::new(&tools, &found, workspace);
        plan.announce(&found, workspace)?;
        let denies = deny::find(workspace).is_some();
        if !denies {
            eprintln!("setup: missing: cargo-deny {}", deny::VERSION);
            let command = deny::install_command(workspace);
            eprintln!("setup: will run: {}", process::shown(&command));
        }
        if plan.is_empty() && denies {
            eprintln!("setup: nothing is missing");
        }
        return Ok(());
    }
    let toolchain = provide(workspace, true)?;
    deny::provide(workspace)?;
    eprintln!("setup: compiler {}", toolchain.compiler.shown());
    eprintln!(
        "setup: linker {} (bpf-linker {})",
        workspace.shown(&toolchain.linker),
        linker::VERSION
    );
    eprintln!(
        "setup: ready, nothing is missing ({})",
        process::seconds(start.elapsed())
    );
    Ok(())
}

/// What `build` needs: compiler and linker, no runtime tools.
pub(crate) fn toolchain(workspace: &Workspace) -> Result<Toolchain> {
    provide(workspace, false)
}

/// What `test` and `demo` need.
pub(crate) fn everything(workspace: &Workspace) -> Result<Toolchain> {
    provide(workspace, true)
}

fn missing_tools(runtime: bool) -> Vec<&'static Tool> {
    let mut tools = packages::missing(packages::BUILD_TOOLS);
    if runtime {
        tools.extend(packages::missing(packages::RUNTIME_TOOLS));
    }
    tools
}

fn provide(workspace: &Workspace, runtime: bool) -> Result<Toolchain> {
    let tools = missing_tools(runtime);
    let mut found = Compiler::find(workspace)?;
    let plan = Plan::new(&tools, &found, workspace);
    plan.announce(&found, workspace)?;
    plan.check_rights()?;

    if plan.manager == Manager::Apt && plan.wants_apt() {
        // One broken source among many must not stop what the others offer.
        if let Err(error) = step("setup: refreshing package lists", || {
            packages::apt_update(workspace)
        }) {
            eprintln!("setup: going on with the lists that are here: {error:#}");
        }
        let mut wanted = plan.apt_packages();
        if plan.compiler == Some(CompilerSource::Debian)
            && let Some(absent) = packages::DEBIAN_COMPILER
                .iter()
                .find(|package| !packages::apt_offers(package, workspace))
        {
            if !has_rustup() {
                bail!("{}", no_compiler(&format!("apt offers no {absent}")));
            }
            eprintln!("setup: apt offers no {absent}: going on with rustup");
            wanted.clone_from(&plan.packages);
        }
        if !wanted.is_empty() {
            step(&format!("setup: installing {}", wanted.join(" ")), || {
                packages::apt_install(&wanted, workspace)
            })?;
        }
    }
    if plan.compiler == Some(CompilerSource::Debian) {
        found = Compiler::find(workspace)?;
        // Debian may have moved on since the list was written.
        say(&found);
    }
    if found.compiler.is_none() && has_rustup() {
        step(
            &format!("setup: installing {} with rust-src", accepted::NIGHTLY),
            || process::run_quietly(process::isolated("rustup", workspace).args(RUSTUP_NIGHTLY)),
        )
        .with_context(|| no_compiler("rustup could not install one"))?;
        found = Compiler::find(workspace)?;
    }
    let unlisted = found.unlisted;
    let compiler = found.compiler.with_context(|| {
        no_compiler(if unlisted {
            UNLISTED
        } else {
            "what was installed cannot compile for BPF"
        })
    })?;

    let linker = match linker::find(workspace, &compiler) {
        Some(linker) => linker,
        None => step(
            &format!(
                "setup: building bpf-linker {} for LLVM {} (about a minute)",
                linker::VERSION,
                compiler.version.llvm
            ),
            || linker::install(workspace, &compiler),
        )?,
    };

    let still: Vec<&str> = missing_tools(runtime)
        .iter()
        .map(|tool| tool.program)
        .collect();
    if !still.is_empty() {
        bail!(
            "{}: still not on PATH after installing: check the PATH of this shell",
            still.join(", ")
        );
    }
    Ok(Toolchain { compiler, linker })
}

impl Plan {
    fn new(tools: &[&Tool], found: &Found, workspace: &Workspace) -> Self {
        let manager = Manager::here();
        let compiler = found.compiler.as_ref();
        let source = if compiler.is_some() {
            None
        } else if manager == Manager::Apt && !found.unlisted && apt_may_have_compiler(workspace) {
            Some(CompilerSource::Debian)
        } else {
            Some(CompilerSource::Rustup)
        };
        Self {
            manager,
            packages: manager.packages(tools),
            compiler: source,
            unlisted: found.unlisted,
            linker: compiler.is_none_or(|compiler| linker::find(workspace, compiler).is_none()),
        }
    }

    fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.compiler.is_none() && !self.linker
    }

    fn wants_apt(&self) -> bool {
        !self.apt_packages().is_empty()
    }

    /// Everything that comes from the distribution, in one command.
    fn apt_packages(&self) -> Vec<&'static str> {
        let mut packages = self.packages.clone();
        if self.compiler == Some(CompilerSource::Debian) {
            packages.extend(packages::DEBIAN_COMPILER);
        }
        packages
    }

    /// Says what is missing and the exact commands, before the first runs.
    fn announce(&self, found: &Found, workspace: &Workspace) -> Result<()> {
        say(found);
        let packages = self.apt_packages();
        if !packages.is_empty() {
            eprintln!("setup: missing: {}", packages.join(" "));
            if self.manager == Manager::Apt {
                eprintln!("setup: will run: apt-get update");
            }
            eprintln!(
                "setup: will run: {}",
                self.manager.install_command(&packages)
            );
        }
        if self.compiler == Some(CompilerSource::Rustup) {
            eprintln!("setup: missing: a rustc that can compile for BPF");
            eprintln!("setup: will run: rustup {}", RUSTUP_NIGHTLY.join(" "));
        }
        if self.linker {
            eprintln!(
                "setup: missing: bpf-linker {} for the LLVM of that compiler",
                linker::VERSION
            );
            let command = match &found.compiler {
                Some(compiler) => process::shown(&linker::install_command(workspace, compiler)?),
                None => format!("cargo install bpf-linker --version {}", linker::VERSION),
            };
            eprintln!("setup: will run: {command}");
        }
        Ok(())
    }

    /// Everything that could stop the plan is asked before anything changes.
    fn check_rights(&self) -> Result<()> {
        let packages = self.apt_packages();
        if !packages.is_empty() {
            let command = self.manager.install_command(&packages);
            match self.manager {
                Manager::Apt if kernel::is_root()? => {}
                Manager::Apt => bail!(
                    "{}: installing needs root (EPERM): run `sudo apt-get update && sudo {command}`, then this again{}",
                    packages.join(", "),
                    if self.compiler.is_some() && has_rustup() {
                        format!(
                            "; a compiler without root: `rustup {}`",
                            RUSTUP_NIGHTLY.join(" ")
                        )
                    } else {
                        String::new()
                    }
                ),
                Manager::Dnf | Manager::Pacman | Manager::Unknown => bail!(
                    "{}: setup installs packages only through apt: run `sudo {command}`, then this again",
                    packages.join(", ")
                ),
            }
        }
        if self.compiler == Some(CompilerSource::Rustup) && !has_rustup() {
            bail!(
                "{}",
                no_compiler(if self.unlisted {
                    UNLISTED
                } else {
                    "none is here, and neither its packages nor rustup are"
                })
            );
        }
        Ok(())
    }
}

/// Package lists may be empty on a fresh machine; then only an update, which
/// needs root, can tell. Lists that are there and offer none are an answer.
fn apt_may_have_compiler(workspace: &Workspace) -> bool {
    let offers = |package: &&str| packages::apt_offers(package, workspace);
    packages::DEBIAN_COMPILER.iter().all(offers) || !packages::apt_offers("gcc", workspace)
}

/// What a person should know about the choice.
fn say(found: &Found) {
    for remark in &found.remarks {
        eprintln!("setup: {remark}");
    }
}

/// Why a compiler that is here does not serve; which it is was said before.
const UNLISTED: &str = "the one that is here is not on the accepted list, and rustup is not here";

/// The one message about the one thing that has several ways out.
fn no_compiler(reason: &str) -> String {
    // Where Debian's own is what does not serve, its package is no way out.
    let debian = if reason == UNLISTED {
        String::new()
    } else {
        format!(
            "`sudo {}` (Debian 12 and 13, with their security updates), or ",
            Manager::Apt.install_command(packages::DEBIAN_COMPILER)
        )
    };
    format!(
        "eBPF compiler on {}: {reason}: either {debian}install rustup (Fedora: `sudo dnf install rustup && \
         rustup-init -y`, Arch: `sudo pacman -S rustup`) and run `rustup {}`, or try another: {OVERRIDE} names any \
         rustc that has {} or rust-src",
        packages::distribution(),
        RUSTUP_NIGHTLY.join(" "),
        crate::compiler::TARGET,
    )
}
