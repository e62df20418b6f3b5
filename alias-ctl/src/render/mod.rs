//! Values to text. Nothing here looks anything up.

pub mod alias;
pub mod finding;
pub mod ifconfig;
pub mod openmetrics;
pub mod output;
pub mod plan;
pub mod route;
pub mod row;
pub mod table;
pub mod top;
pub mod types;
pub mod verify;
