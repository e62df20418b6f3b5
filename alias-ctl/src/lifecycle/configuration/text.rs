//! The words of a configuration, and what they mean.

use crate::error::{Refusal, Result};
use crate::lifecycle::families::Named;
use crate::model::declaration::Declaration;
use crate::model::request::Source;
use crate::model::typed::is_named;
use crate::store::{file, read};
use crate::wiring::host::Host;

use super::parents;

/// A configuration's words, and what errors call them.
pub struct Text {
    object: String,
    text: String,
}

impl Text {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// That of reading it.
    pub fn of(source: &Source) -> Result<Text> {
        let (path, text) = match source {
            Source::Saved => {
                let path = file::default_path();
                let text = file::read_saved(&path)?;
                (path, text)
            }
            Source::File(path) => (path.clone(), file::read(path)?),
        };
        Ok(Text {
            object: path.display().to_string(),
            text,
        })
    }

    /// What errors call it.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What the words mean, with the names that devices have now, and the address families
    /// they name: one may have to be loaded.
    ///
    /// # Errors
    ///
    /// What they cannot mean, with line, column and key.
    pub fn read(&self, host: &mut Host) -> Result<(Declaration, Vec<Named>)> {
        let mut types: Vec<Named> = Vec::new();
        let mut declaration = read::read(&self.text, &self.object, &mut |word| {
            if let Some(known) = types.iter().find(|known| is_named(&known.row, word)) {
                return Ok(known.row);
            }
            let found = Named::find(host, word, "read")?;
            let row = found.row;
            types.push(found);
            Ok(row)
        })?;
        parents::settle(host, &mut declaration)?;
        Ok((declaration, types))
    }
}

impl Text {
    /// Says of which file a refusal is that names only a line of it, or nothing.
    #[must_use]
    pub fn in_file(&self, mut refusal: Refusal) -> Refusal {
        if refusal.names_line() && refusal.object != self.object {
            refusal.reason = format!("{}, {}", self.object, refusal.reason);
        }
        refusal
    }
}

/// Leaves of a configuration what concerns one device.
///
/// # Errors
///
/// ENOENT when nothing does.
pub fn only(declaration: &mut Declaration, device: &str, text: &Text) -> Result<()> {
    declaration.parents.retain(|parent| parent.name == device);
    if declaration.parents.is_empty() {
        return Err(Refusal::new(
            device,
            "restore",
            format!("nothing of it is in {}", text.object),
            libc::ENOENT,
        )
        .hint("save what is running: alias-ctl save"));
    }
    Ok(())
}
