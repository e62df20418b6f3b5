//! The test binaries of this workspace: compiled all at once, so that what they
//! depend on has the same features, and is the same, for all of them; run one by
//! one, because they want different things.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::host;
use crate::process;
use crate::workspace::Workspace;

/// The one whose tests send packets through namespaces.
pub(crate) const NAMESPACES: &str = "namespaces";

/// What `cargo test` would run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestBinary {
    /// The name of the target: of the crate, or of its file below tests/.
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
    /// Where cargo would start it.
    directory: PathBuf,
}

impl TestBinary {
    /// Compiles all of them.
    pub(crate) fn all(workspace: &Workspace, release: bool) -> Result<Vec<Self>> {
        let mut cargo = host::cargo_test(workspace, release);
        cargo
            .args(["--no-run", "--message-format", "json-render-diagnostics"])
            .stderr(Stdio::inherit());
        let output = cargo
            .output()
            .with_context(|| format!("`{}`: could not be started", process::shown(&cargo)))?;
        if !output.status.success() {
            bail!("tests: do not compile: see above");
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        Ok(messages.lines().filter_map(Self::parse).collect())
    }

    /// The one with this name.
    pub(crate) fn named(binaries: &[Self], name: &str) -> Result<PathBuf> {
        binaries
            .iter()
            .find(|binary| binary.name == name)
            .map(|binary| binary.executable.clone())
            .with_context(|| format!("{name}: cargo built it and did not say where"))
    }

    /// From cargo's message of an artifact, in JSON: of the target its name, and of
    /// the profile whether it is one of a test.
    fn parse(message: &str) -> Option<Self> {
        let string = |part: &str, key: &str| {
            let (_, rest) = part.split_once(&format!("\"{key}\":\""))?;
            Some(rest.split('"').next()?.to_owned())
        };
        let object = |key: &str| {
            let (_, rest) = message.split_once(&format!("\"{key}\":{{"))?;
            rest.split('}').next()
        };
        if !object("profile")?.contains("\"test\":true") {
            return None;
        }
        let manifest = PathBuf::from(string(message, "manifest_path")?);
        Some(Self {
            name: string(object("target")?, "name")?,
            executable: string(message, "executable")?.into(),
            directory: manifest.parent()?.to_owned(),
        })
    }

    /// A command that runs it, with no arguments yet.
    pub(crate) fn command(&self, workspace: &Workspace) -> Command {
        let mut command = process::command(&self.executable, workspace);
        command
            .current_dir(&self.directory)
            .env("CARGO_MANIFEST_DIR", &self.directory)
            .env("ALIAS_EBPF_OBJECTS", workspace.bpf_objects());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_found_in_cargos_messages() {
        let check = |message: &str, expected: Option<(&str, &str, &str)>| {
            let expected = expected.map(|(name, executable, directory)| TestBinary {
                name: name.to_owned(),
                executable: executable.into(),
                directory: directory.into(),
            });
            assert_eq!(TestBinary::parse(message), expected, "{message}");
        };
        let message = |test: bool, executable: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"package_id\":\"path+file:///w/tests#0.1.0\",\
                 \"manifest_path\":\"/w/tests/Cargo.toml\",\"target\":{{\"kind\":[\"test\"],\
                 \"name\":\"namespaces\",\"src_path\":\"/w/tests/cases/main.rs\",\"test\":true}},\
                 \"profile\":{{\"opt_level\":\"0\",\"overflow_checks\":true,\"test\":{test}}},\
                 \"features\":[],\"executable\":{executable},\"fresh\":true}}"
            )
        };
        check(
            &message(true, "\"/w/target/dist/deps/namespaces-e1\""),
            Some((
                "namespaces",
                "/w/target/dist/deps/namespaces-e1",
                "/w/tests",
            )),
        );
        check(&message(false, "\"/w/target/dist/bench\""), None);
        check(&message(true, "null"), None);
        check("{\"reason\":\"build-finished\",\"success\":true}", None);
    }
}
