//! A stream of datagrams out of a device, as fast as one CPU makes them: a BPF
//! program that draws a destination for each frame and redirects it.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::bpf::{self, Instruction, Kind};
use crate::frame::{Mac, frame};
use crate::map::{self, MapKind};
use crate::namespace::Namespace;

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
// Offsets in an untagged frame of IPv4 without options and UDP.
const MAC_END: i16 = 4;
const CHECKSUM: usize = 14 + 10;
const DESTINATION: usize = 14 + 16;
const UDP_CHECKSUM: usize = 14 + 20 + 6;
const HEADERS: i32 = 14 + 20 + 8;

/// BPF_FUNC_redirect.
const REDIRECT: i32 = 23;

/// Where the datagrams go: `count` addresses from `first` on, drawn at random.
#[derive(Clone, Copy, Debug)]
pub struct Destinations {
    /// The first address.
    pub first: Ipv4Addr,
    /// How many there are.
    pub count: u32,
    /// The station they are sent to.
    pub mac: Mac,
    /// Each address has its own: the number of the address in the MAC's last two bytes.
    pub mac_each: bool,
}

/// The stream, ready to be sent.
#[derive(Debug)]
pub struct Generator {
    program: OwnedFd,
    frame: Vec<u8>,
}

impl Generator {
    /// The UDP port that it sends to: discard (RFC 863).
    pub const PORT: u16 = 9;

    /// Loads it for a device of a namespace, which must be up and be a veth whose
    /// other end has an XDP program or GRO.
    pub fn new(namespace: &Namespace, device: &str, to: Destinations) -> io::Result<Self> {
        let mut frame = frame()
            .between(namespace.mac(device), to.mac)
            .ipv4(SOURCE, to.first)
            .udp(40_000, Self::PORT, &[0; 18])
            .build();
        // 0: none (RFC 768). The program need not keep it right.
        frame[UDP_CHECKSUM..UDP_CHECKSUM + 2].fill(0);
        // The generator's state is not in the frame, because the kernel has
        // many copies of that: it would draw each number as often.
        let state = map::create(MapKind::Array, 4, 8, 1)?;
        map::update(&state, &[0; 4], &SEED)?;
        let program = program(&frame, to, namespace.ifindex(device), &state);
        Ok(Self {
            program: bpf::load(Kind::Xdp, &program)?,
            frame,
        })
    }

    /// Sends so many, from a thread in the namespace that it was made for. Returns
    /// when the last one is in the other end's queue at least.
    pub fn send(&self, packets: u32) -> io::Result<()> {
        bpf::live_run(&self.program, &self.frame, packets)
    }
}

/// Any state but zero, which xorshift would never leave.
const SEED: [u8; 8] = 0x9e37_79b9_7f4a_7c15u64.to_ne_bytes();

fn program(frame: &[u8], to: Destinations, ifindex: u32, state: &OwnedFd) -> Vec<Instruction> {
    let mut program = vec![
        Instruction(0x61, 0x17, 0, 0),                 // r7 = data
        Instruction(0x61, 0x12, 4, 0),                 // r2 = data_end
        Instruction(0xbf, 0x73, 0, 0),                 // r3 = r7
        Instruction(0x07, 0x03, 0, HEADERS),           // r3 += the length wanted
        Instruction(0xbd, 0x23, 2, 0),                 // it is there: go on
        Instruction(0xb7, 0x00, 0, 0),                 // XDP_ABORTED
        Instruction(0x95, 0x00, 0, 0),                 // exit
        Instruction(0x18, 0x21, 0, state.as_raw_fd()), // r1 = the map's value
        Instruction(0, 0, 0, 0),
        Instruction(0x79, 0x13, 0, 0), // r3 = state
    ];
    // xorshift64 (Marsaglia 2003): r4 = r3; r4 <<= 13; r3 ^= r4, and so on.
    for (shift, by) in [(0x67, 13), (0x77, 7), (0x67, 17)] {
        program.extend([
            Instruction(0xbf, 0x34, 0, 0),
            Instruction(shift, 0x04, 0, by),
            Instruction(0xaf, 0x43, 0, 0),
        ]);
    }
    program.extend([
        Instruction(0x7b, 0x31, 0, 0),               // state = r3
        Instruction(0x77, 0x03, 0, 32),              // r3 = its upper half,
        Instruction(0x27, 0x03, 0, to.count as i32), // as a fraction
        Instruction(0x77, 0x03, 0, 32),              // of count
    ]);
    // What whoever had this memory before may have rewritten: the Ethernet header,
    // and the IPv4 header up to its TTL and protocol.
    for (at, word) in (0..).step_by(8).zip(frame[..CHECKSUM].chunks_exact(8)) {
        let (lower, upper) = word.split_at(4);
        let [lower, upper] =
            [lower, upper].map(|half| i32::from_ne_bytes([half[0], half[1], half[2], half[3]]));
        program.extend([
            Instruction(0x18, 0x04, 0, lower), // r4 = eight bytes
            Instruction(0, 0, 0, upper),
            Instruction(0x7b, 0x47, at, 0), // into the frame
        ]);
    }
    if to.mac_each {
        program.extend([
            Instruction(0xbf, 0x34, 0, 0),       // r4 = r3
            Instruction(0xdc, 0x04, 0, 16),      // in network order
            Instruction(0x6b, 0x47, MAC_END, 0), // into the frame
        ]);
    }
    program.extend([
        Instruction(0x04, 0x03, 0, to.first.to_bits() as i32), // w3 += first
        Instruction(0xbf, 0x34, 0, 0),                         // r4 = its
        Instruction(0x57, 0x04, 0, 0xffff),                    // lower half
        Instruction(0xbf, 0x35, 0, 0),                         // r5 = its
        Instruction(0x77, 0x05, 0, 16),                        // upper half
        Instruction(0x0f, 0x54, 0, 0),                         // r4 += r5
        Instruction(0x07, 0x04, 0, sum_of_the_rest(frame) as i32),
    ]);
    for _ in 0..2 {
        program.extend([
            Instruction(0xbf, 0x45, 0, 0), // r4 = its lower half + its upper
            Instruction(0x77, 0x05, 0, 16),
            Instruction(0x57, 0x04, 0, 0xffff),
            Instruction(0x0f, 0x54, 0, 0),
        ]);
    }
    program.extend([
        Instruction(0xa7, 0x04, 0, 0xffff), // r4 = its complement,
        Instruction(0xdc, 0x04, 0, 16),     // in network order,
        Instruction(0x6b, 0x47, CHECKSUM as i16, 0), // into the frame
        Instruction(0xdc, 0x03, 0, 32),     // and so the address
        Instruction(0x63, 0x37, DESTINATION as i16, 0),
        Instruction(0xb7, 0x01, 0, ifindex as i32),
        Instruction(0xb7, 0x02, 0, 0),
        Instruction(0x85, 0x00, 0, REDIRECT),
        Instruction(0x95, 0x00, 0, 0),
    ]);
    program
}

/// Of the IPv4 header's 16-bit words (RFC 1071), without checksum and destination.
fn sum_of_the_rest(frame: &[u8]) -> u32 {
    let header = frame[14..14 + 20].chunks(2).enumerate();
    let counted = header.filter(|(n, _)| ![5, 8, 9].contains(n));
    counted
        .map(|(_, word)| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum()
}
