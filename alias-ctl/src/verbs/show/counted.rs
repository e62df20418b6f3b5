//! An alias of a section as it is shown with what was counted for it.

use std::collections::HashMap;

use crate::lifecycle::views::{self, Names};
use crate::model::rates::Counters;
use crate::render::alias::StatsView;

use super::section::{Counted, Section};
use super::view;

/// What was counted for an alias of a section, also by itself.
pub(super) fn stats_view<'a>(
    names: &'a Names,
    section: &'a Section,
    (slot, record, figures): &Counted,
    drops: &HashMap<u32, u64>,
) -> (StatsView<'a>, Counters) {
    let counters = views::counters(record, figures, drops);
    let alias = view(names, section, *slot, record);
    (views::stats_view(alias, &counters, figures), counters)
}
