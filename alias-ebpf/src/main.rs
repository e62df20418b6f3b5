//! The programs of one parent. Each is one file, in the order a packet meets
//! them: `rx` (XDP on the parent) or `ingress` (tc ingress of the parent, in mode tc), `deliver` (tc ingress of the parent), `tx`
//! (tc ingress of a port or of a `--to` device), `egress` (tc egress of the
//! parent); `everybody` belongs to `deliver`; `lost` counts what the kernel drops afterwards. They share `maps`, `lookup` and
//! `count`.
//!
//! A parent has its own copy of every program and map: what is constant for it
//! is a constant of its programs.

#![no_std]
#![feature(asm_experimental_arch)]
#![no_main]

mod program {
    pub mod count;
    pub mod deliver;
    pub mod egress;
    pub mod engine;
    pub mod everybody;
    pub mod ingress;
    pub mod journal;
    pub mod lookup;
    pub mod lost;
    pub mod maps;
    pub mod rx;
    pub mod skb;
    pub mod tc_lookup;
    pub mod tx;
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
