//! Debian's packages, whatever this machine runs: an apt with sources, lists and
//! cache of its own. The machine's lists and packages stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

use super::mirror::Mirrors;

/// Where Debian's keys are, on Debian and wherever debootstrap is packaged.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Releases whose kernels are wanted; of each also updates, backports and
/// security.
const RELEASES: &[&str] = &["bookworm", "trixie"];

/// Kernels come out every few days; lists of yesterday name packages that are
/// still there.
const LISTS_SERVE: Duration = Duration::from_secs(24 * 3600);

/// An apt of its own.
pub(crate) struct Apt<'a> {
    workspace: &'a Workspace,
    configuration: PathBuf,
}

impl<'a> Apt<'a> {
    /// Prepares it below `home` and refreshes its lists when they are old.
    pub(crate) fn prepare(
        home: &Path,
        mirrors: &Mirrors,
        workspace: &'a Workspace,
    ) -> Result<Self> {
        if process::on_path("apt-get").is_empty() {
            bail!(
                "apt-get: not on this machine (ENOENT), and Debian's kernels are fetched by it: name a kernel of your own, `--kernel PATH`"
            );
        }
        let make = |name: &str| -> Result<PathBuf> {
            let directory = home.join(name);
            fs::create_dir_all(&directory).with_context(|| cannot_make(&directory))?;
            Ok(directory)
        };
        let lists = make("lists/partial")?;
        make("cache/archives/partial")?;
        let sources = home.join("sources.list");
        let configuration = home.join("apt.conf");
        write(&sources, &mirrors.sources(RELEASES, KEYRING))?;
        write(&configuration, &configured(home))?;
        let apt = Self {
            workspace,
            configuration,
        };
        let stamp = home.join("refreshed");
        if !is_fresh(&stamp, &lists) {
            process::step("vm: refreshing Debian's package lists", || {
                apt.update(&home.join("lists"))
            })
            .with_context(|| format!("{}: cannot be reached", mirrors.shown()))?;
            write(&stamp, "")?;
        }
        Ok(apt)
    }

    /// To apt a mirror that cannot be reached is a warning: whether there are lists
    /// has to be looked at.
    fn update(&self, lists: &Path) -> Result<()> {
        process::run_quietly(self.command("apt-get").args(["-q", "update"]))?;
        let has_lists = fs::read_dir(lists)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"));
        if !has_lists {
            bail!("`apt-get update` got no package list: check the network, and http_proxy");
        }
        Ok(())
    }

    /// Names of packages that can be fetched and match the expression.
    pub(crate) fn names(&self, expression: &str) -> Result<String> {
        process::answer(
            self.command("apt-cache")
                .args(["search", "--names-only", expression]),
        )
        .context("apt-cache: does not answer: remove target/vm/apt to have it made again")
    }

    /// Fetches packages and unpacks them into a directory.
    pub(crate) fn unpack(&self, packages: &[String], into: &Path) -> Result<()> {
        fs::create_dir_all(into).with_context(|| cannot_make(into))?;
        process::run_quietly(
            self.command("apt-get")
                .args(["-q", "download"])
                .args(packages)
                .current_dir(into),
        )?;
        for file in fs::read_dir(into).with_context(|| cannot_make(into))? {
            let file = file.with_context(|| cannot_make(into))?.path();
            if file.extension().is_some_and(|ending| ending == "deb") {
                process::run_quietly(
                    process::command("dpkg", self.workspace)
                        .arg("-x")
                        .arg(&file)
                        .arg(into),
                )?;
                fs::remove_file(&file).with_context(|| cannot_make(&file))?;
            }
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = process::isolated(program, self.workspace);
        command
            .env("APT_CONFIG", &self.configuration)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
        command
    }
}

/// APT_CONFIG is read last but for the command line: this wins over /etc/apt.
fn configured(home: &Path) -> String {
    let home = home.display();
    format!(
        "Dir::Etc::SourceList \"{home}/sources.list\";\n\
         Dir::Etc::SourceParts \"/dev/null\";\n\
         Dir::State::Lists \"{home}/lists\";\n\
         Dir::Cache \"{home}/cache\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Acquire::Retries \"2\";\n\
         Acquire::http::Timeout \"20\";\n\
         APT::Sandbox::User \"root\";\n"
    )
}

fn is_fresh(stamp: &Path, lists: &Path) -> bool {
    let age = stamp
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|time| SystemTime::now().duration_since(time).ok());
    lists.is_dir() && age.is_some_and(|age| age < LISTS_SERVE)
}

fn write(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).with_context(|| cannot_make(path))
}

fn cannot_make(path: &Path) -> String {
    format!(
        "{}: cannot be made: check the directory's rights and space",
        path.display()
    )
}
