//! When to read all aliases again: what is on the screen is read at every interval, and
//! all of them only so often that it is a small part of one CPU.

use std::time::Duration;

/// What is read of those that are not shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Their figures: they decide what is shown.
    Figures,
    /// Only which there are: names or addresses decide.
    Names,
}

/// How long it takes to read all, and when that was. Times are since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// What it took the last time, with their figures, all of the work for it.
    figures: Duration,
    /// And without.
    names: Duration,
    /// When it began the last time; `None`: never yet.
    begun: Option<Duration>,
}

/// What is to be read of all, and how often.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plan {
    /// What.
    pub what: Need,
    /// From one time to the next.
    pub period: Duration,
}

impl Pace {
    /// Of the time, one part in so many goes into reading all, if their figures are needed.
    const FIGURES: u32 = 5;
    /// If they are not.
    const NAMES: u32 = 50;

    /// All were read from `begun` until `now`.
    pub fn was_read(&mut self, what: Need, begun: Duration, now: Duration) {
        let cost = now.saturating_sub(begun);
        match what {
            Need::Figures => self.figures = cost,
            Need::Names => self.names = cost,
        }
        // Until it is known it is more, not less.
        if self.names.is_zero() {
            self.names = cost;
        }
        self.begun = Some(begun);
    }

    /// What to read when so much is needed of those that are not shown.
    #[must_use]
    pub fn plan(&self, need: Need, interval: Duration) -> Plan {
        let figures = self.figures * Pace::FIGURES;
        match need {
            // So few that it does not matter.
            _ if figures <= interval => Plan {
                what: Need::Figures,
                period: interval,
            },
            Need::Figures => Plan {
                what: Need::Figures,
                period: figures,
            },
            Need::Names => Plan {
                what: Need::Names,
                period: interval.max(self.names * Pace::NAMES),
            },
        }
    }

    /// Whether all are to be read now. A hundredth early is not too early: who waits for
    /// the interval wakes up when it is over, give or take.
    #[must_use]
    pub fn is_due(&self, plan: Plan, now: Duration) -> bool {
        let Some(begun) = self.begun else { return true };
        now + plan.period / 100 >= begun + plan.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn cheap_ones_are_read_at_every_interval() {
        let mut pace = Pace::default();
        assert!(pace.is_due(pace.plan(Need::Names, SECOND), Duration::ZERO));
        pace.was_read(Need::Figures, SECOND, SECOND + SECOND / 10);
        for need in [Need::Figures, Need::Names] {
            let plan = pace.plan(need, SECOND);
            let expected = Plan {
                what: Need::Figures,
                period: SECOND,
            };
            assert_eq!(plan, expected);
            assert!(!pace.is_due(plan, SECOND * 3 / 2));
            assert!(pace.is_due(plan, SECOND * 2));
        }
    }

    #[test]
    fn a_million_are_read_more_slowly() {
        let mut pace = Pace::default();
        pace.was_read(Need::Figures, SECOND, SECOND * 3 / 2);
        let plan = pace.plan(Need::Figures, SECOND);
        assert_eq!((plan.what, plan.period), (Need::Figures, SECOND * 5 / 2));
        assert!(!pace.is_due(plan, SECOND * 3));
        assert!(pace.is_due(plan, SECOND * 7 / 2));
        let plan = pace.plan(Need::Names, SECOND);
        assert_eq!((plan.what, plan.period), (Need::Names, SECOND * 25));
        pace.was_read(Need::Names, SECOND * 26, SECOND * 26 + SECOND / 10);
        let plan = pace.plan(Need::Names, SECOND);
        assert_eq!((plan.what, plan.period), (Need::Names, SECOND * 5));
    }
}
