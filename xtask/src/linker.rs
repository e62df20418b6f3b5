//! bpf-linker: turns the bitcode that rustc leaves into a BPF object with BTF.
//! It must use the same major LLVM as the compiler, and what it emits depends on
//! which LLVM that is to the last digit. So it is pinned, built here for the
//! compiler that was chosen and with that compiler's own LLVM, and kept beside the
//! linkers of others: taking turns between two compilers builds nothing anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::compiler::{Compiler, loaded_llvm};
use crate::process;
use crate::workspace::Workspace;

pub(crate) const VERSION: &str = "0.13.0";

/// The majors this version has a feature for and whose compilers are new
/// enough for this workspace.
const LLVM_MAJORS: std::ops::RangeInclusive<u32> = 22..=23;

/// The installed linker, if it is the pinned version and reads this
/// compiler's bitcode.
pub(crate) fn find(workspace: &Workspace, compiler: &Compiler) -> Option<PathBuf> {
    let linker = path(workspace, compiler);
    let version = process::answer(process::isolated(&linker, workspace).arg("--version"))?;
    if version.trim() != format!("bpf-linker {VERSION}") {
        return None;
    }
    let major = match loaded_llvm(&linker, workspace) {
        Some(library) => library_major(&library)?,
        // Linked statically, and its directory says for which compiler.
        None => compiler.version.llvm,
    };
    (major == compiler.version.llvm).then_some(linker)
}

/// The command that installs it; `prepare` must have made the LLVM prefix.
pub(crate) fn install_command(workspace: &Workspace, compiler: &Compiler) -> Result<Command> {
    let llvm = compiler.version.llvm;
    if !LLVM_MAJORS.contains(&llvm) {
        bail!(
            "bpf-linker {VERSION}: it has no feature for LLVM {llvm} of {}: name a rustc with LLVM {} to {} in {}",
            compiler.rustc.display(),
            LLVM_MAJORS.start(),
            LLVM_MAJORS.end(),
            crate::compiler::OVERRIDE,
        );
    }
    let mut command = compiler.cargo(workspace)?;
    command
        .args(["install", "bpf-linker", "--version", VERSION, "--locked"])
        .args(["--force", "--no-default-features", "--features"])
        .arg(format!("llvm-{llvm}"))
        .arg("--root")
        .arg(root(workspace, compiler))
        // Nobody debugs this tool.
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    Ok(command)
}

/// Builds and installs it.
pub(crate) fn install(workspace: &Workspace, compiler: &Compiler) -> Result<PathBuf> {
    let prefix = llvm_prefix(workspace, compiler)?;
    let mut command = install_command(workspace, compiler)?;
    process::run_quietly(command.env("LLVM_PREFIX", &prefix))?;
    find(workspace, compiler).with_context(|| {
        format!(
            "bpf-linker {VERSION}: {} was installed but does not run with LLVM {}: try `{} --version`",
            path(workspace, compiler).display(),
            compiler.version.llvm,
            path(workspace, compiler).display(),
        )
    })
}

/// Where this compiler's linker is installed. Its version is in the name, so that
/// another one is another path, by which cargo sees that objects must be linked anew.
fn root(workspace: &Workspace, compiler: &Compiler) -> PathBuf {
    workspace.tools().join(format!(
        "bpf-linker-{VERSION}-{}",
        compiler.version.directory()
    ))
}

fn path(workspace: &Workspace, compiler: &Compiler) -> PathBuf {
    root(workspace, compiler).join("bin/bpf-linker")
}

/// A directory whose `lib` holds `libLLVM.so`. The compiler's own library
/// under that name is enough: bpf-linker compiles no C and reads no header.
fn llvm_prefix(workspace: &Workspace, compiler: &Compiler) -> Result<PathBuf> {
    let llvm = compiler.version.llvm;
    if let Some(library) = compiler.llvm_library(workspace) {
        let prefix = root(workspace, compiler).join("llvm");
        let directory = prefix.join("lib");
        // Stale links of an interrupted try would be found first.
        if directory.exists() {
            fs::remove_dir_all(&directory)
                .with_context(|| format!("{}: cannot be emptied", directory.display()))?;
        }
        fs::create_dir_all(&directory)
            .with_context(|| format!("{}: cannot be created", directory.display()))?;
        // One name for the static linker, and the file's own for the dynamic
        // one, which looks here through the rpath that bpf-linker sets.
        let own = library.file_name().unwrap_or_default();
        for name in ["libLLVM.so".as_ref(), own] {
            let link = directory.join(name);
            std::os::unix::fs::symlink(&library, &link).with_context(|| {
                format!(
                    "{}: cannot be linked to {}",
                    link.display(),
                    library.display()
                )
            })?;
        }
        return Ok(prefix);
    }
    [
        format!("/usr/lib/llvm-{llvm}"),
        format!("/usr/lib/llvm{llvm}"),
        format!("/usr/lib64/llvm{llvm}"),
    ]
    .into_iter()
    .map(PathBuf::from)
    .find(|prefix| {
        ["lib", "lib64"]
            .iter()
            .any(|lib| prefix.join(lib).join("libLLVM.so").exists())
    })
    .with_context(|| {
        format!(
            "LLVM {llvm}: no libLLVM.so for bpf-linker, and {} has none of its own: install \
             llvm-{llvm}-dev (Debian, Ubuntu), llvm{llvm}-devel (Fedora) or llvm (Arch)",
            compiler.rustc.display(),
        )
    })
}

/// `libLLVM.so.22.1` and `libLLVM-22.so` are both 22.
fn library_major(library: &Path) -> Option<u32> {
    library
        .file_name()?
        .to_str()?
        .trim_start_matches("libLLVM")
        .trim_start_matches(".so")
        .split(['.', '-'])
        .find(|part| !part.is_empty())?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_major_is_in_the_name() {
        let check = |name: &str, expected: Option<u32>| {
            assert_eq!(library_major(Path::new(name)), expected, "{name}");
        };
        check("/lib/x86_64-linux-gnu/libLLVM.so.22.1", Some(22));
        check("libLLVM.so.22.1-rust-1.97.0-nightly", Some(22));
        check("libLLVM-22.so", Some(22));
        check("libLLVM-22-rust-1.97.0-nightly.so", Some(22));
        check("libLLVM.so", None);
        check("libc.so.6", None);
    }
}
