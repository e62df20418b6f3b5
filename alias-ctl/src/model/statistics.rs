//! What a device has counted.

/// A link's counters since it was made: the fields of `struct rtnl_link_stats64`
/// that ifconfig prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of struct rtnl_link_stats64")]
pub struct Statistics {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub collisions: u64,
    pub rx_over_errors: u64,
    pub rx_frame_errors: u64,
    pub rx_fifo_errors: u64,
    pub tx_carrier_errors: u64,
    pub tx_fifo_errors: u64,
}
