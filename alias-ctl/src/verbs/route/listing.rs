//! `route -n` and `netstat -rn`. Reads without a lock, while others write.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;

use alias_common::record::TargetKind;

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::model::name::alias_name;
use crate::model::route::{Listing, Style};
use crate::netlink::{Conversation, NextHop, Route};
use crate::render::route::{Kind, RouteView};
use crate::render::{output, route as render};
use crate::wiring::host::Host;
use crate::wiring::routes::RTN_UNICAST;

/// RTN_* of `linux/rtnetlink.h`.
const RTN_BLACKHOLE: u8 = 6;
const RTN_UNREACHABLE: u8 = 7;
const RTN_PROHIBIT: u8 = 8;
/// RTPROT_KERNEL: what the kernel makes of itself, all below is too.
const RTPROT_KERNEL: u8 = 2;

/// Prints the main table. Where aliases cannot be read, devices have their own
/// names, and a warning says so.
///
/// # Errors
///
/// What the kernel said, or that nobody takes the output.
pub fn list(listing: &Listing) -> Result<()> {
    let mut netlink = Conversation::new()?;
    let aliases = Aliases::read().unwrap_or_else(|refusal| {
        let _ = writeln!(
            io::stderr(),
            "alias-ctl: warning: aliases are not named: {refusal}"
        );
        Aliases::default()
    });
    let devices: HashMap<u32, String> = netlink
        .links()?
        .into_iter()
        .map(|link| (link.ifindex, link.name))
        .collect();
    let views: Vec<RouteView> = netlink
        .routes(None, None)?
        .iter()
        .filter(|route| listing.families.contain(route.dst))
        .flat_map(|route| views(route, &devices, &aliases))
        .collect();
    if listing.json {
        return output::write_json(views.into_iter().map(Ok));
    }
    output::write(&match listing.style {
        Style::LinuxRoute => render::linux(&views, listing.families, render::Columns::Route),
        Style::LinuxNetstat => render::linux(&views, listing.families, render::Columns::Netstat),
        Style::Bsd => render::bsd(&views, listing.families),
    })
}

/// The names of aliases whose way out is in this namespace.
#[derive(Default)]
struct Aliases {
    /// Of those that have a device to themselves, by its index.
    by_device: HashMap<u32, String>,
    /// By device and address.
    by_source: HashMap<(u32, IpAddr), String>,
}

impl Aliases {
    fn read() -> Result<Aliases> {
        let mut host = Host::open()?;
        let mut aliases = Aliases::default();
        for ifindex in host.directory.parents()? {
            let Some(link) = host.netlink.link_by_index(ifindex)? else {
                continue;
            };
            let Some(parent) = Parent::open(&host.directory, ifindex)? else {
                continue;
            };
            for (slot, record) in parent.live_by_slot() {
                let Some(source) = address_of(&record).ip() else {
                    continue;
                };
                let name = alias_name(&link.name, slot);
                let device = match record.kind() {
                    Some(TargetKind::Local) => ifindex,
                    Some(TargetKind::Device | TargetKind::Join) if record.netns_cookie == 0 => {
                        record.device_ifindex
                    }
                    Some(
                        TargetKind::Device | TargetKind::Join | TargetKind::To | TargetKind::Drop,
                    )
                    | None => continue,
                };
                if record.is(TargetKind::Device) {
                    aliases.by_device.insert(device, name.clone());
                }
                aliases.by_source.insert((device, source), name);
            }
        }
        Ok(aliases)
    }

    /// The alias that a route is through.
    fn of(&self, route: &Route, hop: NextHop) -> Option<&String> {
        let by_source = route
            .prefsrc
            .and_then(|source| self.by_source.get(&(hop.ifindex, source)));
        by_source.or_else(|| self.by_device.get(&hop.ifindex))
    }
}

/// One row for each hop, as the tables have no room for two.
fn views(route: &Route, devices: &HashMap<u32, String>, aliases: &Aliases) -> Vec<RouteView> {
    let kind = match route.kind {
        RTN_UNICAST => Kind::Unicast,
        RTN_BLACKHOLE => Kind::Blackhole,
        RTN_UNREACHABLE => Kind::Unreachable,
        RTN_PROHIBIT => Kind::Prohibit,
        _ => return Vec::new(),
    };
    let view = |hop: Option<NextHop>| RouteView {
        family: if route.dst.is_ipv4() { "ip" } else { "ipv6" },
        destination: route.dst,
        prefix_len: route.prefix_len,
        kind,
        gateway: hop.and_then(|hop| hop.gateway),
        source: route.prefsrc,
        metric: route.metric.unwrap_or(0),
        alias: hop.and_then(|hop| aliases.of(route, hop).cloned()),
        device: hop.and_then(|hop| devices.get(&hop.ifindex).cloned()),
        ifindex: hop.map(|hop| hop.ifindex),
        is_static: route.protocol > RTPROT_KERNEL,
        tcp: route.tcp,
    };
    match route.hops[..] {
        [] => vec![view(None)],
        _ => route.hops.iter().map(|hop| view(Some(*hop))).collect(),
    }
}
