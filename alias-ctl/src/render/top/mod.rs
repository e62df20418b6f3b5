//! The screens of `top`: a [`View`] and a [`Frame`] to cells. One file a screen.

pub mod detail;
pub mod help;
pub mod list;
pub mod word;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::model::top::frame::Frame;
use crate::model::top::view::{Screen, View};

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours.
    pub color: bool,
    /// More than ASCII.
    pub unicode: bool,
}

/// A smaller terminal shows nothing of use.
const SMALLEST: (u16, u16) = (24, 4);

impl Look {
    fn color(self, color: Color) -> Style {
        match self.color {
            true => Style::new().fg(color),
            false => Style::new(),
        }
    }

    fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Of titles and of the line that is marked; without colours too.
    fn reversed(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    fn dim(self) -> Style {
        match self.color {
            true => Style::new().fg(Color::DarkGray),
            false => Style::new(),
        }
    }

    fn drops(self) -> Style {
        self.color(Color::Red)
    }
}

/// How many aliases the list has room for.
#[must_use]
pub fn room(area: Rect, frame: &Frame) -> usize {
    list::Parts::of(area, frame).rows.height.into()
}

/// Draws what is on the screen.
pub fn draw(buffer: &mut Buffer, view: &View, frame: &Frame, look: Look) {
    let area = buffer.area;
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let (width, height) = SMALLEST;
        let mut pen = Pen::new(buffer, area);
        pen.line(&format!("too small: {width}x{height}"), Style::new());
        return;
    }
    match view.screen {
        Screen::List => list::draw(buffer, area, view, frame, look),
        Screen::Detail(_) => detail::draw(buffer, area, view, frame, look),
        Screen::Help => help::draw(buffer, area, look),
    }
}

/// Writes lines from the top of an area down; what has no room is left out.
struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    /// Lines that were written.
    lines: u16,
}

impl Pen<'_> {
    fn new(buffer: &mut Buffer, area: Rect) -> Pen<'_> {
        Pen {
            buffer,
            area,
            lines: 0,
        }
    }

    /// A line of one style.
    fn line(&mut self, text: &str, style: Style) {
        self.spans(&[(text, style)]);
    }

    /// A line of several.
    fn spans(&mut self, spans: &[(&str, Style)]) {
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
    fn bar(&mut self, text: &str, style: Style) {
        let width = usize::from(self.area.width);
        self.line(&format!("{text:<width$}"), style);
    }

    fn room(&self) -> u16 {
        self.area.height.saturating_sub(self.lines)
    }
}
