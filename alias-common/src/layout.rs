//! Layout of the two maps that every packet needs. The datapath looks each of them up
//! once and reaches everything in it by offsets, which the verifier can bound because
//! they are computed from constants of the parent.
//!
//! Map `table`, one value: what the controller writes and the datapath reads.
//!
//! ```text
//! front | index words | steer words | wide keys | targets
//! one   | by position | by position | by pos.   | by devmap key
//! ```
//!
//! Map `counters`, one value for each CPU, its *row*: what the datapath writes and the
//! controller reads.
//!
//! ```text
//! ParentCell | RxCell by position | AliasCell by id
//! ```

use crate::Plain;
use crate::counters::{AliasCell, ParentCell, RxCell};
use crate::key::WideKey;
use crate::limits::{MAX_ALIASES, MAX_TARGETS};
use crate::record::{Steer, Target};
use crate::table::Geometry;
use crate::word::Word;

/// What the datapath reads for every frame, at the beginning of `table`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Front {
    /// The parent's MAC, its bytes as on the wire, in the lower 48 bits of a number in
    /// this machine's order: only frames for this station can be for an alias.
    pub station: u64,
    /// Zero, and must stay so; but the kernel's verifier cannot know its value. Added to a
    /// value that the verifier has tracked exactly, it makes the sum unknown: paths that
    /// differ only in that value become equal, and what follows is walked once.
    pub nothing: u64,
    /// Zero, up to a cache line.
    pub reserved: [u64; 6],
}

impl Front {
    /// The number of a MAC.
    #[must_use]
    pub const fn station_of(mac: [u8; 6]) -> u64 {
        let [a, b, c, d, e, f] = mac;
        u32::from_ne_bytes([a, b, c, d]) as u64 | (u16::from_ne_bytes([e, f]) as u64) << 32
    }
}

// SAFETY: eight u64.
unsafe impl Plain for Front {}
const _: () = assert!(size_of::<Front>() == 64);

/// The sizes that offsets depend on. Offsets are in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Layout {
    /// Positions of the index.
    pub positions: u32,
    /// Number of records.
    pub capacity: u32,
}

impl Layout {
    /// Of a parent with this capacity.
    #[must_use]
    pub const fn for_capacity(capacity: u32) -> Layout {
        Layout {
            positions: Geometry::for_capacity(capacity).positions(),
            capacity,
        }
    }

    /// The [`Front`] of `table`.
    pub const FRONT: usize = 0;

    /// The index in `table`: after the front, on a cache line of its own.
    pub const WORDS: usize = size_of::<Front>();

    /// The steer words in `table`.
    #[inline(always)]
    #[must_use]
    pub const fn steers(self) -> usize {
        Layout::WORDS + self.positions as usize * size_of::<Word>()
    }

    /// The wide keys in `table`.
    #[inline(always)]
    #[must_use]
    pub const fn keys(self) -> usize {
        self.steers() + self.positions as usize * size_of::<Steer>()
    }

    /// The targets in `table`.
    #[inline(always)]
    #[must_use]
    pub const fn targets(self) -> usize {
        self.keys() + self.positions as usize * size_of::<WideKey>()
    }

    /// Bytes of `table`.
    #[must_use]
    pub const fn table_len(self) -> usize {
        self.targets() + MAX_TARGETS as usize * size_of::<Target>()
    }

    /// The rx cells in a row of `counters`.
    pub const RX: usize = size_of::<ParentCell>();

    /// The aliases' cells in a row.
    #[inline(always)]
    #[must_use]
    pub const fn aliases(self) -> usize {
        Layout::RX + self.positions as usize * size_of::<RxCell>()
    }

    /// Bytes of a row: whole cache lines in pairs, so that CPUs share none.
    #[must_use]
    pub const fn row_len(self) -> usize {
        (self.aliases() + self.capacity as usize * size_of::<AliasCell>()).next_multiple_of(128)
    }
}

// The verifier takes no offset into a map of 2^29 bytes or more (BPF_MAX_VAR_OFF of
// `linux/bpf_verifier.h`): that is what bounds the number of aliases.
const LARGEST: Layout = Layout::for_capacity(MAX_ALIASES);
const _: () = assert!(LARGEST.table_len() < 1 << 29);
const _: () = assert!(LARGEST.row_len() < 1 << 29);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_aligned_and_nothing_overlaps() {
        for capacity in [1, 2, 3, 65_536, 65_537, 1_000_000, MAX_ALIASES] {
            let layout = Layout::for_capacity(capacity);
            assert!(layout.positions > 2 * capacity, "{capacity}");
            // Each on whole elements, which is also what mapping in parts needs.
            for (begin, size) in [
                (layout.steers(), size_of::<Steer>()),
                (layout.keys(), size_of::<WideKey>()),
                (layout.targets(), size_of::<Target>()),
                (Layout::RX, size_of::<RxCell>()),
                (layout.aliases(), size_of::<AliasCell>()),
                (layout.row_len(), size_of::<ParentCell>()),
            ] {
                assert!(begin.is_multiple_of(size), "{capacity}: {begin} by {size}");
                assert!(65_536usize.is_multiple_of(size), "{size}");
            }
        }
    }
}
