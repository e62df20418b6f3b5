//! The kernel's own listing: the files `aliases` and `alias_types`, which print the
//! parents' records to whoever reads them. One pair for a namespace, made with its
//! first parent and gone with its last.
//!
//! What they print of a parent they find through three maps of maps. A parent is put
//! into them before its directory appears, and taken out after that is gone: a
//! kill in between leaves a draft, whose remover puts them right.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use alias_common::names::{self, MAX_PARENTS};
use aya::Btf;
use aya::programs::Iter;

use super::build::Build;
use super::directory::{Directory, WriteLock};
use super::shape::{self, check, foreign, open_pin};
use super::{Types, embedded, object, sys};
use crate::error::{Refusal, Result};

/// The maps of maps, and what of a parent they hold.
const OUTER: [(&str, &str); 3] = [
    (names::HEADERS, names::HEADER),
    (names::RECORDS, names::RECORD),
    (names::ORDERS, names::ORDER),
];

/// Makes the listing, unless it is there.
///
/// # Errors
///
/// What the kernel refused.
pub fn make(lock: &WriteLock) -> Result<()> {
    let directory = lock.directory();
    let path = directory.shared();
    // What is pinned last says that all of it is there, or that there is to be none.
    if is_made(directory) || is_refused(directory) {
        return Ok(());
    }
    let others = OUTER.map(|(outer, _)| outer);
    for name in others.iter().chain([&names::ALIAS_TYPES]) {
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(refused(&path, name, "remove", &error));
            }
            _ => {}
        }
    }
    Types::open_or_make(lock)?;
    // Nothing but their number of elements matters: each is a step of a reading.
    let steps = shape::create(shape::STEPS, None)
        .map_err(|error| refused(&path, names::ALIASES, "create", &error))?;
    mark(&path)?;
    let Ok(programs) = make_outer(&path).and_then(|()| load(&path)) else {
        // A kernel that takes no iterator is no reason to do without aliases. It is not
        // asked again while there is a parent: `alias-ctl verify` tells why it refuses.
        return sys::obj_pin(steps.as_fd(), &path.join(names::NO_LISTING))
            .map_err(|error| refused(&path, names::NO_LISTING, "pin", &error));
    };
    for ifindex in directory.parents()? {
        insert(lock, &directory.parent(ifindex))?;
    }
    for (name, file) in files(&path, &programs, &steps)? {
        sys::obj_pin(file.as_fd(), &path.join(name))
            .map_err(|error| refused(&path, name, "attach", &error))?;
    }
    Ok(())
}

/// The files as they are to be pinned, the one last that says that all are there.
fn files(
    path: &Path,
    programs: &Programs,
    steps: &OwnedFd,
) -> Result<[(&'static str, OwnedFd); 2]> {
    let types = open(path, names::TYPES)?;
    let file = |name, program: &OwnedFd, map: &OwnedFd| {
        let over = match programs.goes_over {
            GoesOver::Elements => Some(map.as_raw_fd()),
            GoesOver::Symbols => None,
        };
        sys::iterator_create(program.as_fd(), over)
            .map(|link| (name, link))
            .map_err(|error| refused(path, name, "attach", &error))
    };
    Ok([
        file(names::ALIAS_TYPES, &programs.alias_types, &types)?,
        file(names::ALIASES, &programs.aliases, steps)?,
    ])
}

/// Says that the programs are this build's.
fn mark(path: &Path) -> Result<()> {
    let marked = Build::own().pin(path);
    marked.map_err(|error| refused(path, names::ALIASES, "mark", &error))
}

/// Whether there is a listing, or the word that there is none, of another build.
///
/// # Errors
///
/// That of reading its mark.
pub fn is_of_another_build(directory: &Directory) -> Result<bool> {
    let is_there = is_made(directory) || is_refused(directory);
    Ok(is_there && !Build::is_own(&directory.shared())?)
}

/// Has this build's programs print the files; who reads one meanwhile reads on.
///
/// # Errors
///
/// What the kernel refused: then the ones before go on.
pub fn renew(lock: &WriteLock) -> Result<()> {
    let directory = lock.directory();
    let path = directory.shared();
    lock.step();
    if is_refused(directory) {
        // These it may take.
        fs::remove_file(path.join(names::NO_LISTING))
            .map_err(|error| refused(&path, names::NO_LISTING, "remove", &error))?;
        return make(lock);
    }
    let steps = shape::create(shape::STEPS, None)
        .map_err(|error| refused(&path, names::ALIASES, "create", &error))?;
    let programs = load(&path)?;
    for (name, file) in files(&path, &programs, &steps)? {
        let new = new_name(&path, name);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sys::obj_pin(file.as_fd(), &new).and_then(|()| fs::rename(&new, path.join(name))),
        }
        .map_err(|error| refused(&path, name, "replace", &error))?;
    }
    mark(&path)
}

