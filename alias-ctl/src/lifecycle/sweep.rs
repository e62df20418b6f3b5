//! What namespaces that are gone left behind.

use std::collections::HashSet;

use crate::dataplane::{Directory, Parent, registry};
use crate::error::Result;
use crate::netlink::Netns;
use crate::wiring::attach;

/// Removes what namespaces that are gone left on bpffs. What cannot be locked is
/// at work, and what a name or a process leads to is alive.
///
/// # Errors
///
/// That of removing it.
pub fn sweep_dead_namespaces(directory: &Directory) -> Result<()> {
    let siblings = directory.siblings()?;
    if siblings.is_empty() {
        return Ok(());
    }
    let alive: HashSet<u64> = Netns::all()
        .filter_map(|netns| netns.cookie().ok())
        .collect();
    for sibling in siblings
        .into_iter()
        .filter(|sibling| !alive.contains(&sibling.cookie()))
    {
        let Some(lock) = sibling.try_lock()? else {
            continue;
        };
        attach::tidy(&lock)?;
        for ifindex in sibling.parents()? {
            match Parent::open(&sibling, ifindex) {
                Ok(Some(parent)) if !parent.is_alive() => {
                    attach::detach(&lock, parent, None)?;
                }
                _ => {}
            }
        }
        registry::forget(&lock)?;
        lock.clear_shared()?;
    }
    Ok(())
}
