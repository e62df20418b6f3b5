//! The engine of a namespace in which alias types are registered. It takes the
//! place of `alias_rx` then, on the same maps, and gives it back when the last type
//! goes: who has no types pays nothing for them.

#![no_std]
#![feature(asm_experimental_arch)]
#![no_main]

mod program {
    pub mod count;
    pub mod engine;
    pub mod journal;
    pub mod lookup;
    pub mod maps;
    pub mod typed;
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Some helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
