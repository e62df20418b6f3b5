//! `cargo xtask picture`: what `alias-ctl top` shows of real traffic, as docs/top.svg.
//!
//! Two hosts in namespaces of their own; the terminal is tmux's, and what is on it is drawn
//! as it is.

mod screen;
mod svg;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use alias_tests::{Background, Lab, Mode, Terminal, comes_true};

/// Columns and lines.
const SIZE: (u16, u16) = (80, 18);

/// So many bars of history the busiest alias shall have.
const BARS: usize = 8;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("picture: where to? Run it as cargo xtask picture");
        return ExitCode::FAILURE;
    };
    let lab = Lab::attached(Mode::Native);
    let homes = aliases(&lab);
    let Some(terminal) = Terminal::open(&lab, SIZE) else {
        return ExitCode::FAILURE;
    };
    let _traffic = traffic(&lab);
    terminal.enter("$CTL top --interval 0.5");
    let is_full = |screen: &str| {
        let first = screen.lines().find(|line| line.starts_with("eth0:"));
        let is_bar = |of: &char| ('\u{2581}'..='\u{2588}').contains(of);
        first.is_some_and(|line| line.chars().filter(is_bar).count() >= BARS)
    };
    let came = comes_true(Duration::from_secs(60), || is_full(&terminal.screen()));
    let cells = screen::cells(&terminal.colored(), SIZE);
    drop(homes);
    if !came {
        eprintln!("picture: no history came:\n{}", terminal.screen());
        return ExitCode::FAILURE;
    }
    match std::fs::write(&path, svg::draw(&cells, "alias-ctl top")) {
        Ok(()) => {
            println!("{}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("picture: {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// A few of every kind, and many that drop.
fn aliases(lab: &Lab) -> Vec<alias_tests::Namespace> {
    lab.b.ip("route replace 198.18.0.0/15 via 192.0.2.9");
    let homes: Vec<_> = ["web", "mail"]
        .into_iter()
        .map(|name| lab.namespace(name))
        .collect();
    for (alias, words) in [
        ("eth0:0", &["192.0.2.10/24"][..]),
        ("eth0:1", &["192.0.2.11/24", "--netns", homes[0].name()]),
        ("eth0:2", &["192.0.2.12/24", "--netns", homes[1].name()]),
        ("eth0:3", &["192.0.2.13", "--join", "eth0:0"]),
        ("eth0:4", &["192.0.2.14", "--local"]),
        ("eth0:5", &["2001:db8:0:1::15/64"]),
    ] {
        lab.ctl_ok(&[&["add", alias], words].concat());
    }
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.18.0.0/18",
        "--start",
        "100",
        "--drop",
    ]);
    homes
}

/// What host B sends: echo requests, each so many by second and so long.
fn traffic(lab: &Lab) -> Vec<Background> {
    [
        ("192.0.2.10", 250, 1000),
        ("192.0.2.11", 100, 400),
        ("192.0.2.12", 20, 56),
        ("192.0.2.13", 12, 56),
        ("192.0.2.14", 50, 200),
        ("2001:db8:0:1::15", 40, 56),
        ("198.18.3.7", 500, 56),
        ("198.18.40.9", 170, 56),
    ]
    .into_iter()
    .map(|(address, by_second, bytes)| {
        let pause = 1.0 / f64::from(by_second);
        lab.b
            .spawn(&format!("ping -q -i {pause} -s {bytes} {address}"))
    })
    .collect()
}
