//! What is left of parents whose pins are gone: somebody removed them, or the bpffs that
//! they were on. Nothing tells of it but marks: the group and the names of ports, the
//! protocol of routes and addresses, labels, the numbers of filters, programs' names.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use crate::dataplane::abi;
use crate::dataplane::elsewhere::{self, Holder, holder};
use crate::dataplane::sys::{self, AttachType};
use crate::error::{Refusal, Result};
use crate::model::declaration::Hook;
use crate::model::name::parent_of_port;
use crate::netlink::outcome::all_gone;
use crate::netlink::{Address, AddressSpec, Link, Request, RouteSpec};

use super::hooks::Device;
use super::host::Host;
use super::local_label;
use super::routes::{IFAPROT_ALIAS, RTPROT_ALIAS};
use super::sysctl;
use super::veth;

/// What is left of one parent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strays {
    /// Its ports, each with a device of an alias.
    ports: Vec<u32>,
    /// Addresses of `local` aliases.
    addresses: Vec<AddressSpec>,
    /// Routes of the main table.
    routes: Vec<RouteSpec>,
    /// Routes of the table of local addresses.
    local_routes: Vec<RouteSpec>,
    /// Its clsact filters are there.
    has_filters: bool,
    /// Devices with `alias_return`, each with that program's number.
    returns: Vec<(u32, u32)>,
    /// The number of its engine, which still runs.
    pub engine: Option<u32>,
}

