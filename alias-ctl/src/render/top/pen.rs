//! What the screens draw with: what the terminal can show, and lines from the top down.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours.
    pub color: bool,
    /// More than ASCII.
    pub unicode: bool,
}

impl Look {
    pub(super) fn color(self, color: Color) -> Style {
        match self.color {
            true => Style::new().fg(color),
            false => Style::new(),
        }
    }

    pub(super) fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Of titles and of the line that is marked; without colours too.
    pub(super) fn reversed(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn dim(self) -> Style {
        match self.color {
            true => Style::new().fg(Color::DarkGray),
            false => Style::new(),
        }
    }

    pub(super) fn drops(self) -> Style {
        self.color(Color::Red)
    }
}

/// Writes lines from the top of an area down; what has no room is left out.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    pub(super) area: Rect,
    /// Lines that were written.
    lines: u16,
}

impl Pen<'_> {
    pub(super) fn new(buffer: &mut Buffer, area: Rect) -> Pen<'_> {
        Pen {
            buffer,
            area,
            lines: 0,
        }
    }

    /// A line of one style.
    pub(super) fn line(&mut self, text: &str, style: Style) {
        self.spans(&[(text, style)]);
    }

    /// A line of several.
    pub(super) fn spans(&mut self, spans: &[(&str, Style)]) {
        if self.lines >= self.area.height {
            return;
        }
        let (mut x, y) = (self.area.x, self.area.y + self.lines);
        self.lines += 1;
        for (text, style) in spans {
            let left = self.area.right().saturating_sub(x);
            (x, _) = self.buffer.set_stringn(x, y, text, left.into(), *style);
        }
    }

    /// A line of one style from one edge to the other.
    pub(super) fn bar(&mut self, text: &str, style: Style) {
        let width = usize::from(self.area.width);
        self.line(&format!("{text:<width$}"), style);
    }

    pub(super) fn room(&self) -> u16 {
        self.area.height.saturating_sub(self.lines)
    }
}
