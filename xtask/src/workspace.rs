//! Where things are. Every path that two verbs share is spelled here, once.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Set by `.cargo/config.toml`; alias-ctl's build script reads the same name.
const OBJECTS_VARIABLE: &str = "ALIAS_EBPF_OBJECTS";

/// Cargo's names for where it builds.
const TARGET_VARIABLES: [&str; 2] = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"];

/// What would have another checkout build into this one.
pub(crate) const ELSEWHERE: [&str; 3] =
    [OBJECTS_VARIABLE, TARGET_VARIABLES[0], TARGET_VARIABLES[1]];

/// The checkout, and what is built inside it.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace this xtask belongs to: where cargo says its manifest is
    /// now, or where it was when xtask was compiled.
    pub(crate) fn locate() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .filter(|root| root.join("Cargo.lock").exists() || root.join("Cargo.toml").exists())
            .with_context(|| {
                format!(
                    "workspace: nothing at the parent of {}: run it as `cargo xtask` inside the checkout",
                    manifest.display()
                )
            })?;
        Ok(Self {
            root: root.to_path_buf(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Tools that setup builds; the system is never asked to hold them.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
    }

    /// Where the eBPF crates compile, in a directory for each compiler. Apart from the host's directory, because
    /// another compiler fills it and would invalidate everything there.
    pub(crate) fn bpf_build(&self) -> PathBuf {
        self.root.join("target/bpf-build")
    }

    /// Where the eBPF objects are left: those that alias-ctl embeds, and those
    /// that it reads from files.
    pub(crate) fn bpf_objects(&self) -> PathBuf {
        env::var_os(OBJECTS_VARIABLE)
            .map_or_else(|| self.root.join("target/bpf"), |path| self.root.join(path))
    }

    /// Where cargo builds for the host.
    pub(crate) fn host_target(&self) -> PathBuf {
        TARGET_VARIABLES
            .iter()
            .find_map(env::var_os)
            .map_or_else(|| self.root.join("target"), |path| self.root.join(path))
    }

    /// Where that is left which is installed beside alias-ctl.
    pub(crate) fn companions(&self) -> PathBuf {
        self.host_target().join("dist")
    }

    /// A path as a person in the checkout would write it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}
