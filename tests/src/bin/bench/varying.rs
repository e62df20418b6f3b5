//! What stands between a test run and the program when one repetition must not
//! be like the one before. Written as instructions, because it is loaded here.

use std::net::{Ipv4Addr, Ipv6Addr};

use alias_tests::bpf::Instruction;

/// Where things are in an untagged frame of UDP.
struct Offsets {
    /// The last bytes of the destination, and how many bits of it are one store: as many
    /// as a program loads at once, which else would wait until the store has left the
    /// CPU. From a NIC, no CPU has stored them.
    destination: i16,
    width: i32,
    /// The first eight bytes of the datagram's data: the generator's state.
    state: i16,
}

/// Without options.
const IPV4: Offsets = Offsets {
    destination: 14 + 16,
    width: 32,
    state: 14 + 20 + 8,
};

/// Without extension headers.
const IPV6: Offsets = Offsets {
    destination: 14 + 32,
    width: 64,
    state: 14 + 40 + 8,
};

/// Any state but zero, which the generator would never leave.
pub(crate) const SEED: [u8; 8] = 0x9e37_79b9_7f4a_7c15u64.to_ne_bytes();

/// Where the state is in a frame that was built with [`SEED`].
pub(crate) fn state_of(frame: &[u8]) -> Option<usize> {
    frame.windows(SEED.len()).position(|bytes| bytes == SEED)
}

/// Begins a run of its own: without it each would draw the same destinations, and
/// of a million only those that one run has time for.
pub(crate) fn reseed(frame: &mut [u8], state: Option<usize>, run: u64) {
    // Both odd, so that it is not zero.
    let seed = u64::from_ne_bytes(SEED).wrapping_mul(2 * run + 1);
    if let Some(at) = state {
        frame[at..at + SEED.len()].copy_from_slice(&seed.to_ne_bytes());
    }
}

/// Bytes of metadata that `alias_rx` puts in front of a frame.
pub(crate) const METADATA: i32 = 16;

/// BPF_FUNC_xdp_adjust_meta.
const ADJUST_META: i32 = 54;

/// Gives the frame one of `count` destinations from `first` on: xorshift64
/// (Marsaglia 2003), whose state is in the frame, which the kernel keeps from
/// one repetition to the next.
pub(crate) fn random_destination(first: Ipv4Addr, count: u32) -> Vec<Instruction> {
    draw(IPV4, first.to_bits(), count)
}

/// The same for IPv6, whose last four bytes are drawn; the four before are zero.
pub(crate) fn random_destination_v6(first: Ipv6Addr, count: u32) -> Vec<Instruction> {
    draw(IPV6, first.to_bits() as u32, count)
}

fn draw(at: Offsets, first: u32, count: u32) -> Vec<Instruction> {
    let state_end = i32::from(at.state) + 8;
    // BPF_STX | BPF_DW or BPF_W.
    let store = if at.width == 64 { 0x7b } else { 0x63 };
    let mut program = vec![
        Instruction(0xbf, 0x16, 0, 0),         // r6 = the context
        Instruction(0x61, 0x17, 0, 0),         // r7 = data
        Instruction(0x61, 0x12, 4, 0),         // r2 = data_end
        Instruction(0xbf, 0x73, 0, 0),         // r3 = r7
        Instruction(0x07, 0x03, 0, state_end), // r3 += the length wanted
        Instruction(0xbd, 0x23, 2, 0),         // it is there: go on
        Instruction(0xb7, 0x00, 0, 0),         // XDP_ABORTED
        Instruction(0x95, 0x00, 0, 0),         // exit
        Instruction(0x79, 0x73, at.state, 0),  // r3 = state
    ];
    // r4 = r3; r4 <<= 13; r3 ^= r4, and so on.
    for (shift, by) in [(0x67, 13), (0x77, 7), (0x67, 17)] {
        program.extend([
            Instruction(0xbf, 0x34, 0, 0),
            Instruction(shift, 0x04, 0, by),
            Instruction(0xaf, 0x43, 0, 0),
        ]);
    }
    program.extend([
        Instruction(0x7b, 0x37, at.state, 0),        // state = r3
        Instruction(0x77, 0x03, 0, 32),              // r3 = its upper half,
        Instruction(0x27, 0x03, 0, count as i32),    // as a fraction
        Instruction(0x77, 0x03, 0, 32),              // of count
        Instruction(0x04, 0x03, 0, first as i32),    // w3 += first
        Instruction(0xdc, 0x03, 0, at.width),        // in network order
        Instruction(store, 0x37, at.destination, 0), // into the frame
    ]);
    program
}

/// Takes `bytes` of metadata off, which the repetition before has left. The
/// first repetition is refused, as there is none, and goes on all the same.
pub(crate) fn without_metadata(bytes: i32) -> Vec<Instruction> {
    vec![
        Instruction(0xbf, 0x16, 0, 0),     // r6 = the context
        Instruction(0xb7, 0x02, 0, bytes), // r2 = how far data_meta moves
        Instruction(0x85, 0x00, 0, ADJUST_META),
    ]
}
