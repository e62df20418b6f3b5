//! The host's optimised programs: how cargo is told to build them, and how what
//! it built becomes a file that one can carry: stripped, its debug information
//! beside it, and with no path of this machine in it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::compiler::Version;
use crate::process;
use crate::remap;
use crate::workspace::Workspace;

/// The profile of Cargo.toml, and cargo's directory for it.
///
/// It has one of its own because the flags that remap paths name this checkout:
/// no file in it can state them, and cargo compiles everything anew whenever they
/// come or go. In target/release, xtask and a plain `cargo build --release` would
/// take turns at that. `profile.trim-paths` will be the better way once it is
/// stable (not in 1.96), and rustc's wrapper in .cargo/config.toml would displace
/// sccache.
const PROFILE: &str = "dist";

/// The members that have tests, and those that these use.
const TESTED: &[&str] = &[
    "alias-common",
    "alias-ebpf",
    "alias-ctl",
    "alias-tests",
    "xtask",
];

/// In what a member differs when it is compiled to be tested.
const AS_TESTS: &[(&str, &str)] = &[
    ("opt-level", "0"),
    ("debug-assertions", "true"),
    ("overflow-checks", "true"),
];

/// The C library of the oldest distribution that README promises: Debian 12.
const OLDEST_GLIBC: Glibc = Glibc(2, 36);

/// `cargo VERB` of an optimised program.
pub(crate) fn cargo(workspace: &Workspace, verb: &str) -> Command {
    let mut cargo = process::host_cargo(workspace);
    cargo.args([verb, "--locked", "--profile", PROFILE]);
    // As configuration and not as RUSTFLAGS: so it joins what the user has in
    // build.rustflags. Who sets RUSTFLAGS or target.*.rustflags, which replace it,
    // gets other bytes than everybody else anyway.
    let flags: Vec<String> = remaps(workspace).iter().map(|flag| quoted(flag)).collect();
    cargo.arg("--config");
    cargo.arg(format!("build.rustflags=[{}]", flags.join(",")));
    cargo
}

/// `cargo test` of all that is tested, compiled in the same directory and with
/// the same flags: what the members depend on is there already when alias-ctl has
/// been built, optimised, and only the members themselves are compiled for it, as
/// cargo's own profile `test` would: quickly, and with every assertion. In
/// `release` they are as alias-ctl is.
pub(crate) fn cargo_test(workspace: &Workspace, release: bool) -> Command {
    let mut cargo = cargo(workspace, "test");
    cargo.env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects());
    // Always all of them: which packages are named decides on the features of what
    // they depend on.
    for member in TESTED {
        cargo.args(["--package", member]);
    }
    if !release {
        for member in TESTED {
            for (key, value) in AS_TESTS {
                cargo.arg("--config");
                cargo.arg(format!("profile.{PROFILE}.package.{member}.{key}={value}"));
            }
        }
        // Of members only; it makes no difference to what they depend on.
        cargo.env("CARGO_INCREMENTAL", "1");
    }
    cargo
}

