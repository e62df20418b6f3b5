//! What goes where in the package.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

use super::control::Origin;

const DOCUMENTS: &str = "usr/share/doc/alias-ctl";

/// Files of the checkout that are installed as they are.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "alias-ctl/share/systemd/alias.service",
        "usr/lib/systemd/system/alias.service",
    ),
    (
        "alias-ctl/share/networkd/00-alias.link",
        "usr/lib/systemd/network/00-alias.link",
    ),
    (
        "alias-ctl/share/networkd/00-alias.network",
        "usr/lib/systemd/network/00-alias.network",
    ),
    (
        "alias-ctl/share/udev/84-alias.rules",
        "usr/lib/udev/rules.d/84-alias.rules",
    ),
    (
        "alias-ctl/share/NetworkManager/alias.conf",
        "usr/lib/NetworkManager/conf.d/alias.conf",
    ),
    ("alias-ctl/share/default/alias", "etc/default/alias"),
    // It takes the network's configuration away from cloud-init: who wants that copies it.
    (
        "alias-ctl/share/cloud-init/99-alias.cfg",
        "usr/share/doc/alias-ctl/examples/99-alias.cfg",
    ),
    (
        "alias-ctl/share/debian/aliases.toml",
        "usr/share/doc/alias-ctl/examples/aliases.toml",
    ),
    ("README.md", "usr/share/doc/alias-ctl/README.md"),
    ("SECURITY.md", "usr/share/doc/alias-ctl/SECURITY.md"),
    ("docs/HOSTS.md", "usr/share/doc/alias-ctl/docs/HOSTS.md"),
    (
        "docs/GLOSSARY.md",
        "usr/share/doc/alias-ctl/docs/GLOSSARY.md",
    ),
    ("docs/LIMITS.md", "usr/share/doc/alias-ctl/docs/LIMITS.md"),
];

/// What `build` leaves beside the binary.
pub(super) const COMPLETIONS: &[(&str, &str)] = &[
    (
        "alias-ctl",
        "usr/share/bash-completion/completions/alias-ctl",
    ),
    ("_alias-ctl", "usr/share/zsh/vendor-completions/_alias-ctl"),
    (
        "alias-ctl.fish",
        "usr/share/fish/vendor_completions.d/alias-ctl.fish",
    ),
];

/// The historic commands, on no PATH: update-alternatives leads there, if somebody asks.
pub(super) const LINKS: &[&str] = &["ifconfig", "netstat", "route"];

/// Lays the files, in place of what was there.
pub(super) fn lay(
    root: &Path,
    ctl: &Path,
    workspace: &Workspace,
    origin: &Origin,
    version: &str,
) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root)
            .with_context(|| format!("{}: cannot be emptied", root.display()))?;
    }
    copy(ctl, &root.join("usr/sbin/alias-ctl"), 0o755)?;
    for (from, to) in FILES {
        copy(&workspace.root().join(from), &root.join(to), 0o644)?;
    }
    let built = workspace.companions();
    for (from, to) in COMPLETIONS {
        copy(&built.join("completions").join(from), &root.join(to), 0o644)?;
    }
    for page in files(&built.join("man"))? {
        compressed(&page, &root.join("usr/share/man/man1"), None, workspace)?;
    }
    for chapter in files(&workspace.root().join("docs/guide"))? {
        let name = chapter.file_name().unwrap_or_default();
        copy(
            &chapter,
            &root.join(DOCUMENTS).join("docs/guide").join(name),
            0o644,
        )?;
    }
    for name in LINKS {
        let link = root.join("usr/libexec/alias-ctl").join(name);
        made_for(&link)?;
        symlink("../../sbin/alias-ctl", &link)
            .with_context(|| format!("{}: cannot be linked", link.display()))?;
    }
    let documents = root.join(DOCUMENTS);
    write(
        &documents.join("copyright"),
        &origin.copyright(workspace)?,
        0o644,
    )?;
    let changes = workspace.root().join("CHANGELOG.md");
    compressed(&changes, &documents, Some("changelog"), workspace)?;
    let debian = root.with_extension("changelog");
    write(&debian, &origin.changelog(version), 0o644)?;
    compressed(&debian, &documents, Some("changelog.Debian"), workspace)
}

pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    made_for(path)?;
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("{}: cannot be written", path.display()))
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    made_for(to)?;
    fs::copy(from, to)
        .and_then(|_| fs::set_permissions(to, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("{}: cannot be copied to {}", from.display(), to.display()))
}

/// Packs a file as Debian wants manual pages and changelogs, without its time.
fn compressed(from: &Path, into: &Path, name: Option<&str>, workspace: &Workspace) -> Result<()> {
    let own = from.file_name().unwrap_or_default();
    let to = into.join(name.map_or(own, AsRef::as_ref));
    copy(from, &to, 0o644)?;
    process::run_quietly(process::isolated("gzip", workspace).args(["-9nf"]).arg(&to))
}

fn made_for(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory)
        .with_context(|| format!("{}: cannot be created", directory.display()))
}

/// The files of a directory by their names.
pub(super) fn files(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let listed = fs::read_dir(directory)
        .with_context(|| format!("{}: cannot be listed", directory.display()))?;
    let mut files: Vec<_> = listed
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort_unstable();
    Ok(files)
}
