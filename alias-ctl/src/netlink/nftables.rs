//! The conversation with nftables: dumps of nfnetlink, each message as it came.

use std::io;

use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::attribute::{u16_at, u32_at};
use super::error::{NetlinkError, Result};

/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct nfgenmsg` in front of the attributes: family, version, resource.
pub(super) const GENERAL: usize = 4;
/// Bytes of one datagram of a dump.
const DATAGRAM: usize = 64 << 10;

/// A socket to nftables.
pub(super) struct Dumps {
    socket: Socket,
    sequence: u32,
}

impl Dumps {
    pub(super) fn open() -> Result<Dumps> {
        let mut socket = Socket::new(NETLINK_NETFILTER).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        Ok(Dumps {
            socket,
            sequence: 0,
        })
    }

    /// What is in one dump: each message without its netlink header.
    ///
    /// Errors: EPERM without CAP_NET_ADMIN, ENOENT, EINVAL without nf_tables, those of the
    /// socket.
    pub(super) fn dump(&mut self, kind: u16, family: u8, query: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.sequence += 1;
        // NLM_F_REQUEST | NLM_F_DUMP.
        const FLAGS: u16 = 0x001 | 0x300;
        let length = (HEADER + GENERAL + query.len()) as u32;
        let mut request = length.to_ne_bytes().to_vec();
        request.extend(kind.to_ne_bytes());
        request.extend(FLAGS.to_ne_bytes());
        request.extend(self.sequence.to_ne_bytes());
        request.extend([0; 4]);
        request.extend([family, 0, 0, 0]);
        request.extend(query);
        self.socket.send(&request, 0).map_err(failed)?;
        let mut found = Vec::new();
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let mut room = &mut buffer[..];
            let length = match self.socket.recv(&mut room, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                length => length.map_err(failed)?,
            };
            let mut rest = &buffer[..length];
            while let Some((header, message, next)) = split(rest) {
                rest = next;
                if header.sequence != self.sequence {
                    continue;
                }
                // NLMSG_ERROR and NLMSG_DONE both begin with the errno, negative.
                match header.kind {
                    2 | 3 => {
                        let errno = u32_at(message, 0).unwrap_or(0).cast_signed();
                        return match errno {
                            0.. => Ok(found),
                            _ => Err(NetlinkError::new("nftables", "list rules", -errno)),
                        };
                    }
                    _ => found.push(message.to_vec()),
                }
            }
        }
    }
}

/// The fields of `struct nlmsghdr` that are looked at.
struct Header {
    kind: u16,
    sequence: u32,
}

/// The first message of a datagram: its header, what is behind it, and the rest.
fn split(datagram: &[u8]) -> Option<(Header, &[u8], &[u8])> {
    let length = u32_at(datagram, 0)? as usize;
    let header = Header {
        kind: u16_at(datagram, 4)?,
        sequence: u32_at(datagram, 8)?,
    };
    let message = datagram.get(HEADER..length)?;
    let rest = datagram.get(length.next_multiple_of(4)..);
    Some((header, message, rest.unwrap_or_default()))
}

/// One attribute, padded.
pub(super) fn encoded(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = (4 + value.len()) as u16;
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn failed(error: io::Error) -> NetlinkError {
    NetlinkError::from_io("nftables", "list rules", &error)
}
