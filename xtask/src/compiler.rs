//! The compiler that makes eBPF objects. It must not be the one that builds the
//! host's programs: the target is not in stable's distribution, so either a
//! distribution packages `core` for it (Debian's rustc-web does) or `core` is
//! compiled here from the rust-src component. Which of those that are here is
//! taken is `accepted`'s decision; this file finds them and asks them.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::accepted::{self, Choice, Standing};
use crate::process;
use crate::workspace::Workspace;

/// Overrides the search: the path of the rustc to use.
pub(crate) const OVERRIDE: &str = "ALIAS_BPF_RUSTC";

/// Little-endian, as every machine this runs on is.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Where `core` for the target comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    /// The sysroot carries it.
    Precompiled,
    /// The sysroot carries its source: `-Z build-std=core`.
    FromSource,
}

/// A compiler that can produce eBPF.
#[derive(Debug)]
pub(crate) struct Compiler {
    pub(crate) rustc: PathBuf,
    pub(crate) cargo: PathBuf,
    pub(crate) sysroot: PathBuf,
    pub(crate) core: Core,
    pub(crate) version: Version,
}

/// The parts of `rustc -vV` that decide anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) release: String,
    /// Tells two nightlies of one release apart.
    commit: String,
    /// LLVM's whole version.
    llvm_version: String,
    /// Its major, which bpf-linker must share.
    pub(crate) llvm: u32,
}

/// What the search for a compiler found.
pub(crate) struct Found {
    pub(crate) compiler: Option<Compiler>,
    /// What the user should know about it, one line each.
    pub(crate) remarks: Vec<String>,
    /// A packaged compiler is here, and is not taken: its package is no way out.
    pub(crate) unlisted: bool,
}

impl Compiler {
    /// The override; else one with a precompiled `core` (in /usr/bin, then on
    /// `PATH`) or the dated nightly, as `accepted` decides. What else is in
    /// rustup or on `PATH` is never taken: it is another compiler on every machine.
    pub(crate) fn find(workspace: &Workspace) -> Result<Found> {
        if let Some(rustc) = env::var_os(OVERRIDE) {
            return Self::named(Path::new(&rustc), workspace);
        }
        let mut packaged: Vec<Self> = Vec::new();
        for rustc in
            std::iter::once(PathBuf::from("/usr/bin/rustc")).chain(process::on_path("rustc"))
        {
            // /bin and /usr/bin may be one directory, a shim's answer the same.
            if let Some(compiler) = Self::probe(&rustc, workspace)
                && compiler.core == Core::Precompiled
                && packaged
                    .iter()
                    .all(|known| !same_file(&known.rustc, &compiler.rustc))
            {
                packaged.push(compiler);
            }
        }
        let standings: Vec<Standing> = packaged
            .iter()
            .map(|compiler| compiler.version.standing())
            .collect();
        // Asking rustup takes a moment, and is for nothing where a listed one is.
        let nightly = if standings.contains(&Standing::Listed) {
            None
        } else {
            nightly(workspace)
        };
        let choice = accepted::choose(&standings, nightly.is_some(), has_rustup());
        let instead = match choice {
            Choice::Packaged(place) => format!("{} is used", packaged[place].rustc.display()),
            Choice::Nightly => format!("{} is used", accepted::NIGHTLY),
            Choice::Nothing => "not used".to_owned(),
        };
        let remarks = (0..packaged.len())
            .filter(|place| standings[*place] != Standing::Listed)
            .map(|place| {
                packaged[place].remark(if choice == Choice::Packaged(place) {
                    "used, as nothing better is here"
                } else {
                    &instead
                })
            })
            .collect();
        let unlisted = !packaged.is_empty() && choice == Choice::Nothing;
        let compiler = match choice {
            Choice::Packaged(place) => Some(packaged.swap_remove(place)),
            Choice::Nightly => nightly,
            Choice::Nothing => None,
        };
        Ok(Found {
            compiler,
            remarks,
            unlisted,
        })
    }

    /// The one that the user names: any that works, listed or not.
    fn named(rustc: &Path, workspace: &Workspace) -> Result<Found> {
        let Some(compiler) = Self::probe(rustc, workspace) else {
            bail!(
                "{OVERRIDE}={}: it does not run, is older than Rust {}, or its sysroot has neither \
                 {TARGET} nor rust-src: unset the variable, or name a rustc that has one",
                rustc.display(),
                env!("CARGO_PKG_RUST_VERSION"),
            );
        };
        let remarks = match compiler.version.standing() {
            Standing::Listed => Vec::new(),
            Standing::OtherRelease | Standing::OtherLlvm => {
                vec![compiler.remark(&format!("used because {OVERRIDE} names it"))]
            }
        };
        Ok(Found {
            compiler: Some(compiler),
            remarks,
            unlisted: false,
        })
    }

