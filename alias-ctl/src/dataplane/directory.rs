//! Where the state lives: one directory per network namespace on bpffs.
//!
//! ```text
//! <bpffs>/alias                 0700, ours
//! <bpffs>/alias/<netns cookie>  locked by writers
//! <bpffs>/alias/<netns cookie>/v7/<parent ifindex>/{maps, programs, links}
//! <bpffs>/alias/<netns cookie>/v7/…  what the parents share: `types`, `listing`
//! ```
//!
//! A parent that grows has a second directory, `grow-<ifindex>`, until the two have
//! changed places and what is old is removed (`growth`).
//!
//! A parent's directory appears complete, by a rename, and goes as a whole: what
//! is called `new-…` or `old-…` is being made or removed, and the next writer
//! clears it away. What the parents share is made before the first of them
//! appears, and goes after the last.

use std::cell::Cell;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use alias_common::ABI_VERSION;

use super::bpffs::{check_mounted, check_ours, make_private, mounted, names};
use super::lock_file;
use super::lock_holder;
use super::pins::{LINK_SUFFIX, read_pin_name};
use super::sys;
use crate::error::{Refusal, Result};

/// What the name of a version's directory begins with.
const VERSION_PREFIX: &str = "v";
/// What the name of a parent's directory begins with while it is made.
const DRAFT_PREFIX: &str = "new-";
/// And while it is removed.
const RETIRED_PREFIX: &str = "old-";
/// And what holds a parent's second generation while it grows.
const GROWTH_PREFIX: &str = "grow-";

/// One namespace's directory.
#[derive(Clone, Debug)]
pub struct Directory {
    base: PathBuf,
    cookie: u64,
}

/// The right to change a namespace's state. Whatever changes it asks for this, or is a
/// method of it.
pub struct WriteLock {
    file: File,
    directory: Directory,
    /// Changes so far.
    steps: Cell<u64>,
}

impl Directory {
    /// The directory of the namespace with this cookie; nothing is made yet.
    ///
    /// # Errors
    ///
    /// ENODEV when bpffs is not mounted; EPERM when `<bpffs>/alias` is not ours
    /// alone.
    pub fn of(cookie: u64) -> Result<Directory> {
        let base = mounted()?.join("alias");
        check_ours(&base)?;
        Ok(Directory { base, cookie })
    }

    /// Refuses a bpffs that was unmounted meanwhile: what is made there now is no state.
    ///
    /// # Errors
    ///
    /// ENODEV.
    pub fn check_mounted(&self) -> Result<()> {
        check_mounted(self.base.parent().unwrap_or(&self.base))
    }

    /// Cookie of the namespace (`SO_NETNS_COOKIE`), never used again since boot.
    #[must_use]
    pub const fn cookie(&self) -> u64 {
        self.cookie
    }

    pub(super) fn namespace(&self) -> PathBuf {
        self.base.join(self.cookie.to_string())
    }

    fn version(&self) -> PathBuf {
        self.of_version(ABI_VERSION)
    }

    /// A parent's directory.
    #[must_use]
    pub fn parent(&self, ifindex: u32) -> PathBuf {
        self.version().join(ifindex.to_string())
    }

    /// Where a parent's directory is put together.
    #[must_use]
    pub fn draft(&self, ifindex: u32) -> PathBuf {
        self.version().join(format!("{DRAFT_PREFIX}{ifindex}"))
    }

    /// Where the namespace's parents share something.
    #[must_use]
    pub fn shared(&self) -> PathBuf {
        self.version()
    }

    /// Ifindexes of the attached parents, in ascending order.
    ///
    /// # Errors
    ///
    /// That of reading the directory.
    pub fn parents(&self) -> Result<Vec<u32>> {
        self.parents_of(ABI_VERSION)
    }

    /// Those whose pins are of a version of the ABI.
    ///
    /// # Errors
    ///
    /// That of reading the directory.
    pub fn parents_of(&self, version: u32) -> Result<Vec<u32>> {
        let mut found: Vec<u32> = names(&self.of_version(version))?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        found.sort_unstable();
        Ok(found)
    }

