//! The list: parents, aliases, and what the keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::pen::{Look, Pen};
use super::word::{cell, count, name, rate_or_dash, seconds, sparkline};
use crate::model::rates::Rates;
use crate::model::top::frame::{Frame, ParentLine, Reading, Row};
use crate::model::top::order::Column;
use crate::model::top::view::View;

/// Where everything is.
pub(super) struct Parts {
    title: Rect,
    parents: Rect,
    heading: Rect,
    /// The aliases.
    pub(super) rows: Rect,
    footer: Rect,
}

impl Parts {
    /// Parents get a third of the height at most, and nothing where there is little.
    pub(super) fn of(area: Rect, frame: &Frame) -> Parts {
        let most = if area.height < 9 { 0 } else { area.height / 3 };
        let parents = match most {
            0 => 0,
            most => (frame.parents.len() as u16).saturating_add(1).min(most),
        };
        let mut y = area.y;
        let mut take = |height: u16| {
            let height = height.min(area.bottom().saturating_sub(y));
            let part = Rect { y, height, ..area };
            y += height;
            part
        };
        Parts {
            title: take(1),
            parents: take(parents),
            heading: take(1),
            rows: take(area.height.saturating_sub(parents + 3)),
            footer: take(1),
        }
    }
}

pub(super) fn draw(buffer: &mut Buffer, area: Rect, view: &View, frame: &Frame, look: Look) {
    let parts = Parts::of(area, frame);
    Pen::new(buffer, parts.title).bar(&title(view, frame), look.bold());
    parents(&mut Pen::new(buffer, parts.parents), frame, look);
    let columns = Shown::fitting(area.width);
    let mut pen = Pen::new(buffer, parts.heading);
    heading(&mut pen, &columns, view, look);
    let mut pen = Pen::new(buffer, parts.rows);
    for (place, row) in (frame.first..).zip(&frame.rows) {
        let is_marked = place == view.cursor;
        alias(&mut pen, &columns, row, is_marked, look);
    }
    if frame.rows.is_empty() {
        pen.line(nothing(view, frame), look.dim());
    }
    let mut pen = Pen::new(buffer, parts.footer);
    footer(&mut pen, view, look);
}

fn title(view: &View, frame: &Frame) -> String {
    let mut text = match frame.admitted == frame.all {
        true => format!("{} aliases", count(frame.all as u64)),
        false => format!(
            "{} of {} aliases",
            count(frame.admitted as u64),
            count(frame.all as u64)
        ),
    };
    text += &match view.is_paused {
        true => ", paused".to_owned(),
        false => format!(", every {}", seconds(view.interval)),
    };
    text += &match frame.reading {
        Reading::Everything => String::new(),
        Reading::Slower(period) => format!("; those not shown every {}", seconds(period)),
        Reading::OnlyVisible => "; only those shown are read".to_owned(),
    };
    text
}

const fn nothing(view: &View, frame: &Frame) -> &'static str {
    if frame.parents.is_empty() {
        "no device is attached"
    } else if !view.filter.is_empty() && frame.all > 0 {
        "no alias has these words"
    } else {
        "no aliases"
    }
}

/// Width of a rate with the space before it.
const RATE: usize = 7;

fn parents(pen: &mut Pen<'_>, frame: &Frame, look: Look) {
    const TITLES: [&str; 8] = [
        "RX-PPS", "RX-BPS", "TX-PPS", "TX-BPS", "MISS", "POLICY", "SPOOF", "NO-TGT",
    ];
    let width = usize::from(pen.area.width);
    let fitting = TITLES.len().min(width.saturating_sub(8 + 10) / RATE);
    let first = width.saturating_sub(10 + fitting * RATE).min(24);
    let line = |name: &str, aliases: &str, cells: &[String]| {
        let mut line = cell(name, first) + &format!("{aliases:>10}");
        for cell in cells.iter().take(fitting) {
            line += &format!("{cell:>RATE$}");
        }
        line
    };
    let titles = TITLES.map(str::to_owned);
    pen.bar(&line("PARENT", "ALIASES", &titles), look.color(Color::Cyan));
    for (place, parent) in frame.parents.iter().enumerate() {
        let left = frame.parents.len() - place;
        if pen.room() == 1 && left > 1 {
            pen.line(&format!("and {left} more"), look.dim());
            return;
        }
        let named = format!("{} {}", name(&parent.name), parent.mode);
        let aliases = count(parent.aliases as u64);
        let style = match parent.rates {
            Some(rates) if rates.policy + rates.spoof + rates.no_target > 0.0 => look.drops(),
            _ => Style::new(),
        };
        pen.line(&line(&named, &aliases, &cells(parent)), style);
    }
}

