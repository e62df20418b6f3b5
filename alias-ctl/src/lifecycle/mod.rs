//! What changes aliases, and the truth about them. Everything here is a transaction
//! under the lock, or a question that one must ask first; words are read above, and
//! what the kernel needs is made below.

pub mod add;
pub mod attachment;
pub mod change;
pub mod configuration;
pub mod create;
pub mod delete;
pub mod exposure;
pub mod families;
pub mod grow;
pub mod names;
pub mod reconcile;
pub mod recovery;
pub mod refusals;
pub mod replace;
pub mod resolve;
pub mod retire;
pub mod settle;
pub mod sweep;
pub mod target;
pub mod tcp_options;
pub mod transaction;
pub mod verdict;
