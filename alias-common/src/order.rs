//! The order in which a parent's aliases were created (map `order`): a log of ids, so
//! that a listing need not sort.
//!
//! ```text
//! word 0            the head: which half is in use, and how much of it
//! word 1, 3, 5, …   one half
//! word 2, 4, 6, …   the other half
//! ```
//!
//! The place of an entry does not depend on the capacity, so that a reader needs
//! nothing but the log, even while a parent grows.
//!
//! The half in use only grows. When it is full, its valid entries are copied into the
//! other half, and one store of the head makes that the one in use. Creation numbers rise
//! within a half, so a reader that knows the number it read last finds its place again,
//! whatever happened meanwhile. An entry is valid if the record of its id has its
//! creation number. Whether the alias is to be shown is up to the record, never to the
//! log.

use crate::limits::MAX_ALIASES;

/// Which half is in use, and how many entries it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Head(pub u64);

impl Head {
    const SECOND: u64 = 1 << 63;

    /// Packs both.
    #[must_use]
    pub const fn new(second: bool, len: u32) -> Head {
        Head(if second { Head::SECOND } else { 0 } | len as u64)
    }

    /// The second half is in use.
    #[inline(always)]
    #[must_use]
    pub const fn second(self) -> bool {
        self.0 & Head::SECOND != 0
    }

    /// Entries of the half in use.
    #[inline(always)]
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0 as u32
    }

    /// Index of the word of the half's entry number `at`.
    #[inline(always)]
    #[must_use]
    pub const fn place(self, at: u32) -> u32 {
        1 + 2 * at + self.second() as u32
    }
}

/// One alias's place in the log.
///
/// ```text
///  63                                24 23              0
/// +------------------------------------+-----------------+
/// |          creation number           |       id        |
/// +------------------------------------+-----------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Entry(pub u64);

impl Entry {
    /// Packs both. Creation numbers last for 2^40 aliases of a parent.
    #[must_use]
    pub const fn new(created: u64, id: u32) -> Entry {
        Entry(created << 24 | (id & (MAX_ALIASES - 1)) as u64)
    }

    /// The creation number.
    #[inline(always)]
    #[must_use]
    pub const fn created(self) -> u64 {
        self.0 >> 24
    }

    /// The alias's id.
    #[inline(always)]
    #[must_use]
    pub const fn id(self) -> u32 {
        self.0 as u32 & (MAX_ALIASES - 1)
    }
}

/// Number of words of a parent's log.
#[must_use]
pub const fn words(capacity: u32) -> u32 {
    1 + 2 * capacity
}

/// Steps of a binary search among [`MAX_ALIASES`] entries.
const HALVINGS: u32 = MAX_ALIASES.ilog2() + 1;

/// The first of `count` entries whose creation number is above `created`.
#[inline(always)]
pub fn first_after(count: u32, created: u64, entry: impl Fn(u32) -> Option<Entry>) -> Option<u32> {
    let (mut low, mut high) = (0, count);
    for _ in 0..HALVINGS {
        if low >= high {
            break;
        }
        let middle = low + (high - low) / 2;
        if entry(middle)?.created() > created {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_what_was_packed() {
        for (created, id) in [(1, 0), (7, MAX_ALIASES - 1), ((1 << 40) - 1, 5)] {
            let entry = Entry::new(created, id);
            assert_eq!((entry.created(), entry.id()), (created, id));
        }
        for (second, len) in [(false, 0), (true, 0), (false, MAX_ALIASES), (true, 7)] {
            let head = Head::new(second, len);
            assert_eq!((head.second(), head.count()), (second, len));
            assert_eq!(head.place(3), if second { 8 } else { 7 });
        }
    }

    #[test]
    fn the_first_after_a_creation_number() {
        // Numbers 10, 12, 14, …: every second one is missing.
        for count in [0, 1, 2, 3, 1000, MAX_ALIASES] {
            let entry = |at: u32| Some(Entry::new(10 + 2 * u64::from(at), 0));
            for created in (0..30).chain([2 * u64::from(count), 2 * u64::from(count) + 40]) {
                let expected = (created.saturating_sub(8) / 2).min(u64::from(count));
                let found = first_after(count, created, entry);
                assert_eq!(found, Some(expected as u32), "{created} among {count}");
            }
        }
    }
}
