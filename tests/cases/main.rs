//! Behaviour, end to end: one module per behaviour, one binary for all.
//!
//! `cargo test -p alias-tests --test namespaces [MODULE]` as root, with
//! `alias-ctl` built in release mode or named in `ALIAS_CTL`. Nothing is
//! skipped silently.

mod errors;
mod harness;
mod lifecycle;
mod neighbours;
mod scene;
mod spoof;
mod targets;
mod traffic;
mod untouched;
mod vlan;
