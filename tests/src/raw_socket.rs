//! Whole frames in and out of a device, by a packet socket.
//!
//! The kernel takes the outer VLAN tag out of a received frame and hands it
//! over apart (PACKET_AUXDATA); it is put back here, so that what a test
//! compares is what was on the wire.

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use crate::{namespace::Namespace, process::poll_until, wait::deadline};

/// if_ether.h; packet(7) wants it in network order.
const ETH_P_ALL: u16 = 0x0003;
const ETH_P_8021Q: u16 = 0x8100;
// linux/if_packet.h
const PACKET_AUXDATA: libc::c_int = 8;
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;

/// The receive buffer: a burst must not be lost while a test does other things.
const RECEIVE_BUFFER: libc::c_int = 8 << 20;
/// Larger than any frame, GRO's super frames included.
const LARGEST_FRAME: usize = 256 * 1024;
/// Both MAC addresses: where a tag begins.
const TAG_OFFSET: usize = 12;

/// struct tpacket_auxdata of linux/if_packet.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct AuxData {
    status: u32,
    len: u32,
    snaplen: u32,
    mac: u16,
    net: u16,
    vlan_tci: u16,
    vlan_tpid: u16,
}

const _: () = assert!(mem::size_of::<AuxData>() == 20);

/// Room for one control message, aligned as the kernel writes it.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// A packet socket bound to one device. It sees what comes in, not what this
/// host sends.
#[derive(Debug)]
pub struct RawSocket {
    fd: OwnedFd,
}

impl RawSocket {
    /// Opens it on a device (name or altname) of a namespace.
    #[track_caller]
    pub fn open(namespace: &Namespace, device: &str) -> Self {
        let ifindex = namespace.ifindex(device);
        namespace
            .enter(|| Self::bound_to(ifindex))
            .unwrap_or_else(|error| {
                panic!("packet socket on {device} of {}: {error}", namespace.name())
            })
    }

    /// Opens it on all devices of a namespace, which go down and come up as they like: one
    /// that is bound to a device hears of that instead.
    #[track_caller]
    pub fn open_on_all(namespace: &Namespace) -> Self {
        namespace
            .enter(|| Self::bound_to(0))
            .unwrap_or_else(|error| panic!("packet socket of {}: {error}", namespace.name()))
    }

    fn bound_to(ifindex: u32) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // Protocol 0: nothing is received before the bind, so no other
        // device's frame can be in the queue.
        // SAFETY: socket takes integers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just handed us this descriptor.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        set_option(&fd, libc::SOL_PACKET, PACKET_AUXDATA, 1)?;
        set_option(&fd, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)?;
        set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER)?;
        // SAFETY: all zero is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ETH_P_ALL.to_be();
        address.sll_ifindex = ifindex as libc::c_int;
        // SAFETY: pointer and length describe `address`.
        let bound = unsafe {
            libc::bind(
                fd.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as libc::socklen_t,
            )
        };
        if bound < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { fd })
    }

    /// Sends one frame as it is.
    #[track_caller]
    pub fn send(&self, frame: &[u8]) {
        if let Err(error) = self.try_send(frame) {
            panic!("{} bytes cannot be sent: {error}", frame.len());
        }
    }

    /// Sends one frame as it is, if the device takes it.
    pub fn try_send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length describe `frame`.
        let sent =
            unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        match sent {
            n if n < 0 => Err(io::Error::last_os_error()),
            n if n as usize == frame.len() => Ok(()),
            n => Err(io::Error::other(format!("only {n} bytes were taken"))),
        }
    }

    /// The first frame that `wanted` accepts, or `None` when `limit` is over.
    /// Frames that it does not accept are gone.
    #[track_caller]
    pub fn receive(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let deadline = deadline(limit);
        loop {
            let mut fds = [libc::pollfd {
                fd: self.fd.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            }];
            if !poll_until(&mut fds, deadline).expect("a packet socket can be polled") {
                return None;
            }
            match self.take() {
                Ok(frame) if wanted(&frame) => return Some(frame),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("packet socket: {error}"),
            }
        }
    }

    /// As `receive`; panics with `what` when no such frame comes.
    #[track_caller]
    pub fn expect(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl FnMut(&[u8]) -> bool,
    ) -> Vec<u8> {
        match self.receive(limit, wanted) {
            Some(frame) => frame,
            None => panic!("waited {limit:?} in vain for the frame: {what}"),
        }
    }

    /// Receives until `marker` accepts a frame, and hands on all that came
    /// before it. A marker that travels the same way proves an absence without
    /// waiting for nothing.
    #[track_caller]
    pub fn all_before(
        &self,
        what: &str,
        limit: Duration,
        mut marker: impl FnMut(&[u8]) -> bool,
    ) -> Vec<Vec<u8>> {
        let mut before = Vec::new();
        self.expect(what, limit, |frame| {
            let found = marker(frame);
            if !found {
                before.push(frame.to_vec());
            }
            found
        });
        before
    }

    fn take(&self) -> io::Result<Vec<u8>> {
        let mut frame = vec![0; LARGEST_FRAME];
        let mut control = Control([0; 64]);
        let mut part = libc::iovec {
            iov_base: frame.as_mut_ptr().cast(),
            iov_len: frame.len(),
        };
        // SAFETY: all zero is a valid msghdr.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = mem::size_of::<Control>() as _;
        // SAFETY: the message points to buffers of the lengths it states, all
        // of which outlive the call.
        let length = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, 0) };
        if length < 0 {
            return Err(io::Error::last_os_error());
        }
        frame.truncate(length as usize);
        if let Some(tag) = taken_tag(&message) {
            frame.splice(TAG_OFFSET..TAG_OFFSET, tag);
        }
        Ok(frame)
    }
}

/// The tag that the kernel took out of the frame, as it was on the wire.
fn taken_tag(message: &libc::msghdr) -> Option<[u8; 4]> {
    // SAFETY: the kernel has filled the message in; its control buffer is
    // alive and aligned.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return whole headers or null.
        let this = unsafe { *header };
        if this.cmsg_level == libc::SOL_PACKET && this.cmsg_type == PACKET_AUXDATA {
            // SAFETY: a control message of this type carries one AuxData.
            let data: AuxData =
                unsafe { libc::CMSG_DATA(header).cast::<AuxData>().read_unaligned() };
            if data.status & TP_STATUS_VLAN_VALID == 0 {
                return None;
            }
            let tpid = if data.status & TP_STATUS_VLAN_TPID_VALID != 0 {
                data.vlan_tpid
            } else {
                ETH_P_8021Q
            };
            let ([t0, t1], [v0, v1]) = (tpid.to_be_bytes(), data.vlan_tci.to_be_bytes());
            return Some([t0, t1, v0, v1]);
        }
        // SAFETY: `header` came from the same message.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

fn set_option(
    fd: &OwnedFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: pointer and length describe `value`.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            mem::size_of_val(&value) as libc::socklen_t,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
