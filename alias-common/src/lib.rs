//! The ABI between the datapath (`alias-ebpf`) and the controller (`alias-ctl`).
//!
//! Everything both sides must agree on is stated here and nowhere else: the
//! hashed key, the index, the records, the counters and the names under
//! which they are pinned. Both sides look up with the same [`table::find`], so a lookup
//! has the same result in both, and print with the same [`listing`].
//!
//! This crate does no I/O, allocates nothing and depends on nothing. It must
//! stay that way: it is compiled for the BPF target.
//!
//! Numbers are in host byte order unless a field is a byte array; byte arrays
//! are in network order, as in the packet.

#![no_std]

pub mod alias_type;
pub mod bits;
pub mod counters;
pub mod header;
pub mod hearer;
pub mod key;
pub mod layout;
pub mod limits;
pub mod link_local;
pub mod listing;
pub mod names;
pub mod order;
pub mod prefix;
pub mod record;
pub mod table;
pub mod tcp_options;
pub mod type_abi;
pub mod word;

/// Version of everything in this crate. It is part of the pin path, so a
/// controller never opens maps of another layout; bump it with any change to a
/// `#[repr(C)]` type, a key, [`word::Word`] or a map's shape.
pub const ABI_VERSION: u32 = 7;

/// A type that may be read from and written to shared memory as it is:
/// every bit pattern is valid, and there is no implicit padding.
///
/// # Safety
///
/// The implementor is `#[repr(C)]` (or a primitive), has no padding bytes, no
/// pointers and no niche.
pub unsafe trait Plain: Copy + 'static {}

// SAFETY: integers have no padding and no invalid bit pattern.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above; no padding between elements of an array.
unsafe impl<const N: usize> Plain for [u64; N] {}
