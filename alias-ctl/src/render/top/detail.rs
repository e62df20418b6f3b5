//! All of one alias.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::pen::{Look, Pen};
use super::word::{cell, count, name, rate, rate_or_dash, sparkline};
use crate::model::top::frame::Frame;
use crate::model::top::view::View;

pub(super) fn draw(buffer: &mut Buffer, area: Rect, view: &View, frame: &Frame, look: Look) {
    let mut pen = Pen::new(buffer, area);
    let Some(detail) = &frame.detail else {
        pen.bar("the alias is gone", look.reversed());
        pen.line("Esc: back to the list", look.dim());
        return;
    };
    let paused = if view.is_paused { ", paused" } else { "" };
    pen.bar(&format!("{}{paused}", name(&detail.name)), look.reversed());
    for (word, value) in &detail.facts {
        let value = name(value);
        pen.spans(&[
            (&cell(word, 14), look.color(Color::Cyan)),
            (&value, Style::new()),
        ]);
    }
    let titles = format!(
        "{:<14}{:>26}{:>14}",
        "COUNTED", "SINCE IT WAS MADE", "BY SECOND"
    );
    pen.bar(&titles, look.reversed());
    for (word, sum, by_second) in &detail.counters {
        let style = match by_second {
            Some(rate) if word.starts_with("dropped") && *rate > 0.0 => look.drops(),
            _ => Style::new(),
        };
        let line = format!(
            "{word:<20}{:>20}{:>14}",
            count(*sum),
            rate_or_dash(*by_second)
        );
        pen.line(&line, style);
    }
    for (word, values) in [("received", &detail.received), ("sent", &detail.sent)] {
        let highest = values.iter().copied().fold(0.0, f32::max);
        let before = format!("{word:<9}");
        let width = usize::from(area.width).saturating_sub(before.len());
        let line = sparkline(values, width.min(60), look.unicode);
        let after = format!(" {} pps at most", rate(highest));
        pen.spans(&[
            (&before, look.color(Color::Cyan)),
            (&line, look.color(Color::Green)),
            (&after, look.dim()),
        ]);
    }
    pen.line("Esc: back  p pause  + - interval  ? help  q", look.dim());
}
