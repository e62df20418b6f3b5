//! What was counted: sums over the rows of all CPUs.

use std::hint::black_box;

use alias_common::counters::{AliasCell, ParentCell, RxCell};
use alias_common::record::{Record, State, TargetKind};

use super::abi::Before;
use super::parent::Parent;
use super::parent_mut::ParentMut;
use crate::error::Result;

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

impl Parent {
    /// Touches what stands at some positions: they are everywhere in memory, and reads
    /// of nothing else overlap, so that [`Parent::figures`] finds its own in the cache.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn touch(&self, positions: impl Iterator<Item = u32> + Clone) -> Result<()> {
        let counters = self.counters()?;
        let end = self.index.len();
        for row in 0..self.extent().rows {
            for position in positions.clone().filter(|position| *position < end) {
                black_box(counters.rx.read(row, position));
            }
        }
        Ok(())
    }

    /// What was counted for an alias, over all CPUs and before the parent grew.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn figures(&self, slot: u32, record: &Record) -> Result<Figures> {
        self.figures_of(self.id_of(slot), record)
    }

    /// The same for the alias with an id, where it is known.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn figures_of(&self, id: Option<u32>, record: &Record) -> Result<Figures> {
        let here = self.rx_cell(record.position)?;
        let drops = record.is(TargetKind::Drop);
        Ok(Figures {
            rx: here.plus(RxCell {
                packets: record.base_rx_packets,
                bytes: record.base_rx_bytes,
            }),
            policy: record.base_policy + if drops { here.packets } else { 0 },
            rest: match id {
                Some(id) => self.alias_cell(id)?,
                None => AliasCell::default(),
            },
        })
    }

    /// The sum of a position's cells; nothing for one that is none.
    fn rx_cell(&self, position: u32) -> Result<RxCell> {
        let (counters, positions) = (self.counters()?, self.index.len());
        let rows = if position < positions {
            self.extent().rows
        } else {
            0
        };
        Ok((0..rows).fold(RxCell::default(), |sum, row| {
            sum.plus(counters.rx.read(row, position))
        }))
    }

    /// The sum of a record's cells.
    fn alias_cell(&self, id: u32) -> Result<AliasCell> {
        let counters = self.counters()?;
        Ok(
            (0..self.extent().rows).fold(AliasCell::default(), |sum, row| {
                sum.plus(counters.alias.read(row, id))
            }),
        )
    }

    /// The sum of the parent's cells.
    fn parent_cell(&self) -> Result<ParentCell> {
        let counters = self.counters()?;
        Ok(
            (0..self.extent().rows).fold(ParentCell::default(), |sum, row| {
                sum.plus(counters.parent.read(row, 0))
            }),
        )
    }

    /// What the parent's programs did, over all CPUs and before the parent grew.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn totals(&self) -> Result<ParentCell> {
        let cell = self.parent_cell()?;
        Ok(ParentCell {
            device: none_below_zero(cell.device),
            to: none_below_zero(cell.to),
            lost: cell.lost.wrapping_add(cell.undelivered),
            undelivered: 0,
            ..cell
        })
    }
}

impl ParentMut<'_> {
    /// Counts losses that the kernel had counted elsewhere, for an alias that no
    /// program run counts for any more.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn add_lost(self, slot: u32, packets: u64) -> Result<()> {
        let Some(id) = self.id_of(slot) else {
            return Ok(());
        };
        self.step();
        let counters = self.counters()?;
        let mut cell = counters.alias.read(0, id);
        cell.lost += packets;
        counters.alias.write(0, id, cell);
        Ok(())
    }

    /// Takes over what the generation before has counted, once it counts no more. It is
    /// set, not added: to do it twice is as good.
    ///
    /// # Errors
    ///
    /// That of mapping the counters.
    pub fn harvest(self, before: &dyn Before) -> Result<()> {
        self.step();
        let (counters, positions) = (self.counters()?, self.index.len());
        let own = self.extent().rows - 1;
        for id in 0..before.records_end().min(self.capacity()) {
            let cell = before.alias_cell(id);
            counters.alias.write(own, id, cell);
            let position = self.record.read(id).position;
            if self.state_at(id) != State::Free && position < positions {
                let cell = before.rx_cell(before.record(id).position);
                counters.rx.write(own, position, cell);
            }
        }
        counters.parent.write(own, 0, before.parent_cell());
        Ok(())
    }
}

/// A sum as a reader may see it. While a parent grows, one generation may take back what
/// the next has counted: a reader of one of them alone sees less than nothing.
const fn none_below_zero(sum: u64) -> u64 {
    if sum.cast_signed() < 0 { 0 } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_below_zero_reads_as_none() {
        let taken_back = ParentCell {
            device: 3u64.wrapping_sub(5),
            ..ParentCell::default()
        };
        let sum = taken_back.plus(ParentCell {
            device: 1,
            ..ParentCell::default()
        });
        assert_eq!(none_below_zero(sum.device), 0);
        let whole = sum.plus(ParentCell {
            device: 4,
            ..ParentCell::default()
        });
        assert_eq!(none_below_zero(whole.device), 3);
    }
}
