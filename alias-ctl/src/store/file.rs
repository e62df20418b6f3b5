//! The configuration file on disk: read with limits, written so that a reader sees
//! the old one or the new one, whatever happens in between.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
/// may have written it.
///
/// # Errors
///
/// ENOENT when nothing is saved, EPERM for a file that others can write; those of
/// [`read`].
pub fn read_saved(path: &Path) -> Result<String> {
    match fs::metadata(path) {
        Ok(found) => {
            if let Some(reason) = suspicious(&found) {
                return Err(refuse(path, "read", &reason, libc::EPERM)
                    .hint("look who wrote it; name it as FILE to use it all the same"));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(refuse(path, "read", "nothing is saved there", libc::ENOENT)
                .hint("save what is running: alias-ctl save"));
        }
        Err(error) => return Err(failed(path, "read", &error)),
    }
    read(path)
}

/// Why a file or directory is not ours alone to write.
fn suspicious(found: &Metadata) -> Option<String> {
    // SAFETY: takes nothing and cannot fail.
    let me = unsafe { libc::geteuid() };
    if found.uid() != me && found.uid() != 0 {
        return Some(format!("it belongs to user {}", found.uid()));
    }
    // In a sticky directory (as /tmp) nobody replaces another's files.
    let sticky = found.is_dir() && found.mode() & libc::S_ISVTX != 0;
    (found.mode() & 0o022 != 0 && !sticky)
        .then(|| format!("others can write it (mode {:o})", found.mode() & 0o7777))
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
    let name = path
        .file_name()
        .ok_or_else(|| refuse(path, "save", "it names no file", libc::EINVAL))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Two savers at once: one after the other.
    let held = open_directory(directory)?;
    refuse_foreign(path)?;
    let mut draft_name = OsString::from(".");
    draft_name.push(name);
    draft_name.push(".new");
    let draft = directory.join(draft_name);
    let written = replace(path, &draft, text, &held);
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.map_err(|error| failed(path, "save", &error))
}

fn replace(path: &Path, draft: &Path, text: &str, directory: &File) -> io::Result<()> {
    // What a killed saver left; a link is removed, not followed.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    directory.sync_all()
}

/// Opens and locks the directory of the file; makes it when it is missing.
fn open_directory(directory: &Path) -> Result<File> {
    let refused = |error: io::Error| failed(directory, "save", &error);
    match DirBuilder::new().mode(0o755).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(error)),
        _ => {}
    }
    let held = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(directory)
        .map_err(refused)?;
    if let Some(reason) = suspicious(&held.metadata().map_err(refused)?) {
        return Err(refuse(directory, "save", &reason, libc::EPERM)
            .hint("save in a directory that is yours alone"));
    }
    // SAFETY: a live descriptor and an integer.
    while unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX) } != 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(refused(error));
        }
    }
    Ok(held)
}

/// A file that is there must be a file, and ours.
fn refuse_foreign(path: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(path, "save", &error)),
    };
    // SAFETY: takes nothing and cannot fail.
    let me = unsafe { libc::geteuid() };
    let refused = |reason: &str, errno| Err(refuse(path, "save", reason, errno));
    if found.is_symlink() {
        return refused("it is a symbolic link", libc::ELOOP)
            .map_err(|refusal: Refusal| refusal.hint("name the file it leads to"));
    }
    if !found.is_file() {
        return refused("it is no regular file", libc::EINVAL);
    }
    if found.uid() != me {
        let reason = format!("it belongs to user {}, not to user {me}", found.uid());
        return refused(&reason, libc::EPERM)
            .map_err(|refusal| refusal.hint("remove it, or name another file"));
    }
    Ok(())
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
