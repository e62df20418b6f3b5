//! What a link has counted.

use super::attribute::{attributes, u64_at};
use crate::model::statistics::Statistics;

/// IFLA_STATS64 of linux/if_link.h.
const IFLA_STATS64: u16 = 23;
/// Bytes of `struct ifinfomsg`.
const HEADER: usize = 16;

impl Statistics {
    /// From the bytes after the netlink header; zero when the message has none.
    pub(super) fn parse(payload: &[u8]) -> Self {
        let found = payload.get(HEADER..).and_then(|bytes| {
            attributes(bytes)
                .find(|(kind, _)| *kind == IFLA_STATS64)
                .map(|(_, value)| value)
        });
        // Every field is a u64; the numbers are their places in the structure.
        let field = |place: usize| found.and_then(|value| u64_at(value, place * 8));
        let count = |place| field(place).unwrap_or(0);
        Self {
            rx_packets: count(0),
            tx_packets: count(1),
            rx_bytes: count(2),
            tx_bytes: count(3),
            rx_errors: count(4),
            tx_errors: count(5),
            rx_dropped: count(6),
            tx_dropped: count(7),
            collisions: count(9),
            rx_over_errors: count(11),
            rx_frame_errors: count(13),
            rx_fifo_errors: count(14),
            tx_carrier_errors: count(17),
            tx_fifo_errors: count(18),
        }
    }
}
