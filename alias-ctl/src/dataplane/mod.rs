//! The kernel's side of an alias: programs, maps, pins. This module knows
//! nothing of devices and addresses; [`crate::netlink`] knows nothing of it.

mod bpffs;
mod cgroup;
pub mod cpus;
pub mod crowding;
pub mod daemon_lock;
pub mod description;
pub mod directory;
pub mod elsewhere;
pub mod engine;
mod figures;
pub mod growth;
mod hash;
pub mod header;
pub mod hearers;
pub mod listing;
mod lock_file;
pub mod losses;
mod memory;
pub mod object;
mod order;
pub mod parent;
mod parent_header;
pub mod parent_mut;
pub mod pins;
pub mod probe;
pub mod registry;
pub mod shape;
mod shared;
mod slots;
pub mod symbols;
pub mod sys;
pub mod table;
pub mod tcp_options;
pub mod transmit;
pub mod types;
mod unseen;
pub mod verify;

pub use daemon_lock::DaemonLock;
pub use directory::{Directory, WriteLock};
pub use figures::Figures;
pub use parent::Parent;
pub use parent_mut::ParentMut;
pub use types::Types;
