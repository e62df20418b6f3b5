//! The screens of `top`: a [`View`] and a [`Frame`] to cells. One file a screen.

pub mod detail;
pub mod help;
pub mod list;
pub mod pen;
pub mod word;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use self::pen::{Look, Pen};
use crate::model::top::frame::Frame;
use crate::model::top::view::{Screen, View};

/// A smaller terminal shows nothing of use.
const SMALLEST: (u16, u16) = (24, 4);

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
