//! Behaviour, end to end: one module per behaviour, one binary for all.
//!
//! `cargo test -p alias-tests --test namespaces [MODULE]` as root, with
//! `alias-ctl` built in release mode or named in `ALIAS_CTL`. Nothing is
//! skipped silently.

mod aim;
mod alias_types;
mod budget;
mod change;
mod configuration;
mod crash;
mod daemon_device;
mod daemon_parent;
mod daemon_process;
mod daemon_stage;
mod doctor;
mod errors;
mod golden_bench;
mod golden_deliver;
mod golden_maps;
mod golden_miss;
mod golden_receive;
mod golden_return;
mod golden_send;
mod golden_short;
mod golden_spoof;
mod growth;
mod harness;
mod hooks;
mod ifconfig;
mod ifconfig_alias;
mod ifconfig_device;
mod ifconfig_list;
mod ifconfig_others;
mod ifconfig_script;
mod ifconfig_solaris;
mod kernels;
mod lifecycle;
mod limits;
mod list;
mod listing;
mod losses;
mod many;
mod moving;
mod neighbours;
mod on_drop;
mod parents;
mod prefix;
mod queues;
mod range;
mod route;
mod scene;
mod security;
mod shared_targets;
mod spoof;
mod stacked;
mod targets;
mod tcp_options;
mod tour;
mod traffic;
mod untouched;
mod vlan;
