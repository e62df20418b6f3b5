//! Where in the kernel a redirect gives up, so that a tracepoint can tell a
//! delivery that failed from any other dropped packet.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// The function that drops a packet whose redirect cannot be done.
const REDIRECT: &str = "skb_do_redirect";

/// Its start and end; zero, which nothing matches, when it is not found, as when
/// the kernel hides its addresses (`kernel.kptr_restrict`).
#[must_use]
pub fn redirect_site() -> [u64; 2] {
    let Ok(file) = File::open("/proc/kallsyms") else {
        return [0; 2];
    };
    range(BufReader::new(file))
}

fn range(listing: impl BufRead) -> [u64; 2] {
    let mut start = 0;
    for line in listing.lines().map_while(Result::ok) {
        let mut words = line.split_ascii_whitespace();
        let address = words
            .next()
            .and_then(|word| u64::from_str_radix(word, 16).ok());
        let (Some(address), Some("t" | "T"), Some(name)) = (address, words.next(), words.next())
        else {
            continue;
        };
        // The kernel lists its functions by their addresses: the next one begins where this
        // one ends at the latest.
        if start != 0 && address > start {
            return [start, address];
        }
        if name == REDIRECT {
            start = address;
        }
    }
    [0; 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_ends_at_the_next_function() {
        for (listing, expected) in [
            (
                "0010 T before\n0020 T skb_do_redirect\n0020 T alias\n0030 d data\n0040 t next\n0058 T behind\n",
                [0x20, 0x40],
            ),
            ("0000 T before\n0000 T skb_do_redirect\n", [0; 2]),
            ("0020 T before\n0030 T next\n", [0; 2]),
            ("", [0; 2]),
        ] {
            assert_eq!(range(listing.as_bytes()), expected, "{listing}");
        }
    }
}
