//! The writer's side of the index, and the reader's sums.
//!
//! An alias is published by one store after everything it needs is in place,
//! and removed by one store. What it leaves behind is used again only after a
//! grace period, when no program run can still be looking at it.

use std::hint::black_box;
use std::net::IpAddr;

use alias_common::counters::{AliasCell, ParentCell, RxCell};
use alias_common::key::{Hash, Vlan, WideKey};
use alias_common::prefix::{Bits, Length, Scope};
use alias_common::record::{Record, State, Steer};
use alias_common::table::{self, Geometry, Hit, Slots};
use alias_common::word::{Verdict, Word};

use super::directory::WriteLock;
use super::parent::{Parent, address_of};
use super::sys;
use crate::error::{Refusal, Result};
use crate::model::address::Address;

/// What was counted for an alias, over all CPUs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Received, whatever became of it.
    pub rx: RxCell,
    /// Dropped because the alias says so.
    pub policy: u64,
    /// Everything else.
    pub rest: AliasCell,
}

impl Slots for Parent {
    fn word(&self, position: u32) -> Option<Word> {
        (position < self.index.len()).then(|| Word(self.index.load(position)))
    }

    fn wide_is(&self, position: u32, key: &WideKey) -> bool {
        self.wide.read(position) == *key
    }
}

/// A key of either kind, ready to be looked up.
struct Sought {
    hash: Hash,
    wide: Option<WideKey>,
}

impl Parent {
    fn sought(&self, address: Address, vlan: Vlan) -> Sought {
        let hash_key = &self.fixed().hash_key;
        match address {
            Address::V4(v4) => Sought {
                hash: hash_key.narrow(v4.octets(), vlan),
                wide: None,
            },
            Address::Prefix(prefix) => {
                let scope = Scope {
                    family: address.family(),
                    vlan,
                };
                let bits = match prefix.network {
                    IpAddr::V4(v4) => Bits::of_ipv4(v4.octets()),
                    IpAddr::V6(v6) => Bits::of_ipv6(&v6.octets()),
                };
                let key = scope.key(bits.marked(Length::of(prefix.len)));
                Sought {
                    hash: hash_key.wide(&key),
                    wide: Some(key),
                }
            }
            longer @ (Address::V6(_) | Address::Typed(_)) => {
                let key = WideKey::new(longer.family(), &longer.bytes(), vlan);
                Sought {
                    hash: hash_key.wide(&key),
                    wide: Some(key),
                }
            }
        }
    }

    fn home_shift(&self) -> u32 {
        Geometry {
            home_bits: self.fixed().home_bits,
        }
        .home_shift()
    }

    /// Where an address stands in the index, enabled or not.
    #[must_use]
    pub fn find(&self, address: impl Into<Address>, vlan: Vlan) -> Option<Hit> {
        let sought = self.sought(address.into(), vlan);
        table::find_any(self, self.home_shift(), sought.hash, sought.wide.as_ref())
    }

    /// The slot of an address.
    #[must_use]
    pub fn slot_of(&self, address: impl Into<Address>, vlan: Vlan) -> Option<u32> {
        self.find(address, vlan)
            .map(|hit| Steer(self.steer.load(hit.position)).slot())
    }

    /// Publishes a claimed slot; [`Parent::commit`] makes it live.
    ///
    /// # Errors
    ///
    /// ENOSPC when the address's neighbourhood in the index is full.
    pub fn publish(
        &self,
        slot: u32,
        verdict: Verdict,
        target: u32,
        flags: u8,
        lock: &WriteLock,
    ) -> Result<()> {
        let record = self.record(slot);
        let sought = self.sought(address_of(&record), record.vlan());
        let vacancy = table::vacancy(self, self.home_shift(), sought.hash).ok_or_else(|| {
            Refusal::new(
                address_of(&record).to_string(),
                "add",
                "the index has no room for it",
                libc::ENOSPC,
            )
            .way_out("attach the parent with a larger --capacity")
        })?;
        self.steer
            .store(vacancy.position, Steer::new(target, slot, flags).0);
        if let Some(key) = sought.wide {
            self.wide.write(vacancy.position, key);
        }
        // The position is in the record before the word is in the index: a
        // crash between the two leaves nothing that cannot be found again.
        self.amend(slot, |record| record.position = vacancy.position, lock);
        if cfg!(not(target_arch = "x86_64")) {
            // Loads of one program run may pass each other there. No run that
            // read the old steer word can see the new index word after this.
            grace_period()?;
        }
        let word = vacancy.word.with(verdict);
        self.index.store(vacancy.position, word.0);
        Ok(())
    }

    /// Changes what happens to a live alias's packets, between verdicts that
    /// lead to the same place.
    pub fn set_verdict(&self, slot: u32, verdict: Verdict, _lock: &WriteLock) {
        let position = self.record(slot).position;
        let word = Word(self.index.load(position));
        self.index.store(position, word.with(verdict).0);
    }

    /// Says whether a live alias's device is in another namespace than its port,
    /// in one store.
    pub fn set_lead_flags(&self, slot: u32, flags: u8, _lock: &WriteLock) {
        let position = self.record(slot).position;
        let old = Steer(self.steer.load(position));
        self.steer
            .store(position, Steer::new(old.target(), slot, flags).0);
    }

    /// Takes an alias out of the index. Its slot stays until [`Parent::release`].
    pub fn unpublish(&self, slot: u32, _lock: &WriteLock) {
        let record = self.record(slot);
        if record.position >= self.index.len() {
            return;
        }
        // A crash may have left the position without the word: then somebody
        // else's word may be there.
        let sought = self.sought(address_of(&record), record.vlan());
        let there = table::find_any(self, self.home_shift(), sought.hash, sought.wide.as_ref());
        if there.is_some_and(|hit| hit.position == record.position) {
            self.index.store(record.position, Word::TOMBSTONE.0);
        }
    }

