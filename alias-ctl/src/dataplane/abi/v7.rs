//! Pins of ABI 7, the first with a reader. Sizes, offsets and numbers here are that version's
//! and stay as they are, whatever becomes of `alias-common`; what they are turned into is this
//! version's. A field that is added gets the value here that means what was so before.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use alias_common::ABI_VERSION;
use alias_common::bits::Prefixes;
use alias_common::counters::{AliasCell, ParentCell, RxCell};
use alias_common::header::Header;
use alias_common::key::HashKey;
use alias_common::order::Entry;
use alias_common::record::{Port, Record, State, Steer, Target, TargetKind};
use alias_common::tcp_options::TcpOptions;
use alias_common::word::Verdict;

use super::before::Before;
use super::fields::Fields;
use crate::dataplane::hash::Hash;
use crate::dataplane::shape::{ARRAY, Pinned, Shape, foreign, open_pin};
use crate::dataplane::shared::{Rows, Shared};
use crate::dataplane::sys;
use crate::error::{Refusal, Result};

/// The version.
pub(super) const VERSION: u32 = 7;

/// `BPF_F_MMAPABLE`, and with it `BPF_F_INNER_MAP`, of `linux/bpf.h`.
const MMAPABLE: u32 = 1 << 10;
const LISTED: u32 = MMAPABLE | 1 << 12;

/// Words of eight bytes.
const HEADER: usize = 19;
const RECORD: usize = 16;
const TARGET: usize = 8;
const PORT: usize = 3;
const RX: usize = 2;
const ALIAS: usize = 8;
const PARENT: usize = 16;

const TARGETS: u32 = 4096;
const MOST_ALIASES: u32 = 1 << 22;
const ID: u64 = (1 << 22) - 1;

/// Where things stand in `table` and in a row of `counters`, bytes.
#[derive(Clone, Copy)]
struct Layout {
    capacity: u32,
    positions: u32,
}

impl Layout {
    const WORDS: usize = 64;
    const RX: usize = PARENT * 8;

    const fn of(capacity: u32) -> Layout {
        let mut home_bits = 12;
        while (1u64 << home_bits) < capacity as u64 * 2 {
            home_bits += 1;
        }
        Layout {
            capacity,
            positions: (1 << home_bits) + 64,
        }
    }

    const fn steers(self) -> usize {
        Layout::WORDS + self.positions as usize * 8
    }

    const fn targets(self) -> usize {
        self.steers() + self.positions as usize * (8 + 32)
    }

    const fn table(self) -> usize {
        self.targets() + TARGETS as usize * TARGET * 8
    }

    const fn aliases(self) -> usize {
        Layout::RX + self.positions as usize * RX * 8
    }

    const fn row(self) -> usize {
        (self.aliases() + self.capacity as usize * ALIAS * 8).next_multiple_of(128)
    }
}

/// A parent's pins.
pub(super) struct Pins {
    path: PathBuf,
    layout: Layout,
    header: Shared<[u64; HEADER]>,
    station: Shared<u64>,
    words: Shared<u64>,
    steers: Shared<u64>,
    targets: Shared<[u64; TARGET]>,
    records: Shared<[u64; RECORD]>,
    log: Shared<u64>,
    rows: u32,
    parent: Rows<[u64; PARENT]>,
    rx: Rows<[u64; RX]>,
    aliases: Rows<[u64; ALIAS]>,
    ports: Hash<u32, [u64; PORT]>,
    devmap: OwnedFd,
}

impl Pins {
    /// Opens them.
    ///
    /// # Errors
    ///
    /// EINVAL when they are not of this version's shapes.
    pub(super) fn open(path: &Path) -> Result<Pins> {
        let entries = |name| {
            let map = pin(path, name)?;
            sys::map_info(map.as_fd())
                .map(|info| info.max_entries)
                .map_err(|error| Refusal::io(path.display().to_string(), "inspect", &error))
        };
        let (capacity, rows) = (entries("record")?.saturating_sub(1), entries("counters")?);
        if capacity == 0 || capacity > MOST_ALIASES {
            return Err(foreign(path, "record", "no parent has so many"));
        }
        let layout = Layout::of(capacity);
        let array = |name, bytes: usize, max_entries, flags| Shape {
            name,
            kind: ARRAY,
            value_size: bytes as u32,
            max_entries,
            flags,
        };
        let shapes = [
            array("header", HEADER * 8, 1, MMAPABLE),
            array("table", layout.table(), 1, MMAPABLE),
            array("counters", layout.row(), rows, MMAPABLE),
            array("record", RECORD * 8, capacity + 1, LISTED),
            array("order", 8, 1 + 2 * capacity, LISTED),
        ];
        let open = |name| Pinned::open(path, &shapes, name);
        let table = open("table")?.memory(8 * TARGET)?;
        let counters = open("counters")?.memory(8 * PARENT)?;
        let row = (layout.row(), rows);
        let header: Shared<[u64; HEADER]> = open("header")?.map()?;
        if Fields::of(header.read(0)).u32(0) != VERSION {
            return Err(foreign(path, "header", "another ABI version"));
        }
        let ports = Hash::new(pin(path, "port")?).map_err(|error| {
            Refusal::io(path.join("port").display().to_string(), "open", &error)
        })?;
        Ok(Pins {
            header,
            station: Shared::within(&table, 0, 1),
            words: Shared::within(&table, Layout::WORDS, layout.positions),
            steers: Shared::within(&table, layout.steers(), layout.positions),
            targets: Shared::within(&table, layout.targets(), TARGETS),
            records: open("record")?.map()?,
            log: open("order")?.map()?,
            rows,
            parent: Rows::within(&counters, row, 0, 1),
            rx: Rows::within(&counters, row, Layout::RX, layout.positions),
            aliases: Rows::within(&counters, row, layout.aliases(), capacity),
            ports,
            devmap: pin(path, "devmap")?,
            layout,
            path: path.to_owned(),
        })
    }

