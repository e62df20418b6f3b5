//! An attached parent: its pinned maps, opened and checked, and its records.

use std::cell::OnceCell;
use std::mem::offset_of;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use alias_common::counters::{AliasCell, ParentCell, RxCell};
use alias_common::header::Header;
use alias_common::key::{Family, WideKey};
use alias_common::layout::{Front, Layout};
use alias_common::limits::{MAX_SLOTS, MAX_TARGETS};
use alias_common::names;
use alias_common::order::Entry;
use alias_common::record::{Record, State, Target};

use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::declaration::Hook;
use crate::model::prefix::Prefix;
use crate::model::typed::Typed;

use super::directory::Directory;
use super::header::header_at;
use super::order::Order;
use super::pins::link_name;
use super::shape::{Extent, Pinned, map, shapes};
use super::shared::{Rows, Shared};
use super::sys;

/// The state of one parent. Reading needs no lock.
pub struct Parent {
    path: PathBuf,
    extent: Extent,
    fixed: Header,
    pub(super) header: Shared<Header>,
    /// [`Front::station`].
    pub(super) station: Shared<u64>,
    pub(super) index: Shared<u64>,
    pub(super) wide: Shared<WideKey>,
    pub(super) steer: Shared<u64>,
    pub(super) record: Shared<Record>,
    pub(super) order: Order,
    pub(super) target: Shared<Target>,
    /// `alias_common::hearer`.
    pub(super) hearers: Shared<u64>,
    /// Those of [`Counters`].
    cells: Pinned,
    counters: OnceCell<Counters>,
}

/// The counters, a row for each CPU. Mapping them sets up a page table entry for each of their
/// pages, which a command that counts nothing need not pay for.
pub(super) struct Counters {
    pub(super) parent: Rows<ParentCell>,
    pub(super) rx: Rows<RxCell>,
    pub(super) alias: Rows<AliasCell>,
}

impl Parent {
    /// Opens the parent with this ifindex; `None` when it is not attached.
    ///
    /// # Errors
    ///
    /// EINVAL when a pinned map is not of the shape this version made.
    pub fn open(directory: &Directory, ifindex: u32) -> Result<Option<Parent>> {
        let path = directory.parent(ifindex);
        loop {
            let before = Extent::of(&path)?;
            let opened = Parent::open_at(path.clone());
            // Grown meanwhile: some of the maps may be of one generation, and some of
            // the other. It only ever grows.
            if Extent::of(&path)? == before {
                return opened;
            }
        }
    }

    /// The same by path, which serves a draft too.
    pub fn open_at(path: PathBuf) -> Result<Option<Parent>> {
        let (Some(header), Some(extent)) = (header_at(&path)?, Extent::of(&path)?) else {
            return Ok(None);
        };
        let fixed = header.read(0);
        let expected = shapes(extent);
        let layout = Layout::for_capacity(extent.capacity);
        let positions = layout.positions;
        let table = Pinned::open(&path, &expected, names::TABLE)?.memory(size_of::<Target>())?;
        Ok(Some(Parent {
            cells: Pinned::open(&path, &expected, names::COUNTERS)?,
            header,
            station: Shared::within(&table, offset_of!(Front, station), 1),
            index: Shared::within(&table, Layout::WORDS, positions),
            wide: Shared::within(&table, layout.keys(), positions),
            steer: Shared::within(&table, layout.steers(), positions),
            record: map(&path, &expected, names::RECORD)?,
            order: Order::new(map(&path, &expected, names::ORDER)?, extent.capacity),
            target: Shared::within(&table, layout.targets(), MAX_TARGETS),
            hearers: map(&path, &expected, names::HEARERS)?,
            counters: OnceCell::new(),
            extent,
            fixed,
            path,
        }))
    }

    /// The header of an attached parent, without the rest of its state.
    ///
    /// # Errors
    ///
    /// As for [`Parent::open`].
    pub fn peek(directory: &Directory, ifindex: u32) -> Result<Option<Header>> {
        Ok(header_at(&directory.parent(ifindex))?.map(|header| header.read(0)))
    }

    /// The counter arrays.
    pub(super) fn counters(&self) -> Result<&Counters> {
        if let Some(counters) = self.counters.get() {
            return Ok(counters);
        }
        let memory = self.cells.memory(size_of::<ParentCell>())?;
        let layout = Layout::for_capacity(self.extent.capacity);
        let row = (layout.row_len(), self.extent.rows);
        let counters = Counters {
            parent: Rows::within(&memory, row, 0, 1),
            rx: Rows::within(&memory, row, Layout::RX, layout.positions),
            alias: Rows::within(&memory, row, layout.aliases(), layout.capacity),
        };
        Ok(self.counters.get_or_init(|| counters))
    }

    /// What does not change while the parent is attached. For the rest, see
    /// [`Parent::header`].
    #[must_use]
    pub const fn fixed(&self) -> &Header {
        &self.fixed
    }

