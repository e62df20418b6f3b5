//! The pure stages of the datapath: parse, decide, rewrite.
//!
//! They compile for the BPF target, where the programs in `main.rs` run them on
//! packets, and for the host, where tests and fuzzers run the same code on byte
//! slices without root. Nothing here reads a map or calls a helper.
//!
//! Packet order is module order: [`packet`] (the one bounds check), [`link`]
//! (Ethernet and VLAN tags), [`network`] (IPv4, IPv6, ARP, ND as wire formats),
//! [`receive`] (whom a received frame is for), [`send`] (whom a sent frame
//! claims to be from), [`rewrite`].

#![cfg_attr(not(test), no_std)]
// The packet's loads; the compiler for BPF is told that it may (`cargo xtask build`).
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod link;
pub mod metadata;
pub mod network;
pub mod packet;
pub mod receive;
pub mod rewrite;
pub mod send;