    fn refused(&self, map: &str, error: &std::io::Error) -> Refusal {
        Refusal::io(self.path.join(map).display().to_string(), "read", error)
    }
}

fn pin(path: &Path, name: &str) -> Result<OwnedFd> {
    open_pin(path, name)?.ok_or_else(|| foreign(path, name, "nothing is pinned there"))
}

impl Before for Pins {
    fn header(&self) -> Header {
        header(self.header.read(0))
    }

    fn capacity(&self) -> u32 {
        self.layout.capacity
    }

    fn records_end(&self) -> u32 {
        Fields::of(self.header.read(0))
            .u32(12)
            .min(self.layout.capacity)
    }

    fn record(&self, id: u32) -> Record {
        record(self.records.read(id))
    }

    fn entry(&self, position: u32, id: u32) -> Option<(Verdict, Steer)> {
        if position >= self.layout.positions {
            return None;
        }
        let verdict = verdict(self.words.load(position))?;
        let steer = self.steers.load(position);
        let of = (steer >> 32 & ID) as u32;
        let steer = Steer::new(steer as u32, of, (steer >> 56) as u8);
        (of == id).then_some((verdict, steer))
    }

    fn station(&self) -> u64 {
        self.station.load(0)
    }

    fn targets(&self) -> u32 {
        TARGETS
    }

    fn target(&self, key: u32) -> Target {
        target(self.targets.read(key))
    }

    fn log(&self) -> Vec<Entry> {
        let head = self.log.load(0);
        let (count, second) = (head as u32, (head >> 63) as u32);
        let entries = (0..count.min(self.layout.capacity)).map(|at| {
            let entry = self.log.load(1 + 2 * at + second);
            (entry >> 24, (entry & ID) as u32)
        });
        entries
            .filter(|(created, id)| {
                let counts = *id < self.layout.capacity;
                counts && {
                    let record = self.record(*id);
                    let is_free = record.state == State::Free as u32;
                    !is_free && record.state != State::Kept as u32 && record.created == *created
                }
            })
            .map(|(created, id)| Entry::new(created, id))
            .collect()
    }

    fn ports(&self) -> Result<Vec<(u32, Port)>> {
        let refused = |error| self.refused("port", &error);
        let mut found = Vec::new();
        for ifindex in self.ports.keys().map_err(refused)? {
            let owner = self.ports.get(&ifindex).map_err(refused)?;
            found.extend(owner.map(|words| (ifindex, port(words))));
        }
        Ok(found)
    }

    fn leads_to(&self, key: u32) -> Result<Option<u32>> {
        // struct bpf_devmap_val: ifindex, then a program's id: none.
        let value = sys::map_lookup::<8>(self.devmap.as_fd(), key)
            .map_err(|error| self.refused("devmap", &error))?;
        Ok(value.map(|[a, b, c, d, ..]| u32::from_ne_bytes([a, b, c, d])))
    }

    fn rx_cell(&self, position: u32) -> RxCell {
        if position >= self.layout.positions {
            return RxCell::default();
        }
        (0..self.rows).fold(RxCell::default(), |sum, row| {
            sum.plus(rx_cell(self.rx.read(row, position)))
        })
    }

    fn alias_cell(&self, id: u32) -> AliasCell {
        (0..self.rows).fold(AliasCell::default(), |sum, row| {
            sum.plus(alias_cell(self.aliases.read(row, id)))
        })
    }

    fn parent_cell(&self) -> ParentCell {
        (0..self.rows).fold(ParentCell::default(), |sum, row| {
            sum.plus(parent_cell(self.parent.read(row, 0)))
        })
    }
}

