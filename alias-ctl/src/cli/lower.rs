//! Words to values: the only place where text of the command line is read.

use std::net::IpAddr;

use alias_common::hearer::Hear;
use alias_common::key::Vlan;

use crate::error::{Refusal, Result};
use crate::model::address::{self, Address, Range};
use crate::model::alias_request::{Addresses, AliasRequest, Target};
use crate::model::bits::bits;
use crate::model::declaration::{self, Hook};
use crate::model::hearing;
use crate::model::prefix::Prefix;
use crate::model::request::{
    self, AttachSpec, Change, FromList, ParentChange, Request, TypedPlacement, Victims, Whom,
};
use crate::model::word;

use super::arguments::{
    Add, Arguments, Attach, Del, Format, Log, Mode, PlacementArguments, Set, Tc, Verb,
};
use super::daemon::{self, OnDown};
use super::invocation::{Invocation, Unreadable};
use super::manual;
use super::types::{self, check_family, spelled};

/// The result of reading words.
type Read<T> = std::result::Result<T, Unreadable>;

pub(super) fn lower(arguments: Arguments) -> Read<Invocation> {
    Ok(Invocation::Run(match arguments.verb {
        Verb::Completions(words) => return Ok(Invocation::Text(manual::completions(&words))),
        Verb::Man(words) => {
            manual::man(&words)?;
            return Ok(Invocation::Text(Vec::new()));
        }
        Verb::Attach(words) => attach(words),
        Verb::Detach(words) => Request::Detach(request::Detach {
            device: words.device,
            all_netns: words.all_netns,
            cascade: words.cascade,
        }),
        Verb::Add(words) => {
            let rounds = words.placement.rounds;
            rounds.after(add(words)?, Whom::Added)
        }
        Verb::Del(words) => del(words)?,
        Verb::Set(words) => {
            let (rounds, name) = (words.placement.rounds, words.name.clone());
            rounds.after(set(words)?, Whom::Named(vec![name]))
        }
        Verb::Enable(words) => {
            let whom = Whom::Named(vec![words.name.clone()]);
            let request = Request::Enable {
                name: words.name,
                enabled: true,
            };
            words.rounds.after(request, whom)
        }
        Verb::Announce(words) => words.lower(),
        Verb::Disable(words) => Request::Enable {
            name: words.name,
            enabled: false,
        },
        Verb::Route(words) => words.route()?,
        Verb::Netstat(words) => words.netstat()?,
        Verb::Save(words) => words.lower(),
        Verb::Restore(words) => words.lower(),
        Verb::Apply(words) => words.lower(),
        Verb::Diff(words) => words.lower(),
        Verb::Daemon(words) => daemon::lower(&words),
        Verb::Types(words) => types::lower(words),
        Verb::Journal(words) => Request::Journal {
            device: words.device,
        },
        Verb::Doctor(words) => super::doctor::lower(words),
        Verb::Verify(words) => Request::Verify {
            objects: words.objects,
            capacity: words.capacity,
            json: words.json,
        },
        Verb::Upgrade(words) => super::upgrade::lower(words),
        Verb::Ifconfig(words) => words.request()?,
        Verb::Show(words) if words.proc => Request::Listing,
        Verb::Show(words) => Request::Show {
            filter: words.name,
            json: words.json,
        },
        Verb::Stats(words) => Request::Stats {
            filter: words.name,
            format: match (words.json, words.format) {
                (true, _) | (_, Some(Format::Json)) => request::Format::Json,
                (false, None | Some(Format::Table)) => request::Format::Table,
                (false, Some(Format::Openmetrics)) => request::Format::OpenMetrics,
                (false, Some(Format::Prometheus)) => request::Format::Prometheus,
            },
            parents: words.parent,
            top: words.top,
            watch: words
                .watch
                .map(|seconds| super::top::interval("--watch", seconds))
                .transpose()?,
        },
        Verb::Top(words) => super::top::lower(words)?,
    }))
}

const fn log_level(log: Log) -> u8 {
    match log {
        Log::Off => 0,
        Log::Warn => 2,
        Log::Info => 3,
        Log::Debug => 4,
    }
}

