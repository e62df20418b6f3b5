//! The parents' maps, and how far each reading has got.

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
/// whole machine: once this many have begun after one, that one is forgotten and ends
/// in an error.
pub const READINGS: u32 = 1024;

#[btf_map(name = "readings")]
pub static READING: Array<Reading, { READINGS as usize }> = Array::new();

/// How far a reading has got.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Place {
    /// Creation number of the last alias before it.
    pub created: u64,
    /// The parent it is at or, between two, the one before it.
    pub ifindex: u32,
    /// The parent's number, or one of the two below.
    pub number: u32,
    /// Entry of the parent's log where it probably continues.
    pub at: u32,
    pub reserved: u32,
}

impl Place {
    /// Between two parents.
    pub const BETWEEN: u32 = u32::MAX;
    /// After the last one.
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
    /// The kernel's number for it.
    pub session: u64,
    /// The step it is at: the kernel repeats a step whose output did not fit its buffer.
    pub step: u32,
    /// Lines printed in this step.
    pub lines: u32,
    /// Aliases counted for this line of `alias_types`. It is here and not on the stack,
    /// where the verifier would follow each value that it can take.
    pub attached: u64,
    /// Where the step began.
    pub from: Place,
    /// How far it has got.
    pub to: Place,
    /// The line that is being printed.
    pub line: Line,
}

/// One entry of the log.
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

/// Session that a reading belongs to now.
#[inline(always)]
pub fn owner(reading: &Reading) -> u64 {
    // SAFETY: a live field; another reading may store it meanwhile.
    unsafe { (&raw const reading.session).read_volatile() }
}
