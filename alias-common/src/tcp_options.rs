//! TCP options of an alias's sockets. AIX calls them ISNO, interface specific
//! network options; the words are AIX's.

use core::net::IpAddr;

use crate::Plain;

/// One of the options.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum TcpOption {
    /// Window scaling and timestamps (RFC 1323, now RFC 7323): 1.
    Rfc1323 = 0,
    /// 1 turns Nagle's algorithm off (`TCP_NODELAY`).
    TcpNodelay = 1,
    /// Bytes to send that a socket holds (`SO_SNDBUF`).
    TcpSendspace = 2,
    /// Bytes received that a socket holds (`SO_RCVBUF`).
    TcpRecvspace = 3,
    /// Largest segment to announce and to send, bytes (`TCP_MAXSEG`).
    TcpMssdflt = 4,
}

impl TcpOption {
    /// All of them.
    pub const ALL: [TcpOption; 5] = [
        TcpOption::Rfc1323,
        TcpOption::TcpNodelay,
        TcpOption::TcpSendspace,
        TcpOption::TcpRecvspace,
        TcpOption::TcpMssdflt,
    ];

    /// Its bit in a set of options.
    #[inline(always)]
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Options that were given values. One without has the system's default.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(C)]
pub struct TcpOptions {
    /// Bits of those that were given ([`TcpOption::bit`]).
    pub given: u8,
    /// Bits of those of `rfc1323` and `tcp_nodelay` that are 1.
    pub switches: u8,
    /// `tcp_mssdflt`, bytes; 0 when not given.
    pub mssdflt: u16,
    /// `tcp_sendspace`, bytes; 0 when not given.
    pub sendspace: u32,
    /// `tcp_recvspace`, bytes; 0 when not given.
    pub recvspace: u32,
}

impl TcpOptions {
    /// Whether none was given.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.given == 0
    }

    /// An option's value; `None` when it was not given.
    #[inline(always)]
    #[must_use]
    pub const fn get(&self, option: TcpOption) -> Option<u32> {
        if self.given & option.bit() == 0 {
            return None;
        }
        Some(match option {
            TcpOption::Rfc1323 | TcpOption::TcpNodelay => {
                (self.switches & option.bit() != 0) as u32
            }
            TcpOption::TcpSendspace => self.sendspace,
            TcpOption::TcpRecvspace => self.recvspace,
            TcpOption::TcpMssdflt => self.mssdflt as u32,
        })
    }

    /// Gives an option a value, or takes it away. A switch is on when its value is
    /// not 0; `tcp_mssdflt` fits 16 bits.
    pub const fn set(&mut self, option: TcpOption, value: Option<u32>) {
        let bit = option.bit();
        self.given = if value.is_some() {
            self.given | bit
        } else {
            self.given & !bit
        };
        let value = match value {
            Some(value) => value,
            None => 0,
        };
        match option {
            TcpOption::Rfc1323 | TcpOption::TcpNodelay => {
                self.switches = if value == 0 {
                    self.switches & !bit
                } else {
                    self.switches | bit
                };
            }
            TcpOption::TcpSendspace => self.sendspace = value,
            TcpOption::TcpRecvspace => self.recvspace = value,
            TcpOption::TcpMssdflt => self.mssdflt = value as u16,
        }
    }
}

// SAFETY: u8 x2, u16, u32 x2: 12 bytes without padding (asserted below).
unsafe impl Plain for TcpOptions {}
const _: () = assert!(size_of::<TcpOptions>() == 12);

/// The local address of sockets: the key of map `tcp_options`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(C)]
pub struct LocalAddress {
    /// Cookie of the sockets' namespace.
    pub netns_cookie: u64,
    /// Their local address in network order, an IPv4 address mapped into IPv6
    /// (RFC 4291, 2.5.5.2), as an IPv6 socket has it too.
    pub address: [u8; 16],
}

impl LocalAddress {
    /// An address in the namespace with this cookie.
    #[must_use]
    pub const fn new(netns_cookie: u64, address: IpAddr) -> LocalAddress {
        let address = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        LocalAddress {
            netns_cookie,
            address,
        }
    }
}

// SAFETY: u64 and 16 bytes: 24 bytes without padding (asserted below).
unsafe impl Plain for LocalAddress {}
const _: () = assert!(size_of::<LocalAddress>() == 24);

/// What the sockets of a local address get: the value of map `tcp_options`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Grant {
    /// The options.
    pub options: TcpOptions,
    /// Slot of the alias that they were given to.
    pub slot: u32,
}

// SAFETY: 12 bytes and u32: 16 bytes without padding (asserted below).
unsafe impl Plain for Grant {}
const _: () = assert!(size_of::<Grant>() == 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_given_changed_and_taken_away() {
        let mut options = TcpOptions::default();
        for (n, option) in TcpOption::ALL.into_iter().enumerate() {
            let values = match option {
                TcpOption::Rfc1323 | TcpOption::TcpNodelay => [1, 0],
                _ => [1000 + n as u32, 2000],
            };
            assert_eq!(options.get(option), None);
            for value in values {
                options.set(option, Some(value));
                assert_eq!(options.get(option), Some(value), "{option:?}");
            }
        }
        assert_eq!(options.given, 0b1_1111);
        for option in TcpOption::ALL {
            options.set(option, None);
            assert_eq!(options.get(option), None, "{option:?}");
        }
        assert_eq!(options, TcpOptions::default(), "nothing is left over");
    }

    #[test]
    fn an_ipv4_address_is_one_key_for_sockets_of_both_families() {
        let of = |text: &str| LocalAddress::new(7, text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
