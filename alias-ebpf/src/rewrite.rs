//! What a frame gets before it goes out of another device: a destination MAC of
//! that device's side, and no VLAN tag.

use alias_common::record::Target;

/// The MAC addresses of a frame, as they stand at its start: destination, then
/// source.
pub type Macs = [u8; 12];

/// The addresses a redirected frame leaves with. Group addresses stay: who they
/// are for does not depend on a MAC (IEEE 802, 8.2.2).
#[inline(always)]
#[must_use]
pub const fn macs(mut macs: Macs, target: &Target) -> Macs {
    if target.flags & Target::REWRITE != 0 && macs[0] & 1 == 0 {
        let [a, b, c, d, e, f] = target.mac;
        macs[0] = a;
        macs[1] = b;
        macs[2] = c;
        macs[3] = d;
        macs[4] = e;
        macs[5] = f;
    }
    macs
}