    /// The versions of the ABI that something of this namespace is pinned for.
    ///
    /// # Errors
    ///
    /// That of reading the directory.
    pub fn versions(&self) -> Result<Vec<u32>> {
        Ok(names(&self.namespace())?
            .iter()
            .filter_map(|name| name.strip_prefix(VERSION_PREFIX)?.parse().ok())
            .collect())
    }

    /// Where what is of a version is pinned.
    pub(super) fn of_version(&self, version: u32) -> PathBuf {
        self.namespace().join(format!("{VERSION_PREFIX}{version}"))
    }

    /// The other namespaces that have a directory.
    ///
    /// # Errors
    ///
    /// That of reading the directory.
    pub fn siblings(&self) -> Result<Vec<Directory>> {
        Ok(names(&self.base)?
            .iter()
            .filter_map(|name| name.parse().ok())
            .filter(|cookie| *cookie != self.cookie)
            .map(|cookie| Directory {
                base: self.base.clone(),
                cookie,
            })
            .collect())
    }

    /// Waits for the right to change this namespace's state. A long wait is said, and for whom.
    ///
    /// # Errors
    ///
    /// That of making or locking the directory.
    pub fn lock(&self) -> Result<WriteLock> {
        loop {
            make_private(&self.base)?;
            make_private(&self.namespace())?;
            make_private(&self.version())?;
            if let Some(lock) =
                self.lock_present(|file| lock_holder::wait(file, &self.namespace()))?
            {
                // Whoever held it before may have pruned what was empty.
                make_private(&self.version())?;
                return Ok(lock);
            }
        }
    }

    /// The lock of a directory that is there, if nobody has it.
    ///
    /// # Errors
    ///
    /// That of locking.
    pub fn try_lock(&self) -> Result<Option<WriteLock>> {
        self.lock_present(|file| match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        })
    }

    fn lock_present(&self, lock: impl Fn(&File) -> io::Result<()>) -> Result<Option<WriteLock>> {
        let path = self.namespace();
        let refused = |error: io::Error| Refusal::io(path.display().to_string(), "lock", &error);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(error)),
        };
        loop {
            match lock(&file) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(refused(error)),
            }
        }
        // Who waited may hold the lock of a directory that the last detach took
        // away: it is only good if it is still the one at this path.
        let held = file.metadata().map_err(refused)?;
        let there = fs::symlink_metadata(&path).is_ok_and(|now| now.ino() == held.ino());
        Ok(there.then(|| WriteLock {
            file,
            directory: self.clone(),
            steps: Cell::new(0),
        }))
    }

    /// Whether something is half made or half removed.
    ///
    /// # Errors
    ///
    /// That of reading the directory.
    pub fn has_drafts(&self) -> Result<bool> {
        Ok(names(&self.version())?.iter().any(|name| is_draft(name)))
    }

    /// Devices, by ifindex, whose attachment was begun and not ended. What is attached
    /// has no other beside it.
    ///
    /// # Errors
    ///
    /// That of reading the directory.
    pub fn drafts(&self) -> Result<Vec<u32>> {
        let names = names(&self.version())?;
        let drafts = names
            .iter()
            .filter_map(|name| name.strip_prefix(DRAFT_PREFIX));
        Ok(drafts
            .filter_map(|number| number.parse().ok())
            .filter(|ifindex| !self.parent(*ifindex).exists())
            .collect())
    }

    /// Where the second generation of a parent is that grows.
    #[must_use]
    pub(super) fn growth(&self, ifindex: u32) -> PathBuf {
        self.version().join(format!("{GROWTH_PREFIX}{ifindex}"))
    }

    /// Ifindexes of the parents that grow, or were growing when a writer was killed.
    ///
    /// # Errors
    ///
    /// That of reading the directory.
    pub fn growing(&self) -> Result<Vec<u32>> {
        let names = names(&self.version())?;
        let ifindex = |name: &String| name.strip_prefix(GROWTH_PREFIX)?.parse().ok();
        Ok(names.iter().filter_map(ifindex).collect())
    }
}

