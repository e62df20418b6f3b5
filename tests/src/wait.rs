//! Waiting for an event: the only place that may sleep, and only between polls.

use std::{
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);

/// How many times slower than usual this machine is: set where it is an emulated
/// one, and every limit stretches.
static SLOW: LazyLock<u32> = LazyLock::new(|| slowness(std::env::var("ALIAS_TEST_SLOW").ok()));

fn slowness(said: Option<String>) -> u32 {
    said.map_or(1, |text| {
        let factor = text.parse().ok().filter(|factor| *factor > 0);
        factor.unwrap_or_else(|| panic!("ALIAS_TEST_SLOW={text}: no whole number above 0"))
    })
}

/// When `limit` is over, on this machine.
pub(crate) fn deadline(limit: Duration) -> Instant {
    Instant::now() + limit * *SLOW
}

/// Polls `condition` until it holds; panics with `what` when `limit` is over.
#[track_caller]
pub fn wait_for(what: &str, limit: Duration, condition: impl FnMut() -> bool) {
    assert!(
        comes_true(limit, condition),
        "waited {limit:?} in vain for: {what}"
    );
}

/// Polls `condition` until it holds (true) or `limit` is over (false).
///
/// The condition is evaluated once more after the limit, so that a machine
/// that was busy for the whole time does not fail a test by itself.
pub fn comes_true(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = deadline(limit);
    let mut pause = FIRST_PAUSE;
    loop {
        let last_try = Instant::now() >= deadline;
        if condition() {
            return true;
        }
        if last_try {
            return false;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_as_soon_as_the_condition_holds() {
        let mut polls = 0;
        wait_for("third poll", Duration::from_secs(5), || {
            polls += 1;
            polls == 3
        });
        assert_eq!(polls, 3);
    }

    #[test]
    fn slowness_is_a_factor() {
        assert_eq!(slowness(None), 1);
        assert_eq!(slowness(Some("5".to_owned())), 5);
    }

    #[test]
    #[should_panic(expected = "ALIAS_TEST_SLOW=0: no whole number")]
    fn a_factor_that_is_none_is_told() {
        slowness(Some("0".to_owned()));
    }

    #[test]
    #[should_panic(expected = "in vain for: the impossible")]
    fn names_what_never_came() {
        wait_for("the impossible", Duration::from_millis(5), || false);
    }
}
