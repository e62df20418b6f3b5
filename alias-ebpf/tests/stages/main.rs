//! The pure stages on frames written by hand: what they read, what they refuse,
//! and that a frame which ends early never names an address it does not hold.

mod everybody;
mod link;
mod metadata;
mod mutations;
mod receive;
mod receive_neighbour;
mod rewrite;
mod send;
mod send_extensions;
mod send_neighbour;
mod wire;