/// Where a file is until it takes another's place. bpffs takes no dots in names.
fn new_name(path: &Path, name: &str) -> PathBuf {
    path.join(format!("{name}_new"))
}

/// Whether the files are there.
fn is_made(directory: &Directory) -> bool {
    directory.shared().join(names::ALIASES).exists()
}

/// Whether this kernel has refused them.
#[must_use]
pub fn is_refused(directory: &Directory) -> bool {
    directory.shared().join(names::NO_LISTING).exists()
}

/// Makes it again if somebody removed it, or clears away what no parent needs.
///
/// # Errors
///
/// As for [`make`].
pub fn restore(lock: &WriteLock) -> Result<()> {
    if lock.directory().parents()?.is_empty() {
        return lock.clear_shared();
    }
    // What a kill left of another build's.
    for name in [names::ALIAS_TYPES, names::ALIASES] {
        let _ = fs::remove_file(new_name(&lock.directory().shared(), name));
    }
    make(lock)
}

/// What the iterators go through, in order of preference: `alias-ebpf/src/listing`.
#[derive(Clone, Copy)]
enum GoesOver {
    /// Elements of a map: as many steps as there are elements.
    Elements,
    /// The kernel's symbols. Where the kernel takes no iterator over map elements,
    /// which could write to them (EPERM), this one still goes.
    Symbols,
}

impl GoesOver {
    const ALL: [GoesOver; 2] = [GoesOver::Elements, GoesOver::Symbols];

    /// The kernel's name of the iterator, and those of our two programs for it.
    const fn names(self) -> (&'static str, [&'static str; 2]) {
        match self {
            GoesOver::Elements => ("bpf_map_elem", [names::ALIAS_TYPES, names::ALIASES]),
            GoesOver::Symbols => ("ksym", [names::ALIAS_TYPES_KSYM, names::ALIASES_KSYM]),
        }
    }
}

struct Programs {
    alias_types: OwnedFd,
    aliases: OwnedFd,
    goes_over: GoesOver,
}

/// Makes and pins the maps through which the programs find the parents. Not by the
/// loader: it describes the inner maps by BTF, and before Linux 6.2 one with and one
/// without BTF are not alike (`bpf_map_meta_equal` compares `timer_off`), so that no
/// parent's could be put in.
fn make_outer(path: &Path) -> Result<()> {
    for ((outer, _), inner) in OUTER
        .iter()
        .zip([shape::HEADER, shape::record(1), shape::order(1)])
    {
        shape::create(inner, None)
            .and_then(|inner| shape::create(shape::outer(outer), Some(inner.as_fd())))
            .and_then(|map| sys::obj_pin(map.as_fd(), &path.join(outer)))
            .map_err(|error| refused(path, outer, "create", &error))?;
    }
    Ok(())
}

/// Loads the programs of `alias_types` and `aliases`, on maps that are pinned.
fn load(path: &Path) -> Result<Programs> {
    embedded::check(embedded::LISTING)?;
    let name = path.display().to_string();
    let refused = |error: &(dyn std::error::Error + 'static)| {
        object::kernel_refusal(&name, "load the listing", error)
    };
    let missing = |what: &str| {
        let reason = format!("no {what} in it");
        Refusal::new(&name, "load the listing", reason, libc::ENOENT)
    };
    let btf = Btf::from_sys_fs().map_err(|error| refused(&error))?;
    let mut loader = object::loader();
    loader.btf(Some(&btf));
    let outer = OUTER.iter().map(|(outer, _)| *outer);
    for map in outer.chain([names::TYPES]) {
        loader.map_pin_path(map, path.join(map));
    }
    let mut ebpf = loader
        .load(embedded::LISTING)
        .map_err(|error| refused(&error))?;
    let mut program = |name, iterator| {
        let program = ebpf.program_mut(name).ok_or_else(|| missing(name))?;
        let program: &mut Iter = program.try_into().map_err(|error| refused(&error))?;
        program
            .load(iterator, &btf)
            .map_err(|error| refused(&error))?;
        let fd = program.fd().map_err(|error| refused(&error))?;
        fd.as_fd()
            .try_clone_to_owned()
            .map_err(|error| Refusal::io(name.to_owned(), "load the listing", &error))
    };
    let mut load = |goes_over: GoesOver| {
        let (iterator, [alias_types, aliases]) = goes_over.names();
        Ok(Programs {
            alias_types: program(alias_types, iterator)?,
            aliases: program(aliases, iterator)?,
            goes_over,
        })
    };
    let [first, second] = GoesOver::ALL;
    // What the first was refused for is what there is to tell.
    load(first).or_else(|refusal| load(second).map_err(|_| refusal))
}

