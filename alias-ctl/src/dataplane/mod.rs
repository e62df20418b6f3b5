//! The kernel's side of an alias: programs, maps, pins. This module knows
//! nothing of devices and addresses; [`crate::netlink`] knows nothing of it.

pub mod attach;
pub mod directory;
pub mod hook;
pub mod object;
pub mod parent;
mod shape;
mod shared;
pub mod symbols;
pub mod sys;
pub mod table;
pub mod types;

pub use directory::{Directory, WriteLock};
pub use parent::Parent;
pub use table::Figures;
pub use types::Types;
