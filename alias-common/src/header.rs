//! What both sides know of an attached parent (map `header`, one entry). The map stays the
//! same when the parent grows: the sizes follow from the other maps.

use crate::Plain;
use crate::bits::Prefixes;
use crate::key::HashKey;

/// The value of map `header`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Header {
    /// [`crate::ABI_VERSION`] of the controller that created the maps.
    pub abi_version: u32,
    /// The parent's ifindex.
    pub parent_ifindex: u32,
    /// So many aliases there may be; [`crate::limits::MAX_ALIASES`] when no limit is
    /// set.
    pub max_aliases: u32,
    /// One past the highest id that is or was in use. It may be beyond the records of a
    /// parent that grew for an alias in vain.
    pub records_end: u32,
    /// Bits of [`Header::GENERIC`] and the like.
    pub flags: u32,
    /// When the parent's aliases were last compared with what the kernel has, in
    /// seconds since boot.
    pub looked_at: u32,
    /// Secret of the index.
    pub hash_key: HashKey,
    /// The highest creation number that was given out, that of the newest alias; 0
    /// before the first.
    pub last_created: u64,
    /// The parent's MAC: what an alias device may send from.
    pub mac: [u8; 6],
    /// Highest level that the programs write to the journal, as aya-log counts:
    /// 0 nothing, 1 errors, 2 warnings, up to 5.
    pub log_level: u8,
    /// Zero.
    pub reserved: u8,
    /// The kernel's pointer to the parent's device, once the datapath has delivered a
    /// packet. Written by the datapath.
    pub parent_device: u64,
    /// Non-zero once the driver refused XDP metadata: `alias_deliver` then does its own
    /// lookup. Written by the datapath.
    pub metadata_refused: u32,
    /// [`Header::AT_WORK`] or [`Header::COMMITTED`] while a writer makes a change. A
    /// writer that takes the lock and finds it set knows that the one before was killed.
    pub unfinished: u32,
    /// The parent's name, padded with zero bytes, for the kernel's listing.
    pub name: [u8; 16],
    /// Lengths of the prefixes that are aliases of this parent. A length is set before
    /// its first prefix is published, and cleared after its last was removed.
    pub prefixes: Prefixes,
    /// Random number that this parent's `alias_rx` puts in front of a delivery order, so
    /// that no other parent's `alias_deliver` follows it.
    pub secret: u64,
    /// The part that the link-local addresses of its alias devices have in common
    /// ([`crate::link_local`]).
    pub interface_id: u32,
    /// No record below this id is free: where to begin to look for one.
    pub free_from: u32,
    /// No slot below this is free.
    pub slots_from: u32,
    /// Zero.
    pub reserved2: u32,
}

impl Header {
    /// A change has begun: pending records are to be undone, retiring ones finished.
    pub const AT_WORK: u32 = 1;
    /// Everything of the change is written: pending records only have to become live.
    pub const COMMITTED: u32 = 2;
    /// XDP runs in generic mode.
    pub const GENERIC: u32 = 1;
    /// `attach` turned the parent's VLAN offload off; `detach` turns it on again.
    pub const RXVLAN_WAS_ON: u32 = 4;
    /// The tc programs are attached through clsact, not tcx.
    pub const CLSACT: u32 = 8;
    /// When the parent goes down, its aliases stay. With neither this nor
    /// [`Header::FREE_WHEN_DOWN`] the daemon's setting decides; without a daemon they are
    /// deleted.
    pub const KEEP_WHEN_DOWN: u32 = 16;
    /// When the parent goes down, its aliases are deleted.
    pub const FREE_WHEN_DOWN: u32 = 32;
    /// The parent was down and kept its aliases: the kernel has removed their routes and
    /// IPv6 addresses, which are to be restored once it is up.
    pub const WAS_DOWN: u32 = 64;
    /// A device hears multicast, and so the parent is in all-multicast mode, which it was not.
    pub const ALLMULTI: u32 = 256;
    /// Something of what was saved of the parent could not be restored, and is still wanted.
    pub const INCOMPLETE: u32 = 128;
    /// The engine runs at tc, and not in XDP.
    pub const TC: u32 = 1024;
    /// `promote_secondaries` was set on the parent for its `local` aliases; it goes with the
    /// last of them.
    pub const PROMOTES: u32 = 512;
}

// SAFETY: fields are ordered without padding (size asserted below).
unsafe impl Plain for Header {}
const _: () = assert!(size_of::<Header>() == 152);
