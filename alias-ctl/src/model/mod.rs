//! What users say, as values: names, addresses, wishes. Pure: no I/O, nothing of
//! the kernel.

pub mod address;
pub mod alias_request;
pub mod bits;
pub mod declaration;
pub mod finding;
pub mod hearing;
pub mod ifconfig;
pub mod lifecycle;
pub mod list;
pub mod name;
pub mod netmask;
pub mod plan;
pub mod prefix;
pub mod rates;
pub mod request;
pub mod route;
pub mod statistics;
pub mod tcp_options;
pub mod top;
pub mod typed;
pub mod word;
