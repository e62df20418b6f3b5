//! The spots where a parent's tc programs hang, on itself and on its `--to` devices.

use crate::dataplane::Parent;
use crate::error::Result;
use crate::netlink::Link;

use super::hook::{Device, Spot};
use super::host::Host;

/// The `--to` devices of a parent, by ifindex.
pub fn target_indices(parent: &Parent) -> impl Iterator<Item = u32> + '_ {
    let indices = (0..parent.targets()).map(|key| parent.target(key).ifindex);
    indices.filter(|ifindex| *ifindex != 0)
}

/// Those that are there.
///
/// # Errors
///
/// That of asking the kernel.
pub fn targets(host: &mut Host, parent: &Parent) -> Result<Vec<Link>> {
    let mut found = Vec::new();
    for ifindex in target_indices(parent) {
        found.extend(host.netlink.link_by_index(ifindex)?);
    }
    Ok(found)
}

/// All spots of a parent that leads to these devices.
pub fn spots<'a>(
    parent: &Parent,
    link: &'a Link,
    targets: &'a [Link],
) -> impl Iterator<Item = Spot<'a>> {
    let (hook, ifindex) = (parent.hook(), parent.ifindex());
    let on_targets = targets
        .iter()
        .map(move |target| hook.on_target(ifindex, device(target)));
    hook.on_parent(device(link)).into_iter().chain(on_targets)
}

/// Where `alias_return` hangs on a `--to` device.
pub fn on_target<'a>(parent: &Parent, ifindex: u32, name: &'a str) -> Spot<'a> {
    let device = Device { ifindex, name };
    parent.hook().on_target(parent.ifindex(), device)
}

fn device(link: &Link) -> Device<'_> {
    Device {
        ifindex: link.ifindex,
        name: &link.name,
    }
}
