//! The flags that keep this machine's paths out of what is built, so that two
//! checkouts in two places give the same bytes: panics and debug information name
//! source files, and a compiler names them where it found them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::compiler::Version;
use crate::workspace::Workspace;

/// What the checkout is called in what is built. gdb finds the source by
/// `set substitute-path /alias DIRECTORY`.
const CHECKOUT: &str = "/alias";

/// What the folder of a registry is called.
const REGISTRY: &str = "/cargo/registry";

/// One `--remap-path-prefix` each; of several that match, rustc takes the last.
/// `rustc` is the compiler's version, and `sysroot` where it keeps Rust's source
/// if it has it: it then names the files there and not, as elsewhere, in /rustc.
pub(crate) fn flags(workspace: &Workspace, rustc: &Version, sysroot: &Path) -> Vec<String> {
    let mut pairs = Vec::new();
    add(&mut pairs, workspace.root(), CHECKOUT);
    if let Some(home) = cargo_home() {
        let registries = home.join("registry/src");
        add(&mut pairs, &registries, REGISTRY);
        // A folder in it is named after the registry's address, and a mirror has
        // another than crates.io. xtask itself has dependencies: it is there.
        let mut folders: Vec<PathBuf> = fs::read_dir(&registries)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        folders.sort_unstable();
        for folder in folders {
            add(&mut pairs, &folder, REGISTRY);
        }
    }
    add(
        &mut pairs,
        &sysroot.join("lib/rustlib/src/rust"),
        &rustc.virtual_source(),
    );
    pairs
        .into_iter()
        .map(|(from, to)| format!("--remap-path-prefix={from}={to}"))
        .collect()
}

/// Both as it is written and as the kernel calls it: rustc uses either.
fn add(pairs: &mut Vec<(String, String)>, from: &Path, to: &str) {
    for path in [Some(from.to_path_buf()), from.canonicalize().ok()] {
        // What is no UTF-8 cannot be put in a flag; the build goes on without.
        if let Some(path) = path.as_deref().and_then(Path::to_str)
            && pairs.iter().all(|(known, _)| known != path)
        {
            pairs.push((path.to_owned(), to.to_owned()));
        }
    }
}

/// Where cargo unpacks what it fetches.
fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_once() {
        let mut pairs = Vec::new();
        add(&mut pairs, Path::new("/nonexistent/a"), "/x");
        add(&mut pairs, Path::new("/nonexistent/a"), "/y");
        add(&mut pairs, Path::new("/nonexistent/b"), "/x");
        let expected = [("/nonexistent/a", "/x"), ("/nonexistent/b", "/x")]
            .map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(pairs, expected);
    }
}
