//! The place of a file: its directory, held open, and a name in it. What is checked is
//! what the descriptors say, so that nobody can put something else there between the
//! check and the use.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, openat, statat};

use crate::error::{Refusal, Result};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be replaced by what is running.
    Save,
    /// To be obeyed, as nobody named another.
    Restore,
    /// To be loaded, as an address family was asked for that it may be of.
    Load,
}

impl Purpose {
    const fn operation(self) -> &'static str {
        match self {
            Purpose::Save => "save",
            Purpose::Restore => "read",
            Purpose::Load => "read alias type",
        }
    }

    /// What to do about one that others could have written.
    const fn hint(self) -> &'static str {
        match self {
            Purpose::Save => "save in a directory that is yours alone",
            Purpose::Restore => "look who wrote it; name it as FILE to use it all the same",
            Purpose::Load => {
                "look who wrote it; to use it all the same: alias-ctl types add OBJECT"
            }
        }
    }
}

/// A name in a directory that nobody else can write.
pub struct Place {
    pub(super) directory: File,
    pub(super) name: OsString,
    path: PathBuf,
    purpose: Purpose,
}

impl Place {
    /// Opens and checks the directory of a file. `None` when there is none.
    ///
    /// # Errors
    ///
    /// EPERM for a directory that is another's or that others can write, EINVAL for a path
    /// without a name; that of opening it.
    pub fn of(path: &Path, purpose: Purpose) -> Result<Option<Place>> {
        let operation = purpose.operation();
        let name = path
            .file_name()
            .ok_or_else(|| refuse(path, operation, "it names no file", libc::EINVAL))?;
        let directory = directory_of(path);
        let failed =
            |error: io::Error| Refusal::io(directory.display().to_string(), operation, &error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = match open(directory, flags, Mode::empty()) {
            Ok(held) => File::from(held),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(failed(error.into())),
        };
        if let Some(reason) = suspicious(&held.metadata().map_err(failed)?) {
            return Err(refuse(directory, operation, &reason, libc::EPERM).hint(purpose.hint()));
        }
        Ok(Some(Place {
            directory: held,
            name: name.to_owned(),
            path: path.to_owned(),
            purpose,
        }))
    }

    /// As [`Place::of`]; makes the directory when it is missing.
    ///
    /// # Errors
    ///
    /// Those of [`Place::of`], and that of making it.
    pub fn made(path: &Path, purpose: Purpose) -> Result<Place> {
        let directory = directory_of(path);
        let failed = |error: &io::Error| {
            Refusal::io(directory.display().to_string(), purpose.operation(), error)
        };
        match DirBuilder::new().mode(0o755).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(&error));
            }
            _ => {}
        }
        let gone = io::Error::from_raw_os_error(libc::ENOENT);
        Place::of(path, purpose)?.ok_or_else(|| failed(&gone))
    }

    /// Opens the file to read it. `None` when there is none.
    ///
    /// # Errors
    ///
    /// ELOOP for a symbolic link, EINVAL for what is no regular file, EPERM for a file that
    /// is another's or that others can write; that of opening it.
    pub fn open(&self) -> Result<Option<File>> {
        // A FIFO must not wait for its writer, nor a terminal become ours.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(&self.directory, &self.name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(self.is_link()),
            Err(error) => return Err(self.failed(&error.into())),
        };
        let found = file.metadata().map_err(|error| self.failed(&error))?;
        if !found.is_file() {
            return Err(self.refuse("it is no regular file", libc::EINVAL));
        }
        match suspicious(&found) {
            Some(reason) => Err(self.refuse(&reason, libc::EPERM).hint(self.purpose.hint())),
            None => Ok(Some(file)),
        }
    }

    /// Refuses to replace what is no file, or another's.
    ///
    /// # Errors
    ///
    /// ELOOP for a symbolic link, EINVAL for what is no regular file, EPERM for another's.
    pub fn refuse_foreign(&self) -> Result<()> {
        let found = match statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(self.failed(&error.into())),
        };
        let me = rustix::process::geteuid().as_raw();
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink => Err(self.is_link()),
            FileType::RegularFile if found.st_uid == me => Ok(()),
            FileType::RegularFile => {
                let reason = format!("it belongs to user {}, not to user {me}", found.st_uid);
                Err(self
                    .refuse(&reason, libc::EPERM)
                    .hint("remove it, or name another file"))
            }
            _ => Err(self.refuse("it is no regular file", libc::EINVAL)),
        }
    }

    /// What a system call said of it.
    pub fn failed(&self, error: &io::Error) -> Refusal {
        Refusal::io(
            self.path.display().to_string(),
            self.purpose.operation(),
            error,
        )
    }

    fn is_link(&self) -> Refusal {
        self.refuse("it is a symbolic link", libc::ELOOP)
            .hint("name the file it leads to")
    }

    fn refuse(&self, reason: &str, errno: i32) -> Refusal {
        refuse(&self.path, self.purpose.operation(), reason, errno)
    }
}

/// The directory that a path's last name is in.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str() != OsStr::new("") => parent,
        _ => Path::new("."),
    }
}

/// Why a file or directory is not ours alone to write.
fn suspicious(found: &Metadata) -> Option<String> {
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me && found.uid() != 0 {
        return Some(format!("it belongs to user {}", found.uid()));
    }
    // In a sticky directory (as /tmp) nobody replaces another's files.
    let sticky = found.is_dir() && found.mode() & libc::S_ISVTX != 0;
    (found.mode() & 0o022 != 0 && !sticky)
        .then(|| format!("others can write it (mode {:o})", found.mode() & 0o7777))
}

fn refuse(path: &Path, operation: &str, reason: &str, errno: i32) -> Refusal {
    Refusal::new(path.display().to_string(), operation, reason, errno)
}
