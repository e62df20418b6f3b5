//! The saved configuration: `save`, `restore`, `apply` and `diff`.

pub mod apply;
pub mod diff;
pub mod save;