    /// Number of slots. An alias that needs another makes the parent grow.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.extent.capacity
    }

    /// How large it is.
    #[must_use]
    pub const fn extent(&self) -> Extent {
        self.extent
    }

    /// The header as it is now.
    #[must_use]
    pub fn header(&self) -> Header {
        self.header.read(0)
    }

    /// Ifindex of the device.
    #[must_use]
    pub const fn ifindex(&self) -> u32 {
        self.fixed.parent_ifindex
    }

    /// Where its tc programs hang.
    #[must_use]
    pub fn hook(&self) -> Hook {
        if self.header().flags & Header::CLSACT != 0 {
            Hook::Clsact
        } else {
            Hook::Tcx
        }
    }

    /// Where its pins are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a program or a map that is not an array.
    ///
    /// # Errors
    ///
    /// That of `BPF_OBJ_GET`.
    pub fn object(&self, name: &str) -> Result<OwnedFd> {
        let path = self.path.join(name);
        sys::obj_get(&path).map_err(|error| Refusal::io(path.display().to_string(), "open", &error))
    }

    /// Whether the programs still hold on to their device.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        holds_on(&self.path, self.fixed.parent_ifindex)
    }

    /// The record of a slot, whatever its state.
    #[must_use]
    pub fn record(&self, slot: u32) -> Record {
        self.record.read(slot)
    }

    /// A slot's state.
    #[must_use]
    pub fn state(&self, slot: u32) -> State {
        State::from_number(self.state_word(slot).load(Ordering::Acquire)).unwrap_or(State::Free)
    }

    pub(super) fn store_state(&self, slot: u32, state: State) {
        self.state_word(slot).store(state as u32, Ordering::Release);
    }

    fn state_word(&self, slot: u32) -> &AtomicU32 {
        let record: *mut Record = self.record.at(slot);
        // SAFETY: valid while `self` lives; the state is the record's first
        // field (asserted below) and only accessed atomically.
        unsafe { AtomicU32::from_ptr(record.cast()) }
    }

    /// The live aliases with their slots, by slot.
    pub fn live(&self) -> impl Iterator<Item = (u32, Record)> + '_ {
        self.in_state(State::Live)
    }

    /// The records of one state with their slots.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = (u32, Record)> + '_ {
        (0..self.slots_end())
            .filter(move |slot| self.state(*slot) == state)
            .filter_map(move |slot| {
                let record = self.record(slot);
                // Changed while it was copied: it is not in this state any more.
                (self.state(slot) == state).then_some((slot, record))
            })
    }

    /// One past the highest slot that is in use or was.
    #[must_use]
    pub fn slots_end(&self) -> u32 {
        self.header().slots_end.min(self.extent.capacity)
    }

    /// The lowest free slot from `start` on, below the limit.
    #[must_use]
    pub fn lowest_free(&self, start: u32) -> Option<u32> {
        (start..self.limit()).find(|slot| self.is_free(*slot))
    }

    /// Whether a slot is free, those among them that there is no room for yet.
    #[must_use]
    pub fn is_free(&self, slot: u32) -> bool {
        slot >= self.extent.capacity || self.state(slot) == State::Free
    }

    /// Whether there is an alias in a slot.
    #[must_use]
    pub fn is_live(&self, slot: u32) -> bool {
        slot < self.extent.capacity && self.state(slot) == State::Live
    }

    /// Slots below this can be created.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.header().max_aliases.min(MAX_SLOTS)
    }

    /// Whether an entry of the creation log is an alias's that was not deleted.
    pub(super) fn counts(&self, entry: Entry) -> bool {
        let slot = entry.slot();
        self.state(slot) != State::Free && self.record(slot).created == entry.created()
    }

    /// The change that a writer is at, or was when it was killed.
    #[must_use]
    pub fn pending_change(&self) -> Option<Record> {
        let index = self.extent.capacity;
        (self.state(index) != State::Free).then(|| self.record(index))
    }

    /// The `--to` device of a devmap key.
    #[must_use]
    pub fn target(&self, key: u32) -> Target {
        self.target.read(key)
    }

    /// Number of devmap keys.
    #[must_use]
    pub const fn targets(&self) -> u32 {
        self.target.len()
    }
}

const _: () = assert!(std::mem::offset_of!(Record, state) == 0);

/// Whether the XDP link in a parent's directory still holds on to its device: it
/// lets go when the device is deleted.
#[must_use]
pub fn holds_on(path: &Path, ifindex: u32) -> bool {
    sys::obj_get(&path.join(link_name(names::ALIAS_RX)))
        .and_then(|link| sys::link_info(link.as_fd()))
        .is_ok_and(|info| info.ifindex == ifindex)
}

/// The address of a record.
#[must_use]
pub fn address_of(record: &Record) -> Address {
    let address = first_address_of(record);
    match address.ip() {
        Some(network) if record.flags & Record::PREFIX != 0 => Address::Prefix(Prefix {
            network,
            len: record.prefix_len,
        }),
        _ => address,
    }
}

/// The address of a record, or the first one of a prefix.
fn first_address_of(record: &Record) -> Address {
    match record.family() {
        Family::IPV4 => {
            let [a, b, c, d, ..] = record.address;
            Address::V4([a, b, c, d].into())
        }
        Family::IPV6 => Address::V6(record.address.into()),
        Family(family) => Address::Typed(Typed {
            family,
            ethertype: record.ethertype,
            len: record.address_len,
            bits: record.prefix_len,
            format: record.format,
            bytes: record.address,
        }),
    }
}
