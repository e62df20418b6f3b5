//! `build`: the eBPF objects first, because alias-ctl embeds them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::companions;
use crate::compiler::{Core, TARGET};
use crate::host::{self, Glibc, Split};
use crate::process;
use crate::remap;
use crate::setup::{self, Toolchain};
use crate::verifier;
use crate::workspace::Workspace;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask build                  target/bpf/*.bpf.o, then target/release/alias-ctl and
                                     its debug information, alias-ctl.debug; what is
                                     installed beside it in target/dist/completions
                                     and target/dist/man
  sudo cargo xtask build             and has the running kernel's verifier walk each program
  ALIAS_SKIP_VERIFY=1 cargo xtask build
                                     does not, also as root
  bpftool btf dump file target/bpf/alias.bpf.o
                                     the types in the object just built";

/// The BPF instruction set. v3 is accepted by every kernel this project
/// supports; v4 adds single-instruction atomic loads, sign extension and long
/// jumps, which Linux accepts from 6.6 (and load-acquire from 6.15).
const BPF_CPU: &str = "v3";

/// The eBPF programs: the package and its binary. Each becomes `<binary>.bpf.o`.
/// alias-ctl embeds those of the first package; the rest are alias types, which it
/// reads from files.
const OBJECTS: &[(&str, &str)] = &[
    ("alias-ebpf", "alias"),
    ("alias-ebpf", "tcp_options"),
    ("alias-ebpf", "types"),
    ("alias-ebpf", "listing"),
    ("alias-type-mpls", "mpls"),
];

/// alias-ctl's program.
const CTL: &str = "alias-ctl";

#[derive(Args)]
pub(crate) struct Options {
    /// Accepted because hands type it: alias-ctl is always built in release
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(workspace: &Workspace, _options: &Options) -> Result<()> {
    let toolchain = setup::toolchain(workspace)?;
    let ctl = everything(workspace, &toolchain)?;
    println!("{}", ctl.display());
    Ok(())
}

/// The objects, then alias-ctl with those in it that it embeds, and the kernel's
/// word on them; alias-ctl's path is returned.
pub(crate) fn everything(workspace: &Workspace, toolchain: &Toolchain) -> Result<PathBuf> {
    objects(workspace, toolchain)?;
    let ctl = process::reported(|| controller(workspace), |path| shown(path, workspace))?;
    companions::write(&ctl, workspace)?;
    if let Some(objection) = Glibc::needed_by(&ctl, workspace).and_then(Glibc::objection) {
        eprintln!("build: {CTL}: {objection}");
    }
    verifier::ask(&ctl, &toolchain.compiler, workspace)?;
    Ok(ctl)
}

/// Compiles the eBPF programs and leaves them where alias-ctl looks for them.
pub(crate) fn objects(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    for (package, program) in OBJECTS {
        let object = workspace.bpf_objects().join(format!("{program}.bpf.o"));
        process::reported(
            || {
                let built = compile(workspace, toolchain, package, program)?;
                publish(&built, &object)
            },
            |changed| {
                format!(
                    "build: eBPF object: {}{}",
                    workspace.shown(&object),
                    if *changed { "" } else { " (unchanged)" }
                )
            },
        )?;
    }
    Ok(())
}

fn compile(
    workspace: &Workspace,
    toolchain: &Toolchain,
    package: &str,
    program: &str,
) -> Result<PathBuf> {
    let compiler = &toolchain.compiler;
    // Of each compiler its own: two that take turns would mix, or start anew.
    let target = workspace.bpf_build().join(compiler.version.directory());
    let mut cargo = compiler.cargo(workspace)?;
    cargo
        .args(["build", "--locked", "--package", package, "--bin", program])
        .args(["--features", "bpf", "--profile", "bpf"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target);
    if compiler.core == Core::FromSource {
        cargo.args(["-Z", "build-std=core"]);
    }
    // aya-ebpf and -Z options are for nightly; the chosen compiler may be a
    // stable one that only has to be told so.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    // Not as a flag: its path is this machine's, and flags go into the names of
    // what is compiled.
    cargo.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &toolchain.linker);
    let mut flags = vec![
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("-Ctarget-cpu={BPF_CPU}"),
    ];
    flags.extend(remap::flags(
        workspace,
        &compiler.version,
        &compiler.sysroot,
    ));
    // The encoded form, because a path may hold spaces.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    process::run(&mut cargo)
        .with_context(|| format!("{package}: the eBPF object {program} was not built"))?;
    Ok(target.join(TARGET).join("bpf").join(program))
}

/// Puts a file in place, whole or not at all, and only when it differs: a newer
/// time stamp alone would rebuild alias-ctl.
fn publish(built: &Path, object: &Path) -> Result<bool> {
    let bytes = fs::read(built).with_context(|| {
        format!(
            "{}: cannot be read after building it: is another cargo cleaning target?",
            built.display()
        )
    })?;
    if fs::read(object).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    let Some(directory) = object.parent() else {
        bail!(
            "{}: has no directory: unset ALIAS_EBPF_OBJECTS",
            object.display()
        );
    };
    let draft = object.with_extension(format!("{}.new", std::process::id()));
    fs::create_dir_all(directory)
        // With its mode: a program is executable.
        .and_then(|()| fs::copy(built, &draft).map(drop))
        .and_then(|()| fs::rename(&draft, object))
        .inspect_err(|_| {
            // What is left of the draft; the error below is the one that matters.
            let _ = fs::remove_file(&draft);
        })
        .with_context(|| {
            format!(
                "{}: cannot be written: check the directory's rights and space",
                object.display()
            )
        })?;
    Ok(true)
}

/// Builds alias-ctl, and leaves it stripped where cargo leaves a release, with
/// its debug information beside it.
fn controller(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.host_target();
    process::run(
        host::cargo(workspace, "build")
            .args(["--package", CTL, "--target-dir"])
            .arg(&target)
            .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects()),
    )
    .with_context(|| format!("{CTL}: was not built"))?;
    let built = host::built(workspace, CTL);
    if !built.exists() {
        bail!(
            "{}: not there after a successful build: unset build.target in cargo's configuration",
            built.display()
        );
    }
    let split = Split::of(&built, workspace)?;
    let release = target.join("release");
    // The program last: who sees it new has what belongs to it.
    publish(&split.debug, &release.join(format!("{CTL}.debug")))?;
    let path = release.join(CTL);
    publish(&split.program, &path)?;
    Ok(path)
}

/// What one wants to know of a file that is to be carried elsewhere.
fn shown(path: &Path, workspace: &Workspace) -> String {
    let size = path.metadata().map_or(0, |metadata| metadata.len());
    let glibc = Glibc::needed_by(path, workspace)
        .map_or_else(String::new, |glibc| format!(", needs {glibc}"));
    format!(
        "build: {CTL}: {}, {}.{} MB{glibc}",
        workspace.shown(path),
        size / 1_000_000,
        size / 100_000 % 10
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that is gone when the test is.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let directory =
                std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            fs::create_dir_all(&directory).unwrap();
            Self(directory)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_object_is_published_only_when_it_differs() {
        let scratch = Scratch::new("publish");
        let built = scratch.0.join("alias");
        let object = scratch.0.join("deep/alias.bpf.o");
        let check = |content: &str, expected: bool| {
            fs::write(&built, content).unwrap();
            assert_eq!(publish(&built, &object).unwrap(), expected, "{content}");
            assert_eq!(fs::read_to_string(&object).unwrap(), content);
        };
        check("one", true);
        check("one", false);
        check("two", true);
        let files = fs::read_dir(scratch.0.join("deep")).unwrap().count();
        assert_eq!(files, 1, "no draft is left");
    }
}
