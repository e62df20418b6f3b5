//! Which compiler makes eBPF objects. It must not be the one that builds the
//! host's programs: the target is not in stable's distribution, so either a
//! distribution packages `core` for it (Debian's rustc-web does) or `core` is
//! compiled here from the rust-src component.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

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
    pub(crate) core: Core,
    pub(crate) version: Version,
}

/// The parts of `rustc -vV` that decide anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) release: String,
    pub(crate) llvm: u32,
}

impl Compiler {
    /// The first that fits: the override, one with a precompiled `core` (in
    /// /usr/bin, then on `PATH`), one that can compile `core` (nightly, then
    /// whatever is on `PATH`).
    pub(crate) fn find(workspace: &Workspace) -> Result<Option<Self>> {
        if let Some(rustc) = env::var_os(OVERRIDE) {
            let rustc = PathBuf::from(rustc);
            return match Self::probe(&rustc, workspace) {
                Some(compiler) => Ok(Some(compiler)),
                None => bail!(
                    "{OVERRIDE}={}: it does not run, is older than Rust {}, or its sysroot has neither \
                     {TARGET} nor rust-src: unset the variable, or name a rustc that has one",
                    rustc.display(),
                    env!("CARGO_PKG_RUST_VERSION"),
                ),
            };
        }
        let mut from_source = None;
        for rustc in
            std::iter::once(PathBuf::from("/usr/bin/rustc")).chain(process::on_path("rustc"))
        {
            match Self::probe(&rustc, workspace) {
                Some(compiler) if compiler.core == Core::Precompiled => return Ok(Some(compiler)),
                other => from_source = from_source.or(other),
            }
        }
        Ok(nightly(workspace).or(from_source))
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
            self.version.llvm,
            match self.core {
                Core::Precompiled => "precompiled",
                Core::FromSource => "from rust-src",
            }
        )
    }
}

/// The nightly that rustup has, if it has one.
fn nightly(workspace: &Workspace) -> Option<Compiler> {
    let rustc = process::answer(process::isolated("rustup", workspace).args([
        "which",
        "--toolchain",
        "nightly",
        "rustc",
    ]))?;
    Compiler::probe(Path::new(rustc.trim()), workspace)
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
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        Some(Self {
            release: field("release: ")?.to_owned(),
            llvm: field("LLVM version: ")?.split('.').next()?.parse().ok()?,
        })
    }

    fn satisfies(&self, minimum: &str) -> bool {
        let major_minor = |version: &str| {
            let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
            Some((parts.next()?.ok()?, parts.next()?.ok()?))
        };
        major_minor(&self.release) >= major_minor(minimum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_from_rustc() {
        let check = |text: &str, expected: Option<(&str, u32)>| {
            let expected = expected.map(|(release, llvm)| Version {
                release: release.to_owned(),
                llvm,
            });
            assert_eq!(Version::parse(text), expected, "{text}");
        };
        check(
            "rustc 1.96.0\nhost: x\nrelease: 1.96.0\nLLVM version: 22.1.8\n",
            Some(("1.96.0", 22)),
        );
        check(
            "release: 1.97.0-nightly\nLLVM version: 22.1\n",
            Some(("1.97.0-nightly", 22)),
        );
        check("release: 1.97.0\n", None);
        check("", None);
    }

    #[test]
    fn old_compilers_are_passed_over() {
        let check = |release: &str, expected: bool| {
            let version = Version {
                release: release.to_owned(),
                llvm: 22,
            };
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
