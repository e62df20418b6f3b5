//! Figures and foreign names as they stand on a screen.

use std::borrow::Cow;
use std::time::Duration;

use ratatui::text::Span;

/// A rate in five characters at most: `0`, `0.5`, `999`, `1.23k`, `45.6M`, `789G`.
#[must_use]
pub fn rate(value: f32) -> String {
    let mut value = f64::from(value.max(0.0));
    for unit in ["", "k", "M", "G", "T"] {
        // What would be rounded up to four digits has the next unit.
        if value < 999.5 {
            return match (unit, value) {
                (_, value) if value < 0.05 => "0".into(),
                ("", value) if value >= 9.95 || value.fract() < 0.05 => format!("{value:.0}"),
                ("", value) => format!("{value:.1}"),
                (unit, value) if value < 9.995 => format!("{value:.2}{unit}"),
                (unit, value) if value < 99.95 => format!("{value:.1}{unit}"),
                (unit, value) => format!("{value:.0}{unit}"),
            };
        }
        value /= 1000.0;
    }
    "lots".into()
}

/// The same, or a dash for one that is not known.
#[must_use]
pub fn rate_or_dash(value: Option<f32>) -> String {
    value.map_or_else(|| "-".into(), rate)
}

/// A number with commas between the thousands.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds: `0.5 s`, `2 s`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    let tenths = (time.as_secs_f64() * 10.0).round() / 10.0;
    format!("{tenths} s")
}

/// A name that somebody else gave: what would move the cursor, change colours or the
/// direction of writing is spelled out.
#[must_use]
pub fn name(text: &str) -> Cow<'_, str> {
    let is_harmless = |of: char| {
        !of.is_control()
            && !matches!(of, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.chars().all(is_harmless) {
        return text.into();
    }
    let spelled = text.chars().map(|of| match is_harmless(of) {
        true => of.to_string(),
        false => of.escape_default().to_string(),
    });
    spelled.collect::<String>().into()
}

/// A text in so many columns: filled up, or cut with a mark at its end.
#[must_use]
pub fn cell(text: &str, width: usize) -> String {
    let long = |text: &str| Span::raw(text).width();
    let mut cut = text.to_owned();
    if long(text) > width {
        while long(&cut) + 1 > width && cut.pop().is_some() {}
        cut.push(if width > 0 { '~' } else { ' ' });
    }
    let missing = width.saturating_sub(long(&cut));
    cut + &" ".repeat(missing)
}

/// The last `width` of some rates as a line of bars, the highest of them as the full height.
#[must_use]
pub fn sparkline(values: &[f32], width: usize, unicode: bool) -> String {
    const BLOCKS: [char; 8] = [
        '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}',
        '\u{2588}',
    ];
    const ASCII: [char; 8] = ['.', ':', '-', '=', '+', '*', '#', '@'];
    let bars = if unicode { BLOCKS } else { ASCII };
    let last = &values[values.len().saturating_sub(width)..];
    let highest = last.iter().copied().fold(0.0, f32::max);
    let bar = |value: &f32| match *value > 0.0 {
        true => bars[((value / highest * 8.0).ceil() as usize).clamp(1, 8) - 1],
        false => ' ',
    };
    let missing = width - last.len();
    " ".repeat(missing) + &last.iter().map(bar).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (-1.0, "0"),
            (0.04, "0"),
            (0.5, "0.5"),
            (3.0, "3"),
            (9.94, "9.9"),
            (12.4, "12"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (1234.0, "1.23k"),
            (45_600.0, "45.6k"),
            (99_960.0, "100k"),
            (999_600.0, "1.00M"),
            (9.87e9, "9.87G"),
            (1e12, "1.00T"),
            (f32::MAX, "lots"),
        ] {
            assert_eq!(rate(value), expected, "{value}");
            assert!(rate(value).len() <= 5);
        }
    }

    #[test]
    fn thousands_are_apart() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (16_256, "16,256"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(number), expected);
        }
    }

    #[test]
    fn foreign_names_do_nothing_to_the_terminal() {
        for (text, expected) in [
            ("web", "web"),
            ("caf\u{e9}", "caf\u{e9}"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb", "a\\nb"),
            ("a\u{9b}b", "a\\u{9b}b"),
            ("a\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(name(text), expected);
        }
    }

    #[test]
    fn cells_are_as_wide_as_they_are_said_to_be() {
        for (text, width, expected) in [
            ("ab", 4, "ab  "),
            ("abcd", 4, "abcd"),
            ("abcde", 4, "abc~"),
            ("a", 0, " "),
            ("\u{4e2d}\u{4e2d}\u{4e2d}", 4, "\u{4e2d}~ "),
        ] {
            assert_eq!(cell(text, width), expected, "{text:?}");
        }
    }

    #[test]
    fn bars_are_by_the_highest() {
        let values = [9.0, 0.0, 1.0, 4.0, 8.0];
        assert_eq!(sparkline(&values, 4, false), " .=@");
        assert_eq!(sparkline(&values[3..], 4, true), "  \u{2584}\u{2588}");
        assert_eq!(sparkline(&[], 3, true), "   ");
        assert_eq!(sparkline(&values, 0, true), "");
    }
}
