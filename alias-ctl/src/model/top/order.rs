//! In what order aliases are shown.

use super::table::{Device, Entry};
use crate::error::{Refusal, Result};

/// What there is to sort by; each is a column of the screen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "their titles say it")]
pub enum Column {
    Alias,
    Address,
    Target,
    RxPackets,
    RxBits,
    TxPackets,
    TxBits,
    Drops,
}

impl Column {
    /// As they stand from left to right.
    pub const ALL: [Column; 8] = [
        Column::Alias,
        Column::Address,
        Column::Target,
        Column::RxPackets,
        Column::RxBits,
        Column::TxPackets,
        Column::TxBits,
        Column::Drops,
    ];

    /// What stands above it; pps and bps are packets and bits by second.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Column::Alias => "ALIAS",
            Column::Address => "ADDRESS",
            Column::Target => "TARGET",
            Column::RxPackets => "RX-PPS",
            Column::RxBits => "RX-BPS",
            Column::TxPackets => "TX-PPS",
            Column::TxBits => "TX-BPS",
            Column::Drops => "DROPS",
        }
    }

    /// The column with this title, in whatever case.
    ///
    /// # Errors
    ///
    /// EINVAL, with all that there are.
    pub fn parse(word: &str) -> Result<Column> {
        let named = |column: &Column| column.title().eq_ignore_ascii_case(word);
        Column::ALL.into_iter().find(named).ok_or_else(|| {
            let all = Column::ALL.map(|column| column.title().to_lowercase());
            Refusal::new(word, "sort", "there is no such column", libc::EINVAL)
                .hint(format!("give one of {}", all.join(", ")))
        })
    }

    /// Where it stands among all.
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    /// It is a rate: whoever sorts by it must read the figures of all.
    #[must_use]
    pub const fn is_rate(self) -> bool {
        match self {
            Column::Alias | Column::Address | Column::Target => false,
            Column::RxPackets
            | Column::RxBits
            | Column::TxPackets
            | Column::TxBits
            | Column::Drops => true,
        }
    }

    fn rate(self, of: &Entry) -> f32 {
        match self {
            Column::Alias | Column::Address | Column::Target => 0.0,
            Column::RxPackets => of.rates.rx_packets,
            Column::RxBits => of.rates.rx_bits,
            Column::TxPackets => of.rates.tx_packets,
            Column::TxBits => of.rates.tx_bits,
            Column::Drops => of.rates.dropped(),
        }
    }
}

/// The order that was chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sort {
    /// By what.
    pub column: Column,
    /// Not as it is usual for the column: names from the first, rates from the highest.
    pub is_reversed: bool,
}

impl Sort {
    /// The usual order of a column.
    #[must_use]
    pub const fn by(column: Column) -> Sort {
        Sort {
            column,
            is_reversed: false,
        }
    }

    /// From the lowest to the highest.
    #[must_use]
    pub const fn is_ascending(self) -> bool {
        self.column.is_rate() == self.is_reversed
    }
}

/// An alias by its parent's place among the devices, and its id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct At {
    /// Place of its parent among the devices.
    pub device: u32,
    /// Its id.
    pub id: u32,
}

/// Those that the filter admits, in order. Equal ones stand as their names do.
#[must_use]
pub fn ordered(devices: &mut [Device], sort: Sort) -> Vec<At> {
    let mut all = Vec::new();
    for (place, device) in (0..).zip(&mut *devices) {
        device.by_slot();
        let device = &*device;
        let ids = device.known_by_slot().iter();
        let shown = ids.filter(|id| device.entry(**id).is_some_and(|of| of.is_admitted));
        all.extend(shown.map(|id| At {
            device: place,
            id: *id,
        }));
    }
    let entry = |at: &At| devices[at.device as usize].entry(at.id);
    let key: fn(&Entry) -> (u16, [u8; 16]) = match sort.column {
        Column::Alias => {
            if sort.is_reversed {
                all.reverse();
            }
            return all;
        }
        Column::Address => |of| (of.family, of.address),
        Column::Target => |of| (u16::from(of.target), [0; 16]),
        Column::RxPackets | Column::RxBits | Column::TxPackets | Column::TxBits | Column::Drops => {
            return by_rate(all, sort, entry);
        }
    };
    let keyed = all.into_iter().map(|at| (entry(&at).map(key), at));
    let mut keyed: Vec<_> = keyed.collect();
    if sort.is_reversed {
        keyed.sort_by(|(one, _), (other, _)| other.cmp(one));
    } else {
        keyed.sort_by_key(|(one, _)| *one);
    }
    keyed.into_iter().map(|(_, at)| at).collect()
}

