//! What a frame gets before it goes out of another device: a destination MAC of
//! that device's side, and no VLAN tag.

use alias_common::record::Target;

/// The MAC addresses of a frame, as they stand at its start: destination, then
/// source.
pub type Macs = [u8; 12];

/// Whether a frame whose destination begins with this byte gets the target's MAC as
/// its destination. Group addresses stay: who they are for does not depend on a MAC
/// (IEEE 802, 8.2.2).
#[inline(always)]
#[must_use]
pub const fn applies(first: u8, target: &Target) -> bool {
    target.flags & Target::REWRITE != 0 && first & 1 == 0
}

/// The addresses a redirected frame leaves with.
#[inline(always)]
#[must_use]
pub const fn macs(mut macs: Macs, target: &Target) -> Macs {
    if applies(macs[0], target) {
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
