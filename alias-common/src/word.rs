//! The word of a bucket of the index: one aligned `u64` that says which key the bucket
//! holds and what happens to the packets for it. It is all that the datapath must read
//! to miss, to drop or to pass, and all that a writer must store to publish.
//!
//! ```text
//!  63                                        12 11      8  7    6   5          0
//! +--------------------------------------------+---------+----+----+--------------+
//! |          low 52 bits of the hash           | verdict |dead|wide| displacement |
//! +--------------------------------------------+---------+----+----+--------------+
//! ```
//!
//! `dead` is set where no packet may match: no lookup key has it. The hash is in the
//! highest bits, where one shift puts it; the displacement in the lowest, so that a probe
//! moves on by adding one; the verdict where a 32-bit immediate can mask it.
//!
//! A word's position minus its displacement is its home, which is the top bits
//! of the hash; a table has at least 2^12 homes. So position and word together
//! hold all 64 bits of the hash, and a narrow match is exact.

use crate::key::Hash;
use crate::limits::{MIN_HOME_BITS, PROBE_LIMIT};

const WIDE: u64 = 1 << 6;
const DEAD: u64 = 1 << 7;
const VERDICT_SHIFT: u32 = 8;
const VERDICT: u64 = 0xf << VERDICT_SHIFT;
const HASH_SHIFT: u32 = 12;
const HASH_BITS: u32 = u64::BITS - HASH_SHIFT;

// The home gives the bits of the hash that the word does not hold.
const _: () = assert!(MIN_HOME_BITS + HASH_BITS == u64::BITS);
// The displacement does not reach into the bit above it.
const _: () = assert!(PROBE_LIMIT as u64 <= WIDE);

/// What happens to a packet for this address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Verdict {
    /// The alias was deleted; a lookup goes on past the bucket.
    Tombstone = 1,
    /// The alias is disabled: its packets are the parent's, as if it did not exist.
    Disabled = 2,
    /// Counted, then on to the parent's own stack.
    Local = 3,
    /// Counted, then to an alias device.
    Device = 4,
    /// Counted, then out of another device.
    To = 5,
    /// Counted, then dropped.
    Drop = 6,
}

impl Verdict {
    /// The verdict with this number, if it is one.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Verdict> {
        Some(match number {
            1 => Verdict::Tombstone,
            2 => Verdict::Disabled,
            3 => Verdict::Local,
            4 => Verdict::Device,
            5 => Verdict::To,
            6 => Verdict::Drop,
            _ => return None,
        })
    }
}

/// The word of one bucket; see the module for its bits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(transparent)]
pub struct Word(pub u64);

impl Word {
    /// A bucket that was never used: a lookup ends here.
    pub const EMPTY: Word = Word(0);
    /// A bucket whose alias was deleted: a lookup goes on.
    pub const TOMBSTONE: Word = Word((Verdict::Tombstone as u64) << VERDICT_SHIFT | DEAD);

    /// What a lookup compares words with: the word that `hash` has in its home bucket,
    /// without a verdict.
    #[inline(always)]
    #[must_use]
    pub const fn lookup_key(hash: Hash) -> Word {
        Word(hash.bits << HASH_SHIFT | if hash.wide { WIDE } else { 0 })
    }

    /// The lookup key for the bucket after this one.
    #[inline(always)]
    #[must_use]
    pub const fn next(self) -> Word {
        Word(self.0.wrapping_add(1))
    }

    /// Whether this bucket, which is not empty, holds the key (for a wide key: may hold
    /// it) and its alias is enabled.
    #[inline(always)]
    #[must_use]
    pub const fn matches(self, lookup_key: Word) -> bool {
        (self.0 ^ lookup_key.0) & !VERDICT == 0
    }

    /// Whether this bucket holds the key, its alias enabled or not.
    #[must_use]
    pub const fn is(self, lookup_key: Word) -> bool {
        self.is_taken() && (self.0 ^ lookup_key.0) & !(VERDICT | DEAD) == 0
    }

    /// The word to publish for a lookup key.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, verdict: Verdict) -> Word {
        let identity = self.0 & !(VERDICT | DEAD);
        let dead = match verdict {
            Verdict::Tombstone | Verdict::Disabled => DEAD,
            _ => 0,
        };
        Word(identity | dead | (verdict as u64) << VERDICT_SHIFT)
    }

    /// Number of the verdict; 0 for an empty bucket.
    #[inline(always)]
    #[must_use]
    pub const fn verdict_number(self) -> u8 {
        (self.0 >> VERDICT_SHIFT) as u8 & 0xf
    }

    /// Whether the bucket holds an alias, enabled or not.
    #[inline(always)]
    #[must_use]
    pub const fn is_taken(self) -> bool {
        self.verdict_number() > Verdict::Tombstone as u8
    }
}
