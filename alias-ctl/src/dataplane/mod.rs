//! The kernel's side of an alias: programs, maps, pins. This module knows
//! nothing of devices and addresses; [`crate::netlink`] knows nothing of it.

mod cgroup;
pub mod cpus;
pub mod description;
pub mod directory;
pub mod engine;
mod figures;
pub mod growth;
mod hash;
pub mod header;
pub mod isno;
pub mod listing;
pub mod losses;
mod memory;
pub mod object;
mod order;
pub mod parent;
mod parent_header;
pub mod pins;
pub mod probe;
pub mod registry;
pub mod seat;
mod seat_lock;
pub mod shape;
mod shared;
pub mod symbols;
pub mod sys;
pub mod table;
pub mod transmit;
pub mod types;
pub mod verify;

pub use directory::{Directory, WriteLock};
pub use figures::Figures;
pub use parent::Parent;
pub use seat::Seat;
pub use types::Types;
