//! The one page of facts about an attached parent (map `header`, one entry). It stays
//! when the parent grows: how large the parent is, its other maps tell.

use crate::Plain;
use crate::bits::Prefixes;
use crate::key::HashKey;

/// What both sides know of one parent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Header {
    /// [`crate::ABI_VERSION`] of whoever made the maps.
    pub abi_version: u32,
    /// The parent's ifindex.
    pub parent_ifindex: u32,
    /// Slots below this may be created; [`crate::limits::MAX_SLOTS`] when nobody set a
    /// limit.
    pub max_aliases: u32,
    /// One past the highest slot in use or in use before.
    pub slots_end: u32,
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
    /// Kernel's address of the parent's device, once the datapath has delivered a
    /// packet. Written by the datapath.
    pub parent_device: u64,
    /// Non-zero once the driver refused XDP metadata: `alias_deliver` then looks
    /// up by itself. Written by the datapath.
    pub metadata_refused: u32,
    /// [`Header::AT_WORK`] or [`Header::COMMITTED`] while a writer is at work; found
    /// so under the lock, the writer before was killed.
    pub unfinished: u32,
    /// The parent's name, padded with zero bytes: what the kernel's listing calls it.
    pub name: [u8; 16],
    /// Lengths that aliases of this parent have as prefixes. Set before the first of
    /// a length is published, cleared after the last was.
    pub prefixes: Prefixes,
    /// What stands in front of a frame that this parent's `alias_rx` has ordered
    /// somewhere, so that no other parent's `alias_deliver` obeys it. Random.
    pub secret: u64,
    /// What its alias devices' link-local addresses have in common
    /// ([`crate::link_local`]).
    pub interface_id: u32,
    /// Zero.
    pub reserved2: u32,
}

impl Header {
    /// What is pending or retiring is to be undone or finished.
    pub const AT_WORK: u32 = 1;
    /// What is pending is complete: it only has to be made live.
    pub const COMMITTED: u32 = 2;
    /// XDP runs in generic mode.
    pub const GENERIC: u32 = 1;
    /// `attach` turned the parent's VLAN offload off; `detach` turns it on again.
    pub const RXVLAN_WAS_ON: u32 = 4;
    /// The tc programs hang on clsact, because there is no tcx.
    pub const CLSACT: u32 = 8;
    /// When the parent goes down, its aliases stay. Without this and without
    /// [`Header::FREE_WHEN_DOWN`] it is the daemon's choice, and else they go.
    pub const KEEP_WHEN_DOWN: u32 = 16;
    /// When the parent goes down, its aliases go.
    pub const FREE_WHEN_DOWN: u32 = 32;
    /// The parent was down and kept its aliases: the kernel has taken routes, and
    /// addresses of IPv6, which come back with it.
    pub const WAS_DOWN: u32 = 64;
}

// SAFETY: fields are ordered without padding (size asserted below).
unsafe impl Plain for Header {}
const _: () = assert!(size_of::<Header>() == 144);
