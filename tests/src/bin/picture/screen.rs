//! What tmux says is on a screen, escape sequences and all, to cells.

/// How a character stands there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Style {
    /// A colour of the terminal, 0 to 15; `None`: the usual one.
    pub(crate) color: Option<u8>,
    pub(crate) is_bold: bool,
    pub(crate) is_reversed: bool,
}

/// A character in its place.
pub(crate) type Cell = (char, Style);

/// Lines of cells, each as long as the screen is wide.
pub(crate) fn cells(text: &str, (width, height): (u16, u16)) -> Vec<Vec<Cell>> {
    let mut style = Style::default();
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    for line in text.lines().take(height.into()) {
        let mut cells = Vec::new();
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            rest = &rest[first.len_utf8()..];
            if first != '\u{1b}' {
                cells.push((first, style));
                continue;
            }
            // CSI parameters m (ECMA-48, 8.3.117); capture-pane writes no other.
            let sequence = rest.strip_prefix('[').and_then(|rest| rest.split_once('m'));
            if let Some((parameters, after)) = sequence {
                apply(&mut style, parameters);
                rest = after;
            }
        }
        cells.resize(width.into(), (' ', Style::default()));
        lines.push(cells);
    }
    lines
}

fn apply(style: &mut Style, parameters: &str) {
    // One of 256 colours.
    if let Some(number) = parameters.strip_prefix("38;5;") {
        style.color = number.parse().ok().filter(|color| *color < 16);
        return;
    }
    for parameter in parameters.split(';') {
        match parameter.parse().unwrap_or(0u8) {
            0 => *style = Style::default(),
            1 => style.is_bold = true,
            22 => style.is_bold = false,
            7 => style.is_reversed = true,
            27 => style.is_reversed = false,
            color @ 30..=37 => style.color = Some(color - 30),
            color @ 90..=97 => style.color = Some(color - 90 + 8),
            39 => style.color = None,
            // The background is always the terminal's.
            49 => {}
            other => panic!("capture-pane wrote the attribute {other}, which has no picture"),
        }
    }
}