    /// One line about a compiler that is not on the list.
    fn remark(&self, consequence: &str) -> String {
        format!(
            "{} is not on the accepted list, {}: {consequence} ({})",
            self.shown(),
            accepted::shown(),
            accepted::DOCUMENT,
        )
    }

    fn probe(rustc: &Path, workspace: &Workspace) -> Option<Self> {
        let ask = |arguments: &[&str]| {
            process::answer(process::isolated(rustc, workspace).args(arguments))
        };
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
        let version = Version::parse(&ask(&["-vV"])?)?;
        if !version.satisfies(env!("CARGO_PKG_RUST_VERSION")) {
            return None;
        }
        let rustlib = sysroot.join("lib/rustlib");
        let core = if rustlib.join(TARGET).join("lib").is_dir() {
            Core::Precompiled
        } else if rustlib.join("src/rust/library/core/src/lib.rs").exists() {
            Core::FromSource
        } else {
            return None;
        };
        // A rustup shim chooses again on every call: name what it chose.
        let real = sysroot.join("bin/rustc");
        let rustc = if real.exists() {
            real
        } else {
            rustc.to_path_buf()
        };
        let cargo = rustc.with_file_name("cargo");
        let cargo = if cargo.exists() {
            cargo
        } else {
            PathBuf::from(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        };
        Some(Self {
            rustc,
            cargo,
            sysroot,
            core,
            version,
        })
    }

    /// This compiler's cargo, using this compiler and nothing of the
    /// environment that xtask itself was started with.
    pub(crate) fn cargo(&self, workspace: &Workspace) -> Result<std::process::Command> {
        let mut command = process::isolated(&self.cargo, workspace);
        command.env("RUSTC", &self.rustc);
        if let Some(directory) = self.rustc.parent() {
            let path = env::var_os("PATH").unwrap_or_default();
            let path = env::join_paths(
                std::iter::once(directory.to_path_buf()).chain(env::split_paths(&path)),
            )
            .with_context(|| {
                format!(
                    "PATH: cannot put {} first: remove the colon from its name",
                    directory.display()
                )
            })?;
            command.env("PATH", path);
        }
        Ok(command)
    }

    /// The LLVM library this compiler itself uses. Linking bpf-linker to the
    /// same file needs no LLVM development package and cannot disagree with
    /// the bitcode this compiler writes. `None` when LLVM is linked statically.
    pub(crate) fn llvm_library(&self, workspace: &Workspace) -> Option<PathBuf> {
        loaded_llvm(&self.rustc, workspace)
    }

    /// One line for people.
    pub(crate) fn shown(&self) -> String {
        format!(
            "{} {} (LLVM {}, core for {TARGET} {})",
            self.rustc.display(),
            self.version.release,
            self.version.llvm_version,
            match self.core {
                Core::Precompiled => "precompiled",
                Core::FromSource => "from rust-src",
            }
        )
    }
}

/// The dated nightly, if rustup has it.
fn nightly(workspace: &Workspace) -> Option<Compiler> {
    if !has_rustup() {
        return None;
    }
    let rustc = process::answer(process::isolated("rustup", workspace).args([
        "which",
        "--toolchain",
        accepted::NIGHTLY,
        "rustc",
    ]))?;
    Compiler::probe(Path::new(rustc.trim()), workspace)
}

/// Whether the dated nightly could be had.
pub(crate) fn has_rustup() -> bool {
    !process::on_path("rustup").is_empty()
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other
        || match (one.canonicalize(), other.canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}

/// The libLLVM that the dynamic linker gives to a program.
pub(crate) fn loaded_llvm(program: &Path, workspace: &Workspace) -> Option<PathBuf> {
    parse_loaded_llvm(&process::answer(
        process::isolated("ldd", workspace).arg(program),
    )?)
}

fn parse_loaded_llvm(ldd: &str) -> Option<PathBuf> {
    ldd.lines()
        .filter(|line| line.trim_start().starts_with("libLLVM"))
        .filter_map(|line| line.split_once(" => "))
        .filter_map(|(_, path)| path.rsplit_once(" (0x"))
        .map(|(path, _)| PathBuf::from(path))
        .next()
}

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let llvm_version = field("LLVM version: ")?;
        Some(Self {
            release: field("release: ")?.to_owned(),
            commit: field("commit-hash: ").unwrap_or("unknown").to_owned(),
            llvm: llvm_version.split('.').next()?.parse().ok()?,
            llvm_version: llvm_version.to_owned(),
        })
    }

