//! Real sockets in two namespaces: a long TCP transfer, and UDP datagrams
//! larger than a frame.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use crate::namespace::Namespace;

/// A stalled connection is a failed test, long before the whole run is one.
const STALL: Duration = Duration::from_secs(20);

const CHUNK: usize = 64 * 1024;

/// Who sends in [`tcp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The side that connects.
    ToServer,
    /// The side that listens.
    ToClient,
}

/// Moves `length` bytes over one TCP connection from `client` to `server`,
/// which listens on `address`; panics unless all arrive unharmed.
#[track_caller]
pub fn tcp(
    server: &Namespace,
    address: IpAddr,
    client: &Namespace,
    length: u64,
    direction: Direction,
) {
    let what = format!("TCP {direction:?}, {length} bytes, {address}");
    let listener = server
        .enter(|| TcpListener::bind((address, 0)))
        .unwrap_or_else(|error| panic!("{what}: listen: {error}"));
    let there = listener.local_addr().expect("a listener has an address");
    let stream = client
        .enter(|| TcpStream::connect_timeout(&there, STALL))
        .unwrap_or_else(|error| panic!("{what}: connect: {error}"));
    // The connection stands, so that this cannot block.
    let (accepted, _) = listener
        .accept()
        .unwrap_or_else(|error| panic!("{what}: accept: {error}"));
    let (sender, receiver) = match direction {
        Direction::ToServer => (stream, accepted),
        Direction::ToClient => (accepted, stream),
    };
    let (sent, received) = thread::scope(|scope| {
        let sending = scope.spawn(|| send_stream(sender, length));
        let received = receive_stream(receiver);
        (sending.join().expect("the sender does not panic"), received)
    });
    let sent = sent.unwrap_or_else(|error| panic!("{what}: send: {error}"));
    let received = received.unwrap_or_else(|error| panic!("{what}: receive: {error}"));
    assert_eq!(
        received,
        (length, sent),
        "{what}: (bytes, checksum) received and sent"
    );
}

fn send_stream(mut stream: TcpStream, length: u64) -> io::Result<u64> {
    stream.set_write_timeout(Some(STALL))?;
    let mut noise = Noise(length | 1);
    let mut digest = Digest::new();
    let mut chunk = vec![0; CHUNK];
    let mut left = length;
    while left > 0 {
        let part = &mut chunk[..CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        noise.fill(part);
        digest.update(part);
        stream.write_all(part)?;
        left -= part.len() as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    Ok(digest.0)
}

fn receive_stream(mut stream: TcpStream) -> io::Result<(u64, u64)> {
    stream.set_read_timeout(Some(STALL))?;
    let mut digest = Digest::new();
    let mut chunk = vec![0; CHUNK];
    let mut length = 0;
    loop {
        match stream.read(&mut chunk)? {
            0 => return Ok((length, digest.0)),
            n => {
                digest.update(&chunk[..n]);
                length += n as u64;
            }
        }
    }
}

/// Sends one datagram of `length` bytes from `client` to a socket of `server`
/// on `address`, which sends it back; panics unless it returns unharmed.
#[track_caller]
pub fn udp_echo(server: &Namespace, address: IpAddr, client: &Namespace, length: usize) {
    let what = format!("UDP, {length} bytes, {address}");
    let open = |namespace: &Namespace, local: SocketAddr| {
        let socket = namespace.enter(|| UdpSocket::bind(local))?;
        socket.set_read_timeout(Some(STALL))?;
        io::Result::Ok(socket)
    };
    let any = match address {
        IpAddr::V4(_) => "0.0.0.0:0",
        IpAddr::V6(_) => "[::]:0",
    };
    let echo = || -> io::Result<(Vec<u8>, Vec<u8>)> {
        let there = open(server, (address, 0).into())?;
        let here = open(client, any.parse().expect("an address"))?;
        let mut datagram = vec![0; length];
        Noise(length as u64 | 1).fill(&mut datagram);
        let mut buffer = vec![0; 64 * 1024];
        here.send_to(&datagram, there.local_addr()?)?;
        let (n, from) = there.recv_from(&mut buffer)?;
        there.send_to(&buffer[..n], from)?;
        let (n, _) = here.recv_from(&mut buffer)?;
        buffer.truncate(n);
        Ok((datagram, buffer))
    };
    let (sent, returned) = echo().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        sent == returned,
        "{what}: {} bytes returned, or harmed",
        returned.len()
    );
}

/// xorshift64: bytes that no offset or repetition error leaves equal.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            word.copy_from_slice(&self.0.to_le_bytes()[..word.len()]);
        }
    }
}

/// FNV-1a: the order of the bytes counts, the boundaries of the reads do not.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, Noise};

    #[test]
    fn the_digest_sees_order_but_not_boundaries() {
        let mut bytes = [0; 32];
        Noise(1).fill(&mut bytes);
        let digest = |parts: &[&[u8]]| {
            let mut digest = Digest::new();
            parts.iter().for_each(|part| digest.update(part));
            digest.0
        };
        let (left, right) = bytes.split_at(5);
        assert_eq!(digest(&[&bytes]), digest(&[left, right]));
        assert_ne!(digest(&[&bytes]), digest(&[right, left]));
    }
}
