//! A parent's pinned arrays, mapped into this process: what the programs
//! count, in the memory where they count it, and before anybody has rendered it.
//! A run is followed by the comparison of some hundred cells, not by a process.

use std::{
    collections::BTreeMap,
    fs, io, mem,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    ptr::{self, NonNull},
};

use alias_common::{
    Plain,
    counters::{AliasCell, ParentCell, RxCell},
    header::Header,
    layout::Layout,
    names,
    record::{Record, State, TargetKind},
};
use alias_tests::bpf;
use alias_tests::map::possible_cpus;

/// Counters by name, `eth0:3 rx_packets` or `parent miss`.
pub(crate) type Counters = BTreeMap<String, u64>;

/// The counter of an alias.
pub(crate) fn of(slot: u32, counter: &str) -> String {
    format!("eth0:{slot} {counter}")
}

/// The counter of the parent.
pub(crate) fn parent(counter: &str) -> String {
    format!("parent {counter}")
}

/// Whose the packets are that are counted at a position of the index.
#[derive(Clone, Copy)]
struct Owner {
    slot: u32,
    drops: bool,
}

/// Every cell of one parent, of all CPUs, taken or not. Only `rx` is too long to
/// be read after each run: there the aliases' positions are, and all others once.
pub(crate) struct Cells {
    header: Mapped<Header>,
    rows: Mapped<u64>,
    layout: Layout,
    /// Cells of `rx` that belong to somebody.
    cpus: u32,
    owners: BTreeMap<u32, Owner>,
    /// By id.
    slots: Vec<u32>,
    last_rx: Vec<RxCell>,
    last_alias: Vec<AliasCell>,
    last_parent: Vec<ParentCell>,
}

impl Cells {
    /// Those of the parent whose maps are pinned here, with the aliases of now.
    #[track_caller]
    pub(crate) fn open(directory: &Path) -> Self {
        let header: Mapped<Header> = Mapped::open(&directory.join(names::HEADER));
        let records: Mapped<Record> = Mapped::open(&directory.join(names::RECORD));
        // The pending change is behind the last record.
        let layout = Layout::for_capacity(records.len() - 1);
        let rows = Mapped::open_rows(&directory.join(names::COUNTERS), layout.row_len());
        let cpus = possible_cpus().expect("the number of CPUs") as u32;
        let positions = layout.positions;
        let mut owners = BTreeMap::new();
        let mut slots = Vec::new();
        for record in records.all() {
            let slot = record.slot;
            slots.push(slot);
            if record.state == State::Live as u32 {
                let drops = record.target == TargetKind::Drop as u8;
                let cells = (0..cpus).map(|cpu| cpu * positions + record.position);
                owners.extend(cells.map(|index| (index, Owner { slot, drops })));
            }
        }
        let mut cells = Self {
            header,
            rows,
            layout,
            cpus,
            owners,
            slots,
            last_rx: Vec::new(),
            last_alias: Vec::new(),
            last_parent: Vec::new(),
        };
        cells.risen();
        cells
    }

    /// Changes what both sides know of the parent.
    #[track_caller]
    /// What stands in front of this parent's orders.
    pub(crate) fn secret(&self) -> u64 {
        self.header.read(0).secret
    }

    pub(crate) fn amend_header(&self, change: impl FnOnce(&mut Header)) {
        let mut header = self.header.read(0);
        change(&mut header);
        self.header.write(0, header);
    }

    /// What every counter that moved since the last call rose by.
    #[track_caller]
    pub(crate) fn risen(&mut self) -> Counters {
        let rx = self.owners.keys().map(|index| self.rx(*index)).collect();
        let alias = self.cells(self.layout.aliases(), self.layout.capacity);
        let parent = self.cells(0, 1);
        let before = (
            mem::replace(&mut self.last_rx, rx),
            mem::replace(&mut self.last_alias, alias),
            mem::replace(&mut self.last_parent, parent),
        );
        self.difference(&before.0, &before.1, &before.2)
    }

