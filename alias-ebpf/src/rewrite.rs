//! How a frame is changed before it is redirected to another device: it gets the target's
//! MAC as its destination, and loses its VLAN tags.

use alias_common::record::Target;

/// The MAC addresses at the start of a frame: destination, then source.
pub type Macs = [u8; 12];

/// Whether a frame whose destination begins with this byte gets the target's MAC as
/// its destination. Group addresses stay: they name no single station
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
