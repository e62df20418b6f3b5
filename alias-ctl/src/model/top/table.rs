//! All aliases of all parents that are watched, with the rates of each.

use alias_common::record::Record;

use crate::model::rates::{Counters, History, Rates};

/// Whose figures these are; another alias never has the same.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Identity {
    /// The parent's ifindex.
    pub parent: u32,
    /// The id of its record.
    pub id: u32,
    /// Its creation number.
    pub created: u64,
}

/// One alias. Its record says everything else, and is read for those that are shown.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Its creation number; 0: there is none with this id.
    pub created: u64,
    /// The N of `eth0:N`.
    pub slot: u32,
    /// Number of its family.
    pub family: u16,
    /// Number of its target's kind.
    pub target: u8,
    /// The filter admits it.
    pub is_admitted: bool,
    /// It was read twice: `rates` are rates.
    pub is_rated: bool,
    /// In network order, padded with zero bytes.
    pub address: [u8; 16],
    /// What was counted when it was read last.
    pub counters: Counters,
    /// When that was, in seconds since the start.
    pub at: f64,
    /// What it grew by then.
    pub rates: Rates,
    /// The last rates, where they are kept.
    pub history: Option<Box<History>>,
}

/// The aliases of one parent.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Its ifindex.
    pub ifindex: u32,
    /// By id.
    entries: Vec<Entry>,
    /// Ids of those that are there, by slot.
    by_slot: Vec<u32>,
    is_by_slot: bool,
}

/// When something was read.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// In seconds since the start.
    pub now: f64,
    /// Rates that are further apart are not shown side by side; in seconds.
    pub gap: f64,
    /// Histories are kept of all that are read, and not only of those that have one.
    pub keeps_history: bool,
}

impl Device {
    /// None of its aliases is known yet.
    #[must_use]
    pub fn new(ifindex: u32) -> Device {
        Device {
            ifindex,
            ..Device::default()
        }
    }

    /// There are no ids from `end` on.
    pub fn limit(&mut self, end: u32) {
        self.entries.resize(end as usize, Entry::default());
        self.is_by_slot &= self.by_slot.iter().all(|id| *id < end);
    }

    /// No alias has this id.
    pub fn is_gone(&mut self, id: u32) {
        if let Some(entry) = self.entries.get_mut(id as usize)
            && entry.created != 0
        {
            *entry = Entry::default();
            self.is_by_slot = false;
        }
    }

    /// An alias was read: its record without its figures.
    pub fn is_there(&mut self, id: u32, record: &Record) -> &mut Entry {
        let entry = &mut self.entries[id as usize];
        if (entry.created, entry.slot) != (record.created, record.slot) {
            *entry = Entry {
                created: record.created,
                slot: record.slot,
                is_admitted: true,
                ..Entry::default()
            };
            self.is_by_slot = false;
        }
        // `set` changes these, and the alias stays the same.
        entry.family = record.family;
        entry.target = record.target;
        entry.address = record.address;
        entry
    }

    /// The alias with this id.
    #[must_use]
    pub fn entry(&self, id: u32) -> Option<&Entry> {
        self.entries.get(id as usize).filter(|of| of.created != 0)
    }

    /// The same, to be changed.
    pub fn entry_mut(&mut self, id: u32) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(id as usize);
        entry.filter(|of| of.created != 0)
    }

    /// Ids of those that are there, by slot.
    pub fn by_slot(&mut self) -> &[u32] {
        if !self.is_by_slot {
            let there = (0..).zip(&self.entries);
            let mut ids: Vec<(u32, u32)> = there
                .filter(|(_, entry)| entry.created != 0)
                .map(|(id, entry)| (entry.slot, id))
                .collect();
            ids.sort_unstable();
            self.by_slot = ids.into_iter().map(|(_, id)| id).collect();
            self.is_by_slot = true;
        }
        &self.by_slot
    }

    /// The same as [`Device::by_slot`] found them.
    #[must_use]
    pub fn known_by_slot(&self) -> &[u32] {
        &self.by_slot
    }

    /// All that are there, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.created != 0)
    }

    /// The same, to be changed.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let entries = self.entries.iter_mut();
        entries.filter(|entry| entry.created != 0)
    }

    /// The sum of all rates.
    #[must_use]
    pub fn sum(&self) -> Rates {
        self.entries()
            .fold(Rates::default(), |sum, entry| sum.plus(&entry.rates))
    }
}

impl Entry {
    /// Its figures were read.
    pub fn count(&mut self, counters: Counters, moment: Moment) {
        if self.at > 0.0 {
            self.rates = counters.since(&self.counters, moment.now - self.at);
            self.is_rated = true;
        }
        self.counters = counters;
        self.at = moment.now;
        if self.is_rated && (moment.keeps_history || self.history.is_some()) {
            let history = self.history.get_or_insert_default();
            history.push(&self.rates, moment.now, moment.gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(created: u64, slot: u32) -> Record {
        Record {
            created,
            slot,
            ..Record::default()
        }
    }

    fn moment(now: f64) -> Moment {
        Moment {
            now,
            gap: 2.5,
            keeps_history: true,
        }
    }

    fn counted(rx_packets: u64) -> Counters {
        Counters {
            rx_packets,
            ..Counters::default()
        }
    }

    #[test]
    fn rates_come_with_the_second_sample() {
        let mut device = Device::new(2);
        device.limit(1);
        for (now, packets, rate) in [
            (1.0, 500, None),
            (3.0, 540, Some(20.0)),
            (4.0, 540, Some(0.0)),
        ] {
            let entry = device.is_there(0, &record(1, 0));
            entry.count(counted(packets), moment(now));
            let found = entry.is_rated.then_some(entry.rates.rx_packets);
            assert_eq!(found, rate, "at {now}");
        }
        let history = device.entry(0).and_then(|entry| entry.history.as_ref());
        assert_eq!(history.expect("it is kept").received(), [20.0, 0.0]);
        assert_eq!(device.sum().rx_packets, 0.0);
    }

    #[test]
    fn another_alias_with_the_same_id_has_figures_of_its_own() {
        let mut device = Device::new(2);
        device.limit(1);
        for now in [1.0, 2.0] {
            let entry = device.is_there(0, &record(1, 0));
            entry.count(counted(100 * now as u64), moment(now));
        }
        assert_eq!(device.sum().rx_packets, 100.0);
        let entry = device.is_there(0, &record(2, 0));
        entry.count(counted(7), moment(3.0));
        assert!(!entry.is_rated);
        assert!(entry.history.is_none());
    }

    #[test]
    fn those_that_come_and_go_are_in_their_place() {
        let mut device = Device::new(2);
        device.limit(3);
        for (id, slot) in [(0, 7), (1, 3), (2, 5)] {
            device.is_there(id, &record(u64::from(id) + 1, slot));
        }
        assert_eq!(device.by_slot(), [1, 2, 0]);
        device.is_gone(2);
        assert_eq!(device.by_slot(), [1, 0]);
        assert!(device.entry(2).is_none());
        device.limit(1);
        assert_eq!(device.by_slot(), [0]);
        device.limit(2);
        device.is_there(1, &record(9, 1));
        assert_eq!(device.by_slot(), [1, 0]);
    }
}
