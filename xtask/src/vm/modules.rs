//! A kernel's modules, as far as a guest can need them, and as its root takes them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

use super::archive::Archive;

/// Directories of modules that packets or BPF can need.
const MODULES: &[&str] = &[
    "arch",
    "crypto",
    "lib",
    "net",
    "drivers/net",
    "drivers/ptp",
    "drivers/vhost",
    "drivers/virtio",
];

/// The modules that can matter, and what depmod reads beside them.
pub(crate) fn select(from: &Path, to: &Path, workspace: &Workspace) -> Result<()> {
    let _ = fs::remove_dir_all(to);
    for part in MODULES {
        let source = from.join("kernel").join(part);
        let Some(into) = to.join("kernel").join(part).parent().map(Path::to_owned) else {
            continue;
        };
        if source.is_dir() {
            fs::create_dir_all(&into).with_context(|| cannot_make(&into))?;
            process::run_quietly(
                process::command("cp", workspace)
                    .arg("-a")
                    .args([&source, &into]),
            )?;
        }
    }
    fs::create_dir_all(to).with_context(|| cannot_make(to))?;
    for name in [
        "modules.builtin",
        "modules.builtin.modinfo",
        "modules.order",
    ] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).with_context(|| cannot_make(to))?;
        }
    }
    Ok(())
}

/// `tree` has lib/modules/RELEASE in it; in the guest's root lib is usr/lib.
pub(crate) fn pack(
    tree: &Path,
    release: &str,
    archive: &Path,
    workspace: &Workspace,
) -> Result<()> {
    let depmod = process::on_path("depmod")
        .into_iter()
        .next()
        .context("depmod: not on this machine: install kmod")?;
    process::run_quietly(
        process::command(depmod, workspace)
            .arg("-b")
            .arg(tree)
            .arg(release),
    )?;
    let mut packed = Archive::create(archive)?;
    packed.tree(tree, "usr", &|_| true)?;
    packed.finish()?;
    Ok(())
}

fn cannot_make(path: &Path) -> String {
    format!(
        "{}: cannot be made: check the directory's rights and space",
        path.display()
    )
}
