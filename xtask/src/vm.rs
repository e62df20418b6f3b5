//! `vm`: the same tests on other kernels, each in an emulated machine of its own.
//! Nothing is installed but the emulator; everything else is below target/vm.

mod apt;
mod archive;
mod guest;
mod job;
mod kernel;
mod mirror;
mod modules;
mod root;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::apt::Apt;
use self::job::{Job, Report};
use self::kernel::{Kernel, Wanted};
use self::root::Built;
use crate::build;
use crate::counts::Counts;
use crate::kernel as this_kernel;
use crate::packages::{self, Manager};
use crate::process::step;
use crate::setup;
use crate::test_binaries::{NAMESPACES, TestBinary};
use crate::workspace::Workspace;

pub(crate) use self::apt::KEYRING;
pub(crate) use self::mirror::Mirrors;

pub(crate) const EXAMPLES: &str = "\
Examples:
  sudo cargo xtask vm                        6.1, 6.12 and the newest kernel of Debian
  sudo cargo xtask vm --kernel 6.12          one of them; any version that Debian still has
  sudo cargo xtask vm --kernel arch/x86/boot/bzImage --modules lib/modules/6.18.0
                                             an image of your own
  sudo cargo xtask vm --filter verify        load every program, and nothing else
  sudo cargo xtask vm --filter traffic::,vlan::
                                             tests whose name contains one of these
  sudo cargo xtask vm --filter nic:traffic::echoes
                                             the same over two virtio_net cards

Kernels and the guest's root are fetched once, from the mirror of Debian that this
machine's apt uses, and kept in target/vm. Of every guest target/vm/log has what it
said and its kernel's messages.

sudo drops rustup's PATH and HOME; keep them with:
  sudo env PATH=\"$PATH\" HOME=\"$HOME\" cargo xtask vm";

/// The oldest kernel that is supported, the one of today's stable, and what comes.
const KERNELS: &[&str] = &["6.1", "6.12", "newest"];

/// What is run in each: a few minutes of an emulated processor's.
const FILTERS: &[&str] = &[
    "verify",
    "tour::",
    "nic:tour::",
    "golden",
    "vlan::a_tagged",
    "hooks::a_killed,lifecycle::a_killed,lifecycle::deletion_leaves",
    "tcp_options::they_are_on,tcp_options::traces::add",
    "listing::parents",
    "kernels::,budget::",
    "growth::beyond,growth::traffic::every_kind_of_alias_goes_on_native",
    "stacked::",
];

/// The short form in `test`.
const SHORT_KERNELS: &[&str] = &["6.1", "newest"];
const SHORT: &[&str] = &["verify", "tour::every_target_native"];
const SHORT_LIMIT: Duration = Duration::from_secs(300);

#[derive(Args)]
pub(crate) struct Options {
    /// A version (6.1, 6.12, newest) or an image's path; may be given several times
    #[arg(long, value_name = "V")]
    kernel: Vec<Wanted>,
    /// The modules of an image (lib/modules/RELEASE), if they are not beside it
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Run only this: `verify`, or tests whose name contains it; several with
    /// commas are one job; may be given several times
    #[arg(long, value_name = "STR")]
    filter: Vec<String>,
    /// Run this shell command in the guest, before any tests; may be given several
    /// times. Without --filter no tests are run
    #[arg(long, value_name = "COMMAND")]
    run: Vec<String>,
    /// Kill a guest that is not at its end by then
    #[arg(long, value_name = "SECONDS", default_value_t = 2400)]
    limit: u64,
    /// Test what is in this directory (alias-ctl, namespaces-*, *.bpf.o) and build
    /// nothing
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
}

impl Options {
    fn jobs(&self) -> Vec<Job> {
        let filters: Vec<&str> = match self.filter.as_slice() {
            [] if self.run.is_empty() => FILTERS.to_vec(),
            given => given.iter().map(String::as_str).collect(),
        };
        let commands = self.run.iter().map(|command| Job::of_command(command));
        let tests = filters.into_iter().map(Job::of_filter);
        commands.chain(tests).collect()
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    this_kernel::require_root()?;
    let wanted = match options.kernel.as_slice() {
        [] => defaults(KERNELS)?,
        given => given.to_vec(),
    };
    let jobs = options.jobs();
    install_tools(workspace)?;
    let built = match &options.binaries {
        Some(directory) => Built::in_directory(directory)?,
        None => everything_built(workspace)?,
    };
    let host = Host::prepare(workspace)?;
    let kernels = wanted
        .iter()
        .map(|wanted| host.kernel(wanted, options.modules.as_deref()))
        .collect::<Result<Vec<_>>>()?;
    let limit = Duration::from_secs(options.limit);
    let reports = host.boot_each(&kernels, &built, &jobs, limit)?;
    let failed = reports
        .iter()
        .filter(|(_, report)| !report.passed())
        .count();
    if failed > 0 {
        bail!(
            "something failed on {failed} of {} kernels: see above, and target/vm/log",
            reports.len()
        );
    }
    Ok(())
}

/// What came of the short form in `test`.
pub(crate) enum Short {
    Ran {
        success: bool,
        counts: Counts,
    },
    /// This machine could not be prepared for it: why.
    Skipped(anyhow::Error),
}

/// The oldest and the newest kernel, every program loaded in each, and one scene.
pub(crate) fn short(workspace: &Workspace, ctl: &Path, release: bool) -> Result<Short> {
    let built = with_tests(ctl, release, workspace)?;
    let prepared = install_tools(workspace).and_then(|()| {
        let host = Host::prepare(workspace)?;
        let wanted = defaults(SHORT_KERNELS)?;
        let kernels = wanted.iter().map(|wanted| host.kernel(wanted, None));
        let kernels = kernels.collect::<Result<Vec<_>>>()?;
        Ok((host, kernels))
    });
    // Without a mirror of Debian in reach there is no kernel to boot, and that is
    // no fault of what is tested.
    let (host, kernels) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Ok(Short::Skipped(error)),
    };
    let jobs: Vec<Job> = SHORT.iter().map(|filter| Job::of_filter(filter)).collect();
    let reports = host.boot_each(&kernels, &built, &jobs, SHORT_LIMIT)?;
    let mut counts = Counts::default();
    for (_, report) in &reports {
        counts.join(report.counts());
    }
    Ok(Short::Ran {
        success: reports.iter().all(|(_, report)| report.passed()),
        counts,
    })
}