    /// Panics if anything was counted at a position of the index where no alias is.
    #[track_caller]
    pub(crate) fn nothing_for_nobody(&self) {
        let all = 0..self.cpus * self.layout.positions;
        for index in all.filter(|index| !self.owners.contains_key(index)) {
            assert_eq!(self.rx(index), RxCell::default(), "rx[{index}]");
        }
    }

    /// An rx cell, counted through all rows.
    #[track_caller]
    fn rx(&self, index: u32) -> RxCell {
        let (row, position) = (index / self.layout.positions, index % self.layout.positions);
        self.cell(row, Layout::RX, position)
    }

    /// Those of every row that begin at this byte of it, row by row.
    #[track_caller]
    fn cells<T: Plain>(&self, begin: usize, len: u32) -> Vec<T> {
        let of = |row| (0..len).map(move |index| self.cell(row, begin, index));
        (0..self.cpus).flat_map(of).collect()
    }

    #[track_caller]
    fn cell<T: Plain>(&self, row: u32, begin: usize, index: u32) -> T {
        let offset = row as usize * self.layout.row_len() + begin;
        let at = offset + index as usize * mem::size_of::<T>();
        assert!(at + mem::size_of::<T>() <= Mapped::<u64>::bytes(self.rows.len()));
        // SAFETY: inside of the mapping by the assertion, and aligned to 8 as all cells
        // are; any bytes are a T.
        unsafe {
            self.rows
                .first
                .as_ptr()
                .byte_add(at)
                .cast::<T>()
                .read_volatile()
        }
    }

    /// What was counted up to the last call, all of it.
    #[track_caller]
    pub(crate) fn totals(&self) -> Counters {
        self.difference(&[], &[], &[])
    }

    /// From the cells before, zero where there are none, to the last.
    #[track_caller]
    fn difference(
        &self,
        rx: &[RxCell],
        alias: &[AliasCell],
        parent_cells: &[ParentCell],
    ) -> Counters {
        let capacity = self.layout.capacity;
        let mut found = Counters::new();
        let mut count = |name: String, now: u64, before: u64| {
            if now != before {
                *found.entry(name).or_default() += now.wrapping_sub(before);
            }
        };
        let owners: Vec<_> = self.owners.values().collect();
        for (index, now, before) in changed(&self.last_rx, rx) {
            let (owner, packets, bytes) = (owners[index as usize], now.packets, now.bytes);
            count(of(owner.slot, "rx_packets"), packets, before.packets);
            count(of(owner.slot, "rx_bytes"), bytes, before.bytes);
            if owner.drops {
                count(of(owner.slot, "dropped.policy"), packets, before.packets);
            }
        }
        for (index, now, before) in changed(&self.last_alias, alias) {
            let (now, before) = (alias_counters(&now), alias_counters(&before));
            for ((name, now), (_, before)) in now.into_iter().zip(before) {
                let slot = self.slots[(index % capacity) as usize];
                count(of(slot, name), now, before);
            }
        }
        for (_, now, before) in changed(&self.last_parent, parent_cells) {
            let (now, before) = (parent_counters(&now), parent_counters(&before));
            for ((name, now), (_, before)) in now.into_iter().zip(before) {
                count(parent(name), now, before);
            }
        }
        found
    }
}

/// The cells that are not as they were, with their index.
fn changed<T: Copy + Default + PartialEq>(
    now: &[T],
    before: &[T],
) -> impl Iterator<Item = (u32, T, T)> {
    let before = before
        .iter()
        .copied()
        .chain(std::iter::repeat(T::default()));
    (0..)
        .zip(now.iter().copied().zip(before))
        .filter(|(_, (now, before))| now != before)
        .map(|(index, (now, before))| (index, now, before))
}

