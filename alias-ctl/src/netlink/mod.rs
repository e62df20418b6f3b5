//! The synchronous netlink adapter: links, addresses and routes of one network
//! namespace, the few ioctls and sysctls that netlink lacks, and the frames that say
//! where an address is.
//!
//! A [`Request`] is data: building one touches nothing. A [`Conversation`] is
//! the socket that carries requests out and reads the kernel's state back. What
//! is wanted ([`VethSpec`], [`AddressSpec`], [`RouteSpec`]) and what is observed
//! ([`Link`], [`Address`], [`Route`]) are different types on purpose.
//!
//! This module must not decide anything: no retry of a refused request, no undo,
//! no knowledge of aliases. It never shells out, because `ip addr … dev eth0:0`
//! without such an alternative name falls back to `eth0` silently.

pub mod address;
pub mod announce;
mod attribute;
pub mod conversation;
mod dump;
pub mod error;
pub mod firewall;
pub mod hardware;
pub mod link;
pub mod link_request;
pub mod namespace;
mod nftables;
pub mod outcome;
pub mod request;
pub mod route;
mod statistics;
pub mod sysctl;
pub mod traffic_control;
pub mod watch;

pub use address::{Address, AddressSpec};
pub use announce::Announcement;
pub use conversation::Conversation;
pub use error::{NetlinkError, Result};
pub use link::{ACTIVE_BACKUP, Link, XdpMode, XdpStatus};
pub use link_request::{LinkSettings, VethSpec};
pub use namespace::Netns;
pub use request::Request;
pub use route::{NextHop, Route, RouteSpec};
pub use traffic_control::{FilterChain, FilterId};
pub use watch::{LinkEvents, Watch};
