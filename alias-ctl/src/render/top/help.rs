//! What the keys do, and what the columns mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::{Look, Pen};

const LINES: [(&str, &str); 18] = [
    (
        "1-8",
        "sort by ALIAS ADDRESS TARGET RX-PPS RX-BPS TX-PPS TX-BPS DROPS",
    ),
    ("< >", "sort by the column beside; also Left and Right"),
    ("r", "the other way round"),
    (
        "/",
        "filter as you type: words of name, address, target, device, netns",
    ),
    ("Esc", "no filter"),
    (
        "Up Down",
        "mark another alias; also k and j, PgUp PgDn, Home End",
    ),
    ("Enter", "all of the marked alias"),
    ("p", "pause, and go on; also Space"),
    ("+ -", "longer and shorter interval"),
    ("q", "end; also Ctrl-C"),
    ("", ""),
    (
        "PPS BPS",
        "packets and bits by second; bits of whole frames",
    ),
    (
        "RX",
        "all that matched, dropped ones too; ARP and ND are not counted in",
    ),
    ("MISS", "packets that are no alias's: passed untouched"),
    ("POLICY", "dropped because the target is drop"),
    (
        "SPOOF",
        "from an alias device, in a name that is not its own",
    ),
    ("NO-TGT", "the device is gone, down, or refused the packet"),
    (
        "HISTORY",
        "packets of both directions by second, up to the highest shown",
    ),
];

pub(super) fn draw(buffer: &mut Buffer, area: Rect, look: Look) {
    let mut pen = Pen::new(buffer, area);
    pen.bar("alias-ctl top: keys and columns", look.reversed());
    for (word, text) in LINES {
        let word = format!("{word:<9}");
        pen.spans(&[(&word, look.bold()), (text, Style::new())]);
    }
    pen.line("Esc: back", look.dim());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::top::order::Column;

    #[test]
    fn it_has_all_columns_and_fits() {
        let all = Column::ALL.map(Column::title).join(" ");
        assert!(LINES[0].1.ends_with(&all), "{all}");
        for (_, text) in LINES {
            assert!(text.len() <= 80 - 9, "{text}");
        }
        assert!(LINES.len() + 2 <= 24);
    }
}
