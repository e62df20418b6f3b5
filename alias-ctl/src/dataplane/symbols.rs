//! Where in the kernel two functions are, so that a tracepoint can tell a delivery
//! that failed from any other dropped packet.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// Functions that drop what `alias_deliver` sent on: the first for a device that
/// is gone, or down in another namespace; the second for one that is down beside
/// its parent.
const SITES: [&str; 2] = ["skb_do_redirect", "__dev_queue_xmit"];

/// Start and end of each site; zero, which nothing matches, for one that is not
/// found, as when the kernel hides its addresses (`kernel.kptr_restrict`).
pub(super) fn drop_sites() -> [u64; 4] {
    let Ok(file) = File::open("/proc/kallsyms") else {
        return [0; 4];
    };
    ranges(BufReader::new(file))
}

fn ranges(listing: impl BufRead) -> [u64; 4] {
    let mut starts = [0u64; 2];
    let mut addresses = Vec::new();
    for line in listing.lines().map_while(Result::ok) {
        let mut words = line.split_ascii_whitespace();
        let address = words
            .next()
            .and_then(|word| u64::from_str_radix(word, 16).ok());
        let (Some(address), Some(kind), Some(name)) = (address, words.next(), words.next()) else {
            continue;
        };
        if !matches!(kind, "t" | "T") {
            continue;
        }
        addresses.push(address);
        if let Some(site) = SITES.iter().position(|site| *site == name) {
            starts[site] = address;
        }
    }
    let end = |start: u64| {
        // The next function begins where this one ends at the latest.
        addresses
            .iter()
            .copied()
            .filter(|address| *address > start)
            .min()
            .unwrap_or(start)
    };
    let [redirect, transmit] = starts;
    if redirect == 0 || transmit == 0 {
        return [0; 4];
    }
    [redirect, end(redirect), transmit, end(transmit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_at_the_next_function() {
        for (listing, expected) in [
            (
                "0010 T before\n0020 T __dev_queue_xmit\n0030 d data\n0040 t next\n\
                 0050 T skb_do_redirect\n0058 T last [module]\n",
                [0x50, 0x58, 0x20, 0x40],
            ),
            ("0000 T __dev_queue_xmit\n0000 T skb_do_redirect\n", [0; 4]),
            ("0020 T __dev_queue_xmit\n0030 T next\n", [0; 4]),
            ("", [0; 4]),
        ] {
            assert_eq!(ranges(listing.as_bytes()), expected, "{listing}");
        }
    }
}
