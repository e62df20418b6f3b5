//! One NETLINK_ROUTE socket: requests out, acknowledgements in.
//!
//! rtnetlink works through a message inside sendmsg(2), in the sender's context:
//! when the call returns, every answer it will ever give is already queued on the
//! socket. So a batch is sent, then read without waiting, and what is missing was
//! dropped for want of memory. Nothing here can block on a full socket buffer.

use std::io;
use std::os::fd::AsRawFd;

use rtnetlink::packet_core::{NLM_F_ACK_TLVS, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NetlinkBuffer};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::attribute::{attributes, text, u32_at};
use super::error::{NetlinkError, Result};
use super::namespace::Netns;
use super::request::{Request, encode, set_sequence};

/// Messages per sendmsg(2): beyond this the system call no longer shows in the cost.
const BATCH: usize = 64;
/// Bytes per sendmsg(2), well below the smallest sensible wmem_default.
const BATCH_BYTES: usize = 32 << 10;
/// Receive buffer wanted, in bytes as charged by the kernel's bookkeeping: 64
/// acknowledgements with a sentence each are far below it.
const RECEIVE_BUFFER: libc::c_int = 1 << 20;
/// Bytes of one datagram: dumps come in up to 32 KiB, one link in less.
const DATAGRAM: usize = 64 << 10;
/// How often a send is repeated when the kernel has no memory for the message.
const SEND_ATTEMPTS: usize = 100;
/// NLMSGERR_ATTR_MSG of linux/netlink.h: the extended acknowledgement's sentence.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// Bytes of `struct nlmsgerr` with NETLINK_CAP_ACK: error and the request's header.
const NLMSGERR_LENGTH: usize = 20;

/// One NETLINK_ROUTE socket in one network namespace.
///
/// It stays in the namespace it was opened in, whichever thread uses it.
#[derive(Debug)]
pub struct Conversation {
    socket: Socket,
    sequence: u32,
    send_buffer: Vec<u8>,
    receive_buffer: Vec<u8>,
}

/// One message of the kernel's answer.
pub(super) struct Answer<'a> {
    /// RTM_* or NLMSG_*.
    pub(super) kind: u16,
    /// NLM_F_*.
    pub(super) flags: u16,
    /// Sequence number of the request it answers.
    pub(super) sequence: u32,
    /// Bytes after the header.
    pub(super) payload: &'a [u8],
}

impl Conversation {
    /// Opens a socket in the calling thread's namespace.
    ///
    /// Errors: those of socket(2) and bind(2); EPERM is not among them, reading is
    /// free and the kernel checks CAP_NET_ADMIN for each change.
    pub fn new() -> Result<Self> {
        let failed = |error: io::Error| NetlinkError::from_io("netlink socket", "open", &error);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        // Connected to the kernel: it refuses what other processes send to this port.
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        socket.set_ext_ack(true).map_err(failed)?;
        socket.set_cap_ack(true).map_err(failed)?;
        // Filters in dump requests are ignored without it (Linux 4.20).
        socket.set_netlink_get_strict_chk(true).map_err(failed)?;
        enlarge_receive_buffer(&socket);
        Ok(Self {
            socket,
            sequence: 0,
            send_buffer: Vec::with_capacity(BATCH_BYTES),
            receive_buffer: vec![0; DATAGRAM],
        })
    }

    /// Opens a socket in `netns`; afterwards any thread may use it.
    ///
    /// Errors: those of [`Netns::within`] and [`Self::new`].
    pub fn open_in(netns: &Netns) -> Result<Self> {
        netns.within(Self::new)?
    }

    /// Carries out one request.
    ///
    /// Errors: what the kernel answered, or those of [`Self::batch`].
    pub fn run(&mut self, request: Request) -> Result<()> {
        let mut results = self.batch(&[request])?;
        results.pop().unwrap_or(Ok(()))
    }

