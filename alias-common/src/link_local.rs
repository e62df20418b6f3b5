//! The link-local address of an alias device: what it asks its neighbours from when it
//! sends for another alias of its namespace. (Linux asks from the packet's own source only
//! if that is on the device; else from a link-local address, and without one not at all.)
//!
//! All devices of a parent have its MAC, so the address is not derived from that: after
//! fe80:: follow a number drawn for the parent and the port's ifindex. So an answer finds
//! its device without an entry in the index.

/// fe80:0:0:0, the first half: its bytes as on the wire, in this machine's order.
pub const PREFIX_WORD: u64 = u64::from_ne_bytes([0xfe, 0x80, 0, 0, 0, 0, 0, 0]);

/// The address of the device behind a port.
#[must_use]
pub const fn address(interface_id: u32, port: u32) -> [u8; 16] {
    let [a, b, c, d] = interface_id.to_be_bytes();
    let [e, f, g, h] = port.to_be_bytes();
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, d, e, f, g, h]
}

/// The port of such an address, whose halves were loaded as native words.
#[inline(always)]
#[must_use]
pub const fn port_of(address_words: [u64; 2], interface_id: u32) -> Option<u32> {
    let low = u64::from_be(address_words[1]);
    if address_words[0] == PREFIX_WORD && (low >> 32) as u32 == interface_id {
        Some(low as u32)
    } else {
        None
    }
}

/// A number for a parent out of a random one. Its universal/local bit (RFC 4291, 2.5.1) is
/// clear, as in every address that is not derived from a MAC; it is not zero, because small
/// interface ids are those that people assign by hand.
#[must_use]
pub const fn interface_id(random: u32) -> u32 {
    (random & !(1 << 25)) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_back_and_nothing_else_is() {
        let own = interface_id(0xffff_ffff);
        let words = |address: [u8; 16]| {
            let halves = address.as_chunks::<8>().0;
            [halves[0], halves[1]].map(u64::from_ne_bytes)
        };
        for port in [1, 7, 0x8000_0001, u32::MAX] {
            let at = address(own, port);
            assert_eq!(port_of(words(at), own), Some(port));
            assert_eq!(port_of(words(at), own ^ 4), None, "another parent's");
            let mut global = at;
            global[0] = 0x20;
            assert_eq!(port_of(words(global), own), None, "not link-local");
        }
    }
}
