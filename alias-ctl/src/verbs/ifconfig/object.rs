//! What a name means to `ifconfig`.

use crate::error::Result;
use crate::netlink::Link;
use crate::wiring::host::Host;
use crate::wiring::veth;

/// What a name means.
pub(super) enum Object {
    /// A device.
    Main(Link),
    /// A slot of a device, taken or not.
    Alias(Link, u32),
}

/// NET_ALIAS's magic names: an exact device name wins; else the part behind the
/// first colon is a slot. An alias's own device has its alias's name, and is not
/// meant by it.
pub(super) fn find(host: &mut Host, name: &str) -> Result<Object> {
    if name.contains(':')
        && let Some(link) = host.netlink.link_by_name(name)?
        && !veth::is_ours(&link)
    {
        return Ok(Object::Main(link));
    }
    let (link, slot) = host.alias(name, "ifconfig")?;
    Ok(match slot {
        None => Object::Main(link),
        Some(slot) => Object::Alias(link, slot),
    })
}
