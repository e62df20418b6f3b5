//! What only ioctls reach: multicast filters, offloads, the driver's name, who has a label.
//!
//! All functions act in the calling thread's network namespace.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::attribute::text;
use super::error::{NetlinkError, Result};

// Commands and flags of linux/ethtool.h.
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_SFLAGS: u32 = 0x26;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_SGRO: u32 = 0x2c;
const ETH_FLAG_RXVLAN: u32 = 1 << 8;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// `struct ethtool_drvinfo`; what follows the driver's name is not read.
#[repr(C)]
struct EthtoolDrvinfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}
const _: () = assert!(size_of::<EthtoolDrvinfo>() == 196);

/// Makes the device accept frames to a multicast Ethernet address. Fine when it does already.
///
/// Errors: EINVAL when `mac` is no group address or the device cannot filter, ENODEV.
pub fn multicast_add(ifname: &str, mac: [u8; 6]) -> Result<()> {
    const OPERATION: &str = "add multicast address";
    // The kernel takes any address, and then the device accepts another host's frames.
    if mac[0] & 1 == 0 {
        return Err(NetlinkError::new(ifname, OPERATION, libc::EINVAL)
            .with_detail("not a multicast address"));
    }
    match multicast(ifname, mac, libc::SIOCADDMULTI, OPERATION) {
        Err(error) if error.errno() == libc::EEXIST => Ok(()),
        result => result,
    }
}

/// Undoes [`multicast_add`]. Fine when there is nothing to undo.
///
/// Errors: EINVAL when the device cannot filter, ENODEV.
pub fn multicast_delete(ifname: &str, mac: [u8; 6]) -> Result<()> {
    const OPERATION: &str = "delete multicast address";
    match multicast(ifname, mac, libc::SIOCDELMULTI, OPERATION) {
        Err(error) if matches!(error.errno(), libc::ENOENT | libc::EADDRNOTAVAIL) => Ok(()),
        result => result,
    }
}

/// Whether the device takes VLAN tags off received frames.
///
/// Errors: EOPNOTSUPP, ENODEV; so for all offloads.
pub fn rx_vlan_offload(ifname: &str) -> Result<bool> {
    Ok(flags(ifname)? & ETH_FLAG_RXVLAN != 0)
}

/// Lets the device take VLAN tags off received frames, or not.
///
/// Errors: EOPNOTSUPP or EINVAL when the device cannot change it, ENODEV.
pub fn set_rx_vlan_offload(ifname: &str, on: bool) -> Result<()> {
    set_flag(ifname, ETH_FLAG_RXVLAN, on)
}

/// Whether received packets are merged (generic receive offload).
pub fn gro(ifname: &str) -> Result<bool> {
    Ok(value(ifname, ETHTOOL_GGRO, 0, "read GRO")? != 0)
}

/// Turns generic receive offload on or off. On a veth it is also what gives the
/// device the NAPI without which frames redirected to its peer are lost.
pub fn set_gro(ifname: &str, on: bool) -> Result<()> {
    value(ifname, ETHTOOL_SGRO, u32::from(on), "set GRO").map(drop)
}

/// Name of the device's driver, for example "virtio_net" or "veth".
///
/// Errors: EOPNOTSUPP when it has none, ENODEV.
pub fn driver(ifname: &str) -> Result<String> {
    let mut info = EthtoolDrvinfo {
        command: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        rest: [0; 160],
    };
    let mut request = request_for(ifname, "read driver")?;
    request.ifr_ifru.ifru_data = (&raw mut info).cast();
    // SAFETY: the command writes a `struct ethtool_drvinfo` to a live value of its size.
    unsafe { ioctl(ifname, libc::SIOCETHTOOL, &mut request, "read driver")? };
    Ok(text(&info.driver))
}

/// Whether an IPv4 address of a device has this label, `eth0:0`. The kernel looks for
/// it; a dump of all addresses would be as long as there are addresses.
///
/// Errors: those of the ioctl, but for ENODEV and EADDRNOTAVAIL, which are the answer no.
pub fn has_label(label: &str) -> Result<bool> {
    const OPERATION: &str = "look for label";
    if label.len() >= libc::IFNAMSIZ {
        return Ok(false);
    }
    let mut request = named(label);
    // SAFETY: the command writes an address to `request` and follows no pointer.
    match unsafe { ioctl(label, libc::SIOCGIFADDR, &mut request, OPERATION) } {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.errno(), libc::ENODEV | libc::EADDRNOTAVAIL) => Ok(false),
        Err(error) => Err(error),
    }
}

