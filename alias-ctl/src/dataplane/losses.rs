//! The tracepoints that tell of packets which are lost behind the programs.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use alias_common::names;

use super::pins::link_name;
use super::sys;

/// Listens for packets that the kernel drops after a program sent them on.
pub fn hear_losses(draft: &Path) -> io::Result<()> {
    for (program, tracepoint) in [
        (names::ALIAS_LOST, c"xdp_redirect_err"),
        (names::ALIAS_UNDELIVERED, c"kfree_skb"),
    ] {
        let fd = sys::obj_get(&draft.join(program))?;
        let hung = sys::raw_tracepoint_open(fd.as_fd(), tracepoint)?;
        sys::obj_pin(hung.as_fd(), &draft.join(link_name(program)))?;
    }
    Ok(())
}
