//! An attached parent: its pinned maps, opened and checked, and its records.

use std::cell::{Cell, OnceCell};
use std::mem::offset_of;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use alias_common::counters::{AliasCell, ParentCell, RxCell};
use alias_common::header::Header;
use alias_common::key::{Family, WideKey};
use alias_common::layout::{Front, Layout};
use alias_common::limits::{MAX_ALIASES, MAX_SLOTS, MAX_TARGETS};
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
use super::shape::{Extent, Pinned, generation, map, shapes};
use super::shared::{Rows, Shared};
use super::slots::{Found, Slots};
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
    /// By id; the pending change comes last.
    pub(super) record: Shared<Record>,
    pub(super) slots: Slots,
    /// The id that was found last: who asks for one alias after the other finds most of them
    /// side by side.
    last_id: Cell<u32>,
    /// No slot below this was free when the lowest free one was looked for.
    pub(super) taken_below: Cell<u32>,
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
            let before = generation(&path)?;
            let opened = Parent::open_at(path.clone());
            // Another generation took its place meanwhile: some of the maps may be of
            // one, and some of the other.
            if generation(&path)? == before {
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
            slots: Slots::new(map(&path, &expected, names::SLOTS)?),
            last_id: Cell::new(0),
            taken_below: Cell::new(0),
            order: Order::new(map(&path, &expected, names::ORDER)?, extent.capacity),
            target: Shared::within(&table, layout.targets(), MAX_TARGETS),
            hearers: map(&path, &expected, names::HEARERS)?,
            counters: OnceCell::new(),
            extent,
            fixed,
            path,
        }))
    }

    /// Which copy of the maps that depend on its capacity is in use: another once it has
    /// grown, or was attached again. `None` when it is not attached.
    ///
    /// # Errors
    ///
    /// That of opening or inspecting them.
    pub fn generation(directory: &Directory, ifindex: u32) -> Result<Option<u32>> {
        generation(&directory.parent(ifindex))
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

    /// Number of records. An alias that needs another makes the parent grow.
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

    /// The record of a slot's alias, whatever its state; an empty one where there is none.
    #[must_use]
    pub fn record(&self, slot: u32) -> Record {
        self.id_of(slot)
            .map_or_else(Record::default, |id| self.record.read(id))
    }

    /// The state of a slot's alias.
    #[must_use]
    pub fn state(&self, slot: u32) -> State {
        match self.id_of(slot).map(|id| self.state_at(id)) {
            Some(State::Kept) | None => State::Free,
            Some(state) => state,
        }
    }

    /// The id of a slot's alias, by which the datapath knows it; also of one that is being
    /// made or taken away.
    #[must_use]
    pub fn id_of(&self, slot: u32) -> Option<u32> {
        let last = self.last_id.get();
        let near = [last, last.saturating_add(1)];
        let is_near = |id: &u32| {
            *id < self.records_end()
                && self.state_at(*id) != State::Free
                && self.slot_at(*id) == slot
        };
        let id = near
            .into_iter()
            .find(is_near)
            .or_else(|| self.look_up(slot).map(|found| found.id))?;
        self.last_id.set(id);
        Some(id)
    }

    /// The slot of the alias with this id; `None` when there is none.
    #[must_use]
    pub fn slot_of_id(&self, id: u32) -> Option<u32> {
        let is_in_use = id < self.records_end() && self.state_at(id) != State::Free;
        is_in_use.then(|| self.slot_at(id))
    }

    /// The word of a slot's alias in the index of names, and its id.
    pub(super) fn look_up(&self, slot: u32) -> Option<Found> {
        let end = self.extent.capacity;
        self.slots
            .find(slot, |id| id < end && self.slot_at(id) == slot)
    }

    /// The slot of a record.
    pub(super) fn slot_at(&self, id: u32) -> u32 {
        let record: *const Record = self.record.at(id);
        // SAFETY: valid while `self` lives, as for `state_word`; a writer may store the
        // field meanwhile, and a volatile load of it is one load.
        unsafe { ptr::addr_of!((*record).slot).read_volatile() }
    }

    /// A record's state.
    pub(super) fn state_at(&self, id: u32) -> State {
        State::from_number(self.state_word(id).load(Ordering::Acquire)).unwrap_or(State::Free)
    }

    pub(super) fn store_state(&self, id: u32, state: State) {
        self.state_word(id).store(state as u32, Ordering::Release);
    }

    fn state_word(&self, id: u32) -> &AtomicU32 {
        let record: *mut Record = self.record.at(id);
        // SAFETY: valid while `self` lives; the state is the record's first
        // field (asserted below) and only accessed atomically.
        unsafe { AtomicU32::from_ptr(record.cast()) }
    }

    /// The live aliases with their slots, in no order that a user would know.
    pub fn live(&self) -> impl Iterator<Item = (u32, Record)> + '_ {
        self.in_state(State::Live)
    }

    /// The live aliases with their slots, by slot.
    pub fn live_by_slot(&self) -> impl Iterator<Item = (u32, Record)> + '_ {
        let live = (0..self.records_end()).filter(|id| self.state_at(*id) == State::Live);
        let mut live: Vec<(u32, u32)> = live.map(|id| (self.slot_at(id), id)).collect();
        live.sort_unstable();
        live.into_iter()
            .filter_map(|(_, id)| self.read_in_state(id, State::Live))
    }

    /// The records of one state with their slots.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = (u32, Record)> + '_ {
        (0..self.records_end()).filter_map(move |id| self.read_in_state(id, state))
    }

    fn read_in_state(&self, id: u32, state: State) -> Option<(u32, Record)> {
        if self.state_at(id) != state {
            return None;
        }
        let record = self.record.read(id);
        // Changed while it was copied: it is not in this state any more.
        (self.state_at(id) == state).then_some((record.slot, record))
    }

    /// The record of the alias with this id, if there is a live one.
    #[must_use]
    pub fn live_at(&self, id: u32) -> Option<Record> {
        let record = (id < self.records_end()).then(|| self.read_in_state(id, State::Live));
        record.flatten().map(|(_, record)| record)
    }

    /// One past the highest id that is in use or was.
    #[must_use]
    pub fn records_end(&self) -> u32 {
        let header: *const Header = self.header.at(0);
        // SAFETY: the mapped header; a writer may store the field meanwhile.
        let end = unsafe { ptr::addr_of!((*header).records_end).read_volatile() };
        end.min(self.extent.capacity)
    }

    /// One past the highest id that is in use.
    #[must_use]
    pub fn in_use_end(&self) -> u32 {
        let mut ids = (0..self.records_end()).rev();
        ids.find(|id| self.state_at(*id) != State::Free)
            .map_or(0, |id| id + 1)
    }

    /// Number of its aliases, those among them that are being made or taken away.
    #[must_use]
    pub fn count(&self) -> u32 {
        let in_use = |id: &u32| self.state_at(*id) != State::Free;
        (0..self.records_end()).filter(in_use).count() as u32
    }

    /// How many aliases more there is room for before it has to grow, if that is less
    /// than `wanted`, and else `wanted`.
    #[must_use]
    pub fn room(&self, wanted: u32) -> u32 {
        let end = self.records_end();
        let behind = (self.extent.capacity - end).min(wanted);
        let is_free = |id: &u32| self.state_at(*id) == State::Free;
        let between = (self.header().free_from..end).filter(is_free);
        behind + between.take((wanted - behind) as usize).count() as u32
    }

    /// The lowest free slot from `start` on.
    #[must_use]
    pub fn lowest_free(&self, start: u32) -> Option<u32> {
        let known = self.header().slots_from;
        let found = (start.max(known)..MAX_SLOTS).find(|slot| self.is_free(*slot));
        if start <= known {
            self.taken_below.set(found.unwrap_or(MAX_SLOTS));
        }
        found
    }

    /// Whether a slot is free.
    #[must_use]
    pub fn is_free(&self, slot: u32) -> bool {
        self.state(slot) == State::Free
    }

    /// Whether there is an alias in a slot.
    #[must_use]
    pub fn is_live(&self, slot: u32) -> bool {
        self.state(slot) == State::Live
    }

    /// How many aliases there may be.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.header().max_aliases.min(MAX_ALIASES)
    }

    /// Whether an entry of the creation log is an alias's that was not deleted.
    pub(super) fn counts(&self, entry: Entry) -> bool {
        let id = entry.id();
        let is_in_use =
            id < self.extent.capacity && !matches!(self.state_at(id), State::Free | State::Kept);
        is_in_use && self.record.read(id).created == entry.created()
    }

    /// The change that a writer is at, or was when it was killed.
    #[must_use]
    pub fn pending_change(&self) -> Option<Record> {
        let index = self.extent.capacity;
        (self.state_at(index) != State::Free).then(|| self.record.read(index))
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
