//! Who hears what the link says to everybody: the map `hearers`, as the records say it.

use std::collections::BTreeMap;

use alias_common::hearer::{HALVES, HEAD, Head, Hear, Hearer, half};
use alias_common::record::{Record, State, TargetKind};

use super::parent::Parent;
use super::parent_mut::ParentMut;

/// Whether the device of an alias is one that hears.
#[must_use]
pub fn hears(record: &Record) -> bool {
    match record.kind() {
        Some(TargetKind::Device) => true,
        // What is behind it may be another wire, which has announcements of its own.
        Some(TargetKind::To) => !record.hear().is_nothing(),
        Some(TargetKind::Join | TargetKind::Local | TargetKind::Drop) | None => false,
    }
}

impl Parent {
    /// Those of the list that the datapath reads.
    pub fn hearers(&self) -> impl Iterator<Item = Hearer> + '_ {
        let head = Head(self.hearers.load(HEAD));
        let end = head.begin().saturating_add(head.len());
        (head.begin()..end.min(self.hearers.len())).map(|at| Hearer(self.hearers.load(at)))
    }

    /// Those that there should be, sorted.
    fn wanted_hearers(&self) -> Vec<Hearer> {
        // Several aliases may lead to one `--to` device.
        let mut wanted: BTreeMap<(u32, u64), (Hear, bool)> = BTreeMap::new();
        let there = [State::Live, State::Pending]
            .into_iter()
            .flat_map(|state| self.in_state(state))
            .map(|(_, record)| record)
            .filter(|record| record.port_ifindex != 0 && hears(record));
        for record in there {
            let beside = record.is(TargetKind::Device) && record.netns_cookie == 0;
            let key = (record.port_ifindex, record.vlan().packed());
            let entry = wanted.entry(key).or_insert((Hear::NOTHING, beside));
            entry.0 = entry.0.and(record.hear());
        }
        let hearer = |((ifindex, vlan), (hear, beside))| {
            Hearer::new(
                alias_common::key::Vlan::from_packed(vlan),
                hear,
                beside,
                ifindex,
            )
        };
        let mut wanted: Vec<Hearer> = wanted.into_iter().map(hearer).collect();
        wanted.sort_unstable();
        wanted
    }
}

impl ParentMut<'_> {
    /// Makes the list what the records say, those of aliases that are being made among
    /// them, and of aliases that are being deleted not. Devices past the list's end hear
    /// nothing.
    pub fn list_hearers(self) {
        let mut wanted = self.wanted_hearers();
        let half = half(self.capacity());
        wanted.truncate(half as usize);
        if self.hearers().eq(wanted.iter().copied()) {
            return;
        }
        self.step();
        // A frame that is in the middle of the list that was before this one's predecessor
        // may meet a device twice or not at all; never one of another VLAN for long: each
        // is one word.
        let begin = match Head(self.hearers.load(HEAD)).begin() {
            HALVES => HALVES + half,
            _ => HALVES,
        };
        for (at, hearer) in (begin..).zip(&wanted) {
            self.hearers.store(at, hearer.0);
        }
        self.hearers
            .store(HEAD, Head::new(begin, wanted.len() as u32).0);
    }
}
