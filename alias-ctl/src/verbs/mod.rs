//! One file for each command: from a request to [`crate::lifecycle`], and to what is
//! printed. Verbs do not call each other.

pub mod add;
pub mod announce;
pub mod attach;
pub mod configuration;
pub mod daemon;
pub mod del;
pub mod detach;
pub mod doctor;
pub mod enable;
pub mod ifconfig;
pub mod journal;
pub mod list;
pub mod listing;
pub mod route;
pub mod run;
pub mod set;
pub mod set_parent;
pub mod show;
pub mod top;
pub mod typed;
pub mod types;
pub mod upgrade;
pub mod verify;