fn cells(parent: &ParentLine) -> [String; 8] {
    let (rates, sum) = (parent.rates, parent.sum);
    [
        rates.map(|rates| rates.received),
        sum.map(|sum| sum.rx_bits),
        rates.map(|rates| rates.sent),
        sum.map(|sum| sum.tx_bits),
        rates.map(|rates| rates.miss),
        rates.map(|rates| rates.policy),
        rates.map(|rates| rates.spoof),
        rates.map(|rates| rates.no_target),
    ]
    .map(rate_or_dash)
}

/// The columns that there is room for, each with its width.
struct Shown {
    columns: Vec<(Column, usize)>,
    /// Width of the history; 0 for none.
    history: usize,
}

impl Shown {
    /// From what can be missed least.
    fn fitting(width: u16) -> Shown {
        const WANTED: [(Column, usize); 8] = [
            (Column::Alias, 13),
            (Column::RxPackets, RATE),
            (Column::TxPackets, RATE),
            (Column::Address, 16),
            (Column::Drops, RATE),
            (Column::RxBits, RATE),
            (Column::TxBits, RATE),
            (Column::Target, 7),
        ];
        const HISTORY: usize = 9;
        let mut left = usize::from(width);
        let mut columns = Vec::new();
        for (column, width) in WANTED {
            if width > left {
                break;
            }
            left -= width;
            columns.push((column, width));
        }
        let is_whole = columns.len() == WANTED.len();
        let history = if is_whole && left >= HISTORY {
            HISTORY
        } else {
            0
        };
        left -= history;
        // What is left over goes to words first: IPv6 addresses, targets with namespaces.
        for (wanted, most) in [
            (Column::Address, 24),
            (Column::Target, 24),
            (Column::Alias, 9),
        ] {
            for (column, width) in &mut columns {
                if *column == wanted {
                    let more = left.min(most);
                    *width += more;
                    left -= more;
                }
            }
        }
        columns.sort_unstable_by_key(|(column, _)| column.place());
        Shown {
            columns,
            history: history + if history > 0 { left } else { 0 },
        }
    }
}

fn heading(pen: &mut Pen<'_>, columns: &Shown, view: &View, look: Look) {
    let mut spans = Vec::new();
    for (column, width) in &columns.columns {
        let sorted = view.sort.column == *column;
        let mark = match (sorted, view.sort.is_ascending()) {
            (false, _) => "",
            (true, true) => "^",
            (true, false) => "v",
        };
        let text = format!("{}{mark}", column.title());
        let style = if sorted { look.bold() } else { Style::new() };
        let text = match column.is_rate() {
            true => format!("{text:>width$}"),
            false => cell(&text, *width),
        };
        spans.push((text, look.reversed().patch(style)));
    }
    if columns.history > 0 {
        let width = columns.history;
        spans.push((format!("{:>width$}", "HISTORY"), look.reversed()));
    }
    let spans: Vec<(&str, Style)> = spans
        .iter()
        .map(|(text, style)| (text.as_str(), *style))
        .collect();
    pen.spans(&spans);
}

fn alias(pen: &mut Pen<'_>, columns: &Shown, row: &Row, is_marked: bool, look: Look) {
    let base = if is_marked {
        look.reversed()
    } else {
        Style::new()
    };
    let mut spans = Vec::new();
    for (column, width) in &columns.columns {
        let word = |text: &str| cell(&cell(&name(text), width.saturating_sub(1)), *width);
        let rate = |figure: fn(&Rates) -> f32| {
            let text = rate_or_dash(row.rates.as_ref().map(figure));
            format!("{text:>width$}")
        };
        let is_dropped = row.rates.is_some_and(|rates| rates.dropped() > 0.0);
        let (text, style) = match column {
            Column::Alias => (word(&row.name), Style::new()),
            Column::Address => (word(&row.address), Style::new()),
            Column::Target => (word(&row.target), look.dim()),
            Column::RxPackets => (rate(|rates| rates.rx_packets), Style::new()),
            Column::RxBits => (rate(|rates| rates.rx_bits), Style::new()),
            Column::TxPackets => (rate(|rates| rates.tx_packets), Style::new()),
            Column::TxBits => (rate(|rates| rates.tx_bits), Style::new()),
            Column::Drops if is_dropped => (rate(Rates::dropped), look.drops()),
            Column::Drops => (rate(Rates::dropped), Style::new()),
        };
        spans.push((text, base.patch(style)));
    }
    if columns.history > 0 {
        let line = sparkline(&row.history, columns.history - 1, look.unicode);
        spans.push((format!(" {line}"), base.patch(look.color(Color::Green))));
    }
    let spans: Vec<(&str, Style)> = spans
        .iter()
        .map(|(text, style)| (text.as_str(), *style))
        .collect();
    pen.spans(&spans);
}

