//! The saved configuration: a TOML file. [`mod@file`] reads and writes it safely,
//! [`document`] takes TOML apart into [`table`]s, [`read`] and [`mod@write`] know what the words mean.
//! Nothing here looks at the machine's devices.

pub mod document;
pub mod file;
pub mod read;
pub mod table;
pub mod write;
