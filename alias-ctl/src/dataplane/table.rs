//! The writer's side of the index.
//!
//! An alias is published by one store after everything it needs is in place,
//! and removed by one store. What it leaves behind is used again only after a
//! grace period, when no program run can still be looking at it.

use std::net::IpAddr;

use alias_common::bits::{Bits, Length};
use alias_common::counters::{AliasCell, RxCell};
use alias_common::key::{Hash, Vlan, WideKey};
use alias_common::prefix::Scope;
use alias_common::record::{Record, State, Steer};
use alias_common::table::{self, Buckets, Hit};
use alias_common::word::{Verdict, Word};

use super::abi::Before;
use super::parent::{Parent, address_of};
use super::parent_mut::ParentMut;
use super::sys;
use crate::error::{Refusal, Result};
use crate::model::address::Address;

impl Buckets for Parent {
    fn word(&self, position: u64) -> Option<Word> {
        let position = u32::try_from(position).ok()?;
        (position < self.index.len()).then(|| Word(self.index.load(position)))
    }

    fn wide_is(&self, position: u64, key: &WideKey) -> bool {
        self.wide.read(position as u32) == *key
    }
}

/// A key of either kind, ready to be looked up.
struct LookupKey {
    hash: Hash,
    wide: Option<WideKey>,
}

impl Parent {
    fn lookup_key(&self, address: Address, vlan: Vlan) -> LookupKey {
        let hash_key = &self.fixed().hash_key;
        match address {
            Address::V4(v4) => LookupKey {
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
                LookupKey {
                    hash: hash_key.wide(&key),
                    wide: Some(key),
                }
            }
            longer @ (Address::V6(_) | Address::Typed(_)) => {
                let key = WideKey::new(longer.family(), &longer.bytes(), vlan);
                LookupKey {
                    hash: hash_key.wide(&key),
                    wide: Some(key),
                }
            }
        }
    }

    fn home_shift(&self) -> u32 {
        self.extent().geometry().home_shift()
    }

    /// The errno of a refusal that a larger index is the way out of, and nothing else is.
    pub const NO_PLACE: i32 = libc::EXFULL;

    /// Where an address stands in the index, enabled or not.
    #[must_use]
    pub fn find(&self, address: impl Into<Address>, vlan: Vlan) -> Option<Hit> {
        let key = self.lookup_key(address.into(), vlan);
        table::find_any(self, self.home_shift(), key.hash, key.wide.as_ref())
    }

    /// The slot of an address.
    #[must_use]
    pub fn slot_of(&self, address: impl Into<Address>, vlan: Vlan) -> Option<u32> {
        self.find(address, vlan)
            .map(|hit| Steer(self.steer.load(hit.position as u32)).id())
            .filter(|id| *id < self.capacity())
            .map(|id| self.slot_at(id))
    }

    /// Where aliases stand in the index, in its order, each with its id; without those
    /// that stand nowhere.
    fn positions(&self, ids: &[u32]) -> Vec<(u32, u32)> {
        let end = self.index.len();
        let mut positions: Vec<(u32, u32)> = ids
            .iter()
            .map(|id| (self.record.read(*id).position, *id))
            .filter(|(position, _)| *position < end)
            .collect();
        positions.sort_unstable();
        positions
    }
}

