//! The same work with the kernel's own maps: look the destination up, count, drop.
//! As little around it as can be, so that the maps are what is measured.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use alias_tests::bpf::{Instruction, Kind, load, tc, xdp};
use alias_tests::map::{self, MapKind, possible_cpus};

/// Packets and bytes, a u64 each.
const COUNTERS: u32 = 16;
/// BPF_FUNC_map_lookup_elem.
const LOOKUP: i32 = 1;

// Offsets in an untagged frame of IPv4 without options.
const ETHERTYPE: i16 = 12;
const DESTINATION: i16 = 14 + 16;
const HEADERS: i32 = 14 + 20;

/// Which map looks the address up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// BPF_MAP_TYPE_PERCPU_HASH, the counters inside: what is fastest of its kind.
    Hash,
    /// BPF_MAP_TYPE_LPM_TRIE, the counters inside, added atomically.
    Lpm,
}

/// The program, over a map with so many addresses from `first` on.
pub(crate) fn classifier(
    kind: Kind,
    lookup: Lookup,
    first: Ipv4Addr,
    count: u32,
) -> io::Result<OwnedFd> {
    let table = match lookup {
        Lookup::Hash => map::create(MapKind::PercpuHash, 4, COUNTERS, count)?,
        Lookup::Lpm => map::create(MapKind::LpmTrie, 8, COUNTERS, count)?,
    };
    let values = match lookup {
        Lookup::Hash => possible_cpus()?,
        Lookup::Lpm => 1,
    };
    let zero = vec![0; COUNTERS as usize * values];
    for n in 0..count {
        let address = Ipv4Addr::from_bits(first.to_bits() + n).octets();
        match lookup {
            Lookup::Hash => map::update(&table, &address, &zero)?,
            Lookup::Lpm => {
                let mut key = [0; 8];
                key[..4].copy_from_slice(&32u32.to_ne_bytes());
                key[4..].copy_from_slice(&address);
                map::update(&table, &key, &zero)?;
            }
        }
    }
    load(kind, &program(kind, lookup, &table))
}

fn program(kind: Kind, lookup: Lookup, table: &OwnedFd) -> Vec<Instruction> {
    // data and data_end of struct xdp_md, of struct __sk_buff.
    let ((data, data_end), (hit, miss)) = match kind {
        Kind::Xdp => ((0, 4), (xdp::DROP, xdp::PASS)),
        Kind::Tc => ((76, 80), (tc::SHOT, tc::OK)),
    };
    let key = match lookup {
        Lookup::Hash => -4,
        Lookup::Lpm => -8,
    };
    let mut program = vec![
        Instruction(0x61, 0x17, data, 0),              // r7 = data
        Instruction(0x61, 0x18, data_end, 0),          // r8 = data_end
        Instruction(0xbf, 0x73, 0, 0),                 // r3 = r7
        Instruction(0x07, 0x03, 0, HEADERS),           // r3 += the length wanted
        Instruction(0x2d, 0x83, TO_MISS, 0),           // r3 > r8: miss
        Instruction(0x69, 0x73, ETHERTYPE, 0),         // w3 = the ethertype
        Instruction(0x55, 0x03, TO_MISS, 0x0008),      // not IPv4 (as read): miss
        Instruction(0x61, 0x73, DESTINATION, 0),       // r3 = the destination
        Instruction(0x63, 0x3a, -4, 0),                // onto the stack,
        Instruction(0x62, 0x0a, -8, 32),               // behind its prefix length
        Instruction(0x18, 0x11, 0, table.as_raw_fd()), // r1 = the map
        Instruction(0, 0, 0, 0),
        Instruction(0xbf, 0xa2, 0, 0),       // r2 =
        Instruction(0x07, 0x02, 0, key),     // the key
        Instruction(0x85, 0x00, 0, LOOKUP),  // r0 = its value
        Instruction(0x15, 0x00, TO_MISS, 0), // none: miss
        Instruction(0x1f, 0x78, 0, 0),       // r8 = the length
    ];
    program.extend(match lookup {
        Lookup::Hash => vec![
            Instruction(0x79, 0x01, 0, 0), // packets
            Instruction(0x07, 0x01, 0, 1),
            Instruction(0x7b, 0x10, 0, 0),
            Instruction(0x79, 0x01, 8, 0), // bytes
            Instruction(0x0f, 0x81, 0, 0),
            Instruction(0x7b, 0x10, 8, 0),
        ],
        Lookup::Lpm => vec![
            Instruction(0xb7, 0x01, 0, 1),
            Instruction(0xdb, 0x10, 0, 0), // packets
            Instruction(0xdb, 0x80, 8, 0), // bytes
        ],
    });
    program.extend([
        Instruction(0xb7, 0x00, 0, hit as i32),
        Instruction(0x95, 0x00, 0, 0),
        Instruction(0xb7, 0x00, 0, miss as i32),
        Instruction(0x95, 0x00, 0, 0),
    ]);
    let miss_at = program.len() as i16 - 2;
    for (at, instruction) in program.iter_mut().enumerate() {
        if instruction.2 == TO_MISS {
            instruction.2 = miss_at - at as i16 - 1;
        }
    }
    program
}

/// Stands for the distance to the last two instructions; no other offset is it.
const TO_MISS: i16 = i16::MAX;
