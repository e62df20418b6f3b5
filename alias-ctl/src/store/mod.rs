//! The saved configuration: a TOML file. [`file`] reads and writes it safely,
//! [`document`] takes TOML apart into [`table`]s, [`read`] and [`write`] know what the words mean.
//! Nothing here looks at the machine's devices.

pub mod document;
pub mod file;
pub mod read;
pub mod table;
pub mod write;
