//! How many rows of counters a machine needs: one for every number that a CPU may have.

use std::fs;
use std::io;

/// The highest number that a CPU may have, plus one: numbers may be left out
/// (cputopology.rst of the kernel's documentation), so it is not how many there are.
pub fn rows() -> io::Result<u32> {
    let path = "/sys/devices/system/cpu/possible";
    of(&fs::read_to_string(path)?)
        .ok_or_else(|| io::Error::other(format!("{path} is no list of CPUs")))
}

/// The list is in ascending order.
fn of(list: &str) -> Option<u32> {
    let last = list.trim().rsplit([',', '-']).next()?;
    last.parse::<u32>().ok()?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_counts() {
        for (list, rows) in [("0\n", 1), ("0-1\n", 2), ("0-3,8-11\n", 12), ("0,2,5", 6)] {
            assert_eq!(of(list), Some(rows), "{list:?}");
        }
        for list in ["", "\n", "0-", "none", "4294967295"] {
            assert_eq!(of(list), None, "{list:?}");
        }
    }
}