impl WriteLock {
    /// What it locks.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// How many changes of the state were made under it.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Counts one.
    pub(super) fn step(&self) {
        self.steps.set(self.steps.get() + 1);
    }

    /// Refuses what is not of the namespace that it locks.
    ///
    /// # Errors
    ///
    /// EPERM.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        if path.starts_with(self.directory.namespace()) {
            return Ok(());
        }
        Err(Refusal::new(
            path.display().to_string(),
            "change",
            "the lock that is held is another network namespace's",
            libc::EPERM,
        ))
    }

    /// Removes what is half made or half removed, and detaches what hangs on it.
    ///
    /// # Errors
    ///
    /// That of removing it.
    pub fn clear_drafts(&self) -> Result<()> {
        for name in names(&self.directory.version())? {
            if is_draft(&name) {
                self.step();
                remove(&self.directory.version().join(name))?;
            }
        }
        Ok(())
    }

    /// Removes what parents share when there is neither one nor a registered type.
    ///
    /// # Errors
    ///
    /// That of removing it.
    pub fn clear_shared(&self) -> Result<()> {
        let names = names(&self.directory.version())?;
        let is_needed = |name: &String| {
            name.parse::<u32>().is_ok()
                || read_pin_name(name).is_some()
                // The only one of this version, while it goes over to it.
                || name.starts_with(GROWTH_PREFIX)
        };
        if names.iter().any(is_needed) {
            return Ok(());
        }
        for name in names {
            self.step();
            let path = self.directory.version().join(name);
            if path.is_dir() {
                remove(&path)?;
            } else {
                fs::remove_file(&path)
                    .map_err(|error| Refusal::io(path.display().to_string(), "remove", &error))?;
            }
        }
        Ok(())
    }

    /// Makes the directory in which a parent is put together.
    ///
    /// # Errors
    ///
    /// That of making it.
    pub fn begin(&self, ifindex: u32) -> Result<PathBuf> {
        self.step();
        self.clear_drafts()?;
        let draft = self.directory.draft(ifindex);
        make_private(&draft)?;
        Ok(draft)
    }

    /// Makes a draft the parent's directory, in one step.
    ///
    /// # Errors
    ///
    /// That of the rename.
    pub fn commit(&self, ifindex: u32) -> Result<()> {
        self.step();
        let path = self.directory.parent(ifindex);
        fs::rename(self.directory.draft(ifindex), &path)
            .map_err(|error| Refusal::io(path.display().to_string(), "publish", &error))
    }

    /// Makes the directory in which a second generation is put together.
    ///
    /// # Errors
    ///
    /// That of making it.
    pub(super) fn begin_growth(&self, ifindex: u32) -> Result<PathBuf> {
        self.step();
        self.drop_growth(ifindex)?;
        let path = self.directory.growth(ifindex);
        make_private(&path)?;
        Ok(path)
    }

    /// Lets a parent's two generations change places, in one step.
    ///
    /// # Errors
    ///
    /// That of the rename.
    pub(super) fn exchange(&self, ifindex: u32) -> Result<()> {
        self.step();
        let path = self.directory.parent(ifindex);
        sys::exchange(&path, &self.directory.growth(ifindex))
            .map_err(|error| Refusal::io(path.display().to_string(), "exchange", &error))
    }

    /// Makes the second generation the parent's directory, where there is no first in this
    /// version, in one step.
    ///
    /// # Errors
    ///
    /// That of the rename.
    pub(super) fn publish_growth(&self, ifindex: u32) -> Result<()> {
        self.step();
        let path = self.directory.parent(ifindex);
        fs::rename(self.directory.growth(ifindex), &path)
            .map_err(|error| Refusal::io(path.display().to_string(), "publish", &error))
    }

    /// Removes what another version has pinned for a parent that has gone over to this one,
    /// and with the last of them the rest of that version's. Links that are pinned here too
    /// stay attached.
    ///
    /// # Errors
    ///
    /// That of removing it.
    pub fn drop_other(&self, version: u32, ifindex: u32) -> Result<()> {
        self.step();
        let path = self.directory.of_version(version);
        let remove = |path: &Path| {
            fs::remove_dir_all(path)
                .map_err(|error| Refusal::io(path.display().to_string(), "remove", &error))
        };
        remove(&path.join(ifindex.to_string()))?;
        match self.directory.parents_of(version)?.is_empty() {
            true => remove(&path),
            false => Ok(()),
        }
    }

    /// Removes the generation that is not in use. Links that are pinned in the other
    /// one too stay attached.
    ///
    /// # Errors
    ///
    /// That of removing it.
    pub(super) fn drop_growth(&self, ifindex: u32) -> Result<()> {
        self.step();
        let path = self.directory.growth(ifindex);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Refusal::io(path.display().to_string(), "remove", &error))
            }
            _ => Ok(()),
        }
    }

    /// Makes a parent's directory a draft again, whose removal detaches its programs.
    ///
    /// # Errors
    ///
    /// That of the rename.
    pub fn retire(&self, ifindex: u32) -> Result<()> {
        self.step();
        let path = self.directory.parent(ifindex);
        fs::rename(
            &path,
            self.directory
                .version()
                .join(format!("{RETIRED_PREFIX}{ifindex}")),
        )
        .map_err(|error| Refusal::io(path.display().to_string(), "retire", &error))
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // Not empty is the usual case, and no error: what is empty goes, so that
        // a refused command and the last detach leave nothing behind.
        let Directory { base, .. } = &self.directory;
        lock_file::clear_stale(&self.directory.namespace());
        for path in [&self.directory.version(), &self.directory.namespace(), base] {
            let _ = fs::remove_dir(path);
        }
        // Closing would do it too, but for a child that inherited it.
        let _ = self.file.unlock();
    }
}