fn flags(ifname: &str) -> Result<u32> {
    value(ifname, ETHTOOL_GFLAGS, 0, "read VLAN offload")
}

fn set_flag(ifname: &str, flag: u32, on: bool) -> Result<()> {
    let old = flags(ifname)?;
    let new = if on { old | flag } else { old & !flag };
    if new == old {
        return Ok(());
    }
    value(ifname, ETHTOOL_SFLAGS, new, "set VLAN offload").map(drop)
}

/// One ETHTOOL_* command with a `struct ethtool_value`; returns its data.
fn value(ifname: &str, command: u32, data: u32, operation: &'static str) -> Result<u32> {
    let mut value = EthtoolValue { command, data };
    let mut request = request_for(ifname, operation)?;
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the commands of this module that take a `struct ethtool_value` read and
    // write nothing beyond it, and it is live.
    unsafe { ioctl(ifname, libc::SIOCETHTOOL, &mut request, operation)? };
    Ok(value.data)
}

fn multicast(
    ifname: &str,
    mac: [u8; 6],
    command: libc::c_ulong,
    operation: &'static str,
) -> Result<()> {
    let mut request = request_for(ifname, operation)?;
    let mut address = libc::sockaddr {
        sa_family: libc::AF_UNSPEC as libc::sa_family_t,
        sa_data: [0; 14],
    };
    for (to, from) in address.sa_data.iter_mut().zip(mac) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_hwaddr = address;
    // SAFETY: the command reads the address from `request` and follows no pointer.
    unsafe { ioctl(ifname, command, &mut request, operation) }
}

/// A `struct ifreq` with the name filled in. The kernel cuts a name at ':' and
/// would act on the parent, so such a name is refused with EINVAL.
fn request_for(ifname: &str, operation: &'static str) -> Result<libc::ifreq> {
    let refused = |errno| Err(NetlinkError::new(ifname, operation, errno));
    if ifname.len() >= libc::IFNAMSIZ {
        return refused(libc::ENAMETOOLONG);
    }
    if ifname.is_empty() || ifname.contains([':', '\0']) {
        return refused(libc::EINVAL);
    }
    Ok(named(ifname))
}

/// A `struct ifreq` with a name that fits.
fn named(name: &str) -> libc::ifreq {
    // SAFETY: all zero is a valid `struct ifreq`.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

/// Sends one ioctl through a socket of the calling thread's namespace.
///
/// # Safety
/// What `command` does with the pointer in `request`, if it has one, must be allowed.
unsafe fn ioctl(
    ifname: &str,
    command: libc::c_ulong,
    request: &mut libc::ifreq,
    operation: &'static str,
) -> Result<()> {
    let socket = socket().map_err(|error| NetlinkError::from_io(ifname, operation, &error))?;
    let request: *mut c_void = (&raw mut *request).cast();
    // SAFETY: the request is live, and the caller answers for its pointer.
    match unsafe { libc::ioctl(socket.as_raw_fd(), command, request) } {
        -1 => Err(NetlinkError::last_os(ifname, operation)),
        _ => Ok(()),
    }
}

/// A socket for ioctls that devices and IPv4 answer. A service that may have no Internet
/// sockets has a packet socket, which hands those of IPv4 on; it receives nothing.
fn socket() -> io::Result<OwnedFd> {
    match datagram_socket(libc::AF_INET) {
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            datagram_socket(libc::AF_PACKET)
        }
        result => result,
    }
}

fn datagram_socket(family: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes no pointers; the result is checked before it is owned.
    unsafe {
        match libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_kernel_would_cut_are_refused() {
        for (name, errno) in [
            ("eth0:0", libc::EINVAL),
            ("", libc::EINVAL),
            ("sixteen-bytes-xx", libc::ENAMETOOLONG),
            ("no-such-device", libc::ENODEV),
        ] {
            assert_eq!(gro(name).map_err(|e| e.errno()), Err(errno), "{name:?}");
        }
    }
}
