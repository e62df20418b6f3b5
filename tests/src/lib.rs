//! The laboratory in which the real programs meet real packets.
//!
//! A test builds a [`Lab`]: two hosts, each a network namespace of its own,
//! joined by a veth pair, with a private bpffs for the pins of `alias-ctl`.
//! Everything a lab made goes with it, also when the test panics. Labs share
//! nothing, so tests run in parallel.
//!
//! What is not here: no knowledge of how the datapath or the controller work
//! inside. Tests speak to them as users do, by command line and by packets.
//! The machine's own namespace is never configured and never sent through.

pub mod bpf;
mod bpffs;
mod cards;
mod ctl;
mod daemon;
pub mod frame;
mod generator;
mod lab;
mod namespace;
mod other_build;
mod process;
mod raw_socket;
mod retreat;
mod snapshot;
mod tap;
mod tmux;
pub mod transfer;
mod wait;

pub use bpf::{map, program_info};
pub use bpffs::PrivateBpffs;
pub use ctl::{CtlOutput, Ping, ctl_binary};
pub use daemon::Daemon;
pub use generator::{Destinations, Generator};
pub use lab::{Lab, LabBuilder, LabSnapshot, Mode, NAME_PREFIX};
pub use namespace::Namespace;
pub use other_build::other_build;
pub use process::{Background, Output, run_to_end};
pub use raw_socket::RawSocket;
pub use retreat::{SCRATCH, retreat};
pub use snapshot::{Snapshot, assert_unchanged};
pub use tap::Tap;
pub use tmux::Terminal;
pub use wait::{comes_true, wait_for};
