//! The kernel's own listing: iterators that print `aliases` and `alias_types` when their
//! pins are read. One copy of these programs and maps serves all parents of a namespace.
//!
//! They print what the parents' records hold at that moment, and write nothing but how far
//! each reading has got.

#![no_std]
#![no_main]

mod alias_types;
mod aliases;
mod iterator;
mod maps;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Iterators are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
