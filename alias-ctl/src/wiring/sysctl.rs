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

/// A setting of IPv4 by which a device keeps silent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Setting {
    /// `arp_ignore`.
    ArpIgnore,
    /// `arp_filter`.
    ArpFilter,
    /// `rp_filter`.
    ReversePath,
}

impl Setting {
    const ALL: [Setting; 3] = [Setting::ArpIgnore, Setting::ArpFilter, Setting::ReversePath];

    /// As sysctl(8) calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Setting::ArpIgnore => "arp_ignore",
            Setting::ArpFilter => "arp_filter",
            Setting::ReversePath => "rp_filter",
        }
    }
}

/// What a device does when it is asked for an address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    own: [u32; Setting::ALL.len()],
    all: [u32; Setting::ALL.len()],
}

impl Asked {
    /// The settings of a device, or those of `all`, in the calling thread's namespace. One
    /// that cannot be read is 0, as where there is no such device.
    #[must_use]
    pub fn read(device: &str) -> Asked {
        let value = |setting: Setting| {
            let path = format!("ipv4/conf/{device}/{}", setting.name());
            let text = sysctl::read(&path).unwrap_or_default();
            text.parse().unwrap_or(0)
        };
        Asked {
            own: Setting::ALL.map(value),
            all: [0; Setting::ALL.len()],
        }
    }

    /// The same, with those of `all`.
    #[must_use]
    pub const fn with(self, all: &Asked) -> Asked {
        Asked {
            all: all.own,
            ..self
        }
    }

    /// The values of the device and of `all`.
    #[must_use]
    pub const fn both(&self, setting: Setting) -> (u32, u32) {
        (self.own[setting as usize], self.all[setting as usize])
    }

    /// The value that counts: the larger (ip-sysctl).
    #[must_use]
    pub fn value(&self, setting: Setting) -> u32 {
        let (own, all) = self.both(setting);
        own.max(all)
    }

    /// Whether no question is dropped, whoever asks.
    #[must_use]
    pub fn is_open(&self, has_prefix: bool) -> bool {
        self.value(Setting::ArpIgnore) == 0
            && self.value(Setting::ArpFilter) == 0
            && match self.value(Setting::ReversePath) {
                0 => true,
                1 => false,
                _ => !has_prefix,
            }
    }
}

/// Makes the kernel keep the IPv4 addresses of a subnet on a device when the first of them
/// goes (`promote_secondaries`). Returns whether that changed anything; `None` when it
/// cannot be changed, as where /proc/sys is read-only.
#[must_use]
pub fn promote(device: &str) -> Option<bool> {
    if promotes(device) {
        return Some(false);
    }
    sysctl::write(&promotion_of(device), "1")
        .ok()
        .map(|()| true)
}

/// Takes that back.
///
/// # Errors
///
/// What the kernel refused.
pub fn promote_no_more(device: &str) -> Result<()> {
    match sysctl::write(&promotion_of(device), "0") {
        Err(error) if error.errno() == libc::ENOENT => Ok(()),
        result => Ok(result?),
    }
}

/// Whether the kernel does so: one of the two settings is enough.
#[must_use]
pub fn promotes(device: &str) -> bool {
    ["all", device]
        .iter()
        .any(|of| sysctl::read(&promotion_of(of)).is_ok_and(|value| value != "0"))
}

/// Whether it does so, or can be told to.
#[must_use]
pub fn may_promote(device: &str) -> bool {
    promotes(device) || sysctl::is_writable(&promotion_of(device))
}

fn promotion_of(device: &str) -> String {
    format!("ipv4/conf/{device}/promote_secondaries")
}
