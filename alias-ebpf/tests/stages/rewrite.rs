//! The addresses of a redirected frame.

use alias_common::record::Target;
use alias_ebpf::rewrite::macs;

use crate::wire::{Mac, OTHER, OWN};

const GUEST: Mac = [0x02, 0, 0, 0, 0x53, 0x01];

#[test]
fn only_a_station_s_address_is_replaced() {
    for (what, flags, destination, expected) in [
        ("unicast", Target::REWRITE, OWN, GUEST),
        ("another station", Target::REWRITE, OTHER, GUEST),
        (
            "universally administered",
            Target::REWRITE,
            [0x00, 0x00, 0x5e, 0x00, 0x53, 0x01],
            GUEST,
        ),
        (
            "IPv4 multicast",
            Target::REWRITE,
            [0x01, 0x00, 0x5e, 0, 0, 1],
            [0x01, 0x00, 0x5e, 0, 0, 1],
        ),
        (
            "IPv6 multicast",
            Target::REWRITE,
            [0x33, 0x33, 0xff, 0, 0, 8],
            [0x33, 0x33, 0xff, 0, 0, 8],
        ),
        ("broadcast", Target::REWRITE, [0xff; 6], [0xff; 6]),
        ("not asked for", 0, OWN, OWN),
        ("not asked for, broadcast", 0, [0xff; 6], [0xff; 6]),
        ("another flag", 2, OWN, OWN),
    ] {
        let target = Target {
            ifindex: 5,
            flags,
            mac: GUEST,
            ..Target::default()
        };
        let mut before = [0; 12];
        before[..6].copy_from_slice(&destination);
        before[6..].copy_from_slice(&OTHER);
        let after = macs(before, &target);
        assert_eq!(after[..6], expected, "{what}: destination");
        assert_eq!(after[6..], OTHER, "{what}: source");
    }
}
