//! What dpkg reads of the package: its fields, its scripts, its checksums, whence it is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::host::Glibc;
use crate::process;
use crate::workspace::Workspace;

use super::tree;

/// The commit that is packed: who answers for it, and when it was made.
pub(super) struct Origin {
    maintainer: String,
    date: String,
    pub(super) seconds: u64,
}

impl Origin {
    pub(super) fn of(workspace: &Workspace) -> Result<Self> {
        let ask = |format: &str| {
            process::answer(
                process::command("git", workspace)
                    .args(["log", "-1", "--date=rfc2822"])
                    .arg(format!("--format={format}")),
            )
            .map(|text| text.trim().to_owned())
            .context("git: knows no commit here: this needs a checkout, and git on PATH")
        };
        Ok(Self {
            maintainer: ask("%cn <%ce>")?,
            date: ask("%cd")?,
            seconds: ask("%ct")?
                .parse()
                .context("git: says no time of the commit")?,
        })
    }

    pub(super) fn changelog(&self, version: &str) -> String {
        let (maintainer, date) = (&self.maintainer, &self.date);
        format!(
            "alias-ctl ({version}) unstable; urgency=medium\n\n  * What is new: changelog.gz.\n\n -- {maintainer}  {date}\n"
        )
    }

    /// With the crates that are in the binary.
    pub(super) fn copyright(&self, workspace: &Workspace) -> Result<String> {
        let listed = process::answer(
            process::host_cargo(workspace)
                .args([
                    "tree",
                    "--locked",
                    "--package",
                    "alias-ctl",
                    "--edges",
                    "normal",
                ])
                .args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]),
        )
        .context("cargo tree: does not list alias-ctl's dependencies")?;
        let mut crates: Vec<String> = listed
            .lines()
            .filter_map(|line| line.split_once('|'))
            // Those of this checkout are named with its path.
            .filter(|(package, _)| !package.contains('/'))
            .map(|(package, license)| {
                format!("  {}: {license}", package.replace(" (proc-macro)", ""))
            })
            .collect();
        crates.sort_unstable();
        crates.dedup();
        Ok(format!(
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
             Upstream-Name: alias\n\
             Comment:\n \
             Compiled into the program, each under its own license:\n{}\n\n\
             Files: *\n\
             Copyright: the contributors of alias\n\
             License: GPL-2+\n \
             This program is free software; you can redistribute it and/or modify it\n \
             under the terms of the GNU General Public License as published by the Free\n \
             Software Foundation; either version 2 of the License, or (at your option)\n \
             any later version.\n \
             .\n \
             On Debian systems, the text of version 2 is in\n \
             /usr/share/common-licenses/GPL-2.\n",
            crates.join("\n")
        ))
    }
}

const SCRIPTS: &[&str] = &["postinst", "postrm", "prerm"];

/// Writes `DEBIAN/`.
pub(super) fn write(
    root: &Path,
    ctl: &Path,
    workspace: &Workspace,
    origin: &Origin,
    version: &str,
    architecture: &str,
) -> Result<()> {
    let sources = workspace.root().join("alias-ctl/share/debian");
    let read = |name: &str| {
        let file = sources.join(name);
        fs::read_to_string(&file).with_context(|| format!("{}: cannot be read", file.display()))
    };
    let sums = checksums(root, workspace)?;
    let fields = format!(
        "Package: alias-ctl\nVersion: {version}\nArchitecture: {architecture}\n\
         Maintainer: {}\nInstalled-Size: {}\nDepends: {}\nSection: net\nPriority: optional\n{}",
        origin.maintainer,
        size(root, workspace)?,
        depends(ctl, workspace)?,
        read("description")?,
    );
    let control = root.join("DEBIAN");
    tree::write(&control.join("control"), &fields, 0o644)?;
    tree::write(&control.join("conffiles"), "/etc/default/alias\n", 0o644)?;
    tree::write(&control.join("md5sums"), &sums, 0o644)?;
    for script in SCRIPTS {
        tree::write(&control.join(script), &read(script)?, 0o755)?;
    }
    Ok(())
}

/// Debian's packages for the libraries that the binary names, as low as it says.
fn depends(ctl: &Path, workspace: &Workspace) -> Result<String> {
    let text = process::answer(
        process::isolated("readelf", workspace)
            .args(["--dynamic", "--wide"])
            .arg(ctl)
            .env("LC_ALL", "C"),
    )
    .with_context(|| format!("{}: readelf does not read it", ctl.display()))?;
    let glibc = Glibc::needed_by(ctl, workspace)
        .with_context(|| format!("{}: needs no version of glibc", ctl.display()))?;
    depended(&text, &glibc.to_string().replace("glibc ", ""))
}

fn depended(dynamic: &str, glibc: &str) -> Result<String> {
    let mut packages = Vec::new();
    let needed = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split_once('[')?.1.strip_suffix(']'));
    for library in needed {
        let package = match library.split(".so").next().unwrap_or_default() {
            "libc" | "libm" | "libpthread" | "libdl" | "ld-linux-x86-64" | "ld-linux-aarch64" => {
                format!("libc6 (>= {glibc})")
            }
            "libgcc_s" => "libgcc-s1 (>= 4.2)".to_owned(),
            _ => bail!(
                "{library}: no package is known for it: name one in xtask/src/package/control.rs"
            ),
        };
        packages.push(package);
    }
    packages.sort_unstable();
    packages.dedup();
    Ok(packages.join(", "))
}

/// In KiB, as dpkg wants it.
fn size(root: &Path, workspace: &Workspace) -> Result<String> {
    let text = process::answer(
        process::isolated("du", workspace)
            .args(["-sk", "--apparent-size"])
            .arg(root),
    );
    text.as_deref()
        .and_then(|text| text.split_whitespace().next())
        .map(str::to_owned)
        .context("du: does not say how large the package is")
}

fn checksums(root: &Path, workspace: &Workspace) -> Result<String> {
    // Configuration is not among them: it may change.
    let mut find = process::isolated("find", workspace);
    find.current_dir(root)
        .args(["usr", "-type", "f", "-exec", "md5sum", "{}", "+"]);
    let text = process::answer(&mut find).context("md5sum: failed")?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable_by_key(|line| line.split_once(' ').map(|(_, path)| path));
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_packages() {
        let line =
            |library: &str| format!(" 0x0000000000000001 (NEEDED)  Shared library: [{library}]\n");
        let check = |libraries: &[&str], expected: Option<&str>| {
            let text: String = libraries.iter().map(|library| line(library)).collect();
            assert_eq!(
                depended(&text, "2.34").ok().as_deref(),
                expected,
                "{libraries:?}"
            );
        };
        check(
            &[
                "libgcc_s.so.1",
                "libc.so.6",
                "libm.so.6",
                "ld-linux-x86-64.so.2",
            ],
            Some("libc6 (>= 2.34), libgcc-s1 (>= 4.2)"),
        );
        check(&["libelf.so.1"], None);
    }
}
