//! What is installed beside alias-ctl: its manual pages, and what completes its words
//! in a shell. It writes them itself, so they are those of the program just built.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// The shells, and how each wants the file called.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "alias-ctl"),
    ("fish", "alias-ctl.fish"),
    ("zsh", "_alias-ctl"),
];

/// Has alias-ctl write all of them, in place of what an older one wrote.
pub(crate) fn write(ctl: &Path, workspace: &Workspace) -> Result<()> {
    let completions = workspace.companions().join("completions");
    let manual = workspace.companions().join("man");
    for directory in [&completions, &manual] {
        if directory.exists() {
            fs::remove_dir_all(directory)
                .with_context(|| format!("{}: cannot be emptied", directory.display()))?;
        }
        fs::create_dir_all(directory)
            .with_context(|| format!("{}: cannot be created", directory.display()))?;
    }
    for (shell, name) in COMPLETIONS {
        let mut command = process::command(ctl, workspace);
        command.args(["completions", shell]);
        let script = process::answer(&mut command)
            .with_context(|| format!("`{}`: failed", process::shown(&command)))?;
        let file = completions.join(name);
        fs::write(&file, script)
            .with_context(|| format!("{}: cannot be written", file.display()))?;
    }
    process::run_quietly(process::command(ctl, workspace).arg("man").arg(&manual))
}
