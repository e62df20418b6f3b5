//! The full engine, which also looks for prefixes and asks alias types. It replaces
//! `alias_rx`, on the same maps, while an alias of the parent is a prefix or a type is
//! registered in the namespace: without them, their lookups cost nothing.

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
