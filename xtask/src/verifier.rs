//! The running kernel's word on what was built: every program of every object is
//! loaded once, and nothing is attached or pinned. A build that the verifier
//! refuses has not succeeded, and the compiler is the first suspect.

use std::env;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::compiler::Compiler;
use crate::kernel;
use crate::process;
use crate::workspace::Workspace;

/// Set to anything: the kernel is not asked, as when building for another.
pub(crate) const SKIP: &str = "ALIAS_SKIP_VERIFY";

/// What alias-ctl's table says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Walked {
    programs: usize,
    /// Of the program that costs most.
    instructions: u64,
}

/// Has alias-ctl load its own objects and those in the build's directory.
pub(crate) fn ask(ctl: &Path, compiler: &Compiler, workspace: &Workspace) -> Result<()> {
    if env::var_os(SKIP).is_some() {
        eprintln!("build: verifier: not asked: {SKIP} is set");
        return Ok(());
    }
    if !kernel::is_root()? {
        eprintln!(
            "build: verifier: not asked: loading programs needs root; `sudo {} verify` asks it",
            workspace.shown(ctl)
        );
        return Ok(());
    }
    let start = Instant::now();
    let mut verify = process::command(ctl, workspace);
    verify
        .args(["verify", "--objects"])
        .arg(workspace.bpf_objects());
    let output = verify
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{}`: could not be started", process::shown(&verify)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {}
        // What alias-ctl ends with when a program is refused.
        Some(1) => bail!(
            "the running kernel does not take what {} built:\n{said}to build without asking it, set {SKIP}=1; \
             other compilers are in {}",
            compiler.shown(),
            crate::accepted::DOCUMENT,
        ),
        _ => bail!(
            "`{}`: the running kernel could not be asked ({}); to build without, set {SKIP}=1:\n{said}",
            process::shown(&verify),
            output.status,
        ),
    }
    let table = String::from_utf8_lossy(&output.stdout);
    let Some(walked) = walked(&table) else {
        bail!(
            "`{}`: succeeded and names no program: was it built by another xtask? It printed:\n{table}",
            process::shown(&verify)
        );
    };
    eprintln!(
        "build: verifier: {} programs, at most {} instructions, {} ms",
        walked.programs,
        walked.instructions,
        start.elapsed().as_millis()
    );
    Ok(())
}

/// A line of headings with a WALKED, then a program a line.
fn walked(table: &str) -> Option<Walked> {
    let mut lines = table.lines();
    let column = lines.find_map(|line| {
        line.split_whitespace()
            .position(|heading| heading == "WALKED")
    })?;
    let mut walked = Walked::default();
    for line in lines {
        let Some(field) = line.split_whitespace().nth(column) else {
            continue;
        };
        if let Ok(instructions) = field.replace(',', "").parse() {
            walked.programs += 1;
            walked.instructions = walked.instructions.max(instructions);
        }
    }
    (walked.programs > 0).then_some(walked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_summed() {
        let check = |table: &str, expected: Option<(usize, u64)>| {
            let expected = expected.map(|(programs, instructions)| Walked {
                programs,
                instructions,
            });
            assert_eq!(walked(table), expected, "{table}");
        };
        check(
            "PROGRAM        WALKED  TIME\nalias_rx       187072  210 ms\nalias_deliver  16,238  9 ms\n",
            Some((2, 187_072)),
        );
        check(
            "OBJECT  PROGRAM  WALKED  TIME\n\nalias  alias_rx  12  1 ms\n",
            Some((1, 12)),
        );
        check("PROGRAM  WALKED  TIME\n", None);
        check("nothing\n", None);
    }
}
