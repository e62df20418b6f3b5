//! Counters at two moments to rates, and rates to a history.

/// What was counted for one alias until some moment; packets, and bytes of whole frames.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Packets received, whatever became of them.
    pub rx_packets: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Packets dropped because the alias says so.
    pub policy: u64,
    /// Packets dropped because what its device sent was not its own.
    pub spoof: u64,
    /// Packets lost because its device is gone, down, or refused them.
    pub no_target: u64,
}

/// The same by second; bits where [`Counters`] has bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "as in Counters, by second")]
pub struct Rates {
    pub rx_packets: f32,
    pub rx_bits: f32,
    pub tx_packets: f32,
    pub tx_bits: f32,
    pub policy: f32,
    pub spoof: f32,
    pub no_target: f32,
}

/// What a counter grew by in a second. One that stepped back (a parent that grows may take
/// back for a moment what it has counted) did not grow, and no time gives no rate.
#[must_use]
pub fn rate(before: u64, after: u64, seconds: f64) -> f32 {
    if seconds > 0.0 {
        (after.saturating_sub(before) as f64 / seconds) as f32
    } else {
        0.0
    }
}

impl Counters {
    /// What they grew by since `before`, which was so many seconds ago.
    #[must_use]
    pub fn since(&self, before: &Counters, seconds: f64) -> Rates {
        let rate = |figure: fn(&Counters) -> u64| rate(figure(before), figure(self), seconds);
        Rates {
            rx_packets: rate(|of| of.rx_packets),
            rx_bits: 8.0 * rate(|of| of.rx_bytes),
            tx_packets: rate(|of| of.tx_packets),
            tx_bits: 8.0 * rate(|of| of.tx_bytes),
            policy: rate(|of| of.policy),
            spoof: rate(|of| of.spoof),
            no_target: rate(|of| of.no_target),
        }
    }

    /// Packets dropped, for whatever reason.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.policy + self.spoof + self.no_target
    }
}

impl Rates {
    /// Packets dropped, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> f32 {
        self.policy + self.spoof + self.no_target
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(&self, other: &Rates) -> Rates {
        Rates {
            rx_packets: self.rx_packets + other.rx_packets,
            rx_bits: self.rx_bits + other.rx_bits,
            tx_packets: self.tx_packets + other.tx_packets,
            tx_bits: self.tx_bits + other.tx_bits,
            policy: self.policy + other.policy,
            spoof: self.spoof + other.spoof,
            no_target: self.no_target + other.no_target,
        }
    }
}

/// The last packet rates of one alias, at equal distances.
#[derive(Clone, Debug)]
pub struct History {
    received: [f32; History::LENGTH],
    sent: [f32; History::LENGTH],
    /// Where the next one goes.
    next: usize,
    length: usize,
    /// When the last one came, in seconds since the start.
    last: f64,
}

impl History {
    /// So many are kept.
    pub const LENGTH: usize = 60;

    /// None yet.
    #[must_use]
    pub const fn new() -> History {
        History {
            received: [0.0; History::LENGTH],
            sent: [0.0; History::LENGTH],
            next: 0,
            length: 0,
            last: 0.0,
        }
    }

    /// One more, taken at `now`. After a gap of more than `gap` seconds it begins anew:
    /// what is shown side by side was measured one after the other.
    pub fn push(&mut self, rates: &Rates, now: f64, gap: f64) {
        if now - self.last > gap {
            *self = History::new();
        }
        self.received[self.next] = rates.rx_packets;
        self.sent[self.next] = rates.tx_packets;
        self.next = (self.next + 1) % History::LENGTH;
        self.length = (self.length + 1).min(History::LENGTH);
        self.last = now;
    }

    fn in_order(&self, of: &[f32; History::LENGTH]) -> Vec<f32> {
        let first = self.next + History::LENGTH - self.length;
        let places = (first..first + self.length).map(|at| at % History::LENGTH);
        places.map(|at| of[at]).collect()
    }

    /// Packets received by second, the oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<f32> {
        self.in_order(&self.received)
    }

    /// Packets sent by second, the oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<f32> {
        self.in_order(&self.sent)
    }

    /// Both together.
    #[must_use]
    pub fn both(&self) -> Vec<f32> {
        let sent = self.sent();
        let both = self.received().into_iter().zip(sent);
        both.map(|(received, sent)| received + sent).collect()
    }
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grew_by_second() {
        let before = Counters {
            rx_packets: 100,
            rx_bytes: 10_000,
            no_target: 7,
            ..Counters::default()
        };
        let after = Counters {
            rx_packets: 150,
            rx_bytes: 11_000,
            tx_packets: 1,
            policy: 2,
            no_target: 7,
            ..before
        };
        let rates = after.since(&before, 0.5);
        let expected = Rates {
            rx_packets: 100.0,
            rx_bits: 16_000.0,
            tx_packets: 2.0,
            policy: 4.0,
            ..Rates::default()
        };
        assert_eq!(rates, expected);
        assert_eq!(rates.dropped(), 4.0);
        assert_eq!(after.dropped(), 9);
    }

    #[test]
    fn neither_a_step_back_nor_no_time_is_a_rate() {
        assert_eq!(rate(10, 5, 1.0), 0.0);
        assert_eq!(rate(5, 10, 0.0), 0.0);
        assert_eq!(rate(0, u64::MAX, 1.0), u64::MAX as f32);
    }

    fn received(packets: f32) -> Rates {
        Rates {
            rx_packets: packets,
            tx_packets: 1.0,
            ..Rates::default()
        }
    }

    #[test]
    fn a_history_keeps_the_last_in_order() {
        let mut history = History::new();
        assert!(history.received().is_empty());
        for number in 0..History::LENGTH + 2 {
            history.push(&received(number as f32), number as f32 as f64, 2.5);
        }
        let expected: Vec<f32> = (2..History::LENGTH + 2).map(|at| at as f32).collect();
        assert_eq!(history.received(), expected);
        assert_eq!(history.sent(), [1.0; History::LENGTH]);
        assert_eq!(history.both()[0], 3.0);
    }

    #[test]
    fn a_history_with_a_gap_begins_anew() {
        let mut history = History::new();
        history.push(&received(1.0), 1.0, 2.5);
        history.push(&received(2.0), 2.0, 2.5);
        history.push(&received(9.0), 5.0, 2.5);
        assert_eq!(history.received(), [9.0]);
    }
}
