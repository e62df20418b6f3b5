//! The writer's side of a parent's creation log (`alias_common::order`).

use alias_common::order::{Entry, Head, first_after, words};

use super::shared::Shared;

/// A parent's creation log. There is one writer, who holds the lock.
pub(super) struct Order {
    words: Shared<u64>,
    capacity: u32,
}

impl Order {
    /// Of a parent with this capacity; `words` is as long as that asks for.
    pub(super) fn new(log: Shared<u64>, capacity: u32) -> Order {
        assert_eq!(log.len(), words(capacity), "the shape was checked");
        Order {
            words: log,
            capacity,
        }
    }

    fn head(&self) -> Head {
        Head(self.words.load(0))
    }

    fn entry(&self, head: Head, at: u32) -> Entry {
        Entry(self.words.load(head.place(at)))
    }

    /// Notes an alias that is being made. One that was there before keeps its
    /// place. `counts` says of the others which have not been deleted.
    pub(super) fn note(&self, new: Entry, counts: impl Fn(Entry) -> bool) {
        let head = self.head();
        let count = head.count();
        let entry = |at| Some(self.entry(head, at));
        let place = first_after(count, new.created() - 1, entry).unwrap_or(count);
        if place < count && self.entry(head, place).created() == new.created() {
            // Perhaps under another id.
            self.words.store(head.place(place), new.0);
            return;
        }
        if place < count || count == self.capacity {
            self.copy(head, new, counts);
            return;
        }
        // The entry before the head, so that nobody reads what is not there yet.
        self.words.store(head.place(count), new.0);
        self.words.store(0, Head::new(head.second(), count + 1).0);
    }

    /// Copies what counts, and the new one, into the other half.
    fn copy(&self, head: Head, new: Entry, counts: impl Fn(Entry) -> bool) {
        let mut kept: Vec<Entry> = self.counting(counts).collect();
        let place = kept.partition_point(|entry| entry.created() < new.created());
        kept.insert(place, new);
        // Each of them has a record of its own.
        assert!(
            kept.len() <= self.capacity as usize,
            "more aliases than records"
        );
        self.fill(Head::new(!head.second(), kept.len() as u32), &kept);
    }

    /// The entries that count.
    pub(super) fn counting(&self, counts: impl Fn(Entry) -> bool) -> impl Iterator<Item = Entry> {
        let head = self.head();
        (0..head.count())
            .map(move |at| self.entry(head, at))
            .filter(move |entry| counts(*entry))
    }

    /// Takes over what counts in the log of a parent that grows.
    pub(super) fn take_over(&self, kept: &[Entry]) {
        self.fill(Head::new(false, kept.len() as u32), kept);
    }

    fn fill(&self, half: Head, entries: &[Entry]) {
        for (at, entry) in (0..).zip(entries) {
            self.words.store(half.place(at), entry.0);
        }
        self.words.store(0, half.0);
    }
}
