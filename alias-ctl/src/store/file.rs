//! The configuration file on disk: read with limits, written so that a reader sees
//! the old one or the new one, whatever happens in between.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::draft;
use super::place::{Place, Purpose};
use crate::error::{Refusal, Result};

/// Names another file in place of the default, so that tests share nothing.
pub const FILE_VARIABLE: &str = "ALIAS_CONFIG";
const DEFAULT_FILE: &str = "/etc/alias/aliases.toml";
/// Largest file that is read or written, in bytes: some two million aliases that
/// do not fold.
const MAX_BYTES: u64 = 256 << 20;

/// Where the saved configuration is.
#[must_use]
pub fn default_path() -> PathBuf {
    env::var_os(FILE_VARIABLE).map_or_else(|| DEFAULT_FILE.into(), PathBuf::from)
}

/// Reads a file that a user named.
///
/// # Errors
///
/// That of opening it, EINVAL for what is no regular file or no UTF-8, EFBIG.
pub fn read(path: &Path) -> Result<String> {
    let refused = |error: io::Error| failed(path, "read", &error);
    // O_NONBLOCK: a FIFO must not wait for its writer.
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(refused)?;
    if !file.metadata().map_err(refused)?.is_file() {
        return Err(refuse(path, "read", "it is no regular file", libc::EINVAL));
    }
    refuse_large(&file, path)?;
    text_of(&mut file, path)
}

/// Reads a file that a user named, a pipe too, for which it waits.
///
/// # Errors
///
/// That of opening it, EISDIR, EILSEQ for what is no UTF-8, EFBIG.
pub fn read_or_wait(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|error| failed(path, "read", &error))?;
    text_of(&mut file, path)
}

/// Reads standard input.
///
/// # Errors
///
/// That of reading, EILSEQ for what is no UTF-8, EFBIG.
pub fn read_standard_input() -> Result<String> {
    text_of(&mut io::stdin().lock(), Path::new("standard input"))
}

fn text_of(file: &mut dyn Read, path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    Read::take(file, MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(path, "read", &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(path, "read"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..valid];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let reason = format!("line {line}: the text is not UTF-8");
        refuse(path, "read", &reason, libc::EILSEQ)
    })
}

/// Reads the saved configuration, which is obeyed without being named: nobody else
/// may have written it, nor be able to put another in its place.
///
/// # Errors
///
/// ENOENT when nothing is saved, ELOOP for a symbolic link, EPERM for a file or a directory
/// that others can write; those of [`read`].
pub fn read_saved(path: &Path) -> Result<String> {
    let found = match Place::of(path, Purpose::Restore)? {
        Some(place) => place.open()?,
        None => None,
    };
    match found {
        Some(mut file) => {
            refuse_large(&file, path)?;
            text_of(&mut file, path)
        }
        None => Err(refuse(path, "read", "nothing is saved there", libc::ENOENT)
            .hint("save what is running: alias-ctl save")),
    }
}

/// Puts a text in the place of a file: written beside it, synced, renamed.
///
/// # Errors
///
/// ELOOP for a symbolic link, EPERM for another's file or directory, else what the
/// system said. Then the old file is as it was.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if text.len() as u64 > MAX_BYTES {
        return Err(too_large(path, "save"));
    }
    let place = Place::made(path, Purpose::Save)?;
    place.refuse_foreign()?;
    draft::replace(&place, text).map_err(|error| place.failed(&error))
}

/// What is too large is not read to find it out.
fn refuse_large(file: &File, path: &Path) -> Result<()> {
    let found = file
        .metadata()
        .map_err(|error| failed(path, "read", &error))?;
    match found.len() > MAX_BYTES {
        true => Err(too_large(path, "read")),
        false => Ok(()),
    }
}

fn too_large(path: &Path, operation: &str) -> Refusal {
    let reason = format!("it is larger than {} MiB", MAX_BYTES >> 20);
    refuse(path, operation, &reason, libc::EFBIG)
        .hint("write consecutive aliases as one range, or take several files")
}

fn failed(path: &Path, operation: &str, error: &io::Error) -> Refusal {
    Refusal::io(path.display().to_string(), operation, error)
}

fn refuse(path: &Path, operation: &str, reason: &str, errno: i32) -> Refusal {
    Refusal::new(path.display().to_string(), operation, reason, errno)
}
