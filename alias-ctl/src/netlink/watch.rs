//! Hearing what happens to links and addresses, as the kernel tells it.
//!
//! What is heard is a reason to look, not what is believed: messages are lost
//! when nobody reads them in time. The one thing that only they can tell is that
//! a link was down and is up again.

use std::io;
use std::os::fd::AsRawFd;

use rtnetlink::packet_core::NetlinkBuffer;
use rtnetlink::sys::{Socket, protocols::NETLINK_ROUTE};
use tokio::io::unix::AsyncFd;

use super::attribute::u32_at;
use super::error::{NetlinkError, Result};

/// Groups of linux/rtnetlink.h: RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR.
const GROUPS: [u32; 3] = [1, 5, 9];
/// RTM_NEWLINK of linux/rtnetlink.h.
const RTM_NEWLINK: u16 = 16;
/// Bytes of one datagram; a link with all its attributes has about two thousand.
const DATAGRAM: usize = 64 << 10;
/// Datagrams taken at once, so that whoever waits for something else gets a turn.
const AT_ONCE: usize = 256;

/// A socket that hears of every change to links and addresses of one namespace.
#[derive(Debug)]
pub struct Watch {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

/// The events since the last time.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct LinkEvents {
    /// Links that were seen, in the order of events, and whether each was up
    /// (IFF_UP) by then.
    pub links: Vec<(u32, bool)>,
    /// The same links, and whether each had a carrier (IFF_RUNNING).
    pub carriers: Vec<(u32, bool)>,
    /// More happened than the socket could hold; the rest is not known.
    pub overrun: bool,
}

impl Watch {
    /// Listens in the calling thread's namespace, in a tokio runtime. `buffer` is
    /// how many bytes of messages may wait, by the kernel's bookkeeping.
    ///
    /// Errors: those of socket(2), setsockopt(2) and epoll_ctl(2).
    pub fn open(buffer: usize) -> Result<Watch> {
        let failed = |error: io::Error| NetlinkError::from_io("netlink socket", "watch", &error);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.set_non_blocking(true).map_err(failed)?;
        hold(&socket, buffer).map_err(failed)?;
        for group in GROUPS {
            socket.add_membership(group).map_err(failed)?;
        }
        Ok(Watch {
            // SAFETY: the socket keeps its one descriptor as long as it lives.
            socket: unsafe { AsyncFd::register(socket) }.map_err(|error| failed(error.into()))?,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// Waits until something happens, and takes all that is there.
    ///
    /// Errors: those of recv(2) but for ENOBUFS, which is an overrun.
    pub async fn hear(&mut self) -> Result<LinkEvents> {
        let mut news = LinkEvents::default();
        let failed = |error: io::Error| NetlinkError::from_io("netlink socket", "watch", &error);
        let mut ready = self.socket.readable().await.map_err(failed)?;
        for _ in 0..AT_ONCE {
            let mut room = &mut self.buffer[..];
            match ready.get_inner().recv(&mut room, 0) {
                Ok(length) => news.take(&self.buffer[..length]),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => {
                        ready.clear_ready();
                        break;
                    }
                    Some(libc::EINTR) => {}
                    Some(libc::ENOBUFS) => news.overrun = true,
                    _ => return Err(failed(error)),
                },
            }
        }
        Ok(news)
    }
}

impl LinkEvents {
    /// Takes the messages of one datagram.
    fn take(&mut self, datagram: &[u8]) {
        let mut rest = datagram;
        while let Ok(message) = NetlinkBuffer::new_checked(rest) {
            // struct ifinfomsg: family, pad, type, index, flags. A bridge tells of its
            // ports in messages of its own family.
            let payload: &[u8] = message.payload();
            if message.message_type() == RTM_NEWLINK
                && payload.first() == Some(&(libc::AF_UNSPEC as u8))
                && let (Some(index), Some(flags)) = (u32_at(payload, 4), u32_at(payload, 8))
            {
                let up = flags & libc::IFF_UP.cast_unsigned() != 0;
                self.links.push((index, up));
                let running = flags & libc::IFF_RUNNING.cast_unsigned() != 0;
                self.carriers.push((index, running));
            }
            let used = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(used..).unwrap_or(&[]);
        }
    }
}

/// Sets how much may wait, beyond rmem_max too.
fn hold(socket: &Socket, bytes: usize) -> io::Result<()> {
    let size = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: the value is a live c_int, and the length is its size.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const size).cast(),
            size_of_val(&size) as libc::socklen_t,
        )
    };
    match status {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One message with the fixed part of `struct ifinfomsg`.
    fn message(kind: u16, family: u8, index: u32, flags: u32) -> Vec<u8> {
        let mut bytes = 32_u32.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend([family, 0, 1, 0]);
        bytes.extend(index.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn links_with_their_state_in_order() {
        let up = libc::IFF_UP.cast_unsigned();
        let running = up | libc::IFF_RUNNING.cast_unsigned();
        let bridge = libc::AF_BRIDGE as u8;
        for (name, messages, links) in [
            (
                "down and up",
                vec![message(16, 0, 3, 0), message(16, 0, 3, up)],
                vec![(3, false), (3, true)],
            ),
            ("deleted", vec![message(17, 0, 3, 0)], vec![]),
            ("of a bridge", vec![message(16, bridge, 3, 0)], vec![]),
            ("an address", vec![message(20, 2, 3, 0)], vec![]),
            (
                "cut off",
                vec![message(16, 0, 3, up)[..20].to_vec()],
                vec![],
            ),
        ] {
            let mut news = LinkEvents::default();
            news.take(&messages.concat());
            assert_eq!((news.links, news.overrun), (links, false), "{name}");
        }
        let mut news = LinkEvents::default();
        news.take(&[message(16, 0, 3, up), message(16, 0, 3, running)].concat());
        assert_eq!(news.carriers, [(3, false), (3, true)]);
    }
}
