//! `--drop`: nowhere. Nothing is made, and nothing can be missing.

use crate::wiring::batch::Placement;

use super::lead::Lead;

/// Nothing stands in its way.
#[must_use]
pub const fn check() -> Placement {
    Placement::Drop
}

/// Nothing is made.
#[must_use]
pub const fn wire() -> Lead {
    Lead::nowhere()
}
