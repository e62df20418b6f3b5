//! `kill -9` at any moment: drawn from a fixed seed, and spread over the time that
//! the victim runs.

use std::{
    thread,
    time::{Duration, Instant},
};

use alias_tests::Background;

/// xorshift64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Kills one kind of process after another.
pub(crate) struct Aim {
    dice: Dice,
    run: Duration,
    kills: u32,
    hits: u32,
}

impl Aim {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            run: Duration::ZERO,
            kills: 0,
            hits: 0,
        }
    }

    /// Measures the next kind, unharmed.
    #[track_caller]
    pub(crate) fn measure(&mut self, victim: impl FnOnce()) {
        let started = Instant::now();
        victim();
        self.run = started.elapsed();
        (self.kills, self.hits) = (0, 0);
    }

    /// Is it to be killed again? At least so often, and until it was hit half as often;
    /// panics when that does not come.
    #[track_caller]
    pub(crate) fn goes_on(&self, rounds: u32) -> bool {
        let (kills, hits) = (self.kills, self.hits);
        assert!(
            kills < 10 * rounds,
            "{kills} kills, {hits} hits, and not enough"
        );
        kills < rounds || hits < rounds / 2
    }

    /// Kills the victim at some moment. Returns whether it still ran, and what was done.
    pub(crate) fn kill(&mut self, victim: Background) -> (bool, String) {
        let run = self.run;
        let moment = run * self.dice.below(1000) as u32 / 1000;
        // Not to wait for anything: when it strikes is what is tried.
        thread::sleep(moment);
        let hit = victim.kill().code().is_none();
        // How long it takes goes by what the machine does besides: most are to be hit,
        // at every moment.
        self.run = if hit { run * 21 / 20 } else { run * 9 / 10 };
        self.kills += 1;
        self.hits += u32::from(hit);
        (hit, format!("killed after {moment:?} of {run:?}"))
    }

    /// How many of the kind were hit.
    pub(crate) fn hits(&self) -> u32 {
        self.hits
    }
}
