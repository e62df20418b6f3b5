//! What a program needs to teach the engine an address family: see
//! `docs/ALIAS-TYPES.md`, and `alias-types/mpls` for one to copy.
//!
//! A type says where in a frame its address stands, and no more. It looks nothing
//! up, counts nothing and decides nothing: the engine does, as for IP.

#![no_std]

pub use alias_common::alias_type::AddressFormat;
pub use alias_common::type_abi::Description;
pub use alias_ebpf::packet::Truncated;

use alias_ebpf::packet::Packet;

/// A frame of the type's ethertype.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    packet: Packet<'a>,
    network: usize,
}

impl<'a> Frame<'a> {
    /// The frame whose network header begins at `network`.
    #[inline(always)]
    #[must_use]
    pub const fn new(packet: Packet<'a>, network: usize) -> Frame<'a> {
        Frame { packet, network }
    }

    /// `N` bytes, `offset` bytes behind the ethertype (and its VLAN tags).
    ///
    /// # Errors
    ///
    /// [`Truncated`] when the frame ends first.
    #[inline(always)]
    pub fn bytes<const N: usize>(&self, offset: usize) -> Result<&'a [u8; N], Truncated> {
        self.packet.window(self.network + offset)
    }
}

/// Bytes of an address of so many bits.
#[must_use]
pub const fn address_len(bits: u8) -> usize {
    bits.div_ceil(8) as usize
}

#[cfg(feature = "bpf")]
mod program;
#[cfg(feature = "bpf")]
pub use program::{Context, find};

/// Makes a BPF object of a description and a function that reads the address:
/// `fn(Frame<'_>) -> Result<Option<[u8; N]>, Truncated>`, where `N` bytes hold
/// `bits` bits. `None`: the frame is nobody's. `Truncated`: it is malformed.
#[macro_export]
macro_rules! alias_type {
    (
        name: $name:literal,
        family: $family:literal,
        ethertype: $ethertype:literal,
        bits: $bits:literal,
        format: $format:ident,
        address: $address:path $(,)?
    ) => {
        #[unsafe(link_section = "description")]
        #[unsafe(no_mangle)]
        static ALIAS_TYPE: $crate::Description = $crate::Description::new(
            $name,
            $family,
            $ethertype,
            $bits,
            $crate::AddressFormat::$format,
        );

        #[unsafe(link_section = "xdp.frags")]
        #[unsafe(no_mangle)]
        extern "C" fn alias_type(ctx: *mut $crate::Context) -> u32 {
            $crate::find::<{ $crate::address_len($bits) }>(ctx, $family, $address)
        }

        #[unsafe(link_section = "xdp")]
        #[unsafe(no_mangle)]
        extern "C" fn alias_type_generic(ctx: *mut $crate::Context) -> u32 {
            $crate::find::<{ $crate::address_len($bits) }>(ctx, $family, $address)
        }

        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 4] = *b"GPL\0";

        #[cfg(not(test))]
        #[panic_handler]
        fn panic(_info: &::core::panic::PanicInfo<'_>) -> ! {
            loop {}
        }
    };
}