fn footer(pen: &mut Pen<'_>, view: &View, look: Look) {
    if view.is_typing {
        pen.spans(&[
            ("filter: ", look.bold()),
            (&name(&view.filter), Style::new()),
            ("_", look.reversed()),
            ("  Enter: keep it, Esc: all", look.dim()),
        ]);
        return;
    }
    let filter = match view.filter.is_empty() {
        true => "/ filter".to_owned(),
        false => format!("/ {} (Esc: all)", name(&view.filter)),
    };
    let keys = "1-8 < > sort  r reverse  p pause  + - interval  Enter detail  ? help  q";
    pen.spans(&[
        (&filter, look.bold()),
        ("  ", Style::new()),
        (keys, look.dim()),
    ]);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{draw, room};
    use super::*;
    use crate::model::top::frame::ParentRates;
    use crate::model::top::order::Sort;
    use crate::model::top::table::Identity;

    fn frame(rows: usize) -> Frame {
        let row = |place: usize| Row {
            identity: Identity {
                parent: 2,
                id: place as u32,
                created: 1,
            },
            name: format!("eth0:{place}"),
            address: format!("192.0.2.{place}"),
            target: "device web".into(),
            rates: Some(Rates {
                rx_packets: 1234.0,
                rx_bits: 5e6,
                policy: 3.0,
                ..Rates::default()
            }),
            history: vec![1.0, 2.0],
        };
        Frame {
            parents: vec![ParentLine {
                name: "eth0".into(),
                mode: "native",
                aliases: rows,
                rates: Some(ParentRates {
                    received: 1500.0,
                    policy: 3.0,
                    ..ParentRates::default()
                }),
                sum: None,
            }],
            rows: (0..rows).map(row).collect(),
            first: 0,
            admitted: rows,
            all: rows,
            reading: Reading::Everything,
            detail: None,
        }
    }

    fn lines(width: u16, height: u16, frame: &Frame, view: &View) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let look = Look {
            color: true,
            unicode: false,
        };
        draw(&mut buffer, view, frame, look);
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        (0..height).map(line).collect()
    }

    fn view() -> View {
        View::new(Sort::by(Column::RxPackets), "", Duration::from_secs(1))
    }

    #[test]
    fn eighty_columns_have_room_for_all() {
        let lines = lines(80, 24, &frame(2), &view());
        assert_eq!(lines[0].trim_end(), "2 aliases, every 1 s");
        let expected =
            "eth0 native            2  1.50k      -      0      -      0      3      0      0";
        assert_eq!(lines[2].trim_end(), expected);
        let expected =
            "ALIAS        ADDRESS         TARGET RX-PPSv RX-BPS TX-PPS TX-BPS  DROPS  HISTORY";
        assert_eq!(lines[3], expected);
        let expected =
            "eth0:0       192.0.2.0       devic~   1.23k  5.00M      0      0      3       =@";
        assert_eq!(lines[4], expected);
        assert!(lines[23].starts_with("/ filter  1-8"), "{}", lines[23]);
    }

    #[test]
    fn every_size_is_drawn() {
        for rows in [0, 1, 100] {
            let frame = frame(rows);
            for width in (1..140).step_by(3) {
                for height in 1..30 {
                    let mut view = view();
                    let area = Rect::new(0, 0, width, height);
                    view.fit(room(area, &frame), rows);
                    let lines = lines(width, height, &frame, &view);
                    if width >= 80 && height >= 9 && rows > 0 {
                        let found = lines.iter().any(|line| line.starts_with("eth0:0 "));
                        assert!(found, "{width}x{height}: {lines:#?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_read_is_said() {
        let mut slow = frame(1);
        (slow.admitted, slow.all) = (1, 1_000_000);
        slow.reading = Reading::Slower(Duration::from_millis(2400));
        let mut view = view();
        view.filter = "web".into();
        let lines = lines(80, 24, &slow, &view);
        let expected = "1 of 1,000,000 aliases, every 1 s; those not shown every 2.4 s";
        assert_eq!(lines[0].trim_end(), expected);
        assert!(lines[23].starts_with("/ web (Esc: all)"), "{}", lines[23]);
    }
}
