//! What changes aliases, and the truth about them. All of it works under a lock that
//! somebody holds, so that a verb can do several things at once; words are read above, and
//! what the kernel needs is made below.
//!
//! [`transaction`] begins a change: [`reconcile`] puts right what others did, [`recovery`]
//! what a killed writer left. [`resolve`] and [`target`] find and check what is asked for,
//! [`exposure`] and [`tcp_options`] refuse what must not be. [`create`] and [`retire`] are
//! the only ways in and out; [`add`](mod@add), [`change`], [`replace`], [`delete`],
//! [`attachment`] and [`configuration`] are made of them.

pub mod add;
pub mod asked;
pub mod attachment;
pub mod by_address;
pub mod change;
pub mod configuration;
pub mod create;
pub mod cross;
pub mod delete;
pub mod exposure;
pub mod families;
pub mod grow;
pub mod hearing;
mod labels;
pub mod lost;
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
pub mod upgrade;
pub mod verdict;
pub mod views;
pub mod way_back;
