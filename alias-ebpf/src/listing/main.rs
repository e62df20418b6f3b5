//! The kernel's own listing: iterators that print `aliases` and `alias_types` for
//! whoever reads their pins. One copy of these programs and maps serves all
//! parents of a namespace.
//!
//! What is printed is what the parents' records say at that moment; nothing here
//! is written but where a reading has got to.

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