fn alias_counters(cell: &AliasCell) -> [(&'static str, u64); 8] {
    [
        ("tx_packets", cell.tx_packets),
        ("tx_bytes", cell.tx_bytes),
        ("neighbor_rx_packets", cell.neighbor_rx),
        ("neighbor_tx_packets", cell.neighbor_tx),
        ("dropped.spoof", cell.spoof),
        ("dropped.no_target", cell.no_target),
        ("lost", cell.lost),
        ("reserved", cell.reserved),
    ]
}

/// Without what is noted for the tracepoints, which counts nothing.
fn parent_counters(cell: &ParentCell) -> [(&'static str, u64); 14] {
    [
        ("miss", cell.miss),
        ("malformed", cell.malformed),
        ("local", cell.local),
        ("device", cell.device),
        ("to", cell.to),
        ("dropped", cell.dropped),
        ("no_target", cell.no_target),
        ("spoof", cell.spoof),
        ("tx", cell.tx),
        ("lost", cell.lost),
        ("undelivered", cell.undelivered),
        ("other_station", cell.other_station),
        ("heard", cell.heard),
        ("unheard", cell.unheard),
    ]
}

/// The elements of an mmapable array map; unmapped on drop.
pub(crate) struct Mapped<T> {
    first: NonNull<T>,
    len: u32,
}

impl<T> Mapped<T> {
    const fn bytes(len: u32) -> usize {
        len as usize * mem::size_of::<T>()
    }
}

impl<T: Plain> Mapped<T> {
    /// The kernel rounds values up to 8 bytes.
    const STRIDE_IS_SIZE: () = assert!(mem::size_of::<T>().is_multiple_of(8));

    /// Maps the array pinned at `path`, which must be one of values of this size.
    #[track_caller]
    pub(crate) fn open(path: &Path) -> Self {
        Self::open_rows(path, mem::size_of::<T>())
    }

    /// The same, of values that are `row_len` bytes of elements.
    #[track_caller]
    pub(crate) fn open_rows(path: &Path, row_len: usize) -> Self {
        const { Self::STRIDE_IS_SIZE };
        let fail = |error: io::Error| -> ! { panic!("{}: {error}", path.display()) };
        let map = bpf::open_pinned(path).unwrap_or_else(|error| fail(error));
        assert_eq!(
            fact(&map, "value_size:"),
            row_len as u32,
            "size of a value of {}",
            path.display()
        );
        let of_a_row = (row_len / mem::size_of::<T>()) as u32;
        let len = fact(&map, "max_entries:") * of_a_row;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                Self::bytes(len),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            fail(io::Error::last_os_error());
        }
        Self {
            first: NonNull::new(address.cast()).expect("no mapping is at 0"),
            len,
        }
    }

    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    #[track_caller]
    fn at(&self, index: u32) -> *mut T {
        assert!(index < self.len, "{index} of {}", self.len);
        // SAFETY: inside of the mapping by the assertion.
        unsafe { self.first.as_ptr().add(index as usize) }
    }

    /// A copy of one element.
    #[track_caller]
    pub(crate) fn read(&self, index: u32) -> T {
        // SAFETY: valid and aligned (see `at`); any bytes are a T, so one that
        // changes meanwhile is torn at worst.
        unsafe { self.at(index).read_volatile() }
    }

    /// Replaces one element.
    #[track_caller]
    fn write(&self, index: u32, value: T) {
        // SAFETY: as for `read`.
        unsafe { self.at(index).write_volatile(value) }
    }

    /// Copies of all elements.
    fn all(&self) -> Vec<T> {
        (0..self.len).map(|index| self.read(index)).collect()
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the whole of our own mapping, to which no reference is left.
        unsafe { libc::munmap(self.first.as_ptr().cast(), Self::bytes(self.len)) };
    }
}

/// A number that the kernel tells of a map.
#[track_caller]
fn fact(map: &OwnedFd, name: &str) -> u32 {
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd()))
        .expect("facts of our own descriptor");
    facts
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {facts}"))
}
