//! Address families that come and go at run time.
//!
//! The object's pin in the namespace's directory is the undo log: under the name of
//! a type that is being registered or unregistered it says what to take back, and
//! [`finish`] does, after a refusal as after a kill.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use alias_common::alias_type::TypeRow;
use alias_common::key::Family;

use crate::dataplane::description::{MAX_OBJECT, describe, refuse_taken};
use crate::dataplane::engine::Place;
use crate::dataplane::registry::{self, Registered};
use crate::dataplane::{Parent, Types, object};
use crate::error::{Refusal, Result};
use crate::model::typed::{is_named, name};
use crate::store::place::{self, Purpose};
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

/// The type that a word names: one that is there, or one that an object in the
/// types' directories describes, which is not registered yet.
#[derive(Clone)]
pub struct Named {
    /// What it says of itself.
    pub row: TypeRow,
    /// Its file and what is in it; `None`: it is registered.
    object: Option<(String, Vec<u8>)>,
}

impl Named {
    /// Finds a type by its name or its family's number.
    ///
    /// # Errors
    ///
    /// EAFNOSUPPORT when it is neither registered nor in the types' directories.
    pub fn find(host: &Host, word: &str, operation: &str) -> Result<Named> {
        let known = rows(host)?;
        if let Some(row) = known.into_iter().find(|row| is_named(row, word)) {
            return Ok(Named { row, object: None });
        }
        let mut passed_over = None;
        for file in objects() {
            // What is no type, or another, is not what was asked for.
            let bytes = match read_trusted(&file) {
                Ok(bytes) => bytes,
                Err(refusal) => {
                    passed_over.get_or_insert(refusal);
                    continue;
                }
            };
            let object = file.display().to_string();
            if let Ok(row) = describe(&object, &bytes)
                && is_named(&row, word)
            {
                return Ok(Named {
                    row,
                    object: Some((object, bytes)),
                });
            }
        }
        let hint = passed_over.map_or_else(
            || "register it: alias-ctl types add OBJECT".to_owned(),
            |refusal: Refusal| format!("one was passed over: {refusal}"),
        );
        Err(Refusal::new(
            word,
            operation,
            format!(
                "no such address family: none is registered, and none found in {}",
                directories()
                    .iter()
                    .map(|directory| directory.display().to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            libc::EAFNOSUPPORT,
        )
        .hint(hint))
    }

    /// Registers it, if it is not, while `work` is done; a refusal of that takes it
    /// back.
    ///
    /// # Errors
    ///
    /// Those of registering and of `work`.
    pub fn registered_for(
        &self,
        tx: &mut Transaction<'_>,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some((object, bytes)) = &self.object else {
            return work(tx);
        };
        register(tx, object, self.row, bytes)?;
        let done = work(tx);
        if done.is_err() {
            unregister(tx, &self.row)?;
        }
        done
    }
}

/// Takes away what a kill, or a refusal, left half registered or half unregistered.
///
/// # Errors
///
/// What the kernel refused; the next writer tries again.
pub fn finish(tx: &mut Transaction<'_>) -> Result<()> {
    let unfinished = registry::unfinished(&tx.host.directory)?;
    if unfinished.is_empty() {
        return Ok(());
    }
    let staying = Registered::all(tx.lock())?;
    if let Some(types) = Types::open(&tx.host.directory)? {
        let gone: Vec<u32> = types
            .all()
            .filter(|(_, row)| !is_built_in(row))
            .filter(|(_, row)| !staying.iter().any(|t| t.row.family == row.family))
            .map(|(number, _)| number)
            .collect();
        for number in gone {
            types.set(number, TypeRow::default(), tx.lock());
        }
    }
    follow(tx, &staying)?;
    for path in unfinished {
        fs::remove_file(&path)
            .map_err(|error| Refusal::io(path.display().to_string(), "remove", &error))?;
    }
    tx.lock().clear_shared()
}

/// Registers the type that an object describes.
///
/// # Errors
///
/// EEXIST for one whose family, name or ethertype is taken; what the verifier said.
pub fn register(tx: &mut Transaction<'_>, object: &str, row: TypeRow, bytes: &[u8]) -> Result<()> {
    refuse_taken(object, &row, &rows(tx.host)?)?;
    for generic in [false, true] {
        object::load_type(object, bytes, None, generic)?;
    }
    let registered = install(tx, object, row, bytes);
    if registered.is_err() {
        // What cannot be taken back now, the next writer takes back.
        let _ = finish(tx);
        let _ = tx.lock().clear_shared();
    }
    registered
}

fn install(tx: &mut Transaction<'_>, object: &str, row: TypeRow, bytes: &[u8]) -> Result<()> {
    let types = Types::open_or_make(tx.lock())?;
    let number = types.lowest_free().ok_or_else(|| {
        Refusal::new(
            object,
            "register alias type",
            "all rows are taken",
            libc::ENOSPC,
        )
        .hint("unregister one: alias-ctl types del NAME")
    })?;
    let mut new = Registered::keep(tx.lock(), row, bytes)?;
    let mut all = Registered::all(tx.lock())?;
    all.push(new.clone());
    follow(tx, &all)?;
    types.set(number, row, tx.lock());
    new.commit(tx.lock())
}

/// Has every registered type listed: those that came from another version are not.
///
/// # Errors
///
/// That of making the list; ENOSPC when it is full.
pub fn list_registered(tx: &Transaction<'_>) -> Result<()> {
    let types = Types::open_or_make(tx.lock())?;
    for registered in Registered::all(tx.lock())? {
        let row = registered.row;
        if types.of_family(row.family).is_some() {
            continue;
        }
        let number = types.lowest_free().ok_or_else(|| {
            let reason = "all rows are taken";
            Refusal::new(name(&row), "keep alias type", reason, libc::ENOSPC)
        })?;
        types.set(number, row, tx.lock());
    }
    Ok(())
}

/// Unregisters a type that no alias is of.
///
/// # Errors
///
/// What the kernel refused.
pub fn unregister(tx: &mut Transaction<'_>, row: &TypeRow) -> Result<()> {
    let mut all = Registered::all(tx.lock())?;
    let going = all.iter_mut().find(|t| t.row.family == row.family);
    if let Some(going) = going {
        going.begin_removal(tx.lock())?;
    }
    finish(tx)
}

/// Makes every parent's engine follow the types.
fn follow(tx: &mut Transaction<'_>, types: &[Registered]) -> Result<()> {
    for ifindex in tx.host.directory.parents()? {
        let Some(parent) = Parent::open(&tx.host.directory, ifindex)? else {
            continue;
        };
        let place = Place {
            path: parent.path(),
            name: &parent_name(tx.host, ifindex)?,
            header: parent.fixed(),
            extent: parent.extent(),
        };
        place.follow(types, tx.lock())?;
    }
    Ok(())
}

/// The namespace's types; those that are built in are there from the start.
///
/// # Errors
///
/// EINVAL when the pinned map is not of this version.
pub fn rows(host: &Host) -> Result<Vec<TypeRow>> {
    Ok(match Types::open(&host.directory)? {
        Some(types) => types.all().map(|(_, row)| row).collect(),
        None => TypeRow::BUILT_IN.to_vec(),
    })
}

/// The namespace's families and their names.
///
/// # Errors
///
/// As for [`rows`].
pub fn names(host: &Host) -> Result<Vec<(Family, String)>> {
    let rows = rows(host)?;
    Ok(rows
        .iter()
        .map(|row| (Family(row.family), name(row)))
        .collect())
}

/// The name of a family, or its number when no type has it.
#[must_use]
pub fn family_name(rows: &[TypeRow], family: Family) -> String {
    rows.iter()
        .find(|row| row.family == family.0)
        .map_or_else(|| family.0.to_string(), name)
}

/// Whether a type is there from the start.
#[must_use]
pub fn is_built_in(row: &TypeRow) -> bool {
    TypeRow::BUILT_IN
        .iter()
        .any(|built_in| built_in.family == row.family)
}

/// How many aliases are of a family, and the first of them by ifindex and slot.
pub struct Users {
    /// Their number.
    pub count: u32,
    /// The first.
    pub first: Option<(u32, u32)>,
}

/// Counts them.
///
/// # Errors
///
/// A parent that cannot be read.
pub fn aliases_of(host: &Host, family: u16) -> Result<Users> {
    let mut users = Users {
        count: 0,
        first: None,
    };
    for ifindex in host.directory.parents()? {
        let Some(parent) = Parent::open(&host.directory, ifindex)? else {
            continue;
        };
        if !parent.is_alive() {
            continue;
        }
        for (slot, _) in parent
            .live_by_slot()
            .filter(|(_, record)| record.family == family)
        {
            users.count += 1;
            users.first = users.first.or(Some((ifindex, slot)));
        }
    }
    Ok(users)
}

/// What a parent is called.
///
/// # Errors
///
/// That of asking the kernel.
pub fn parent_name(host: &mut Host, ifindex: u32) -> Result<String> {
    let link = host.netlink.link_by_index(ifindex)?;
    Ok(link.map_or_else(|| format!("device {ifindex}"), |link| link.name))
}

/// Reads an object that a user named, at most as much of it as is allowed.
///
/// # Errors
///
/// EINVAL for what is no file, and that of reading it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let refused =
        |error: io::Error| Refusal::io(path.display().to_string(), "read alias type", &error);
    // A pipe must not wait for its writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(refused)?;
    if !file.metadata().map_err(refused)?.is_file() {
        return Err(Refusal::new(
            path.display().to_string(),
            "read alias type",
            "not a regular file",
            libc::EINVAL,
        ));
    }
    object_of(file).map_err(refused)
}

/// Reads an object that nobody named, so that it must be ours alone to write.
fn read_trusted(path: &Path) -> Result<Vec<u8>> {
    let refused =
        |error: io::Error| Refusal::io(path.display().to_string(), "read alias type", &error);
    let found = match place::Place::of(path, Purpose::Load)? {
        Some(place) => place.open()?,
        None => None,
    };
    let file = found.ok_or_else(|| refused(io::Error::from_raw_os_error(libc::ENOENT)))?;
    object_of(file).map_err(refused)
}

fn object_of(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than is allowed shows that there is more.
    file.take(MAX_OBJECT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where objects are looked for when a family is asked for that nobody registered.
const PATH_VARIABLE: &str = "ALIAS_TYPES_PATH";
const DEFAULT_PATH: &str = "/usr/local/lib/alias/types:/usr/lib/alias/types";

fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os(PATH_VARIABLE).unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .collect()
}

/// The object files there, the first directory first, then by name.
fn objects() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in directories() {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut here: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "o"))
            .collect();
        here.sort();
        found.append(&mut here);
    }
    found
}