fn attach(words: Attach) -> Request {
    let spec = AttachSpec {
        mode: match words.mode {
            Mode::Native => declaration::Mode::Native,
            Mode::Generic => declaration::Mode::Generic,
            Mode::Tc => declaration::Mode::Tc,
            Mode::BestEffort => declaration::Mode::BestEffort,
        },
        capacity: words.capacity,
        max_aliases: words.max_aliases,
        log_level: log_level(words.log),
        on_down: words.on_parent_down.map(OnDown::lower),
        hook: words.tc.map(|tc| match tc {
            Tc::Tcx => Hook::Tcx,
            Tc::Clsact => Hook::Clsact,
        }),
    };
    Request::Attach {
        device: words.device,
        spec,
    }
}

fn add(words: Add) -> Read<Request> {
    let is_one = words.range.is_none() && words.from.is_none();
    if is_one && (words.start.is_some() || words.prefix_len.is_some()) {
        return Err(Unreadable::Usage(
            "--start and --prefix-len go with --range and --from".into(),
        ));
    }
    let vlan = words.vlan.as_deref().map_or(Ok(Vlan::NONE), word::vlan)?;
    let tcp = words.tcp.lower()?;
    let hear = hear(&words.placement)?.unwrap_or_default();
    if let Some(file) = words.from {
        let wanted = FromList {
            file,
            start: words.start.unwrap_or(0),
            prefix_len: words.prefix_len,
            vlan,
            announce: !words.placement.no_announce,
            hear,
            target: target(words.placement)?.unwrap_or(Target::Device { netns: None }),
            tcp,
        };
        return Ok(Request::AddList {
            name: words.name,
            wanted,
        });
    }
    let spelled = words
        .address
        .as_deref()
        .and_then(|address| spelled(words.family.as_deref(), address));
    if let Some(address) = spelled {
        return Ok(Request::AddTyped {
            name: words.name,
            address,
            placement: TypedPlacement {
                vlan,
                hear,
                tcp,
                target: target(words.placement)?.unwrap_or(Target::Device { netns: None }),
            },
        });
    }
    let (addresses, prefix_len) = match (&words.address, &words.range) {
        (_, Some(range)) => {
            let range = Range::parse(range)?;
            let all = bits(range.first);
            if let (Some(said), Some(given)) = (range.prefix_len, words.prefix_len)
                && said != given
            {
                return Err(Unreadable::Usage(format!(
                    "--range says /{said}, and --prefix-len {given}"
                )));
            }
            let prefix_len = words.prefix_len.or(range.prefix_len).unwrap_or(all);
            if prefix_len > all {
                let refusal = Refusal::new(
                    "--prefix-len",
                    "read prefix length",
                    format!("{prefix_len} is more than {all} bits"),
                    libc::EINVAL,
                );
                return Err(refusal.into());
            }
            (
                Addresses::Range {
                    range,
                    start: words.start.unwrap_or(0),
                },
                prefix_len,
            )
        }
        (Some(prefix), None) if words.prefix => {
            let prefix = Prefix::parse(prefix)?;
            (
                Addresses::One {
                    address: Address::Prefix(prefix),
                    slot: None,
                },
                prefix.len,
            )
        }
        (Some(address), None) => {
            let found = address::parse(address)?;
            check_family(words.family.as_deref(), found.address.into())?;
            (
                Addresses::One {
                    address: found.address.into(),
                    slot: None,
                },
                found.prefix_len,
            )
        }
        (None, None) => unreachable!("clap requires one of the two"),
    };
    let wanted = AliasRequest {
        addresses,
        prefix_len,
        vlan,
        hear,
        tcp,
        announce: !words.placement.no_announce,
        target: target(words.placement)?.unwrap_or(Target::Device { netns: None }),
    };
    Ok(Request::Add {
        name: words.name,
        wanted,
    })
}

fn hear(words: &PlacementArguments) -> Result<Option<Hear>> {
    words.hear.as_deref().map(hearing::parse).transpose()
}

/// The target that was named; `None`: none was.
fn target(words: PlacementArguments) -> Result<Option<Target>> {
    let PlacementArguments {
        target, netns, mac, ..
    } = words;
    Ok(if let Some(alias) = target.join {
        Some(Target::Join { alias })
    } else if let Some(device) = target.to {
        Some(Target::To {
            device,
            mac: mac.as_deref().map(word::mac).transpose()?,
        })
    } else if target.local {
        Some(Target::Local)
    } else if target.drop {
        Some(Target::Drop)
    } else if target.device || netns.is_some() {
        Some(Target::Device { netns })
    } else {
        None
    })
}