/// Has the parent listed whose maps are pinned under `parent`.
///
/// # Errors
///
/// ENOSPC when there are too many; what the kernel refused.
pub fn insert(lock: &WriteLock, parent: &Path) -> Result<()> {
    let directory = lock.directory();
    let path = directory.shared();
    if is_refused(directory) {
        return Ok(());
    }
    let outer = open_outer(&path)?;
    let header = sys::map_info(open(parent, names::HEADER)?.as_fd())
        .map_err(|error| refused(parent, names::HEADER, "inspect", &error))?
        .id;
    let at = |wanted| {
        (0..MAX_PARENTS)
            .find(|number| matches!(inner_id(&outer[0], *number), Ok(found) if found == wanted))
    };
    // A kill may have come after it was put in.
    let number = at(Some(header)).or_else(|| at(None)).ok_or_else(|| {
        let reason = format!("{MAX_PARENTS} devices of this namespace are attached");
        Refusal::new(parent.display().to_string(), "list", reason, libc::ENOSPC).hint("detach one")
    })?;
    let mut inner = Vec::new();
    for (_, name) in OUTER {
        inner.push(open(parent, name)?);
    }
    lock.step();
    all_at_once(&outer, |which, map| {
        let fd = inner[which].as_raw_fd();
        sys::map_update(map, number, &fd.to_ne_bytes())
    })
    .map_err(|error| refused(&path, names::HEADERS, "list a parent", &error))
}

/// Has a parent that has grown listed by the maps that it has now. The header is the
/// same as before.
///
/// # Errors
///
/// What the kernel refused.
pub(super) fn follow(lock: &WriteLock, ifindex: u32) -> Result<()> {
    let directory = lock.directory();
    let path = directory.shared();
    let parent = directory.parent(ifindex);
    if !is_made(directory) {
        return Ok(());
    }
    let outer = open_outer(&path)?;
    let mut inner = Vec::new();
    for (_, name) in OUTER {
        let map = open(&parent, name)?;
        let id = sys::map_info(map.as_fd())
            .map_err(|error| refused(&parent, name, "inspect", &error))?
            .id;
        inner.push((map, id));
    }
    let is = |which: usize, number| matches!(inner_id(&outer[which], number), Ok(Some(id)) if id == inner[which].1);
    let Some(number) = (0..MAX_PARENTS).find(|number| is(0, *number)) else {
        return Ok(());
    };
    lock.step();
    all_at_once(&outer, |which, map| match is(which, number) {
        true => Ok(()),
        false => sys::map_update(map, number, &inner[which].0.as_raw_fd().to_ne_bytes()),
    })
    .map_err(|error| refused(&path, names::HEADERS, "list a parent", &error))
}

/// Takes out what is no attached parent's.
///
/// # Errors
///
/// What the kernel refused.
pub fn drop_strangers(lock: &WriteLock) -> Result<()> {
    let directory = lock.directory();
    let path = directory.shared();
    if !is_made(directory) {
        // It is made anew, with those parents that there are.
        return Ok(());
    }
    let outer = open_outer(&path)?;
    let mut known = HashSet::new();
    for ifindex in directory.parents()? {
        if let Some(header) = open_pin(&directory.parent(ifindex), names::HEADER)? {
            known.extend(sys::map_info(header.as_fd()).map(|info| info.id));
        }
    }
    for number in 0..MAX_PARENTS {
        let found = |map| inner_id(map, number).ok().flatten();
        let header = found(&outer[0]);
        let is_known = header.is_some_and(|id| known.contains(&id));
        let is_empty = header.is_none() && outer[1..].iter().all(|map| found(map).is_none());
        if !is_known && !is_empty {
            lock.step();
            all_at_once(&outer, |_, map| sys::map_delete(map, number))
                .map_err(|error| refused(&path, names::HEADERS, "forget a parent", &error))?;
        }
    }
    Ok(())
}

/// Each change of a map of maps waits until no program uses what was there before:
/// so they wait together.
fn all_at_once(
    outer: &[OwnedFd; 3],
    change: impl Fn(usize, BorrowedFd<'_>) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let change = &change;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(outer)
            .map(|(which, map)| scope.spawn(move || change(which, map.as_fd())))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::from_raw_os_error(libc::EIO)))
        })
    })
}

fn inner_id(outer: &OwnedFd, number: u32) -> io::Result<Option<u32>> {
    let id = sys::map_lookup::<4>(outer.as_fd(), number)?;
    Ok(id.map(u32::from_ne_bytes))
}

fn open_outer(path: &Path) -> Result<[OwnedFd; 3]> {
    let mut outer = Vec::new();
    for (name, _) in OUTER {
        let map = open(path, name)?;
        check(path, &map, shape::outer(name))?;
        outer.push(map);
    }
    <[OwnedFd; 3]>::try_from(outer).map_err(|_| foreign(path, names::HEADERS, "not three maps"))
}

fn open(path: &Path, name: &str) -> Result<OwnedFd> {
    open_pin(path, name)?.ok_or_else(|| foreign(path, name, "nothing is pinned there"))
}

fn refused(path: &Path, name: &str, operation: &str, error: &io::Error) -> Refusal {
    Refusal::io(path.join(name).display().to_string(), operation, error)
}
