//! What the controller does: one file per verb, over [`resolve`] (what is asked,
//! looked up and checked), [`create`] and [`retire`] (the one way in and the one
//! way out) and [`recover`] (what a kill left). What an alias needs in the kernel
//! is made and taken away by one file each: [`device`], [`join`], [`local`], [`redirect`],
//! [`neighbour`], [`isno`].

pub mod add;
pub mod attach;
pub mod batch;
pub mod configuration;
pub mod create;
pub mod daemon;
pub mod del;
pub mod device;
pub mod doctor;
pub mod enable;
pub mod grow;
pub mod hooks;
pub mod host;
pub mod ifconfig;
pub mod isno;
pub mod join;
pub mod journal;
pub mod list;
pub mod listing;
pub mod local;
pub mod neighbour;
pub mod output;
mod peer;
pub mod port;
pub mod prefix;
pub mod progress;
pub mod reconcile;
pub mod recover;
pub mod redirect;
pub mod resolve;
pub mod retire;
pub mod route;
pub mod set;
pub mod show;
pub mod typed;
pub mod types;
pub mod verify;

use configuration::Source;

use crate::dataplane::attach::AttachSpec;
use crate::error::Result;
use crate::model::route::{Action, Listing, RouteWish};
use crate::model::wish::{Target, Wish};

/// Everything a user can ask for, free of the words it was asked in.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the words of the command line")]
pub enum Request {
    /// Put the programs on a device.
    Attach { device: String, spec: AttachSpec },
    /// Take them off; with its aliases if `cascade`.
    Detach { device: String, cascade: bool },
    /// Make aliases.
    Add { name: String, wish: Wish },
    /// Delete aliases.
    Del { what: del::Victims },
    /// Change one alias.
    Set { name: String, change: Change },
    /// Change what holds for all aliases of a device.
    SetParent {
        device: String,
        change: attach::ParentChange,
    },
    /// Put right what others change, as it happens.
    Daemon { options: daemon::Options },
    /// Match an alias's packets, or leave them to the parent.
    Enable { name: String, enabled: bool },
    /// Make a route, or take one away.
    Route { action: Action, wish: RouteWish },
    /// List routes.
    Routes { listing: Listing },
    /// Write what is running to a file; `None`: in its place.
    Save { file: Option<std::path::PathBuf> },
    /// Make what a configuration declares, for one device or all.
    Apply {
        source: Source,
        device: Option<String>,
        dry_run: bool,
    },
    /// Compare what is running with a configuration.
    Diff { source: Source },
    /// Make an alias of a family that is not built in.
    AddTyped {
        name: String,
        address: typed::Spelled,
        placement: typed::Placement,
    },
    /// Make aliases of the addresses in a file.
    AddList {
        name: String,
        wanted: list::FromList,
    },
    /// Delete the aliases with the addresses in a file.
    DelList {
        device: String,
        file: std::path::PathBuf,
        vlan: alias_common::key::Vlan,
    },
    /// Delete the alias with such an address.
    DelTyped {
        device: String,
        address: typed::Spelled,
        vlan: alias_common::key::Vlan,
    },
    /// Give an alias such an address.
    SetTyped {
        name: String,
        address: typed::Spelled,
        change: Change,
    },
    /// List address families.
    Types { json: bool },
    /// Register one.
    AddType { object: std::path::PathBuf },
    /// Unregister one.
    DelType { name: String },
    /// Print what the programs write of rare events.
    Journal { device: String },
    /// Look for what stands in the way.
    Doctor { device: Option<String>, json: bool },
    /// Put every program before the running kernel's verifier.
    Verify {
        objects: Option<std::path::PathBuf>,
        capacity: u32,
        json: bool,
    },
    /// What `ifconfig` was asked for.
    Ifconfig(crate::model::ifconfig::Ifconfig),
    /// List aliases.
    Show { filter: Option<String>, json: bool },
    /// List aliases as the kernel does.
    Listing,
    /// List what was counted.
    Stats {
        filter: Option<String>,
        json: bool,
        parents: bool,
        watch: Option<std::time::Duration>,
    },
}

/// What of an alias shall change; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Another address, and its prefix length if it is not to stay.
    pub address: Option<(crate::model::address::Address, Option<u8>)>,
    /// Another VLAN.
    pub vlan: Option<alias_common::key::Vlan>,
    /// Another target.
    pub target: Option<Target>,
    /// Tell the neighbours.
    pub announce: bool,
    /// TCP options of its sockets.
    pub tcp: crate::model::isno::TcpChange,
}

/// How what was asked for ended, when nothing was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// What was looked for was found, and a script wants to know: exit code 1.
    Found,
}

/// Does it.
///
/// # Errors
///
/// Why not; nothing is half done.
pub fn run(request: Request) -> Result<Outcome> {
    match request {
        Request::Diff { source } => return configuration::diff::diff(&source),
        Request::Doctor { device, json } => return doctor::doctor(device.as_deref(), json),
        Request::Attach { device, spec } => attach::attach(&device, &spec),
        Request::Detach { device, cascade } => attach::detach(&device, cascade),
        Request::Add { name, wish } => add::add(&name, &wish),
        Request::Del { what } => del::del(&what),
        Request::Set { name, change } => set::set(&name, &change),
        Request::SetParent { device, change } => attach::set(&device, change),
        Request::Daemon { options } => daemon::daemon(options),
        Request::AddList { name, wanted } => list::add(&name, wanted),
        Request::DelList { device, file, vlan } => list::del(device, &file, vlan),
        Request::AddTyped {
            name,
            address,
            placement,
        } => typed::add(&name, &address, &placement),
        Request::DelTyped {
            device,
            address,
            vlan,
        } => typed::del(&device, &address, vlan),
        Request::SetTyped {
            name,
            address,
            change,
        } => typed::set(&name, &address, &change),
        Request::Types { json } => types::list(json),
        Request::AddType { object } => types::add(&object),
        Request::DelType { name } => types::del(&name),
        Request::Enable { name, enabled } => enable::enable(&name, enabled),
        Request::Route { action, wish } => route::change(action, &wish),
        Request::Routes { listing } => route::list(&listing),
        Request::Save { file } => configuration::save::save(file),
        Request::Apply {
            source,
            device,
            dry_run,
        } => configuration::apply::apply(&source, device.as_deref(), dry_run),
        Request::Ifconfig(asked) => ifconfig::ifconfig(&asked),
        Request::Verify {
            objects,
            capacity,
            json,
        } => return verify::verify(objects.as_deref(), capacity, json),
        Request::Journal { device } => journal::journal(&device),
        Request::Listing => listing::listing(),
        Request::Show { filter, json } => show::show(filter.as_deref(), json),
        Request::Stats {
            filter,
            json,
            parents,
            watch,
        } => show::stats(filter.as_deref(), json, parents, watch),
    }
    .map(|()| Outcome::Done)
}