    /// Carries out all requests in order, also those after one that failed, and
    /// returns what the kernel answered to each, in the same order.
    ///
    /// ENOBUFS as the answer to one request means that the answer was lost: the
    /// change may have been made. The outer error is the socket's own, and says
    /// nothing about which changes were made: read the state back through a new
    /// conversation.
    pub fn batch(&mut self, requests: &[Request]) -> Result<Vec<Result<()>>> {
        let mut results = Vec::with_capacity(requests.len());
        let mut rest = requests;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(datagram_share(rest));
            self.exchange(now, &mut results)?;
            rest = later;
        }
        Ok(results)
    }

    fn exchange(&mut self, requests: &[Request], results: &mut Vec<Result<()>>) -> Result<()> {
        self.send_buffer.clear();
        let first = self.sequence.wrapping_add(1);
        for request in requests {
            let start = self.send_buffer.len();
            self.send_buffer.extend_from_slice(request.message());
            self.sequence = self.sequence.wrapping_add(1);
            set_sequence(&mut self.send_buffer[start..], self.sequence);
        }
        self.send()?;

        let mut answers: Vec<Option<Result<()>>> = vec![None; requests.len()];
        let mut missing = requests.len();
        while missing > 0 {
            let received = self.receive(libc::MSG_DONTWAIT, |answer| {
                let index = answer.sequence.wrapping_sub(first) as usize;
                if answer.kind != NLMSG_ERROR {
                    return;
                }
                let (Some(slot), Some(request)) = (answers.get_mut(index), requests.get(index))
                else {
                    return; // a late answer to something given up before
                };
                if slot.is_none() {
                    *slot = Some(acknowledgement(&answer, |errno| request.error(errno)));
                    missing -= 1;
                }
            });
            match received.map_err(|error| error.raw_os_error()) {
                Ok(()) | Err(Some(libc::ENOBUFS)) => {}
                Err(Some(libc::EAGAIN)) => break,
                Err(errno) => return Err(socket_error("receive", errno.unwrap_or(libc::EIO))),
            }
        }
        results.extend(answers.into_iter().zip(requests).map(|(answer, request)| {
            answer.unwrap_or_else(|| {
                Err(request
                    .error(libc::ENOBUFS)
                    .with_detail("the kernel's answer was lost"))
            })
        }));
        Ok(())
    }

    /// Sends one message that is no change and returns its sequence number.
    pub(super) fn ask(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send_buffer = encode(message, flags);
        set_sequence(&mut self.send_buffer, self.sequence);
        self.send()?;
        Ok(self.sequence)
    }

    fn send(&self) -> Result<()> {
        for _ in 0..SEND_ATTEMPTS {
            match self.socket.send(&self.send_buffer, 0) {
                Ok(_) => return Ok(()),
                // Both are raised before the kernel has looked at the first message.
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::ENOBUFS) => std::thread::yield_now(),
                    errno => return Err(socket_error("send", errno.unwrap_or(libc::EIO))),
                },
            }
        }
        Err(socket_error("send", libc::ENOBUFS))
    }

    /// Reads one datagram and calls `each` for its messages.
    pub(super) fn receive(
        &mut self,
        flags: libc::c_int,
        mut each: impl FnMut(Answer<'_>),
    ) -> io::Result<()> {
        let length = loop {
            let mut buffer = &mut self.receive_buffer[..];
            // MSG_TRUNC makes the result the datagram's length, not what was copied.
            match self.socket.recv(&mut buffer, flags | libc::MSG_TRUNC) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        let Some(mut rest) = self.receive_buffer.get(..length) else {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        };
        while !rest.is_empty() {
            let Ok(message) = NetlinkBuffer::new_checked(rest) else {
                return Err(io::Error::from_raw_os_error(libc::EBADMSG));
            };
            if message.message_type() != NLMSG_NOOP {
                each(Answer {
                    kind: message.message_type(),
                    flags: message.flags(),
                    sequence: message.sequence_number(),
                    payload: message.payload(),
                });
            }
            let used = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(used..).unwrap_or(&[]);
        }
        Ok(())
    }
}

/// What an NLMSG_ERROR or NLMSG_DONE says; `error` makes the error from its errno.
pub(super) fn acknowledgement(
    answer: &Answer<'_>,
    error: impl FnOnce(i32) -> NetlinkError,
) -> Result<()> {
    let code = u32_at(answer.payload, 0).map_or(0, u32::cast_signed);
    if code >= 0 {
        return Ok(());
    }
    let error = error(code.saturating_neg());
    let fixed = match answer.kind {
        NLMSG_DONE => 4,
        _ => NLMSGERR_LENGTH,
    };
    let sentence = (answer.flags & NLM_F_ACK_TLVS != 0)
        .then(|| answer.payload.get(fixed..))
        .flatten()
        .and_then(|tlvs| attributes(tlvs).find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG));
    Err(match sentence {
        Some((_, value)) => error.with_detail(text(value)),
        None => error,
    })
}

/// An error of the socket itself.
pub(super) fn socket_error(operation: &'static str, errno: i32) -> NetlinkError {
    NetlinkError::new("netlink socket", operation, errno)
}

/// How many of `requests` (not empty) go into the next datagram.
fn datagram_share(requests: &[Request]) -> usize {
    let mut bytes = 0;
    let fitting = requests.iter().take(BATCH).take_while(|request| {
        bytes += request.message().len();
        bytes <= BATCH_BYTES
    });
    fitting.count().max(1)
}

/// Best effort: without CAP_NET_ADMIN the size stays below rmem_max, and a too
/// small buffer only loses answers, which is noticed.
fn enlarge_receive_buffer(socket: &Socket) {
    let size = RECEIVE_BUFFER;
    for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
        // SAFETY: the value is a live c_int, and the length is its size.
        let status = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const size).cast(),
                size_of_val(&size) as libc::socklen_t,
            )
        };
        if status == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u16, flags: u16, payload: &[u8]) -> Result<()> {
        let answer = Answer {
            kind,
            flags,
            sequence: 1,
            payload,
        };
        acknowledgement(&answer, |errno| NetlinkError::new("x", "y", errno))
    }

    #[test]
    fn acknowledgements() {
        let mut refused = (-libc::ENODEV).to_ne_bytes().to_vec();
        refused.resize(NLMSGERR_LENGTH, 0);
        let plain = NetlinkError::new("x", "y", libc::ENODEV);
        assert_eq!(answer(NLMSG_ERROR, 0, &[0; 20]), Ok(()));
        assert_eq!(answer(NLMSG_ERROR, 0, &refused), Err(plain.clone()));
        refused.extend([8, 0, 1, 0, b'n', b'o', 0, 0]);
        assert_eq!(
            answer(NLMSG_ERROR, NLM_F_ACK_TLVS, &refused),
            Err(plain.with_detail("no"))
        );
        assert_eq!(answer(NLMSG_DONE, 0, &[0; 4]), Ok(()));
    }

    #[test]
    fn datagrams_are_bounded() {
        let one = Request::set_up(1);
        let length = one.message().len();
        for (count, share) in [(1, 1), (64, 64), (200, 64)] {
            assert_eq!(
                datagram_share(&vec![one.clone(); count]),
                share,
                "{count} of {length}"
            );
        }
    }
}
