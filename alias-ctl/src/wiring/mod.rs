//! Kernel objects that parents and aliases need, a file for each kind: made, taken away,
//! looked for. No policy, no journal, no words.

pub mod announce;
pub mod asked;
pub mod attach;
pub mod batch;
pub mod description;
pub mod device;
pub mod engine;
pub mod hearing;
pub mod hooks;
pub mod host;
pub mod join;
pub mod local;
pub mod local_form;
mod local_label;
pub mod local_network;
mod local_order;
pub mod local_route;
pub mod neighbour;
pub mod peer;
pub mod port;
pub mod presence;
pub mod progress;
pub mod question;
mod reach;
pub mod redirect;
pub mod routes;
pub mod sockets;
pub mod stray;
pub mod sysctl;
pub mod transaction;
pub mod veth;
pub mod way_back;
