//! What is counted, and where. A CPU writes only its own row with plain loads and
//! stores, and a reader adds the rows up ([`crate::layout`] says where each cell
//! is). A parent that has grown has one more row, in which the controller keeps
//! what was counted before.

use crate::Plain;

/// Packets and bytes of one table position, on one CPU. Bytes are whole frames as the
/// parent received them, Ethernet header included, FCS not. 16 bytes, so that a miss costs
/// one cache line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct RxCell {
    /// Packets that matched the alias, whatever their verdict. ARP and ND are
    /// not among them; see [`AliasCell::neighbor_rx`].
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl RxCell {
    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: RxCell) -> RxCell {
        RxCell {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }
}

// SAFETY: two u64.
unsafe impl Plain for RxCell {}
const _: () = assert!(size_of::<RxCell>() == 16);

/// The less frequent counters of one alias, one cell per CPU and id. One cache line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct AliasCell {
    /// Packets sent with the alias's address as source. A GSO super-frame
    /// counts as the packets it will become.
    pub tx_packets: u64,
    /// Their bytes; the headers of a super-frame are counted once.
    pub tx_bytes: u64,
    /// ARP and ND messages received for the alias (RFC 826, RFC 4861).
    pub neighbor_rx: u64,
    /// ARP and ND messages the alias sent.
    pub neighbor_tx: u64,
    /// Frames its device sent that were not its own: dropped.
    pub spoof: u64,
    /// Packets whose `--to` device is gone: dropped.
    pub no_target: u64,
    /// Packets the kernel dropped after a program had redirected them: device down or
    /// gone, frame too long. On a shared device, counted for the alias that owns it.
    pub lost: u64,
    /// Zero.
    pub reserved: u64,
}

impl AliasCell {
    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: AliasCell) -> AliasCell {
        AliasCell {
            tx_packets: self.tx_packets.wrapping_add(other.tx_packets),
            tx_bytes: self.tx_bytes.wrapping_add(other.tx_bytes),
            neighbor_rx: self.neighbor_rx.wrapping_add(other.neighbor_rx),
            neighbor_tx: self.neighbor_tx.wrapping_add(other.neighbor_tx),
            spoof: self.spoof.wrapping_add(other.spoof),
            no_target: self.no_target.wrapping_add(other.no_target),
            lost: self.lost.wrapping_add(other.lost),
            reserved: 0,
        }
    }
}

// SAFETY: eight u64.
unsafe impl Plain for AliasCell {}
const _: () = assert!(size_of::<AliasCell>() == 64);

/// What the programs of one parent did on one CPU. Every packet that enters `alias_rx` is
/// in exactly one of the first seven, or in `lost`, `undelivered` or `other_station`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct ParentCell {
    /// Passed untouched: no alias has this destination.
    pub miss: u64,
    /// Passed untouched: too short for what its headers say.
    pub malformed: u64,
    /// Passed to the parent's stack for a `local` alias.
    pub local: u64,
    /// Passed towards an alias device.
    pub device: u64,
    /// Redirected out of another device.
    pub to: u64,
    /// Dropped because the alias says so.
    pub dropped: u64,
    /// Dropped because the `--to` device is gone.
    pub no_target: u64,
    /// Frames from alias devices that were dropped as spoofed.
    pub spoof: u64,
    /// Frames from alias devices that were sent.
    pub tx: u64,
    /// Redirected, and then refused by the kernel: the `--to` device is down, or
    /// its MTU too small. Not in `to`.
    pub lost: u64,
    /// Id of the alias whose packet was redirected last: `alias_lost` counts for it if the
    /// kernel refuses the redirect.
    pub last_to: u64,
    /// Handed to an alias device that was down or gone, and dropped by the kernel.
    /// Not in `device`.
    pub undelivered: u64,
    /// Passed untouched: a unicast frame for another station's MAC.
    pub other_station: u64,
    /// Copies of frames that are for everybody, made for those who hear them.
    pub heard: u64,
    /// Copies that were not made: one frame had too many hearers, or the kernel refused.
    pub unheard: u64,
    /// Zero; the cell is two cache lines, so that CPUs do not share one.
    pub reserved: u64,
}

impl ParentCell {
    /// The sum of both. A cell may be below zero: what one generation counted for a
    /// packet, the next may have subtracted again.
    #[must_use]
    pub const fn plus(self, other: ParentCell) -> ParentCell {
        ParentCell {
            miss: self.miss.wrapping_add(other.miss),
            malformed: self.malformed.wrapping_add(other.malformed),
            local: self.local.wrapping_add(other.local),
            device: self.device.wrapping_add(other.device),
            to: self.to.wrapping_add(other.to),
            dropped: self.dropped.wrapping_add(other.dropped),
            no_target: self.no_target.wrapping_add(other.no_target),
            spoof: self.spoof.wrapping_add(other.spoof),
            tx: self.tx.wrapping_add(other.tx),
            lost: self.lost.wrapping_add(other.lost),
            last_to: 0,
            undelivered: self.undelivered.wrapping_add(other.undelivered),
            other_station: self.other_station.wrapping_add(other.other_station),
            heard: self.heard.wrapping_add(other.heard),
            unheard: self.unheard.wrapping_add(other.unheard),
            reserved: 0,
        }
    }
}

// SAFETY: sixteen u64.
unsafe impl Plain for ParentCell {}
const _: () = assert!(size_of::<ParentCell>() == 128);

/// What `alias_deliver` handed on last, one for each CPU (map `handed`): by it
/// `alias_undelivered` recognises a packet that the kernel drops. It is not in
/// [`ParentCell`], because the generations of a parent that grows share it: once the next
/// generation delivers, what the one before has noted must not count as its loss.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Handed {
    /// The skb; 0 for none.
    pub skb: u64,
    /// The port it was handed to, or [`Handed::TO`] with the id of the alias whose `--to`
    /// device it was sent to.
    pub port: u32,
    /// Which generation noted it: id of its devmap.
    pub generation: u32,
}

impl Handed {
    /// Above every ifindex, which is at most `INT_MAX`, and every id.
    pub const TO: u32 = 1 << 31;
}

// SAFETY: u64, two u32.
unsafe impl Plain for Handed {}
const _: () = assert!(size_of::<Handed>() == 16);
