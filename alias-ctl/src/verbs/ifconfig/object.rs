//! What a name means to `ifconfig`.

use crate::error::Result;
use crate::netlink::{Address, Link};
use crate::wiring::host::Host;
use crate::wiring::veth;

/// What a name means.
pub(super) enum Object {
    /// A device.
    Main(Link),
    /// A slot of a device, taken or not.
    Alias(Link, u32),
    /// A name that is no slot's, and that others gave to an address of a device.
    Label(Link, Box<Address>),
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
    match host.alias(name, "ifconfig") {
        Ok((link, None)) => Ok(Object::Main(link)),
        Ok((link, Some(slot))) => Ok(Object::Alias(link, slot)),
        Err(refusal) => match labelled(host, name)? {
            Some((link, address)) => Ok(Object::Label(link, Box::new(address))),
            None => Err(refusal),
        },
    }
}

/// The device and the address of its that has this label.
fn labelled(host: &mut Host, label: &str) -> Result<Option<(Link, Address)>> {
    let Some((device, _)) = label.split_once(':') else {
        return Ok(None);
    };
    let Some(link) = host.netlink.link_by_name(device)? else {
        return Ok(None);
    };
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let found = addresses
        .into_iter()
        .find(|address| address.label.as_deref() == Some(label));
    Ok(found.map(|address| (link, address)))
}