fn defaults(words: &[&str]) -> Result<Vec<Wanted>> {
    words
        .iter()
        .map(|word| word.parse::<Wanted>().map_err(anyhow::Error::msg))
        .collect()
}

/// The emulator and what makes a root for it. Unlike `bench`, this verb can do
/// nothing without them.
fn install_tools(workspace: &Workspace) -> Result<()> {
    let missing = packages::missing(packages::VM_TOOLS);
    if missing.is_empty() {
        return Ok(());
    }
    let manager = Manager::here();
    let wanted = manager.packages(&missing);
    if manager != Manager::Apt {
        bail!(
            "{}: not on this machine: run `sudo {}`, then this again",
            wanted.join(", "),
            manager.install_command(&wanted)
        );
    }
    step("vm: refreshing package lists", || {
        packages::apt_update(workspace)
    })?;
    step(&format!("vm: installing {}", wanted.join(" ")), || {
        packages::apt_install(&wanted, workspace)
    })
}

/// Objects, alias-ctl and the test binary, built from this workspace.
fn everything_built(workspace: &Workspace) -> Result<Built> {
    let toolchain = setup::everything(workspace)?;
    let ctl = build::everything(workspace, &toolchain)?;
    with_tests(&ctl, false, workspace)
}

/// The test binary beside what is built already.
fn with_tests(ctl: &Path, release: bool, workspace: &Workspace) -> Result<Built> {
    Ok(Built {
        ctl: ctl.to_owned(),
        tests: TestBinary::named(&TestBinary::all(workspace, release)?, NAMESPACES)?,
        objects: root::objects(&workspace.bpf_objects())?,
    })
}

/// What this machine gives to all guests.
struct Host<'a> {
    workspace: &'a Workspace,
    home: PathBuf,
    base: PathBuf,
    apt: Result<Apt<'a>>,
}

impl<'a> Host<'a> {
    fn prepare(workspace: &'a Workspace) -> Result<Self> {
        let home = workspace.root().join("target/vm");
        let log = home.join("log");
        fs::create_dir_all(&log)
            .with_context(|| format!("{}: cannot be made: check its rights", log.display()))?;
        sweep(&home);
        let mirrors = Mirrors::of_this_machine();
        let base = root::base(&home, &mirrors, workspace)?;
        let apt = Apt::prepare(&home.join("apt"), &mirrors, workspace);
        Ok(Self {
            workspace,
            home,
            base,
            apt,
        })
    }

    fn kernel(&self, wanted: &Wanted, modules: Option<&Path>) -> Result<Kernel> {
        match wanted {
            Wanted::Image(image) => kernel::own(image, modules, &self.home, self.workspace),
            Wanted::Series(_) => kernel::debian(wanted, &self.home, &self.apt, self.workspace),
        }
    }

    /// One after another, and a table of all when the last has ended.
    fn boot_each<'k>(
        &self,
        kernels: &'k [Kernel],
        built: &Built,
        jobs: &[Job],
        limit: Duration,
    ) -> Result<Vec<(&'k Kernel, Report)>> {
        let mut reports = Vec::new();
        for kernel in kernels {
            let report = self.boot(kernel, built, jobs.to_vec(), limit)?;
            reports.push((kernel, report));
        }
        let rows: Vec<_> = reports
            .iter()
            .map(|(kernel, report)| (kernel.release.as_str(), report.rows()))
            .collect();
        print!("{}", job::table(&rows));
        Ok(reports)
    }

    fn boot(
        &self,
        kernel: &Kernel,
        built: &Built,
        jobs: Vec<Job>,
        limit: Duration,
    ) -> Result<Report> {
        // By process, as two runs may meet in one checkout.
        let image = self.home.join(format!("{IMAGE}{}", std::process::id()));
        let lines: String = jobs.iter().map(Job::line).collect();
        root::whole(&self.base, kernel.modules.as_deref(), built, &lines, &image)?;
        let log = self
            .home
            .join("log")
            .join(format!("{}.log", kernel.release));
        println!("xtask vm: {}", kernel.release);
        let report = guest::run(kernel, &image, jobs, limit, &log, self.workspace);
        // As large as all that it was made of, which is still there.
        let _ = fs::remove_file(&image);
        report
    }
}

/// What a guest boots from; behind it comes the pid of the xtask that made it.
const IMAGE: &str = "guest-";

/// A run that was killed could not clean up.
fn sweep(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(IMAGE);
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // In the way of nothing but space.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_by_default_can_be_named() {
        assert_eq!(defaults(KERNELS).unwrap().len(), KERNELS.len());
    }
}
