//! Carriers that come, and come back: while there was none, the neighbours could not be
//! told where aliases are, and whoever took the cable's other end has never heard of them.

use std::collections::{BTreeSet, HashSet};

use tokio::task::{JoinError, JoinHandle};

use crate::error::Result;
use crate::netlink::LinkEvents;
use crate::wiring::announce::{Which, round};
use crate::wiring::host::Host;

/// Who has a carrier, and whose aliases are to be announced.
pub(super) struct Carriers {
    known: HashSet<u32>,
    waiting: BTreeSet<u32>,
    /// One device after the other, apart from the passes: a million aliases take minutes.
    under_way: Option<JoinHandle<Result<()>>>,
}

impl Carriers {
    /// These have one already.
    pub(super) fn new(running: impl Iterator<Item = u32>) -> Carriers {
        Carriers {
            known: running.collect(),
            waiting: BTreeSet::new(),
            under_way: None,
        }
    }

    /// Notes whose carrier came.
    pub(super) fn take_in(&mut self, news: &LinkEvents) {
        for (ifindex, running) in &news.carriers {
            if !running {
                self.known.remove(ifindex);
            } else if self.known.insert(*ifindex) {
                self.waiting.insert(*ifindex);
            }
        }
        if news.overrun {
            // What was lost may have been that one had gone and come back.
            self.waiting.extend(&self.known);
        }
    }

    /// Announces the next one's aliases, when none are being announced. After a pass: what
    /// it restored is there.
    pub(super) fn begin(&mut self) {
        if self.under_way.is_some() {
            return;
        }
        let known = &self.known;
        self.waiting.retain(|ifindex| known.contains(ifindex));
        if let Some(ifindex) = self.waiting.pop_first() {
            self.under_way = Some(tokio::task::spawn_blocking(move || {
                round(&mut Host::open()?, ifindex, Which::All).map(drop)
            }));
        }
    }

    /// Whether aliases are being announced.
    pub(super) const fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// Waits until one is done.
    pub(super) async fn ended(&mut self) -> std::result::Result<Result<()>, JoinError> {
        let Some(task) = &mut self.under_way else {
            return std::future::pending().await;
        };
        let ended = task.await;
        self.under_way = None;
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_carrier_that_comes_is_a_reason() {
        for (name, carriers, overrun, waiting) in [
            ("still there", vec![(3, true)], false, vec![]),
            ("lost", vec![(3, false)], false, vec![]),
            ("back", vec![(3, false), (3, true)], false, vec![3]),
            (
                "new, told twice",
                vec![(4, true), (4, true)],
                false,
                vec![4],
            ),
            ("who knows", vec![], true, vec![3]),
        ] {
            let mut seen = Carriers::new([3].into_iter());
            seen.take_in(&LinkEvents {
                carriers,
                overrun,
                ..LinkEvents::default()
            });
            assert!(seen.waiting.iter().eq(&waiting), "{name}");
        }
    }
}
