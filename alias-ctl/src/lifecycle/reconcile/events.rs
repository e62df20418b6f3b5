//! What a pass is told: the events before it, and how far it is to look.

use std::collections::{HashMap, HashSet};

/// What events tell that leaves no trace in the kernel's state.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Parents that went down, by ifindex, and the creation number of the last
    /// alias that each had by then. They may be up again.
    pub down: HashMap<u32, u64>,
    /// Links that came up, by ifindex, new ones too.
    pub up: HashSet<u32>,
}

/// How far a pass looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// At parents; at their aliases too when they are few or were not looked at in
    /// the last second.
    Usual,
    /// At all aliases.
    Whole,
}
