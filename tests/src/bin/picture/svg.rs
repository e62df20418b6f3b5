//! Cells to a picture.

use std::fmt::Write;

use crate::screen::{Cell, Style};

/// Size of a cell and of the letters, in pixels.
const CELL: (usize, usize) = (8, 17);
const LETTERS: usize = 13;
const MARGIN: usize = 10;

const PAPER: &str = "#16181d";
const INK: &str = "#d8dbe0";

/// The terminal's colours, dark ones first.
const COLORS: [&str; 16] = [
    "#16181d", "#e5686a", "#7dbb6b", "#d8b25c", "#6fa3e0", "#c183d0", "#5fb8b8", "#d8dbe0",
    "#7c828d", "#f08a8b", "#9ed08f", "#ebcb80", "#93bdec", "#d5a3e0", "#83d0d0", "#ffffff",
];

/// The picture. Cells of one style that stand side by side are one text.
pub(crate) fn draw(lines: &[Vec<Cell>], title: &str) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let (width, height) = (
        columns * CELL.0 + 2 * MARGIN,
        lines.len() * CELL.1 + 2 * MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"monospace\" font-size=\"{LETTERS}\">\n<title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{PAPER}\"/>\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let mut column = 0;
        for run in line.chunk_by(|(_, one), (_, other)| one == other) {
            span(&mut svg, (column, row), run);
            column += run.len();
        }
    }
    svg + "</svg>\n"
}

fn span(svg: &mut String, (column, row): (usize, usize), run: &[Cell]) {
    let Some((_, style)) = run.first() else {
        return;
    };
    let (ink, paper) = colors(*style);
    let (x, y) = (MARGIN + column * CELL.0, MARGIN + row * CELL.1);
    let width = run.len() * CELL.0;
    if let Some(paper) = paper {
        // Writing to a String cannot fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{paper}\"/>",
            CELL.1
        );
    }
    let text: String = run.iter().map(|(letter, _)| letter).collect();
    // Words are put in their columns one by one, whatever the font's width is.
    let mut at = 0;
    for word in text.split(' ') {
        let letters = word.chars().count();
        if letters > 0 {
            let bold = if style.is_bold {
                " font-weight=\"bold\""
            } else {
                ""
            };
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" fill=\"{ink}\"{bold} textLength=\"{}\" \
                 lengthAdjust=\"spacingAndGlyphs\">{}</text>",
                x + at * CELL.0,
                y + LETTERS,
                letters * CELL.0,
                escaped(word)
            );
        }
        at += letters + 1;
    }
}

/// Of the letters, and of what is behind them where that is not the usual.
fn colors(style: Style) -> (&'static str, Option<&'static str>) {
    let ink = style.color.map_or(INK, |color| COLORS[usize::from(color)]);
    match style.is_reversed {
        true => (PAPER, Some(ink)),
        false => (ink, None),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
