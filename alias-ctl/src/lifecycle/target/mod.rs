//! What may be a target, a file for each kind.

pub mod to;