impl ParentMut<'_> {
    /// Publishes a claimed slot; [`ParentMut::commit`] makes it live.
    ///
    /// # Errors
    ///
    /// [`Parent::NO_PLACE`] when the address's neighbourhood in the index is full.
    pub fn publish(self, slot: u32, verdict: Verdict, target: u32, flags: u8) -> Result<()> {
        let settle = || match cfg!(target_arch = "x86_64") {
            true => Ok(()),
            // Loads of one program run may pass each other there. No run that
            // read the old steer word can see the new index word after this.
            false => grace_period(),
        };
        let id = self.id_of(slot).ok_or_else(|| unclaimed(slot))?;
        self.put(id, verdict, Steer::new(target, id, flags), settle)
    }

    /// `settle` comes right before the word that makes the rest visible.
    fn put(
        self,
        id: u32,
        verdict: Verdict,
        steer: Steer,
        settle: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.step();
        let mut record = self.record.read(id);
        let key = self.lookup_key(address_of(&record), record.vlan());
        let vacancy = table::vacancy(&*self, self.home_shift(), key.hash).ok_or_else(|| {
            Refusal::new(
                address_of(&record).to_string(),
                "add",
                "64 places in a row are taken where the index has it",
                Parent::NO_PLACE,
            )
            .hint("nothing was added; a larger index has room: alias-ctl set DEV --capacity NUMBER")
        })?;
        // It is below the index's length, which 32 bits hold.
        let position = vacancy.position as u32;
        self.steer.store(position, steer.0);
        if let Some(key) = key.wide {
            self.wide.write(position, key);
        }
        // The position is in the record before the word is in the index: a
        // crash between the two leaves nothing that cannot be found again.
        record.position = position;
        record.state = self.state_at(id) as u32;
        self.record.write(id, record);
        settle()?;
        let word = vacancy.word.with(verdict);
        self.index.store(position, word.0);
        Ok(())
    }

    /// Changes what happens to a live alias's packets, between verdicts that
    /// lead to the same place.
    pub fn set_verdict(self, slot: u32, verdict: Verdict) {
        self.step();
        let position = self.record(slot).position;
        let word = Word(self.index.load(position));
        self.index.store(position, word.with(verdict).0);
    }

    /// Says whether a live alias's device is in another namespace than its port,
    /// in one store.
    pub fn set_lead_flags(self, slot: u32, flags: u8) {
        self.step();
        let position = self.record(slot).position;
        let old = Steer(self.steer.load(position));
        self.steer
            .store(position, Steer::new(old.target(), old.id(), flags).0);
    }

    /// Takes aliases out of the index, in the index's order: their places are everywhere
    /// in memory. The slots stay until [`ParentMut::release`]. `step` is called for each.
    pub fn unpublish(self, slots: &[u32], mut step: impl FnMut()) {
        for (position, id) in self.positions(&self.ids(slots)) {
            // A crash may have left the position without the word.
            let is_there = Word(self.index.load(position)).is_taken()
                && Steer(self.steer.load(position)).id() == id;
            if is_there {
                self.step();
                self.index.store(position, Word::TOMBSTONE.0);
            }
            step();
        }
    }

    /// Frees slots that were unpublished before the last grace period. `step` is called
    /// for each.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn release(self, slots: &[u32], mut step: impl FnMut()) -> Result<()> {
        let counters = self.counters()?;
        let ids = self.ids(slots);
        for row in 0..self.extent().rows {
            for &id in &ids {
                counters.alias.write(row, id, AliasCell::default());
            }
        }
        self.vacate(&ids)?;
        for &id in &ids {
            self.give_free(id);
            step();
        }
        Ok(())
    }

    /// Frees one slot; `is_kept`: for the alias that takes its place, to which what is
    /// counted by id is left.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn free(self, slot: u32, is_kept: bool) -> Result<()> {
        match is_kept {
            true => {
                let ids = self.ids(&[slot]);
                self.vacate(&ids)?;
                for id in ids {
                    self.set_state_at(id, State::Kept);
                }
                Ok(())
            }
            false => self.release(&[slot], || {}),
        }
    }

    /// The ids of slots' aliases.
    fn ids(self, slots: &[u32]) -> Vec<u32> {
        slots.iter().filter_map(|slot| self.id_of(*slot)).collect()
    }

    /// Makes the places of aliases in the index empty.
    fn vacate(self, ids: &[u32]) -> Result<()> {
        let counters = self.counters()?;
        let positions = self.positions(ids);
        for row in 0..self.extent().rows {
            for (position, _) in &positions {
                counters.rx.write(row, *position, RxCell::default());
            }
        }
        for (position, _) in &positions {
            self.sweep(*position);
        }
        Ok(())
    }

    /// Turns the tombstone at a position, and those before it, into empty slots
    /// when nothing stands behind them that a lookup could want: so tombstones
    /// do not make misses long.
    fn sweep(self, position: u32) {
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

    /// Takes over the records, the table and the creation log of the generation before.
    ///
    /// # Errors
    ///
    /// [`Parent::NO_PLACE`] when an address's neighbourhood in the table is full.
    pub(super) fn take_over(self, before: &dyn Before) -> Result<()> {
        self.step();
        self.station.store(0, before.station());
        for id in 0..before.records_end() {
            let mut record = before.record(id);
            if record.state == State::Free as u32 {
                continue;
            }
            self.slots.put(record.slot, id, |_| None);
            let position = std::mem::replace(&mut record.position, Record::NO_POSITION);
            self.record.write(id, record);
            if let Some((verdict, steer)) = before.entry(position, id) {
                // No program reads it yet.
                self.put(id, verdict, steer, || Ok(()))?;
            }
        }
        for key in 0..before.targets() {
            self.set_target(key, before.target(key));
        }
        let pending = before.record(before.capacity());
        self.record.write(self.capacity(), pending);
        self.order.take_over(&before.log());
        self.list_hearers();
        Ok(())
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

/// ENOENT: the caller has not claimed it.
fn unclaimed(slot: u32) -> Refusal {
    Refusal::new(
        format!("slot {slot}"),
        "add",
        "no record is claimed for it",
        libc::ENOENT,
    )
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
