//! What each pinned map must look like, and opening one only when it does: a pin
//! of another shape would be read out of bounds.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use alias_common::Plain;
use alias_common::alias_type::{MAX_TYPES, TypeRow};
use alias_common::header::Header;
use alias_common::hearer::{self, Hearer};
use alias_common::layout::Layout;
use alias_common::limits::{MAX_ALIASES, MAX_TARGETS};
use alias_common::names::{self, MAX_PARENTS};
use alias_common::order::words;
use alias_common::record::{Port, Record};
use alias_common::table::Geometry;

use super::shared::{Memory, Shared};
use super::{slots, sys};
use crate::error::{Refusal, Result};

/// `enum bpf_map_type` of `linux/bpf.h`.
const HASH: u32 = 1;
pub(super) const ARRAY: u32 = 2;
const ARRAY_OF_MAPS: u32 = 12;
const DEVMAP: u32 = 14;
/// `BPF_F_MMAPABLE` of `linux/bpf.h`.
const MMAPABLE: u32 = 1 << 10;
/// `BPF_F_INNER_MAP`: maps of several sizes may stand in one map of maps. Programs
/// look such a map up by a call.
const INNER_MAP: u32 = 1 << 12;

/// What a map must look like to be used: a pin of another shape would be read
/// out of bounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shape {
    /// Name it is pinned under.
    pub name: &'static str,
    /// `enum bpf_map_type`.
    pub kind: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Number of elements.
    pub max_entries: u32,
    /// `BPF_F_…` of its creation.
    pub flags: u32,
}

/// How large a parent is. Its maps say so; it has others of another extent once it has
/// grown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// Number of records: of aliases that there is room for.
    pub capacity: u32,
    /// First dimension of the counters: the possible CPUs and, once the parent has
    /// grown, one more, where the controller keeps what was counted before.
    pub rows: u32,
}

impl Extent {
    /// That of the maps pinned under `path`; `None` when there are none.
    ///
    /// # Errors
    ///
    /// EINVAL when they are not of this version.
    pub fn of(path: &Path) -> Result<Option<Extent>> {
        let (Some(record), Some(counters)) = (
            open_pin(path, names::RECORD)?,
            open_pin(path, names::COUNTERS)?,
        ) else {
            return Ok(None);
        };
        let entries = |fd: &OwnedFd| {
            sys::map_info(fd.as_fd())
                .map(|info| info.max_entries)
                .map_err(|error| Refusal::io(path.display().to_string(), "inspect", &error))
        };
        let (capacity, rows) = (entries(&record)?.saturating_sub(1), entries(&counters)?);
        if capacity == 0 || capacity > MAX_ALIASES {
            return Err(foreign(path, names::RECORD, "no parent has so many"));
        }
        Ok(Some(Extent { capacity, rows }))
    }

    /// The table that holds so many.
    #[must_use]
    pub const fn geometry(self) -> Geometry {
        Geometry::for_capacity(self.capacity)
    }
}

/// The kernel's numbers of the maps pinned under `path`, of which every generation has its
/// own; `None` when there are none.
///
/// # Errors
///
/// That of opening or inspecting them.
pub(super) fn generation(path: &Path) -> Result<Option<u32>> {
    let Some(record) = open_pin(path, names::RECORD)? else {
        return Ok(None);
    };
    sys::map_info(record.as_fd())
        .map(|info| Some(info.id))
        .map_err(|error| Refusal::io(path.display().to_string(), "inspect", &error))
}

/// The maps of a parent; their keys are all 4 bytes.
#[must_use]
pub fn shapes(extent: Extent) -> [Shape; 9] {
    let Extent { capacity, rows } = extent;
    let layout = Layout::for_capacity(capacity);
    let array = |name, value_size: usize, max_entries| Shape {
        name,
        kind: ARRAY,
        value_size: value_size as u32,
        max_entries,
        flags: MMAPABLE,
    };
    [
        HEADER,
        array(names::TABLE, layout.table_len(), 1),
        array(names::COUNTERS, layout.row_len(), rows),
        record(capacity),
        order(capacity),
        array(
            names::HEARERS,
            size_of::<Hearer>(),
            hearer::elements(capacity),
        ),
        array(names::SLOTS, size_of::<u64>(), slots::pairs(capacity)),
        Shape {
            name: names::DEVMAP,
            kind: DEVMAP,
            value_size: 8,
            max_entries: MAX_TARGETS,
            flags: 0,
        },
        Shape {
            name: names::PORT,
            kind: HASH,
            value_size: size_of::<Port>() as u32,
            max_entries: capacity,
            flags: 0,
        },
    ]
}

/// Bytes of a parent's arrays, about: values are rounded up to 8.
#[must_use]
pub fn memory(extent: Extent) -> u64 {
    let of = |shape: &Shape| {
        u64::from(shape.value_size.next_multiple_of(8)) * u64::from(shape.max_entries)
    };
    shapes(extent).iter().map(of).sum()
}

/// The header of a parent.
pub(super) const HEADER: Shape = Shape {
    name: names::HEADER,
    kind: ARRAY,
    value_size: size_of::<Header>() as u32,
    max_entries: 1,
    flags: MMAPABLE,
};

