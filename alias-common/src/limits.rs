//! How large things may get. Numbers only, so that every other module can use them.

/// Aliases that a parent can have: the verifier takes no larger tables
/// ([`crate::layout`]).
pub const MAX_ALIASES: u32 = 1 << 22;

/// Highest slot number plus one: what the names of an alias's devices have room for.
pub const MAX_SLOTS: u32 = 1 << 22;

/// Keys of the devmap: how many devices `--to` can name at once.
pub const MAX_TARGETS: u32 = 4096;

/// How far from its home a word may be: the loop bound of every lookup. At
/// half load, 1,000,000 random keys never needed it.
pub const PROBE_LIMIT: u32 = 64;

/// Fewest homes of a table, as a power of two: below it, position and word
/// would not identify a narrow key ([`crate::word`]).
pub const MIN_HOME_BITS: u32 = 12;
