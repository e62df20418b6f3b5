//! MPLS: an alias is a label, that of the top entry of the stack.

#![no_std]
#![no_main]

use alias_type::{Frame, Truncated, alias_type};

alias_type! {
    name: "mpls",
    family: 28, // AF_MPLS of linux/socket.h
    ethertype: 0x8847, // ETH_P_MPLS_UC of linux/if_ether.h
    bits: 20,
    format: Decimal,
    address: top_label,
}

/// A label stack entry is label:20, traffic class:3, bottom of stack:1, TTL:8
/// (RFC 3032, 2.1; RFC 5462). What follows the top entry is the next router's
/// matter.
#[inline(always)]
fn top_label(frame: Frame<'_>) -> Result<Option<[u8; 3]>, Truncated> {
    let [a, b, c, _ttl] = *frame.bytes::<4>(0)?;
    Ok(Some([a >> 4, a << 4 | b >> 4, b << 4 | c >> 4]))
}
