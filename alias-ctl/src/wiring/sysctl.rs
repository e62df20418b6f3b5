//! Settings of devices that netlink has no message for.

use crate::error::Result;
use crate::model::address::Address;
use crate::netlink::sysctl;

/// With a link-local address the kernel would look for routers, whose answers are the
/// parent's.
///
/// # Errors
///
/// What the kernel refused.
pub fn ask_no_routers(device: &str) -> Result<()> {
    Ok(sysctl::write(
        &format!("ipv6/conf/{device}/router_solicitations"),
        "0",
    )?)
}

/// No addresses of its own, no neighbour discovery. A kernel without IPv6 has no
/// such setting, and nothing to silence.
///
/// # Errors
///
/// What the kernel refused.
pub fn silence_ipv6(device: &str) -> Result<()> {
    match sysctl::write(&format!("ipv6/conf/{device}/disable_ipv6"), "1") {
        Err(error) if error.errno() == libc::ENOENT => Ok(()),
        result => Ok(result?),
    }
}

/// A device gets packets whose way back is another's: the parent's where it stands beside
/// it, or that of the first alias of the same network. Strict reverse path filtering
/// (RFC 3704) would drop them, loose does not; but on a device
/// without an address, as a prefix's is, loose is as strict (`__fib_validate_source`).
///
/// # Errors
///
/// What the kernel refused.
pub fn accept_by_any_route(device: &str, address: Address) -> Result<()> {
    let filter = if address.prefix().is_some() { "0" } else { "2" };
    for (setting, value) in [
        ("rp_filter", filter),
        // A device that sends for another alias of its namespace asks in its own name: the
        // answer to the other's would come to the other's device, which did not ask.
        ("arp_announce", "2"),
    ] {
        match sysctl::write(&format!("ipv4/conf/{device}/{setting}"), value) {
            Err(error) if error.errno() == libc::ENOENT => {}
            result => result?,
        }
    }
    Ok(())
}

/// Whether packets for an address that the routing table would answer by another
/// device are dropped (`rp_filter` 1, ip-sysctl). The larger of the two settings counts.
#[must_use]
pub fn strict_reverse_path(device: &str) -> bool {
    let setting = |name: &str| {
        let text = sysctl::read(&format!("ipv4/conf/{name}/rp_filter")).unwrap_or_default();
        text.parse::<u32>().unwrap_or(0)
    };
    setting("all").max(setting(device)) == 1
}
