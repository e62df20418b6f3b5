//! `announce`: tells the neighbours where aliases are. It changes nothing and takes no
//! lock, so that it may take its time.

use std::collections::HashMap;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::lifecycle::refusals::no_such_alias;
use crate::model::name::alias_name;
use crate::model::request::Whom;
use crate::wiring::announce::{self, Which};
use crate::wiring::host::{Host, not_attached};
use crate::wiring::neighbour;

/// Between two rounds: what was lost in the first for a moment's reason is not lost again.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(200);

/// `alias-ctl announce NAME… | --all`.
///
/// # Errors
///
/// ENODEV when there is no such alias or device, EOPNOTSUPP for an alias that neighbours
/// are not told of, ENETDOWN without a carrier. The others were announced.
pub fn announce(whom: &Whom, rounds: u32) -> Result<()> {
    let mut host = Host::open()?;
    let wanted = match whom {
        Whom::All => all(&host, |_| Which::All)?,
        Whom::Named(names) => names
            .iter()
            .map(|name| named(&mut host, name))
            .collect::<Result<_>>()?,
        Whom::Added | Whom::Declared(_) => Vec::new(),
    };
    tell(&mut host, &wanted, rounds)
}

fn named(host: &mut Host, name: &str) -> Result<(u32, Which)> {
    let (link, slot) = host.alias(name, "announce")?;
    let parent = Parent::open(&host.directory, link.ifindex)?
        .ok_or_else(|| not_attached(&link, "announce"))?;
    let Some(slot) = slot else {
        return Ok((link.ifindex, Which::All));
    };
    if !parent.is_live(slot) {
        return Err(no_such_alias(&link, slot, "announce"));
    }
    if neighbour::frame(&link, &parent.record(slot)).is_none() {
        let name = alias_name(&link.name, slot);
        let reason =
            "neighbours are told of addresses that are enabled and answer, and it is not one";
        return Err(Refusal::new(&name, "announce", reason, libc::EOPNOTSUPP)
            .hint(format!("see what it is: alias-ctl show {name}")));
    }
    Ok((link.ifindex, Which::Slot(slot)))
}

fn all(host: &Host, which: impl Fn(u32) -> Which) -> Result<Vec<(u32, Which)>> {
    let parents = host.directory.parents()?;
    Ok(parents
        .into_iter()
        .map(|ifindex| (ifindex, which(ifindex)))
        .collect())
}

/// So many rounds. A device that is in trouble keeps no other from being told.
fn tell(host: &mut Host, wanted: &[(u32, Which)], rounds: u32) -> Result<()> {
    let mut outcome = Ok(());
    for round in 0..rounds {
        if round > 0 {
            thread::sleep(BETWEEN_ROUNDS);
        }
        for (ifindex, which) in wanted {
            let told = announce::round(host, *ifindex, *which);
            outcome = outcome.and(told.map(drop));
        }
        if outcome.is_err() {
            break;
        }
    }
    outcome
}

/// What there was before a command that announces what it makes.
pub struct Before {
    /// The number of the last alias that each parent had.
    created: HashMap<u32, u64>,
}

impl Before {
    /// Looks.
    ///
    /// # Errors
    ///
    /// That of reading the state.
    pub fn look() -> Result<Before> {
        let host = Host::open()?;
        let mut created = HashMap::new();
        for ifindex in host.directory.parents()? {
            if let Ok(Some(header)) = Parent::peek(&host.directory, ifindex) {
                created.insert(ifindex, header.last_created);
            }
        }
        Ok(Before { created })
    }

    /// Tells, after the command, what it has not told itself: of what was there already
    /// for `restore`, and of everything in the rounds after the first. That it cannot be
    /// told undoes nothing.
    pub fn tell(&self, whom: &Whom, rounds: u32) {
        if let Err(refusal) = self.try_to_tell(whom, rounds) {
            let _ = writeln!(io::stderr(), "alias-ctl: warning: {refusal}");
        }
    }

    fn try_to_tell(&self, whom: &Whom, rounds: u32) -> Result<()> {
        let mut host = Host::open()?;
        let created = |ifindex: u32| self.created.get(&ifindex).copied().unwrap_or(0);
        let again = match whom {
            Whom::All => all(&host, |_| Which::All)?,
            Whom::Added => all(&host, |ifindex| Which::After(created(ifindex)))?,
            Whom::Declared(device) => {
                let of_it = of_device(&mut host, device.as_deref())?;
                let stayed: Vec<(u32, Which)> = of_it
                    .iter()
                    .map(|(ifindex, _)| (*ifindex, Which::DeclaredBy(created(*ifindex))))
                    .collect();
                tell(&mut host, &stayed, 1)?;
                of_it
            }
            Whom::Named(names) => names
                .iter()
                .map(|name| named(&mut host, name))
                .collect::<Result<_>>()?,
        };
        if rounds > 1 {
            thread::sleep(BETWEEN_ROUNDS);
            tell(&mut host, &again, rounds - 1)?;
        }
        Ok(())
    }
}

/// What was declared, of one device or of all.
fn of_device(host: &mut Host, device: Option<&str>) -> Result<Vec<(u32, Which)>> {
    match device {
        None => all(host, |_| Which::Declared),
        Some(device) => {
            let link = host.link(device, "announce")?;
            Ok(vec![(link.ifindex, Which::Declared)])
        }
    }
}
