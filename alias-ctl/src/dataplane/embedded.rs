//! The compiled objects that this binary carries; each is empty when there was none to
//! embed.

use crate::error::{Refusal, Result};

/// The datapath.
pub(super) static DATAPATH: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/alias.bpf.o"));
/// The full engine.
pub(super) static TYPES: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/types.bpf.o"));
/// The iterators of the kernel's own listing.
pub(super) static LISTING: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/listing.bpf.o"));
/// The programs on the cgroup2 root.
pub(super) static TCP_OPTIONS: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tcp_options.bpf.o"));

/// Whether this binary carries the datapath.
#[must_use]
pub fn is_embedded() -> bool {
    !DATAPATH.is_empty()
}

/// ENOSYS when this binary was built without the object.
pub(super) fn check(object: &[u8]) -> Result<()> {
    if !object.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(
        "alias-ctl",
        "load the datapath",
        "this binary was built without it",
        libc::ENOSYS,
    )
    .hint("build it with: cargo xtask build"))
}
