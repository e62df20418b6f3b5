//! The guest's root: a bare Debian with the tools that the tests run, packed once,
//! and the small archive of a run with what is new in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

use super::apt::KEYRING;
use super::archive::Archive;
use super::mirror::Mirrors;

/// New enough for the C library of whoever builds here, as far as Debian goes.
const RELEASE: &str = "trixie";

/// What the tests run, and what /init does.
const PACKAGES: &[&str] = &[
    "dnsmasq-base",
    "ethtool",
    "iperf3",
    "iproute2",
    "iputils-arping",
    "iputils-ping",
    "kmod",
    "mount",
    "net-tools",
    "procps",
    "tcpdump",
    "util-linux",
];

/// What no test reads, and what would only take the guest's memory.
const UNWANTED: &[&str] = &[
    "dev",
    "proc",
    "sys",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/zoneinfo",
    "var/cache",
    "var/lib/apt/lists",
];

/// The guest's first process.
const INIT: &str = include_str!("init.sh");

/// The archive of the bare root below `home`, made when it is not there yet.
pub(crate) fn base(home: &Path, mirrors: &Mirrors, workspace: &Workspace) -> Result<PathBuf> {
    let archive = home.join("root.cpio");
    let recipe = home.join("root.recipe");
    let wanted = format!("{RELEASE} {}", PACKAGES.join(","));
    if archive.exists() && fs::read_to_string(&recipe).is_ok_and(|made| made == wanted) {
        return Ok(archive);
    }
    fs::create_dir_all(home).with_context(|| cannot_make(home))?;
    process::step("vm: making the guest's root (once)", || {
        bootstrap(home, mirrors, &archive, workspace)
    })?;
    fs::write(&recipe, wanted).with_context(|| cannot_make(&recipe))?;
    Ok(archive)
}

fn bootstrap(home: &Path, mirrors: &Mirrors, archive: &Path, workspace: &Workspace) -> Result<()> {
    let tree = home.join("root");
    // What a run that was killed left.
    let _ = fs::remove_dir_all(&tree);
    process::run_quietly(
        process::isolated("debootstrap", workspace)
            .args(["--variant=minbase", "--keyring", KEYRING])
            .arg(format!("--include={}", PACKAGES.join(",")))
            .arg(RELEASE)
            .arg(&tree)
            .arg(&mirrors.archive),
    )
    .with_context(|| format!("guest: its root cannot be made from {}", mirrors.archive))?;
    let mut packed = Archive::create(archive)?;
    packed.tree(&tree, "", &|path| {
        !UNWANTED.iter().any(|unwanted| path == Path::new(unwanted))
    })?;
    for mounted in ["dev", "proc", "sys"] {
        packed.directory(mounted)?;
    }
    packed.finish()?;
    fs::remove_dir_all(&tree).with_context(|| cannot_make(&tree))
}

/// What is tested: the files that this workspace, or somebody else, has built.
pub(crate) struct Built {
    pub(crate) ctl: PathBuf,
    pub(crate) tests: PathBuf,
    pub(crate) objects: Vec<PathBuf>,
}

impl Built {
    /// Everything from one directory, as `--binaries` names it.
    pub(crate) fn in_directory(directory: &Path) -> Result<Self> {
        let tests = files(directory)?.into_iter().find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("namespaces") && path.extension().is_none()
        });
        Ok(Self {
            ctl: Some(directory.join("alias-ctl"))
                .filter(|path| path.exists())
                .with_context(|| format!("{}: no alias-ctl in it", directory.display()))?,
            tests: tests.with_context(|| {
                format!(
                    "{}: no test binary in it: copy target/debug/deps/namespaces-* there",
                    directory.display()
                )
            })?,
            objects: objects(directory)?,
        })
    }
}

/// The eBPF objects in a directory.
pub(crate) fn objects(directory: &Path) -> Result<Vec<PathBuf>> {
    Ok(files(directory)?
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with(".bpf.o"))
        .collect())
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(directory)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .with_context(|| {
            format!(
                "{}: cannot be listed: name a directory",
                directory.display()
            )
        });
    listed.map(|mut paths| {
        paths.sort_unstable();
        paths
    })
}

/// Everything that one guest boots from, in one file: the bare root, the kernel's
/// modules, what is tested, and the jobs.
pub(crate) fn whole(
    base: &Path,
    modules: Option<&Path>,
    built: &Built,
    jobs: &str,
    into: &Path,
) -> Result<()> {
    let mut packed = Archive::create(into)?;
    packed.directory("alias")?;
    packed.directory("alias/bpf")?;
    packed.program(&built.ctl, "alias/alias-ctl")?;
    packed.program(&built.tests, "alias/namespaces")?;
    for object in &built.objects {
        let name = object.file_name().unwrap_or_default().to_string_lossy();
        packed.program(object, &format!("alias/bpf/{name}"))?;
    }
    packed.script("alias/jobs", jobs)?;
    packed.script("init", INIT)?;
    let mut out = packed.finish()?;
    for archive in [Some(base), modules].into_iter().flatten() {
        fs::File::open(archive)
            .and_then(|mut file| std::io::copy(&mut file, &mut out))
            .with_context(|| {
                format!(
                    "{}: cannot be copied: check the space on this disk",
                    archive.display()
                )
            })?;
    }
    std::io::Write::flush(&mut out).with_context(|| cannot_make(into))
}

fn cannot_make(path: &Path) -> String {
    format!(
        "{}: cannot be made: check the directory's rights and space",
        path.display()
    )
}
