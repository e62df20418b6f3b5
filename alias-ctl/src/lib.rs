//! The controller. See ARCHITECTURE.md for how a command runs.

pub mod cli;
pub mod dataplane;
pub mod errno;
pub mod error;
pub mod interrupt;
pub mod lifecycle;
pub mod model;
pub mod netlink;
pub mod render;
pub mod store;
pub mod verbs;
pub mod wiring;
