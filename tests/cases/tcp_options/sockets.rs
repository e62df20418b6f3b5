//! TCP sockets made step by step, with their options read back.

use std::{
    io, mem,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use alias_tests::Namespace;

/// A socket option: level and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name(libc::c_int, libc::c_int);

pub(crate) const NODELAY: Name = Name(libc::IPPROTO_TCP, libc::TCP_NODELAY);
pub(crate) const MAXSEG: Name = Name(libc::IPPROTO_TCP, libc::TCP_MAXSEG);
pub(crate) const SNDBUF: Name = Name(libc::SOL_SOCKET, libc::SO_SNDBUF);
pub(crate) const RCVBUF: Name = Name(libc::SOL_SOCKET, libc::SO_RCVBUF);

#[track_caller]
pub(crate) fn get(socket: &impl AsRawFd, name: Name) -> i32 {
    let mut value: libc::c_int = 0;
    let mut length = mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: an open descriptor; the integer and its length are live.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            name.0,
            name.1,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    assert_eq!(result, 0, "{name:?}: {}", io::Error::last_os_error());
    value
}

#[track_caller]
pub(crate) fn set(socket: &impl AsRawFd, name: Name, value: i32) {
    // SAFETY: an open descriptor, and an integer with its length.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            name.0,
            name.1,
            (&raw const value).cast(),
            mem::size_of_val(&value) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{name:?}: {}", io::Error::last_os_error());
}

/// A TCP socket of this namespace, in the family of an address.
#[track_caller]
pub(crate) fn socket(namespace: &Namespace, like: IpAddr) -> OwnedFd {
    let family = if like.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    namespace.enter(|| {
        // SAFETY: socket(2) takes no pointers; the result is checked.
        unsafe {
            let fd = libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            assert!(fd >= 0, "socket: {}", io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        }
    })
}

/// A `sockaddr_in` or `sockaddr_in6`, and its length.
fn raw(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all-zero is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let length = match address {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(v4.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is large enough and aligned for every family.
            unsafe { (&raw mut storage).cast::<libc::sockaddr_in>().write(raw) };
            mem::size_of_val(&raw)
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: 0,
            };
            // SAFETY: as above.
            unsafe { (&raw mut storage).cast::<libc::sockaddr_in6>().write(raw) };
            mem::size_of_val(&raw)
        }
    };
    (storage, length as libc::socklen_t)
}

#[track_caller]
pub(crate) fn bind(socket: &OwnedFd, address: IpAddr) {
    let (storage, length) = raw((address, 0).into());
    // SAFETY: an open descriptor, and an address with its length.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const storage).cast(), length) };
    assert_eq!(result, 0, "bind {address}: {}", io::Error::last_os_error());
}

#[track_caller]
pub(crate) fn connect(socket: OwnedFd, to: SocketAddr) -> TcpStream {
    let (storage, length) = raw(to);
    // A SYN that is lost is a failed test, not a hanging one.
    let limit = libc::timeval {
        tv_sec: 10,
        tv_usec: 0,
    };
    // SAFETY: an open descriptor, and values with their lengths.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            (&raw const limit).cast(),
            mem::size_of_val(&limit) as libc::socklen_t,
        );
        libc::connect(socket.as_raw_fd(), (&raw const storage).cast(), length)
    };
    assert_eq!(result, 0, "connect {to}: {}", io::Error::last_os_error());
    TcpStream::from(socket)
}

#[track_caller]
pub(crate) fn listen(socket: OwnedFd) -> TcpListener {
    // SAFETY: an open descriptor and an integer.
    let result = unsafe { libc::listen(socket.as_raw_fd(), 8) };
    assert_eq!(result, 0, "listen: {}", io::Error::last_os_error());
    TcpListener::from(socket)
}

/// Both ends of a connection.
pub(crate) struct Connection {
    /// The end whose options are looked at.
    pub(crate) own: TcpStream,
    /// The other.
    pub(crate) peer: TcpStream,
}

/// Connects `socket` to a listener of the other host, at this address.
#[track_caller]
pub(crate) fn open_to(socket: OwnedFd, other: &Namespace, there: IpAddr) -> Connection {
    let listener = other
        .enter(|| TcpListener::bind((there, 0)))
        .unwrap_or_else(|error| panic!("listen on {there}: {error}"));
    let own = connect(socket, listener.local_addr().expect("an address"));
    let (peer, _) = listener.accept().expect("the connection stands");
    Connection { own, peer }
}

/// Accepts on `listener`, at this address of it, what the other host opens.
#[track_caller]
pub(crate) fn accepted(listener: &TcpListener, at: IpAddr, other: &Namespace) -> Connection {
    let port = listener.local_addr().expect("an address").port();
    let peer = other
        .enter(|| TcpStream::connect_timeout(&(at, port).into(), Duration::from_secs(10)))
        .unwrap_or_else(|error| panic!("connect {at}: {error}"));
    let (own, _) = listener.accept().expect("the connection stands");
    Connection { own, peer }
}
