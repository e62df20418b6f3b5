//! The parents' maps, and where each reading has got to.

use alias_common::alias_type::{MAX_TYPES, TypeRow};
use alias_common::header::Header;
use alias_common::listing::Line;
use alias_common::names::MAX_PARENTS;
use alias_common::order::Entry;
use alias_common::record::Record;
use aya_ebpf::btf_maps::{Array, ArrayOfMaps};
use aya_ebpf::macros::btf_map;

/// `BPF_F_MMAPABLE` of `linux/bpf.h`.
const MMAPABLE: usize = 1 << 10;
/// `BPF_F_INNER_MAP`: inner maps may differ in their number of elements.
const INNER_MAP: usize = 1 << 12;

const PARENTS: usize = MAX_PARENTS as usize;

pub type Headers = Array<Header, 1, MMAPABLE>;
pub type Records = Array<Record, 1, { MMAPABLE | INNER_MAP }>;
pub type Orders = Array<u64, 1, { MMAPABLE | INNER_MAP }>;

#[btf_map(name = "headers")]
pub static HEADERS: ArrayOfMaps<Headers, PARENTS> = ArrayOfMaps::new();
#[btf_map(name = "records")]
pub static RECORDS: ArrayOfMaps<Records, PARENTS> = ArrayOfMaps::new();
#[btf_map(name = "orders")]
pub static ORDERS: ArrayOfMaps<Orders, PARENTS> = ArrayOfMaps::new();

/// The namespace's alias types.
#[btf_map(name = "types")]
pub static TYPES: Array<TypeRow, { MAX_TYPES as usize }, MMAPABLE> = Array::new();

/// Readings that are remembered. The kernel numbers them as they begin, for the
/// whole machine: one is forgotten when so many others have begun after it, and
/// then ends in an error.
pub const READINGS: u32 = 1024;

#[btf_map(name = "readings")]
pub static READING: Array<Reading, { READINGS as usize }> = Array::new();

/// Where a reading has got to.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Place {
    /// Creation number of the last alias that is behind it.
    pub created: u64,
    /// The parent it is at or, with no number, comes from.
    pub ifindex: u32,
    /// The parent's number, or one of the two below.
    pub number: u32,
    /// Entry of the parent's log where it probably goes on.
    pub at: u32,
    pub reserved: u32,
}

impl Place {
    /// Between two parents.
    pub const BETWEEN: u32 = u32::MAX;
    /// Behind the last one.
    pub const END: u32 = u32::MAX - 1;

    pub const START: Place = Place {
        created: 0,
        ifindex: 0,
        number: Place::BETWEEN,
        at: 0,
        reserved: 0,
    };
}

/// One reading of a listing, from `open(2)` to its end.
#[repr(C)]
pub struct Reading {
    /// Kernel's number of it.
    pub session: u64,
    /// The step it is at: the kernel calls for a step again if what it had printed
    /// was too long for its buffer.
    pub step: u32,
    /// Lines printed in this step.
    pub lines: u32,
    /// Aliases counted for this line of `alias_types`. It stands here and not on a
    /// stack because the verifier would follow each number it can become.
    pub attached: u64,
    /// Where the step began.
    pub from: Place,
    /// Where it has got to.
    pub to: Place,
    /// The line that is being printed.
    pub line: Line,
}

/// What the log says at one place.
#[inline(always)]
pub fn entry(order: &Orders, at: u32) -> Option<Entry> {
    let word = order.get_ptr(at)?;
    // SAFETY: the map's value, aligned. The controller may store the word while we
    // read: a volatile load is one load.
    Some(Entry(unsafe { word.read_volatile() }))
}

/// A record's state, read once.
#[inline(always)]
pub fn is_live(record: &Record) -> bool {
    // SAFETY: a live field. The controller may store it while we read.
    let state = unsafe { (&raw const record.state).read_volatile() };
    state == alias_common::record::State::Live as u32
}

/// Whose a reading is now.
#[inline(always)]
pub fn owner(reading: &Reading) -> u64 {
    // SAFETY: a live field; another reading may store it meanwhile.
    unsafe { (&raw const reading.session).read_volatile() }
}
