//! How much memory the machine has left.

use std::fs;
use std::io;

/// Bytes that can be allocated without others having to give way (proc_meminfo(5)).
pub(super) fn available() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kilobytes.map_or(u64::MAX, |kilobytes| kilobytes * 1024))
}