/// The records of a parent with this capacity, and its pending change.
#[must_use]
pub(super) const fn record(capacity: u32) -> Shape {
    Shape {
        name: names::RECORD,
        kind: ARRAY,
        value_size: size_of::<Record>() as u32,
        max_entries: capacity + 1,
        flags: MMAPABLE | INNER_MAP,
    }
}

/// The creation log of a parent with this capacity.
#[must_use]
pub(super) const fn order(capacity: u32) -> Shape {
    Shape {
        name: names::ORDER,
        kind: ARRAY,
        value_size: size_of::<u64>() as u32,
        max_entries: words(capacity),
        flags: MMAPABLE | INNER_MAP,
    }
}

/// A map of the parents' maps.
#[must_use]
pub(super) const fn outer(name: &'static str) -> Shape {
    Shape {
        name,
        kind: ARRAY_OF_MAPS,
        value_size: 4,
        max_entries: MAX_PARENTS,
        flags: 0,
    }
}

/// What the iterator of `aliases` goes through: a step for each 511 lines that it can
/// print, so 16.7 million.
pub(super) const STEPS: Shape = Shape {
    name: "steps",
    kind: ARRAY,
    value_size: 4,
    max_entries: 1 << 15,
    flags: 0,
};

/// The map of alias types, one for a namespace.
pub(super) const TYPES: Shape = Shape {
    name: names::TYPES,
    kind: ARRAY,
    value_size: size_of::<TypeRow>() as u32,
    max_entries: MAX_TYPES,
    flags: MMAPABLE,
};

/// The map of an alias type's object; the number of its elements is the object's.
pub(super) const OBJECT: Shape = Shape {
    name: "",
    kind: ARRAY,
    value_size: 8,
    max_entries: 1,
    flags: MMAPABLE,
};

/// Makes a map of this shape.
pub(super) fn create(shape: Shape, inner: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    let Shape {
        kind,
        value_size,
        max_entries,
        flags,
        ..
    } = shape;
    sys::map_create(kind, value_size, max_entries, flags, inner)
}

/// Opens a pin; `None` when there is none.
pub(super) fn open_pin(path: &Path, name: &str) -> Result<Option<OwnedFd>> {
    match sys::obj_get(&path.join(name)) {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::io(
            path.join(name).display().to_string(),
            "open",
            &error,
        )),
    }
}

/// An array of the expected shape, not mapped yet.
pub(super) struct Pinned {
    fd: OwnedFd,
    shape: Shape,
}

impl Pinned {
    /// Opens the array of this name, if it has the expected shape.
    pub(super) fn open(path: &Path, expected: &[Shape], name: &str) -> Result<Pinned> {
        let fd =
            open_pin(path, name)?.ok_or_else(|| foreign(path, name, "nothing is pinned there"))?;
        let shape = *expected
            .iter()
            .find(|shape| shape.name == name)
            .ok_or_else(|| foreign(path, name, "no such map"))?;
        check(path, &fd, shape)?;
        Ok(Pinned { fd, shape })
    }

    /// Maps one that holds elements of several types; each of their sizes divides
    /// `stride`.
    pub(super) fn memory(&self, stride: usize) -> Result<Arc<Memory>> {
        let total = self.shape.value_size as usize * self.shape.max_entries as usize;
        Memory::map(self.fd.as_fd(), total, stride, self.shape.name)
            .map(Arc::new)
            .map_err(|error| Refusal::io(self.shape.name, "map", &error))
    }

    /// Maps it.
    pub(super) fn map<T: Plain>(&self) -> Result<Shared<T>> {
        Shared::map(self.fd.as_fd(), self.shape.max_entries, self.shape.name)
            .map_err(|error| Refusal::io(self.shape.name, "map", &error))
    }
}

/// Maps the array of this name, if it has the expected shape.
pub(super) fn map<T: Plain>(path: &Path, expected: &[Shape], name: &str) -> Result<Shared<T>> {
    Pinned::open(path, expected, name)?.map()
}

/// Compares a map with the shape it must have.
pub(super) fn check(path: &Path, fd: &OwnedFd, expected: Shape) -> Result<()> {
    let info = sys::map_info(fd.as_fd()).map_err(|error| {
        Refusal::io(
            path.join(expected.name).display().to_string(),
            "inspect",
            &error,
        )
    })?;
    let found = Shape {
        name: expected.name,
        kind: info.kind,
        value_size: info.value_size,
        max_entries: info.max_entries,
        flags: info.flags,
    };
    if found == expected && info.key_size == 4 {
        return Ok(());
    }
    Err(foreign(
        path,
        expected.name,
        &format!("found {found:?}, expected {expected:?}"),
    ))
}

/// The refusal for a pin that is not what this version made.
pub(super) fn foreign(path: &Path, name: &str, what: &str) -> Refusal {
    Refusal::new(
        path.join(name).display().to_string(),
        "open",
        format!("not a map of this version: {what}"),
        libc::EINVAL,
    )
    .hint("another version made it, or a stranger: remove the parent's directory to detach it")
}
