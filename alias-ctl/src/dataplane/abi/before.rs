//! What a generation takes over from the one before it, in the types of this version.

use alias_common::counters::{AliasCell, ParentCell, RxCell};
use alias_common::header::Header;
use alias_common::order::Entry;
use alias_common::record::{Port, Record, Steer, Target};
use alias_common::word::Verdict;

use crate::error::Result;

/// The pins of a generation, read by the reader of the version that made them. Nobody
/// writes what it reads but the programs, which count.
pub trait Before {
    /// The header as it is now; what the datapath keeps there is left out.
    fn header(&self) -> Header;

    /// Number of records.
    fn capacity(&self) -> u32;

    /// One past the highest id that is or was in use.
    fn records_end(&self) -> u32;

    /// The record of an id below the capacity; at the capacity, the redo record.
    fn record(&self, id: u32) -> Record;

    /// What stands at a position of the index, if it is the alias's with this id.
    fn entry(&self, position: u32, id: u32) -> Option<(Verdict, Steer)>;

    /// `alias_common::layout::Front::station`.
    fn station(&self) -> u64;

    /// Number of devmap keys.
    fn targets(&self) -> u32;

    /// The `--to` device of a devmap key.
    fn target(&self, key: u32) -> Target;

    /// The creation log, without what was deleted.
    fn log(&self) -> Vec<Entry>;

    /// Whose the ports and `--to` devices are, by ifindex.
    ///
    /// # Errors
    ///
    /// That of reading the map.
    fn ports(&self) -> Result<Vec<(u32, Port)>>;

    /// Where a devmap key leads, by ifindex; `None`: nowhere.
    ///
    /// # Errors
    ///
    /// That of reading the map.
    fn leads_to(&self, key: u32) -> Result<Option<u32>>;

    /// What was received at a position, over all CPUs.
    fn rx_cell(&self, position: u32) -> RxCell;

    /// What was counted for an id, over all CPUs.
    fn alias_cell(&self, id: u32) -> AliasCell;

    /// What the programs did, over all CPUs.
    fn parent_cell(&self) -> ParentCell;
}
