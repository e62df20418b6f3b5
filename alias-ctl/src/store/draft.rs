//! What is written beside a file and becomes it by a rename. The draft is also the lock of
//! those who write it: it is ours and 0600, so that no other user can hold it, as anybody
//! could a directory that may be read.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, flock, fstat, openat, renameat, statat,
    unlinkat,
};
use rustix::io::{Errno, retry_on_intr};

use super::place::Place;

/// How often the draft may be another's work before it is an error.
const TRIES: u32 = 100;

/// Puts a text in the place of a file: written beside it, synced, renamed. Two writers at
/// once do it one after the other.
///
/// # Errors
///
/// What the system said. Then the old file is as it was.
pub fn replace(place: &Place, text: &str) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(&place.name);
    name.push(".new");
    let directory = &place.directory;
    let mut draft = take(directory, &name)?;
    let written = draft
        .set_len(0)
        .and_then(|()| draft.write_all(text.as_bytes()))
        .and_then(|()| draft.sync_all())
        .and_then(|()| Ok(renameat(directory, &name, directory, &place.name)?));
    match written {
        Ok(()) => directory.sync_all(),
        Err(error) => {
            let _ = unlinkat(directory, &name, AtFlags::empty());
            Err(error)
        }
    }
}

/// Makes the draft, or takes what a killed writer left, and locks it.
fn take(directory: &File, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let new = flags | OFlags::CREATE | OFlags::EXCL;
    for _ in 0..TRIES {
        let draft = match openat(directory, name, new, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => match openat(directory, name, flags, Mode::empty()) {
                Err(Errno::NOENT) => continue,
                Ok(draft) if is_ours(&draft)? => draft,
                // A link, a pipe, another's file: removed, and not followed.
                _ => {
                    unlinkat(directory, name, AtFlags::empty())?;
                    continue;
                }
            },
            made => made?,
        };
        retry_on_intr(|| flock(&draft, FlockOperation::LockExclusive))?;
        let draft = File::from(draft);
        // That of the writer before us is the file by now.
        let held = draft.metadata()?;
        match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if (there.st_dev, there.st_ino) == (held.dev(), held.ino()) => {
                return Ok(draft);
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// Whether nobody else can open it.
fn is_ours(draft: impl AsFd) -> io::Result<bool> {
    let found = fstat(draft)?;
    Ok(
        FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
            && found.st_nlink == 1
            && found.st_uid == rustix::process::geteuid().as_raw()
            && found.st_mode & 0o077 == 0,
    )
}