fn is_draft(name: &str) -> bool {
    name.starts_with(DRAFT_PREFIX) || name.starts_with(RETIRED_PREFIX)
}

/// Removes a parent's directory, its links detached first: the kernel releases
/// an unpinned link only some time later, and until then the device is busy.
fn remove(directory: &Path) -> Result<()> {
    for name in names(directory)? {
        if name.ends_with(LINK_SUFFIX)
            && let Ok(link) = sys::obj_get(&directory.join(name))
        {
            // A dead link, or a kind that cannot be detached: unpinning does.
            let _ = sys::link_detach(link.as_fd());
        }
    }
    fs::remove_dir_all(directory)
        .map_err(|error| Refusal::io(directory.display().to_string(), "remove", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place of its own for a test, without bpffs.
    fn base(test: &str) -> PathBuf {
        std::env::temp_dir().join(format!("alias-{}-{test}", std::process::id()))
    }

    #[test]
    fn a_lock_is_good_for_its_own_namespace_only() {
        let base = base("lock");
        let own = Directory {
            base: base.clone(),
            cookie: 1,
        };
        // Whose name begins as that of the other does.
        let other = Directory { base, cookie: 10 };
        let lock = own.lock().unwrap();
        for path in [own.parent(7), own.draft(7), own.growth(7)] {
            lock.check(&path).unwrap();
        }
        let refusal = lock.check(&other.parent(7)).unwrap_err();
        assert_eq!(refusal.errno, libc::EPERM);
    }

    #[test]
    fn a_lock_counts_what_is_changed_under_it() {
        let directory = Directory {
            base: base("steps"),
            cookie: 1,
        };
        let lock = directory.lock().unwrap();
        assert_eq!(lock.steps(), 0);
        lock.begin(7).unwrap();
        lock.commit(7).unwrap();
        assert_eq!((lock.steps(), directory.parents().unwrap()), (2, vec![7]));
        lock.retire(7).unwrap();
        lock.clear_drafts().unwrap();
        assert_eq!((lock.steps(), directory.parents().unwrap()), (4, vec![]));
    }
}
