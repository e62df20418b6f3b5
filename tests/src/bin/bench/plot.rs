//! Curves as SVG text, both axes logarithmic.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
// The frame of the curves.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 548.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 344.0;

/// Told apart by colour, shape of line and a name beside the last point.
const STYLES: [(&str, &str); 3] = [("#1b6ac9", ""), ("#c2410c", "7 4"), ("#4d7c0f", "2 4")];

pub(crate) struct Curve {
    pub(crate) name: &'static str,
    /// Both coordinates above 0; what is below 1 is drawn at 1.
    pub(crate) points: Vec<(f64, f64)>,
}

pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) curves: Vec<Curve>,
}

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let all = || self.curves.iter().flat_map(|curve| &curve.points);
        let decades = |of: fn(&(f64, f64)) -> f64| {
            let largest = all().map(of).fold(10.0, f64::max);
            largest.log10().ceil()
        };
        let (columns, rows) = (decades(|p| p.0), decades(|p| p.1));
        let x = |value: f64| LEFT + value.max(1.0).log10() / columns * (RIGHT - LEFT);
        let y = |value: f64| BOTTOM - value.max(1.0).log10() / rows * (BOTTOM - TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n",
            self.title
        );
        let mut line = |text: String| {
            svg += &text;
            svg.push('\n');
        };
        for decade in 0..=columns as i32 {
            let (at, label) = (x(10f64.powi(decade)), power(decade));
            line(grid(at, TOP, at, BOTTOM));
            line(text(at, BOTTOM + 18.0, "middle", &label));
        }
        for decade in 0..=rows as i32 {
            let (at, label) = (y(10f64.powi(decade)), power(decade));
            line(grid(LEFT, at, RIGHT, at));
            line(text(LEFT - 8.0, at + 4.0, "end", &format!("{label} ns")));
        }
        line(text(
            f64::midpoint(LEFT, RIGHT),
            BOTTOM + 40.0,
            "middle",
            self.x,
        ));
        for (curve, (colour, dashes)) in self.curves.iter().zip(STYLES) {
            let places: Vec<(f64, f64)> = curve.points.iter().map(|&(a, b)| (x(a), y(b))).collect();
            let path = places.iter().fold(String::new(), |mut path, (a, b)| {
                // Writing to a String cannot fail.
                let _ = write!(path, "{a:.1},{b:.1} ");
                path
            });
            line(format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dashes}\"/>",
                path.trim_end()
            ));
            for ((a, b), (_, ns)) in places.iter().zip(&curve.points) {
                line(format!(
                    "<circle cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3.5\" fill=\"{colour}\"><title>{}: {ns:+.0} ns</title></circle>",
                    curve.name
                ));
            }
            if let (Some((a, b)), Some((_, ns))) = (places.last(), curve.points.last()) {
                line(format!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{} {ns:+.0}</text>",
                    a + 10.0,
                    b + 4.0,
                    curve.name
                ));
            }
        }
        svg += "</svg>\n";
        svg
    }
}

fn grid(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!(
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#d4d4d4\"/>"
    )
}

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#404040\">{words}</text>"
    )
}

/// 1, 10, 100, 1k, 10k, 100k, 1M.
fn power(decade: i32) -> String {
    let digits = 10i64.pow(u32::try_from(decade % 3).unwrap_or(0));
    format!(
        "{digits}{}",
        ["", "k", "M"].get(decade as usize / 3).unwrap_or(&"G")
    )
}
