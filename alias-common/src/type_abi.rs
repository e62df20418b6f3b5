//! The interface between an alias type (a BPF object that is registered at run time) and
//! the engine. It has a version of its own, so that an object keeps working with a
//! controller of another [`crate::ABI_VERSION`].
//!
//! ```text
//!  alias_rx_types ── Found::network ──► type's program ── Found::address ──► alias_typed
//!          by_ethertype[ethertype]                    engine[ENTRY]
//! ```
//!
//! Each arrow is a tail call; [`Found`] is passed in a map with one value for each CPU.

use crate::Plain;
use crate::alias_type::AddressFormat;

/// Version of this module's types and names; part of every [`Description`].
pub const VERSION: u32 = 1;

/// What a [`Description`] begins with.
pub const MAGIC: [u8; 8] = *b"ALIASTYP";

/// The object's section that holds its [`Description`] and nothing else.
pub const SECTION: &str = "description";

/// The type's program for parents in native mode: XDP that takes fragments.
pub const PROGRAM: &str = "alias_type";
/// The same for generic mode: XDP that does not. The kernel allows a tail call only
/// between programs that agree in this.
pub const PROGRAM_GENERIC: &str = "alias_type_generic";

/// The map of one [`Found`] for each CPU.
pub const FOUND: &str = "found";
/// The program array that leads back to the engine.
pub const ENGINE: &str = "engine";
/// Where in [`ENGINE`] the engine takes over.
pub const ENTRY: u32 = 0;

/// Farthest from a frame's start that a network header begins: after the Ethernet
/// header and two tags.
pub const MAX_NETWORK: u32 = 22;

/// How an object describes its type. Byte order is the host's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Description {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: u32,
    /// Address family: a number of `linux/socket.h`, or any other that is free.
    pub family: u16,
    /// Ethertype of its frames.
    pub ethertype: u16,
    /// Bits of an address, 1 to 128. An address takes the fewest bytes that hold them;
    /// the bits left over are the highest of the first byte, and zero.
    pub address_bits: u8,
    /// How an address is printed and read: an [`AddressFormat`].
    pub format: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// Lower case name, padded with zero bytes; at most 15.
    pub name: [u8; 16],
}

impl Description {
    /// Describes a type.
    ///
    /// # Panics
    ///
    /// For a name of more than 15 bytes: in a constant, when it is compiled.
    #[must_use]
    pub const fn new(
        name: &str,
        family: u16,
        ethertype: u16,
        address_bits: u8,
        format: AddressFormat,
    ) -> Description {
        let mut padded = [0; 16];
        let bytes = name.as_bytes();
        assert!(bytes.len() < padded.len());
        let mut at = 0;
        while at < bytes.len() {
            padded[at] = bytes[at];
            at += 1;
        }
        Description {
            magic: MAGIC,
            version: VERSION,
            family,
            ethertype,
            address_bits,
            format: format as u8,
            reserved: [0; 2],
            name: padded,
        }
    }
}

// SAFETY: 8 bytes, u32, u16 x2, u8 x2, 2 bytes, 16 bytes: 36 without padding
// (asserted below).
unsafe impl Plain for Description {}
const _: () = assert!(size_of::<Description>() == 36);

/// What is known of the frame that a CPU is processing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Found {
    /// To the type: where its header begins, in bytes from the frame's start; at
    /// most [`MAX_NETWORK`].
    pub network: u32,
    /// The engine's own: outer VLAN id; 0 for none.
    pub vlan_outer: u16,
    /// The engine's own: inner VLAN id; 0 for none.
    pub vlan_inner: u16,
    /// The engine's own: number of tags.
    pub tags: u8,
    /// From the type: [`Found::ADDRESS`] or the like.
    pub answer: u8,
    /// From the type: its family.
    pub family: u16,
    /// Zero.
    pub reserved: u32,
    /// From the type: the address in network order, padded with zero bytes.
    pub address: [u8; 16],
}

impl Found {
    /// The frame is for no address.
    pub const NOTHING: u8 = 0;
    /// The frame is for `address` of `family`.
    pub const ADDRESS: u8 = 1;
    /// The frame ends before its address does.
    pub const MALFORMED: u8 = 2;
}

// SAFETY: u32, u16 x2, u8 x2, u16, u32, 16 bytes: 32 without padding (asserted
// below).
unsafe impl Plain for Found {}
const _: () = assert!(size_of::<Found>() == 32);
const _: () = assert!(core::mem::offset_of!(Found, address) == 16);