    /// A name of this compiler for directories: what one compiler made there is
    /// of no use to another, and two may take turns in one checkout.
    pub(crate) fn directory(&self) -> String {
        let commit = self.commit.get(..9).unwrap_or(&self.commit);
        format!("rustc-{}-{commit}-llvm-{}", self.release, self.llvm_version)
            .chars()
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => c,
                _ => '_',
            })
            .collect()
    }

    /// Where Rust's own files say that they come from.
    pub(crate) fn virtual_source(&self) -> String {
        format!("/rustc/{}", self.commit)
    }

    fn standing(&self) -> Standing {
        // One whose release cannot be read was tried by nobody.
        major_minor(&self.release).map_or(Standing::OtherLlvm, |release| {
            accepted::standing(release, self.llvm)
        })
    }

    fn satisfies(&self, minimum: &str) -> bool {
        major_minor(&self.release) >= major_minor(minimum)
    }
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(release: &str, commit: &str, llvm_version: &str) -> Version {
        Version::parse(&format!(
            "rustc\nrelease: {release}\ncommit-hash: {commit}\nLLVM version: {llvm_version}\n"
        ))
        .unwrap()
    }

    #[test]
    fn version_is_read_from_rustc() {
        let check = |text: &str, expected: Option<(&str, &str, u32)>| {
            let version = Version::parse(text);
            let version = version
                .as_ref()
                .map(|v| (v.release.as_str(), v.commit.as_str(), v.llvm));
            assert_eq!(version, expected, "{text}");
        };
        check(
            "rustc 1.96.0\ncommit-hash: 0a1b\nhost: x\nrelease: 1.96.0\nLLVM version: 22.1.8\n",
            Some(("1.96.0", "0a1b", 22)),
        );
        check(
            "release: 1.97.0-nightly\nLLVM version: 22.1\n",
            Some(("1.97.0-nightly", "unknown", 22)),
        );
        check("release: 1.97.0\n", None);
        check("", None);
    }

    #[test]
    fn a_compiler_has_a_directory_of_its_own() {
        let check = |release: &str, commit: &str, llvm: &str, expected: &str| {
            assert_eq!(version(release, commit, llvm).directory(), expected);
        };
        check(
            "1.96.0-nightly",
            "0123456789abcdef",
            "22.1.0",
            "rustc-1.96.0-nightly-012345678-llvm-22.1.0",
        );
        check(
            "1.96.0",
            "unknown",
            "22.1.8",
            "rustc-1.96.0-unknown-llvm-22.1.8",
        );
        check("1.96.0 (x/y)", "é", "22", "rustc-1.96.0__x_y_-_-llvm-22");
    }

    #[test]
    fn a_compiler_has_a_standing() {
        let check = |release: &str, llvm: &str, expected: Standing| {
            let version = version(release, "unknown", llvm);
            assert_eq!(version.standing(), expected, "{version:?}");
        };
        check("1.96.0", "22.1.8", Standing::Listed);
        check("1.96.0-nightly", "22.1.0", Standing::Listed);
        check("1.98.0", "22.1.8", Standing::OtherRelease);
        check("1.101.0-nightly", "23.1.4", Standing::OtherLlvm);
        check("dev", "22.1.8", Standing::OtherLlvm);
    }

    #[test]
    fn old_compilers_are_passed_over() {
        let check = |release: &str, expected: bool| {
            let version = version(release, "unknown", "22.1.8");
            assert_eq!(version.satisfies("1.95"), expected, "{release}");
        };
        check("1.63.0", false);
        check("1.94.1", false);
        check("1.95.0", true);
        check("1.97.0-nightly", true);
        check("2.0.0", true);
    }

    #[test]
    fn loaded_llvm_is_read_from_ldd() {
        let check = |ldd: &str, expected: Option<&str>| {
            assert_eq!(parse_loaded_llvm(ldd), expected.map(PathBuf::from), "{ldd}");
        };
        check(
            "\tlibc.so.6 => /lib/libc.so.6 (0x0001)\n\tlibLLVM.so.22.1 => /lib/libLLVM.so.22.1 (0x0002)\n",
            Some("/lib/libLLVM.so.22.1"),
        );
        check("\tlibLLVM.so.22.1 => not found\n", None);
        check("\tstatically linked\n", None);
    }
}