    /// Frees slots that were unpublished before the last grace period.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn release(&self, slots: &[u32], lock: &WriteLock) -> Result<()> {
        let counters = self.counters()?;
        for &slot in slots {
            for cpu in 0..self.fixed().cpus {
                counters.alias.write(cpu, slot, AliasCell::default());
            }
            self.vacate(slot, lock)?;
        }
        Ok(())
    }

    /// Frees a slot but leaves what is counted by slot to who takes it next.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn vacate(&self, slot: u32, lock: &WriteLock) -> Result<()> {
        let position = self.record(slot).position;
        let positions = self.index.len();
        if position < positions {
            let counters = self.counters()?;
            for cpu in 0..self.fixed().cpus {
                counters.rx.write(cpu, position, RxCell::default());
            }
            self.sweep(position);
        }
        self.set_state(slot, State::Free, lock);
        Ok(())
    }

    /// Counts losses that the kernel had counted elsewhere, for an alias that no
    /// program run counts for any more.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn add_lost(&self, slot: u32, packets: u64, _lock: &WriteLock) -> Result<()> {
        let counters = self.counters()?;
        let mut cell = counters.alias.read(0, slot);
        cell.lost += packets;
        counters.alias.write(0, slot, cell);
        Ok(())
    }

    /// Turns the tombstone at a position, and those before it, into empty slots
    /// when nothing stands behind them that a lookup could want: so tombstones
    /// do not make misses long.
    fn sweep(&self, position: u32) {
        let end = self.index.len();
        if position >= end || (position + 1 < end && self.index.load(position + 1) != Word::EMPTY.0)
        {
            return;
        }
        let mut at = position;
        while self.index.load(at) == Word::TOMBSTONE.0 {
            self.index.store(at, Word::EMPTY.0);
            if at == 0 {
                break;
            }
            at -= 1;
        }
    }

    /// Touches what stands at some positions: they are everywhere in memory, and reads
    /// of nothing else overlap, so that [`Parent::figures`] and [`Parent::release`] find
    /// theirs in the cache.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn touch(&self, positions: impl Iterator<Item = u32> + Clone) -> Result<()> {
        let counters = self.counters()?;
        let end = self.index.len();
        for cpu in 0..self.fixed().cpus {
            for position in positions.clone().filter(|position| *position < end) {
                black_box(counters.rx.read(cpu, position));
            }
        }
        Ok(())
    }

    /// The same for the index's words.
    pub fn touch_index(&self, positions: impl Iterator<Item = u32>) {
        let end = self.index.len();
        for position in positions.filter(|position| *position < end) {
            black_box(self.index.load(position));
        }
    }

    /// What was counted for an alias.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn figures(&self, slot: u32, record: &Record) -> Result<Figures> {
        let counters = self.counters()?;
        let mut figures = Figures {
            rx: RxCell {
                packets: record.base_rx_packets,
                bytes: record.base_rx_bytes,
            },
            policy: record.base_policy,
            ..Figures::default()
        };
        let positions = self.index.len();
        let drops = record.target == alias_common::record::TargetKind::Drop as u8;
        for cpu in 0..self.fixed().cpus {
            if record.position < positions {
                let cell = counters.rx.read(cpu, record.position);
                figures.rx.packets += cell.packets;
                figures.rx.bytes += cell.bytes;
                figures.policy += if drops { cell.packets } else { 0 };
            }
            let cell = counters.alias.read(cpu, slot);
            let rest = &mut figures.rest;
            rest.tx_packets += cell.tx_packets;
            rest.tx_bytes += cell.tx_bytes;
            rest.neighbor_rx += cell.neighbor_rx;
            rest.neighbor_tx += cell.neighbor_tx;
            rest.spoof += cell.spoof;
            rest.no_target += cell.no_target;
            rest.lost += cell.lost;
        }
        Ok(figures)
    }

    /// What the parent's programs did, over all CPUs.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn totals(&self) -> Result<ParentCell> {
        let counters = self.counters()?;
        let mut totals = ParentCell::default();
        for cpu in 0..self.fixed().cpus {
            let cell = counters.parent.read(cpu, 0);
            totals.miss += cell.miss;
            totals.malformed += cell.malformed;
            totals.local += cell.local;
            totals.device += cell.device;
            totals.to += cell.to;
            totals.dropped += cell.dropped;
            totals.no_target += cell.no_target;
            totals.spoof += cell.spoof;
            totals.tx += cell.tx;
            totals.lost += cell.lost + cell.undelivered;
        }
        Ok(totals)
    }
}

/// Waits until no program run is left that began before.
///
/// # Errors
///
/// That of `membarrier(2)`.
pub fn grace_period() -> Result<()> {
    sys::grace_period().map_err(|error| Refusal::io("membarrier", "wait for readers", &error))
}

/// A record's address fields.
pub fn set_address(record: &mut Record, address: Address, prefix_len: u8, vlan: Vlan) {
    record.family = address.family().0;
    record.address = address.bytes();
    let row = address.alias_type();
    (record.format, record.address_len) = (row.format, row.address_len);
    record.ethertype = row.ethertype;
    record.prefix_len = prefix_len;
    record.flags &= !Record::PREFIX;
    if let Address::Prefix(prefix) = address {
        record.prefix_len = prefix.len;
        record.flags |= Record::PREFIX;
    }
    record.vlan_outer = vlan.outer();
    record.vlan_inner = vlan.inner();
}
