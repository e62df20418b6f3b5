//! The saved configuration: `save`, `restore`, `apply` and `diff`.
//!
//! ```text
//! file -> declaration ┐
//!                     ├─> plan (model, pure) -> execute, with undo
//! kernel -> observed  ┘
//! ```
//!
//! Everything is read, looked up and planned before anything is touched, under one
//! lock. What a configuration made carries a mark (`Record::DECLARED`), and only
//! that is changed or deleted.

pub mod apply;
pub mod diff;
mod execute;
pub mod observe;
pub mod save;
mod undo;

use std::path::PathBuf;

use crate::error::{Refusal, Result};
use crate::model::declaration::Declaration;
use crate::store::{file, read};

/// Which configuration is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// The one that `save` wrote, in its place.
    Saved,
    /// One that a user names.
    File(PathBuf),
}

/// Reads and checks a configuration.
///
/// # Errors
///
/// That of reading the file; what it cannot mean, with line, column and key.
pub fn load(source: &Source) -> Result<Declaration> {
    let (path, text) = match source {
        Source::Saved => {
            let path = file::default_path();
            let text = file::read_saved(&path)?;
            (path, text)
        }
        Source::File(path) => (path.clone(), file::read(path)?),
    };
    read::read(&text, &path.display().to_string())
}

/// Leaves of a configuration what concerns one device.
fn only(declaration: &mut Declaration, device: &str) -> Result<()> {
    declaration.parents.retain(|parent| parent.name == device);
    if declaration.parents.is_empty() {
        return Err(
            Refusal::new(device, "restore", "nothing is saved of it", libc::ENOENT)
                .way_out("save what is running: alias-ctl save"),
        );
    }
    Ok(())
}