/// One number for each, which sorts a million in some hundredths of a second: the bits of a
/// rate that is not negative are in its order, and the place in the order of names follows.
fn by_rate<'a>(all: Vec<At>, sort: Sort, entry: impl Fn(&At) -> Option<&'a Entry>) -> Vec<At> {
    let mut keyed: Vec<u64> = (0u32..)
        .zip(&all)
        .map(|(place, at)| {
            let rate = entry(at).map_or(0.0, |of| sort.column.rate(of));
            let bits = rate.max(0.0).to_bits();
            let bits = if sort.is_ascending() { bits } else { !bits };
            u64::from(bits) << 32 | u64::from(place)
        })
        .collect();
    keyed.sort_unstable();
    let places = keyed.into_iter().map(|key| key as u32 as usize);
    places.map(|place| all[place]).collect()
}

#[cfg(test)]
mod tests {
    use alias_common::record::Record;

    use super::*;
    use crate::model::rates::Rates;

    /// Slot, last byte of the address, target, packets and drops by second.
    type Sample = (u32, u8, u8, f32, f32);

    /// Two parents.
    fn devices() -> Vec<Device> {
        let rows: [&[Sample]; 2] = [
            &[
                (9, 1, 5, 5.0, 0.0),
                (2, 7, 1, 70.0, 1.5),
                (4, 3, 5, 0.0, 0.0),
            ],
            &[(0, 2, 1, 70.0, 2.0)],
        ];
        let mut devices = Vec::new();
        for (ifindex, rows) in (2..).zip(rows) {
            let mut device = Device::new(ifindex);
            device.limit(rows.len() as u32);
            for (id, (slot, last, target, packets, drops)) in (0..).zip(rows) {
                let mut record = Record {
                    created: u64::from(id) + 1,
                    slot: *slot,
                    target: *target,
                    ..Record::default()
                };
                record.address[3] = *last;
                let entry = device.is_there(id, &record);
                entry.rates = Rates {
                    rx_packets: *packets,
                    policy: *drops,
                    ..Rates::default()
                };
            }
            devices.push(device);
        }
        devices
    }

    #[track_caller]
    fn check(column: Column, is_reversed: bool, expected: [u32; 4]) {
        let mut devices = devices();
        let sort = Sort {
            column,
            is_reversed,
        };
        let found: Vec<u32> = ordered(&mut devices, sort)
            .iter()
            .map(|at| {
                devices[at.device as usize]
                    .entry(at.id)
                    .expect("it is there")
            })
            .map(|entry| entry.slot)
            .collect();
        assert_eq!(found, expected, "{column:?} {is_reversed}");
    }

    #[test]
    fn by_every_kind_of_column() {
        check(Column::Alias, false, [2, 4, 9, 0]);
        check(Column::Alias, true, [0, 9, 4, 2]);
        check(Column::Address, false, [9, 0, 4, 2]);
        check(Column::Address, true, [2, 4, 0, 9]);
        check(Column::Target, false, [2, 0, 4, 9]);
        check(Column::RxPackets, false, [2, 0, 9, 4]);
        check(Column::RxPackets, true, [4, 9, 2, 0]);
        check(Column::Drops, false, [0, 2, 4, 9]);
        // Nobody sends: as the names are.
        check(Column::TxBits, false, [2, 4, 9, 0]);
    }

    #[test]
    fn only_those_that_are_admitted() {
        let mut devices = devices();
        devices[0].entry_mut(1).expect("it is there").is_admitted = false;
        let found = ordered(&mut devices, Sort::by(Column::RxPackets));
        let ids: Vec<u32> = found.iter().map(|at| at.id).collect();
        assert_eq!(ids, [0, 0, 2]);
    }

    #[test]
    fn columns_are_known_by_their_titles() {
        for column in Column::ALL {
            let word = column.title().to_lowercase();
            assert_eq!(Column::parse(&word).ok(), Some(column));
            assert_eq!(Column::ALL[column.place()], column);
        }
        let refusal = Column::parse("rx").expect_err("it is none");
        assert!(refusal.hint.contains("rx-pps"), "{refusal}");
    }
}
