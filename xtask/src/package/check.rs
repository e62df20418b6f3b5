//! What can be told of the package without installing it.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

use super::{make, tree};

/// Makes the package of a built alias-ctl and looks at it.
pub(crate) fn check(workspace: &Workspace, ctl: &Path) -> Result<()> {
    let package = make(workspace, ctl, 1)?;
    let contents = process::answer(
        process::isolated("dpkg-deb", workspace)
            .arg("--contents")
            .arg(&package)
            .env("LC_ALL", "C"),
    )
    .with_context(|| format!("{}: dpkg-deb does not read it", package.display()))?;
    let found = Listed::all(&contents);
    let mut faults = faults(&found);
    for script in ["postinst", "postrm", "prerm"] {
        let file = workspace.root().join("alias-ctl/share/debian").join(script);
        let mut shell = process::isolated("sh", workspace);
        faults.extend(
            process::run_quietly(shell.arg("-n").arg(&file))
                .err()
                .map(|error| format!("{error:#}")),
        );
    }
    if process::on_path("lintian").is_empty() {
        // What cannot be said is said.
        let _ = writeln!(
            io::stderr(),
            "package: SKIPPED lintian: it is not installed here"
        );
    } else {
        let mut lintian = process::isolated("lintian", workspace);
        lintian
            .args(["--fail-on", "error", "--allow-root"])
            .arg(&package);
        faults.extend(
            process::run_quietly(&mut lintian)
                .err()
                .map(|error| format!("{error:#}")),
        );
    }
    if !faults.is_empty() {
        bail!("{}:\n  {}", package.display(), faults.join("\n  "));
    }
    Ok(())
}

/// A line of `dpkg-deb --contents`.
#[derive(Debug)]
struct Listed {
    mode: String,
    owner: String,
    path: String,
}

impl Listed {
    fn all(contents: &str) -> Vec<Self> {
        contents.lines().filter_map(Self::of).collect()
    }

    fn of(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (mode, owner) = (words.next()?.to_owned(), words.next()?.to_owned());
        let path = words.nth(3)?.trim_start_matches("./").to_owned();
        Some(Self { mode, owner, path })
    }
}

/// What is missing, and what has the wrong place or rights.
fn faults(found: &[Listed]) -> Vec<String> {
    let mut faults = Vec::new();
    let expected = tree::FILES
        .iter()
        .chain(tree::COMPLETIONS)
        .map(|(_, path)| (*path).to_owned())
        .chain(
            tree::LINKS
                .iter()
                .map(|name| format!("usr/libexec/alias-ctl/{name}")),
        )
        .chain(
            [
                "usr/sbin/alias-ctl",
                "usr/share/man/man1/alias-ctl.1.gz",
                "usr/share/man/man1/alias-ctl-daemon.1.gz",
                "usr/share/doc/alias-ctl/copyright",
                "usr/share/doc/alias-ctl/changelog.gz",
                "usr/share/doc/alias-ctl/changelog.Debian.gz",
                "usr/share/doc/alias-ctl/docs/guide/operating.md",
            ]
            .map(str::to_owned),
        );
    for path in expected {
        if !found.iter().any(|file| file.path == path) {
            faults.push(format!("{path}: is missing"));
        }
    }
    for file in found {
        let Listed { mode, owner, path } = file;
        let is_program = path == "usr/sbin/alias-ctl";
        let wanted = match mode.as_bytes().first() {
            Some(b'd') => "drwxr-xr-x",
            Some(b'l') => "lrwxrwxrwx",
            _ if is_program => "-rwxr-xr-x",
            _ => "-rw-r--r--",
        };
        if mode != wanted || owner != "root/root" {
            faults.push(format!("{path}: {mode} {owner}, not {wanted} root/root"));
        }
        let is_file = !mode.starts_with('d');
        let is_ours = ["usr/lib", "usr/share/", "etc/default/alias"];
        if is_file && !is_program && !is_ours.iter().any(|place| path.starts_with(place)) {
            faults.push(format!("{path}: nothing of ours belongs there"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_rights_and_places_are_faults() {
        let check = |line: &str, expected: bool| {
            let found = faults(&Listed::all(line));
            let is_named = found.iter().any(|fault| !fault.ends_with("is missing"));
            assert_eq!(is_named, expected, "{line}: {found:?}");
        };
        let at = "2026-01-01 00:00";
        check(
            &format!("-rwxr-xr-x root/root 9 {at} ./usr/sbin/alias-ctl"),
            false,
        );
        check(
            &format!("-rw-r--r-- root/root 9 {at} ./usr/sbin/alias-ctl"),
            true,
        );
        check(
            &format!("-rwxr-xr-x 1000/1000 9 {at} ./usr/sbin/alias-ctl"),
            true,
        );
        check(
            &format!("lrwxrwxrwx root/root 0 {at} ./usr/sbin/ifconfig -> alias-ctl"),
            true,
        );
        check(&format!("drwxr-xr-x root/root 0 {at} ./usr/sbin/"), false);
        assert!(
            faults(&[])
                .iter()
                .any(|fault| fault.starts_with("usr/sbin/alias-ctl"))
        );
    }
}
