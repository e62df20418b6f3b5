//! The pure stages of the datapath: parse, decide, rewrite.
//!
//! They compile for the BPF target, where the programs in `main.rs` run them on
//! packets, and for the host, where tests and fuzzers run the same code on byte
//! slices without root. Nothing here reads a map or calls a helper.
//!
//! Modules in the order in which a packet meets them: [`packet`] (the one bounds check),
//! [`link`] (Ethernet and VLAN tags), [`network`] (IPv4, IPv6, ARP, ND as wire formats),
//! [`receive`] (which address a received frame is for), [`everybody`] (who else must hear it),
//! [`metadata`] (what one program
//! tells the next), [`send`] (which address a sent frame claims as its source),
//! [`rewrite`].

#![cfg_attr(not(test), no_std)]
// For the loads in `packet`; `cargo xtask build` lets the compiler use the feature.
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod everybody;
pub mod link;
pub mod metadata;
pub mod network;
pub mod packet;
pub mod receive;
pub mod rewrite;
pub mod send;