fn header(words: [u64; HEADER]) -> Header {
    let at = Fields::of(words);
    Header {
        abi_version: ABI_VERSION,
        parent_ifindex: at.u32(4),
        max_aliases: at.u32(8),
        records_end: at.u32(12),
        // Bits of `Header`, which have not changed since.
        flags: at.u32(16),
        looked_at: at.u32(20),
        hash_key: HashKey {
            whiten: at.u64(24),
            multiply: [at.u64(32), at.u64(40)],
        },
        last_created: at.u64(48),
        mac: at.bytes(56),
        log_level: at.u8(62),
        reserved: 0,
        // The datapath's own: it finds both again.
        parent_device: 0,
        metadata_refused: 0,
        unfinished: at.u32(76),
        name: at.bytes(80),
        prefixes: Prefixes::from_words([96, 104, 112, 120].map(|word| at.u64(word))),
        secret: at.u64(128),
        interface_id: at.u32(136),
        free_from: at.u32(140),
        slots_from: at.u32(144),
        reserved2: 0,
    }
}

fn record(words: [u64; RECORD]) -> Record {
    let at = Fields::of(words);
    let state = match at.u32(0) {
        1 => State::Pending,
        2 => State::Live,
        3 => State::Retiring,
        4 => State::Kept,
        _ => State::Free,
    };
    let target = match at.u8(7) {
        1 => TargetKind::Device as u8,
        2 => TargetKind::Join as u8,
        3 => TargetKind::To as u8,
        4 => TargetKind::Local as u8,
        5 => TargetKind::Drop as u8,
        none => none,
    };
    Record {
        state: state as u32,
        family: at.u16(4),
        prefix_len: at.u8(6),
        target,
        address: at.bytes(8),
        vlan_outer: at.u16(24),
        vlan_inner: at.u16(26),
        position: at.u32(28),
        // Bits of `Record`, which have not changed since.
        flags: at.u32(32),
        device_ifindex: at.u32(36),
        created: at.u64(40),
        port_ifindex: at.u32(48),
        link: at.u32(52),
        netns_inode: at.u64(56),
        base_rx_packets: at.u64(64),
        base_rx_bytes: at.u64(72),
        base_policy: at.u64(80),
        mac: at.bytes(88),
        format: at.u8(94),
        address_len: at.u8(95),
        slot: at.u32(96),
        netnsid: at.u32(100),
        netns_cookie: at.u64(104),
        tcp: TcpOptions {
            given: at.u8(112),
            switches: at.u8(113),
            mssdflt: at.u16(114),
            sendspace: at.u32(116),
            recvspace: at.u32(120),
        },
        ethertype: at.u16(124),
        hear: at.u8(126),
        reserved3: 0,
    }
}

fn target(words: [u64; TARGET]) -> Target {
    let at = Fields::of(words);
    Target {
        ifindex: at.u32(0),
        // `Target::REWRITE`, which has not changed since.
        flags: at.u32(4),
        mac: at.bytes(8),
        vlan_outer: at.u16(14),
        vlan_inner: at.u16(16),
        name: at.bytes(24),
        ..Target::default()
    }
}

fn port(words: [u64; PORT]) -> Port {
    let at = Fields::of(words);
    Port {
        key: at.u32(0),
        vlan_outer: at.u16(4),
        vlan_inner: at.u16(6),
        ethertype: at.u16(8),
        netns_cookie: at.u64(16),
        ..Port::default()
    }
}

/// Of a word of the index; `None` where nothing stands.
fn verdict(word: u64) -> Option<Verdict> {
    Some(match word >> 8 & 0xf {
        0 | 1 => return None,
        3 => Verdict::Local,
        4 => Verdict::Device,
        5 => Verdict::To,
        6 => Verdict::Drop,
        _ => Verdict::Disabled,
    })
}

const fn rx_cell([packets, bytes]: [u64; RX]) -> RxCell {
    RxCell { packets, bytes }
}

const fn alias_cell(words: [u64; ALIAS]) -> AliasCell {
    AliasCell {
        tx_packets: words[0],
        tx_bytes: words[1],
        neighbor_rx: words[2],
        neighbor_tx: words[3],
        spoof: words[4],
        no_target: words[5],
        lost: words[6],
        reserved: 0,
    }
}

const fn parent_cell(words: [u64; PARENT]) -> ParentCell {
    ParentCell {
        miss: words[0],
        malformed: words[1],
        local: words[2],
        device: words[3],
        to: words[4],
        dropped: words[5],
        no_target: words[6],
        spoof: words[7],
        tx: words[8],
        lost: words[9],
        // Of a CPU, not of all.
        last_to: 0,
        undelivered: words[11],
        other_station: words[12],
        heard: words[13],
        unheard: words[14],
        reserved: 0,
    }
}

#[cfg(test)]
#[path = "v7_tests.rs"]
mod tests;
