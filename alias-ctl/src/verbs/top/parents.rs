//! The parents that are watched: opened, and opened again when they have grown or were
//! attached anew.

use alias_common::counters::ParentCell;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::model::rates::rate;
use crate::model::top::frame::ParentRates;
use crate::netlink::Link;
use crate::wiring::attach::is_noted;
use crate::wiring::host::Host;

/// A parent that can be read.
pub(super) struct Open {
    pub(super) link: Link,
    pub(super) parent: Parent,
    /// Which copy of its maps was opened.
    generation: u32,
    totals: Totals,
}

/// What a parent's programs did, and when that was read.
#[derive(Clone, Copy, Default)]
struct Totals {
    cell: ParentCell,
    /// In seconds since the start.
    at: f64,
    rates: Option<ParentRates>,
}

/// All that are watched, by name.
#[derive(Default)]
pub(super) struct Parents {
    pub(super) open: Vec<Open>,
    /// Those that cannot be read, and why.
    pub(super) spoilt: Vec<(String, Refusal)>,
}

impl Parents {
    /// Looks for parents that came, went or changed; whether any did. Only those that
    /// answer to one of the names, if there are any.
    pub(super) fn find(&mut self, host: &mut Host, names: &[String]) -> Result<bool> {
        let before = std::mem::take(self);
        let count = before.open.len();
        let mut known = before.open.into_iter();
        let mut known: Vec<Option<Open>> = known.by_ref().map(Some).collect();
        let mut has_changed = false;
        for ifindex in host.directory.parents()? {
            // Detached meanwhile, or its device is gone: it is none any more.
            let Some(link) = host.netlink.link_by_index(ifindex)? else {
                continue;
            };
            if !names.is_empty() && !names.iter().any(|name| link.answers_to(name)) {
                continue;
            }
            // Read before it is opened: who sees a later one opens again.
            let Some(generation) = Parent::generation(&host.directory, ifindex)? else {
                continue;
            };
            let same = |open: &&mut Option<Open>| {
                open.as_ref().is_some_and(|open| {
                    open.link.ifindex == ifindex && open.generation == generation
                })
            };
            if let Some(mut open) = known.iter_mut().find(same).and_then(Option::take) {
                has_changed |= open.link.name != link.name;
                open.link = link;
                self.open.push(open);
                continue;
            }
            match Parent::open(&host.directory, ifindex) {
                Ok(Some(parent)) if parent.is_alive() || is_noted(&link, &parent.header()) => {
                    has_changed = true;
                    self.open.push(Open {
                        link,
                        parent,
                        generation,
                        totals: Totals::default(),
                    });
                }
                Ok(Some(_) | None) => {}
                Err(refusal) => self.spoilt.push((link.name, refusal)),
            }
        }
        self.open
            .sort_by(|one, other| one.link.name.cmp(&other.link.name));
        Ok(has_changed || self.open.len() != count)
    }
}

impl Open {
    /// Reads what its programs did.
    pub(super) fn count(&mut self, now: f64) -> Result<()> {
        let cell = self.parent.totals()?;
        let before = self.totals;
        let seconds = now - before.at;
        let by_second =
            |figure: fn(&ParentCell) -> u64| rate(figure(&before.cell), figure(&cell), seconds);
        let rates = ParentRates {
            received: by_second(|of| {
                of.local + of.device + of.to + of.dropped + of.no_target + of.lost
            }),
            sent: by_second(|of| of.tx),
            miss: by_second(|of| of.miss),
            policy: by_second(|of| of.dropped),
            spoof: by_second(|of| of.spoof),
            no_target: by_second(|of| of.no_target + of.lost),
        };
        self.totals = Totals {
            cell,
            at: now,
            rates: (before.at > 0.0).then_some(rates),
        };
        Ok(())
    }

    /// By second; `None` before the second sample.
    pub(super) const fn rates(&self) -> Option<ParentRates> {
        self.totals.rates
    }
}