impl fmt::Display for Strays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let programs =
            usize::from(self.has_filters) + self.returns.len() + usize::from(self.engine.is_some());
        let counts = [
            (self.ports.len(), "devices"),
            (self.addresses.len(), "addresses"),
            (self.routes.len() + self.local_routes.len(), "routes"),
            (programs, "programs"),
        ];
        let some = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = some.map(|(n, what)| format!("{what}: {n}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// Everything in this namespace that is marked as a parent's that is not attached here, by
/// that one's ifindex.
///
/// # Errors
///
/// That of asking the kernel.
pub fn find(host: &mut Host) -> Result<BTreeMap<u32, Strays>> {
    let attached = host.directory.parents()?;
    let links: HashMap<u32, Link> = host
        .netlink
        .links()?
        .into_iter()
        .map(|link| (link.ifindex, link))
        .collect();
    let mut found: BTreeMap<u32, Strays> = BTreeMap::new();
    for link in links.values() {
        if veth::is_ours(link) {
            if let Some(parent) = parent_of_port(&link.name) {
                found.entry(parent).or_default().ports.push(link.ifindex);
            }
        } else if let Some(xdp) = &link.xdp
            && !attached.contains(&link.ifindex)
            && elsewhere::is_own_engine(link.ifindex, xdp.prog_id)
            // Without a link the last pin of it has just gone, and it follows.
            && elsewhere::link_of(xdp.prog_id).is_some()
        {
            found.entry(link.ifindex).or_default().engine = Some(xdp.prog_id);
        }
    }
    // What is on an alias's own device goes with that.
    let others = |ifindex: u32| links.get(&ifindex).filter(|link| !veth::is_ours(link));
    for address in host.netlink.addresses(None)? {
        if let Some(link) = others(address.ifindex)
            && is_marked(&address, link)
        {
            let strays = found.entry(address.ifindex).or_default();
            strays.addresses.push(address.spec());
        }
    }
    let main = host.netlink.routes(None, Some(RTPROT_ALIAS))?;
    let local = host.netlink.local_routes(RTPROT_ALIAS)?;
    for (route, is_local) in main
        .iter()
        .map(|route| (route, false))
        .chain(local.iter().map(|route| (route, true)))
    {
        let hop = route.hops.first().map(|hop| hop.ifindex);
        let Some(link) = hop.and_then(others) else {
            continue;
        };
        let strays = found.entry(link.ifindex).or_default();
        match is_local {
            true => strays.local_routes.push(RouteSpec::of(route)),
            false => strays.routes.push(RouteSpec::of(route)),
        }
    }
    for ifindex in host.netlink.clsact_links()? {
        let Some(link) = others(ifindex).filter(|_| !attached.contains(&ifindex)) else {
            continue;
        };
        let points = Hook::Clsact.on_parent(device(link));
        for point in points {
            if point.has_filter(&mut host.netlink)? {
                found.entry(ifindex).or_default().has_filters = true;
            }
        }
    }
    for link in links.values().filter(|link| !veth::is_ours(link)) {
        for program in sys::prog_query(link.ifindex, AttachType::TcxIngress).unwrap_or_default() {
            let is_return = sys::program_name(program)
                .is_ok_and(|name| name == alias_common::names::ALIAS_RETURN);
            if is_return && let Some(parent) = elsewhere::parent_of_program(program) {
                let strays = found.entry(parent).or_default();
                strays.returns.push((link.ifindex, program));
            }
        }
    }
    // Attached meanwhile, or being attached: somebody's.
    let (attached, drafts) = (host.directory.parents()?, host.directory.drafts()?);
    let growing = host.directory.growing()?;
    let others = abi::of_others(&host.directory)?;
    let others: Vec<u32> = others.into_iter().map(|(_, ifindex)| ifindex).collect();
    let known = |ifindex: &u32| {
        [&attached, &drafts, &growing, &others]
            .iter()
            .any(|some| some.contains(ifindex))
    };
    found.retain(|ifindex, _| !known(ifindex));
    Ok(found)
}

/// Whether an address is marked as one that was put on a parent for an alias.
fn is_marked(address: &Address, link: &Link) -> bool {
    if address.protocol != 0 {
        return address.protocol == IFAPROT_ALIAS;
    }
    // A kernel before 5.18 keeps no protocol. Nobody else gives an IPv4 address, which knows
    // no such detection, the flag that leaves out the detection of duplicates.
    let label = address.label.as_deref();
    address.is_quiet() && label.is_some_and(|label| local_label::is_label_of(link, label))
}

/// Who has the pins that are not here; `None`: nobody who can be seen.
#[must_use]
pub fn holder_of(host: &Host, ifindex: u32) -> Option<Holder> {
    holder(&host.directory, ifindex)
}

/// The refusal for a parent whose aliases are another bpffs's.
#[must_use]
pub fn held(name: &str, operation: &str, holder: &Holder) -> Refusal {
    let refused = |reason: String| Refusal::new(name, operation, reason, libc::EBUSY);
    match holder {
        Holder::Place(path) => refused(format!(
            "its aliases are in another bpffs: {}",
            path.display()
        ))
        .hint(format!("ALIAS_BPFFS_ROOT={} alias-ctl …", path.display())),
        Holder::Process(process) => refused(format!(
            "its aliases are in the bpffs of another mount namespace, that of process {process}"
        ))
        .hint(format!(
            "nsenter --mount=/proc/{process}/ns/mnt alias-ctl …"
        )),
    }
}

/// Takes an engine off whose pins nobody has.
///
/// # Errors
///
/// EBUSY when it cannot be told that nobody has them; what the kernel refused.
pub fn take_off(link: &Link, engine: u32) -> Result<()> {
    if !elsewhere::sees_all_processes() {
        return Err(Refusal::new(
            &link.name,
            "attach",
            format!("alias-ctl's own program {engine} runs on it, and its pins are not here"),
            libc::EBUSY,
        )
        .hint("call alias-ctl where they are, outside of this container"));
    }
    let Some(attached) = elsewhere::link_of(engine) else {
        return Ok(());
    };
    sys::link_detach(attached.as_fd())
        .map_err(|error| Refusal::io(&link.name, "take alias-ctl's own program off", &error))
}

/// Waits until an engine whose last pin has gone is off its device: the kernel takes it off
/// some time later. Returns the device as it is then.
///
/// # Errors
///
/// ENODEV when it is gone.
pub fn wait_for_engine(host: &mut Host, link: &Link) -> Result<Link> {
    const LIMIT: Duration = Duration::from_secs(1);
    const PAUSE: Duration = Duration::from_millis(1);
    let began = Instant::now();
    loop {
        let is = host.netlink.link_by_index(link.ifindex)?;
        let is =
            is.ok_or_else(|| Refusal::new(&link.name, "attach", "it is gone", libc::ENODEV))?;
        let is_going = is.xdp.as_ref().is_some_and(|xdp| {
            elsewhere::is_own_engine(is.ifindex, xdp.prog_id)
                && elsewhere::link_of(xdp.prog_id).is_none()
        });
        if !is_going || began.elapsed() > LIMIT {
            return Ok(is);
        }
        thread::sleep(PAUSE);
    }
}

/// Takes away what is left of a parent. Each step may find its work done.
///
/// # Errors
///
/// What the kernel refused.
pub fn remove(host: &mut Host, parent: u32, strays: &Strays) -> Result<()> {
    let routes = strays.routes.iter().map(Request::delete_route);
    let local_routes = strays.local_routes.iter().map(Request::delete_local_route);
    // IPv6 routes forget their source with its address.
    let requests: Vec<Request> = routes.chain(local_routes).collect();
    all_gone(host.netlink.batch(&requests)?)?;
    let link = host.netlink.link_by_index(parent)?;
    // The kernel takes the others of an IPv4 subnet with its first, the host's own too.
    let promoted = (link.as_ref().filter(|_| !strays.addresses.is_empty()))
        .and_then(|link| sysctl::promote(&link.name));
    let requests: Vec<Request> = strays
        .addresses
        .iter()
        .rev()
        .map(Request::delete_address)
        .collect();
    all_gone(host.netlink.batch(&requests)?)?;
    if let Some(link) = link.filter(|_| promoted == Some(true)) {
        sysctl::promote_no_more(&link.name)?;
    }
    super::device::delete_ports(host, &strays.ports)?;
    let name = format!("device {parent}");
    let own = Device {
        ifindex: parent,
        name: &name,
    };
    if strays.has_filters {
        for point in Hook::Clsact.on_parent(own) {
            point.detach("".as_ref())?;
        }
    }
    for ifindex in host.netlink.clsact_links()? {
        let name = format!("device {ifindex}");
        let target = Device {
            ifindex,
            name: &name,
        };
        if ifindex != parent {
            Hook::Clsact.on_target(parent, target).detach("".as_ref())?;
        }
    }
    for (ifindex, program) in &strays.returns {
        let taken = sys::program_by_id(*program).and_then(|program| {
            sys::prog_detach(program.as_fd(), *ifindex, AttachType::TcxIngress)
        });
        match taken {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let name = format!("device {ifindex}");
                return Err(Refusal::io(name, "detach alias_return", &error));
            }
            _ => {}
        }
    }
    if let Some(link) = host.netlink.link_by_index(parent)? {
        local_label::forget_short_name(host, &link)?;
    }
    Ok(())
}

fn device(link: &Link) -> Device<'_> {
    Device {
        ifindex: link.ifindex,
        name: &link.name,
    }
}
