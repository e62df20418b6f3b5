//! The saved configuration: a TOML file. [`mod@file`] reads and writes it safely,
//! [`document`] takes TOML apart into [`table`]s, [`read`] and [`mod@write`] know what the words mean.
//! [`place`] is where a file is, checked.
//! Nothing here looks at the machine's devices.

pub mod document;
mod draft;
pub mod file;
pub mod place;
pub mod read;
pub mod table;
pub mod write;