fn del(words: Del) -> Read<Request> {
    if words.all {
        if words.vlan.is_some() {
            return Err(Unreadable::Usage(
                "--all deletes on every VLAN: leave --vlan out".into(),
            ));
        }
        let [device] = <[String; 1]>::try_from(words.names)
            .map_err(|_| Unreadable::Usage("--all goes with one device".into()))?;
        return Ok(Request::Del {
            what: Victims::All(device),
        });
    }
    if let Some(file) = words.from {
        let [device] = <[String; 1]>::try_from(words.names)
            .map_err(|_| Unreadable::Usage("--from goes with one device".into()))?;
        let vlan = words.vlan.as_deref().map_or(Ok(Vlan::NONE), word::vlan)?;
        return Ok(Request::DelList { device, file, vlan });
    }
    if let Some(range) = words.range {
        let [device] = <[String; 1]>::try_from(words.names)
            .map_err(|_| Unreadable::Usage("--range goes with one device".into()))?;
        return Ok(Request::Del {
            what: Victims::Range {
                device,
                range: Range::parse(&range)?,
                vlan: words.vlan.as_deref().map_or(Ok(Vlan::NONE), word::vlan)?,
            },
        });
    }
    let by_address = match &words.names[..] {
        // Two addresses are two aliases.
        [device, address] if device.parse::<IpAddr>().is_err() => {
            Some((device.clone(), address.as_str()))
        }
        _ => None,
    };
    if let Some((device, text)) = by_address {
        let vlan = words.vlan.as_deref().map_or(Ok(Vlan::NONE), word::vlan)?;
        if let Some(address) = spelled(words.family.as_deref(), text) {
            return Ok(Request::DelTyped {
                device,
                address,
                vlan,
            });
        }
        // No alias's name has a slash, and an address is deleted without its length.
        let address = match text.contains('/') {
            true => Some(Address::Prefix(Prefix::parse(text).map_err(
                |refusal| match address::parse(text) {
                    Ok(found) => refusal.hint(format!(
                        "an address goes without its length: alias-ctl del {device} {}",
                        found.address
                    )),
                    Err(_) => refusal,
                },
            )?)),
            false => text.parse::<IpAddr>().ok().map(Address::from),
        };
        if let Some(address) = address {
            check_family(words.family.as_deref(), address)?;
            return Ok(Request::Del {
                what: Victims::Address {
                    device,
                    address,
                    vlan,
                },
            });
        }
    }
    if words.vlan.is_some() || words.family.is_some() {
        return Err(Unreadable::Usage(
            "--vlan goes with DEVICE ADDRESS, --range and --from, --family with DEVICE ADDRESS"
                .into(),
        ));
    }
    Ok(Request::Del {
        what: Victims::Named(words.names),
    })
}

fn set(words: Set) -> Read<Request> {
    let spelled = words
        .address
        .as_deref()
        .and_then(|address| spelled(words.family.as_deref(), address));
    let interface = match (&words.address, &spelled) {
        (Some(prefix), None) if words.prefix => {
            let prefix = Prefix::parse(prefix)?;
            Some((Address::Prefix(prefix), Some(prefix.len)))
        }
        (Some(address), None) => {
            let found = address::parse(address)?;
            check_family(words.family.as_deref(), found.address.into())?;
            let prefix_len = address.contains('/').then_some(found.prefix_len);
            Some((found.address.into(), prefix_len))
        }
        _ => None,
    };
    let change = Change {
        address: interface,
        vlan: words.vlan.as_deref().map(word::vlan).transpose()?,
        tcp: words.tcp.lower()?,
        announce: !words.placement.no_announce,
        hear: hear(&words.placement)?,
        target: target(words.placement)?,
    };
    let of_parent = ParentChange {
        capacity: words.capacity,
        max_aliases: words.max_aliases,
        on_down: words.on_parent_down.map(OnDown::lower),
        log_level: words.log.map(log_level),
    };
    if of_parent == ParentChange::default() {
        return Ok(match spelled {
            Some(address) => Request::SetTyped {
                name: words.name,
                address,
                change,
            },
            None => Request::Set {
                name: words.name,
                change,
            },
        });
    }
    if words.address.is_some()
        || change.vlan.is_some()
        || change.target.is_some()
        || change.hear.is_some()
        || !change.tcp.is_empty()
    {
        return Err(Unreadable::Usage(
            "--capacity, --max-aliases, --on-parent-down and --log go with a device and nothing else"
                .into(),
        ));
    }
    Ok(Request::SetParent {
        device: words.name,
        change: of_parent,
    })
}
