//! A redirect and nothing else: what one costs before anybody has looked anything up.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use alias_tests::Namespace;
use alias_tests::bpf::{self, Instruction, Kind};
use alias_tests::map::{self, MapKind};

/// BPF_FUNC_redirect_map.
const REDIRECT_MAP: i32 = 51;

/// A program of this namespace that sends every frame out of `device`.
pub(crate) fn bare(host: &Namespace, device: &str) -> io::Result<OwnedFd> {
    let devices = map::create(MapKind::Devmap, 4, 4, 1)?;
    let ifindex = host.ifindex(device).to_ne_bytes();
    // An ifindex means the caller's namespace.
    host.enter(|| map::update(&devices, &[0; 4], &ifindex))?;
    bpf::load(
        Kind::Xdp,
        &[
            Instruction(0x18, 0x11, 0, devices.as_raw_fd()), // r1 = the map
            Instruction(0, 0, 0, 0),
            Instruction(0xb7, 0x02, 0, 0), // r2 = its first entry
            Instruction(0xb7, 0x03, 0, 0), // r3 = no flags
            Instruction(0x85, 0x00, 0, REDIRECT_MAP),
            Instruction(0x95, 0x00, 0, 0),
        ],
    )
}