fn remaps(workspace: &Workspace) -> Vec<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let ask =
        |arguments: &[&str]| process::answer(process::command(&rustc, workspace).args(arguments));
    let version = ask(&["-vV"]).as_deref().and_then(Version::parse);
    match (version, ask(&["--print", "sysroot"])) {
        (Some(version), Some(sysroot)) => {
            remap::flags(workspace, &version, Path::new(sysroot.trim()))
        }
        // Cargo will say what is wrong with that compiler.
        _ => Vec::new(),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

/// What `cargo build` left of a program.
pub(crate) fn built(workspace: &Workspace, program: &str) -> PathBuf {
    workspace.host_target().join(PROFILE).join(program)
}

/// A program without debug information, and that information.
pub(crate) struct Split {
    pub(crate) program: PathBuf,
    pub(crate) debug: PathBuf,
}

impl Split {
    /// Splits what was built. gdb, perf and Rust's own backtraces find the second
    /// file by themselves when it lies beside the first: its name is in the first's
    /// .gnu_debuglink. Not cargo's `split-debuginfo`: a .dwp is found through what
    /// stripping takes away.
    pub(crate) fn of(built: &Path, workspace: &Workspace) -> Result<Self> {
        let name = built.file_name().unwrap_or_default();
        let directory = built.with_file_name("split");
        let program = directory.join(name);
        let split = Self {
            debug: program.with_extension("debug"),
            program,
        };
        if split.is_newer_than(built) {
            return Ok(split);
        }
        fs::create_dir_all(&directory)
            .with_context(|| format!("{}: cannot be created", directory.display()))?;
        // The program last: it is what says that both are there.
        process::run_quietly(
            process::command("objcopy", workspace)
                .args(["--only-keep-debug", "--compress-debug-sections"])
                .args([built, &split.debug]),
        )
        .and_then(|()| {
            process::run_quietly(
                process::command("objcopy", workspace)
                    .arg("--strip-all")
                    .arg(format!("--add-gnu-debuglink={}", split.debug.display()))
                    .args([built, &split.program]),
            )
        })
        .with_context(|| format!("{}: cannot be stripped", built.display()))?;
        Ok(split)
    }

    fn is_newer_than(&self, built: &Path) -> bool {
        let modified = |path: &Path| path.metadata().and_then(|data| data.modified());
        matches!(
            (modified(&self.program), modified(built)),
            (Ok(split), Ok(built)) if split > built && self.debug.exists()
        )
    }
}

/// A version of the GNU C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Glibc(u32, u32);

impl std::fmt::Display for Glibc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "glibc {}.{}", self.0, self.1)
    }
}

impl Glibc {
    /// The lowest with which a program starts; `None` when that cannot be told,
    /// as of one that has no dynamic C library.
    pub(crate) fn needed_by(program: &Path, workspace: &Workspace) -> Option<Self> {
        let mut readelf = process::command("readelf", workspace);
        let versions = process::answer(
            readelf
                .args(["--version-info", "--wide"])
                .arg(program)
                .env("LC_ALL", "C"),
        )?;
        needed(&versions)
    }

    /// What keeps a program from starting on the oldest distribution.
    pub(crate) fn objection(self) -> Option<String> {
        (self > OLDEST_GLIBC).then(|| {
            format!(
                "does not start below {self}, and Debian 12 has {OLDEST_GLIBC}: to carry it there, build it there"
            )
        })
    }
}

/// The highest that `readelf --version-info` says must be there. A weak one
/// (`Flags: WEAK`) may be absent: the dynamic linker then goes on without.
fn needed(versions: &str) -> Option<Glibc> {
    versions
        .lines()
        .filter(|line| !line.contains("Flags: WEAK"))
        .filter_map(|line| line.split_once("Name: GLIBC_"))
        .filter_map(|(_, rest)| rest.split_whitespace().next())
        .filter_map(|version| {
            let mut parts = version.split('.').map(str::parse);
            Some(Glibc(parts.next()?.ok()?, parts.next()?.ok()?))
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_quoted_for_toml() {
        let check = |text: &str, expected: &str| assert_eq!(quoted(text), expected);
        check("a b", r#""a b""#);
        check(r#"a"b\c"#, r#""a\"b\\c""#);
    }

    #[test]
    fn the_needed_glibc_is_read_from_readelf() {
        let check = |versions: &str, expected: Option<(u32, u32)>| {
            let expected = expected.map(|(major, minor)| Glibc(major, minor));
            assert_eq!(needed(versions), expected, "{versions}");
        };
        check(
            "  0x0010:   Name: GLIBC_2.9  Flags: none  Version: 5\n  \
             0x0020:   Name: GLIBC_2.34  Flags: none  Version: 4\n  \
             0x0030:   Name: GLIBC_2.39  Flags: WEAK  Version: 3\n  \
             0x0040:   Name: GLIBC_2.2.5  Flags: none  Version: 2\n  \
             0x0050:   Name: GCC_4.2.0  Flags: none  Version: 6\n",
            Some((2, 34)),
        );
        check("  0x0010:   Name: GLIBC_PRIVATE  Flags: none\n", None);
        check("", None);
    }

    #[test]
    fn debian_12_is_the_oldest() {
        let check = |version: (u32, u32), objects: bool| {
            let glibc = Glibc(version.0, version.1);
            assert_eq!(glibc.objection().is_some(), objects, "{glibc}");
        };
        check((2, 34), false);
        check((2, 36), false);
        check((2, 38), true);
        check((3, 0), true);
    }
}
