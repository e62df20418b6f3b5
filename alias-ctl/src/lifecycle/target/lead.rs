//! Where aliases lead once they are wired: what the index says of them.

/// Of the aliases of a batch.
#[derive(Debug)]
pub struct Lead {
    /// The steer word's targets.
    pub targets: Targets,
    /// Its flags.
    pub flags: u8,
}

/// The steer word's target.
#[derive(Debug)]
pub enum Targets {
    /// All lead to the same one.
    One(u32),
    /// Each to its own, in the order of the batch.
    Each(Vec<u32>),
}

impl Lead {
    /// All lead to one target.
    #[must_use]
    pub const fn to(target: u32) -> Lead {
        Lead {
            targets: Targets::One(target),
            flags: 0,
        }
    }

    /// None leads anywhere.
    #[must_use]
    pub const fn nowhere() -> Lead {
        Lead::to(0)
    }

    /// Where the one at this place of the batch leads.
    #[must_use]
    pub fn target(&self, at: usize) -> u32 {
        match &self.targets {
            Targets::One(target) => *target,
            Targets::Each(targets) => targets[at],
        }
    }
}
