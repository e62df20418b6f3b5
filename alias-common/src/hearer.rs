//! Who hears what the link says to everybody (map `hearers`): the ports of alias devices,
//! and `--to` devices that were told to. XDP cannot copy a frame; `alias_deliver` does, for
//! each of them.
//!
//! ```text
//!  63                      40 39     34  33     32  31                                   0
//! +--------------------------+---------+-----+------+--------------------------------------+
//! |           VLAN           |  rank   |  0  |beside|               ifindex                |
//! +--------------------------+---------+-----+------+--------------------------------------+
//! ```
//!
//! The list is sorted, so those of one VLAN that hear the same are neighbours in it: a
//! search finds them, however many others there are. The ranks stand so that every
//! [`Sound`] is heard by ranks that follow one another.
//!
//! The map's first element is the [`Head`], the second the datapath's: how many copies frames
//! had that had too many hearers. Behind them are two halves, one of which is the list. The
//! controller writes the other half and then the head, so that a frame meets the list before
//! the change or the one after.

use crate::key::Vlan;

/// Most hearers that a parent has.
pub const MAX_HEARERS: u32 = 1 << 16;

/// Most copies of one frame. The copies wait in the queue that a CPU has for them until
/// the last one is made; the kernel's `netdev_max_backlog` is 1000.
pub const MAX_COPIES: u32 = 512;

/// Element that holds the [`Head`].
pub const HEAD: u32 = 0;
/// Element that says with whom a frame of too many hearers begins.
pub const CURSOR: u32 = 1;
/// First element of the first half.
pub const HALVES: u32 = 2;

/// Elements of the map of a parent with this capacity.
#[must_use]
pub const fn elements(capacity: u32) -> u32 {
    HALVES + 2 * half(capacity)
}

/// Elements of one half.
#[must_use]
pub const fn half(capacity: u32) -> u32 {
    if capacity < MAX_HEARERS {
        capacity
    } else {
        MAX_HEARERS
    }
}

/// Where the list is: its first element and its length.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(transparent)]
pub struct Head(pub u64);

impl Head {
    /// Of a list of `len` elements that begins at `begin`.
    #[inline(always)]
    #[must_use]
    pub const fn new(begin: u32, len: u32) -> Head {
        Head((begin as u64) << 32 | len as u64)
    }

    /// Index of the first.
    #[inline(always)]
    #[must_use]
    pub const fn begin(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// How many there are.
    #[inline(always)]
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0 as u32
    }

    /// Whether nobody hears.
    #[inline(always)]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// What a frame that nobody in particular is meant by says, and so who hears it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Sound {
    /// Where a neighbour is now: a gratuitous ARP, an unsolicited neighbour advertisement.
    Announcement = 1,
    /// Any other broadcast.
    Broadcast = 2,
    /// Any other multicast.
    Multicast = 3,
}

/// What a device hears, beside announcements: bits.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(transparent)]
pub struct Hear(pub u8);

impl Hear {
    /// Nothing but announcements; a `--to` device not even those.
    pub const NOTHING: Hear = Hear(0);
    /// All multicast.
    pub const MULTICAST: Hear = Hear(1);
    /// All broadcast.
    pub const BROADCAST: Hear = Hear(2);

    /// Whether it is all of `what`.
    #[must_use]
    pub const fn has(self, what: Hear) -> bool {
        self.0 & what.0 == what.0
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Hear) -> Hear {
        Hear(self.0 | other.0)
    }

    const fn rank(self) -> u64 {
        match (self.has(Hear::BROADCAST), self.has(Hear::MULTICAST)) {
            (false, false) => 0,
            (true, false) => 1,
            (true, true) => 2,
            (false, true) => 3,
        }
    }
}

/// The ranks that hear each sound, by its number, a byte each: the first, and the one past
/// the last.
const RANKS: [u64; 2] = [
    u32::from_le_bytes([0, 0, 1, 2]) as u64,
    u32::from_le_bytes([0, 4, 3, 4]) as u64,
];

impl Sound {
    /// Its number, which is not 0.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }
}

const VLAN_SHIFT: u32 = 40;
const RANK_SHIFT: u32 = 34;
const BESIDE: u64 = 1 << 32;

/// One of the list.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Hearer(pub u64);

impl Hearer {
    /// The device `ifindex`, of aliases on `vlan`, which hears `hear`; `beside`: what is
    /// sent there comes back to the parent's own namespace.
    #[must_use]
    pub const fn new(vlan: Vlan, hear: Hear, beside: bool, ifindex: u32) -> Hearer {
        let beside = if beside { BESIDE } else { 0 };
        Hearer(vlan.packed() << VLAN_SHIFT | hear.rank() << RANK_SHIFT | beside | ifindex as u64)
    }

    /// Those who hear the sound of this number on a VLAN are the ones from the first of
    /// these numbers on, below the second.
    #[inline(always)]
    #[must_use]
    pub const fn range(vlan: Vlan, sound: u64) -> (u64, u64) {
        let shift = (sound & 3) * 8;
        let (first, end) = (RANKS[0] >> shift & 0xff, RANKS[1] >> shift & 0xff);
        let vlan = vlan.packed() << VLAN_SHIFT;
        (vlan + (first << RANK_SHIFT), vlan + (end << RANK_SHIFT))
    }

    /// The device to send the copy out of.
    #[inline(always)]
    #[must_use]
    pub const fn ifindex(self) -> u32 {
        self.0 as u32
    }

    /// Whether it hears all multicast.
    #[must_use]
    pub const fn hears_multicast(self) -> bool {
        self.0 >> RANK_SHIFT & 2 != 0
    }

    /// Whether it comes back to the parent's own namespace there.
    #[inline(always)]
    #[must_use]
    pub const fn is_beside(self) -> bool {
        self.0 & BESIDE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Hear, Hearer, Sound};
    use crate::key::Vlan;

    #[test]
    fn each_hears_what_it_was_given_on_its_vlan_and_nothing_else() {
        let all = Hear::MULTICAST.and(Hear::BROADCAST);
        let vlans = [(0, 0), (0xfff, 0xfff), (10, 0), (10, 1), (11, 0)];
        for hear in [Hear::NOTHING, Hear::MULTICAST, Hear::BROADCAST, all] {
            for (outer, inner) in vlans {
                for (ifindex, beside) in [(1, false), (u32::MAX, true)] {
                    let own = Vlan::new(outer, inner);
                    let hearer = Hearer::new(own, hear, beside, ifindex);
                    assert_eq!((hearer.ifindex(), hearer.is_beside()), (ifindex, beside));
                    for (outer, inner) in vlans {
                        let vlan = Vlan::new(outer, inner);
                        for (sound, needs) in [
                            (Sound::Announcement, Hear::NOTHING),
                            (Sound::Broadcast, Hear::BROADCAST),
                            (Sound::Multicast, Hear::MULTICAST),
                        ] {
                            let (first, end) = Hearer::range(vlan, sound.number());
                            let heard = (first..end).contains(&hearer.0);
                            let expected = vlan == own && hear.has(needs);
                            assert_eq!(heard, expected, "{hearer:?} {vlan:?} {sound:?}");
                        }
                    }
                }
            }
        }
    }
}
