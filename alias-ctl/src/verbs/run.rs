//! A request to its verb.

use crate::error::Result;
use crate::interrupt;
use crate::model::request::{Outcome, Request, Whom};

use super::{
    add, announce, attach, configuration, daemon, del, detach, doctor, enable, ifconfig, journal,
    list, listing, route, set, set_parent, show, top, typed, types, upgrade, verify,
};

/// Does it.
///
/// # Errors
///
/// Why not; nothing is half done.
pub fn run(request: Request) -> Result<Outcome> {
    match request {
        Request::Diff { source } => return configuration::diff::diff(&source),
        Request::Doctor { device, json } => return doctor::doctor(device.as_deref(), json),
        Request::Announced {
            request,
            whom,
            rounds,
        } => {
            let before = announce::Before::look()?;
            let outcome = run(*request);
            // `restore` makes what it can; the others all or nothing.
            let is_told_to_end = interrupt::noted().is_some();
            if !is_told_to_end && (outcome.is_ok() || matches!(whom, Whom::Declared(_))) {
                before.tell(&whom, rounds);
            }
            return outcome;
        }
        Request::Announce { whom, rounds } => announce::announce(&whom, rounds),
        Request::Attach { device, spec } => attach::attach(&device, &spec),
        Request::Detach(asked) => detach::detach(&asked),
        Request::Add { name, wanted } => add::add(&name, &wanted),
        Request::Del { what } => del::del(&what),
        Request::Set { name, change } => set::set(&name, &change),
        Request::SetParent { device, change } => set_parent::set_parent(&device, change),
        Request::Daemon { options } => daemon::daemon(&options, show::metrics::figures),
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
        Request::Route { action, wanted } => route::change(action, &wanted),
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
        Request::Upgrade(asked) => upgrade::upgrade(&asked),
        Request::Journal { device } => journal::journal(&device),
        Request::Listing => listing::listing(),
        Request::Show { filter, json } => show::show(filter.as_deref(), json),
        Request::Stats {
            filter,
            format,
            parents,
            top,
            watch,
        } => show::stats::stats(filter.as_deref(), format, parents, top, watch),
        Request::Top(asked) => top::top(asked),
    }
    .map(|()| Outcome::Done)
}
