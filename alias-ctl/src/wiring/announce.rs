//! Announces aliases that are there, as many as they may be: at a bounded pace, without
//! the lock, and looking again before each burst, because what was deleted meanwhile may
//! be another host's by then.

use std::iter;

use alias_common::record::Record;

use crate::dataplane::Parent;
use crate::dataplane::transmit::transmit;
use crate::error::{Refusal, Result};

use super::host::Host;
use super::neighbour;

/// Aliases that are looked at and sent at once: a tenth of a second by the pace.
const AT_ONCE: usize = 1000;

/// Which aliases of a parent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// The one in this slot, whether it was added with `--no-announce` or not: who names
    /// it wants it announced.
    Slot(u32),
    /// All that may be announced.
    All,
    /// Of those, the ones that were created after this number.
    After(u64),
    /// Those that a configuration declares.
    Declared,
    /// Those that a configuration declares and that were there by this number.
    DeclaredBy(u64),
}

impl Which {
    fn takes(self, slot: u32, record: &Record) -> bool {
        let has = |flag: u32| record.flags & flag != 0;
        match self {
            Which::Slot(wanted) => slot == wanted,
            Which::All => has(Record::ANNOUNCE),
            Which::After(created) => has(Record::ANNOUNCE) && record.created > created,
            Which::Declared => has(Record::ANNOUNCE) && has(Record::DECLARED),
            Which::DeclaredBy(created) => {
                has(Record::ANNOUNCE) && has(Record::DECLARED) && record.created <= created
            }
        }
    }

    fn slots(self, parent: &Parent) -> Vec<u32> {
        match self {
            Which::Slot(slot) => iter::once(slot).collect(),
            _ => parent
                .live()
                .filter(|(slot, record)| self.takes(*slot, record))
                .map(|(slot, _)| slot)
                .collect(),
        }
    }
}

/// Announces each of them once. Returns how many were.
///
/// # Errors
///
/// ENETDOWN without a carrier, that of sending. A parent that is gone has none.
pub fn round(host: &mut Host, ifindex: u32, which: Which) -> Result<usize> {
    let Some(parent) = Parent::open(&host.directory, ifindex)? else {
        return Ok(0);
    };
    let slots = which.slots(&parent);
    drop(parent);
    let mut count = 0;
    for slots in slots.chunks(AT_ONCE) {
        let Some(link) = host.netlink.link_by_index(ifindex)? else {
            break;
        };
        let Some(parent) = Parent::open(&host.directory, ifindex)? else {
            break;
        };
        let frames: Vec<Vec<u8>> = slots
            .iter()
            .filter(|slot| parent.is_live(**slot))
            .map(|slot| (*slot, parent.record(*slot)))
            .filter(|(slot, record)| which.takes(*slot, record))
            .filter_map(|(_, record)| neighbour::frame(&link, &record))
            .collect();
        if frames.is_empty() {
            continue;
        }
        neighbour::refuse_without_carrier(&link)?;
        count += transmit(ifindex, &frames, None).map_err(|error| {
            Refusal::io(&link.name, "announce", &error).hint("neighbours learn of it when they ask")
        })?;
    }
    Ok(count)
}
