//! `top`: what aliases do, live. One thread reads and sorts (`sampler`); the other draws
//! what it is sent, and hears keys at any time.

mod describe;
mod keys;
mod parents;
mod sampler;
mod terminal;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::terminal::size;
use ratatui::layout::Rect;

use crate::error::{self, Refusal, Result};
use crate::interrupt;
use crate::model::request::{Color, Top};
use crate::model::top::frame::Frame;
use crate::model::top::view::{Asked, Reaction, View};
use crate::render::output::write;
use crate::render::top::pen::Look;
use crate::render::top::{draw, room};

use sampler::Sampler;
use terminal::Terminal;

/// How long a key may wait for what was read meanwhile to be shown, and a signal for being
/// heard.
const WAIT: Duration = Duration::from_millis(100);

/// How long a key waits for its own effect before the old frame is drawn again.
const AT_ONCE: Duration = Duration::from_millis(30);

/// `alias-ctl top`.
///
/// # Errors
///
/// ENOTTY without a terminal, ENODEV for a device that has no aliases.
pub fn top(asked: Top) -> Result<()> {
    let is_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    let view = View::new(asked.sort, &asked.filter, asked.interval);
    if let Some(count) = asked.count {
        return print(asked, view, count);
    }
    if !is_terminal {
        return Err(Refusal::new(
            "standard input and output",
            "top",
            "no terminal",
            libc::ENOTTY,
        )
        .hint("for a pipe: alias-ctl stats --watch; for one picture of it: alias-ctl top --once"));
    }
    let look = look(asked.color, true);
    let watched = interrupt::watch();
    let result = live(asked.devices, view, look);
    drop(watched);
    match interrupt::noted() {
        Some(signal) => interrupt::end_by(signal),
        None => result,
    }
}

fn look(color: Color, is_terminal: bool) -> Look {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable);
    let locale = locale.unwrap_or_default().to_lowercase();
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        // https://no-color.org
        Color::Auto => is_terminal && variable("NO_COLOR").is_none(),
    };
    // crossterm obeys NO_COLOR too, whatever the command line says.
    ratatui::crossterm::style::force_color_output(color);
    Look {
        color,
        unicode: locale.contains("utf-8") || locale.contains("utf8"),
    }
}

/// Frames as text, for those who have no terminal.
fn print(asked: Top, mut view: View, count: u32) -> Result<()> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u16>().ok();
    let (columns, lines) = size().unwrap_or((80, 24));
    let area = Rect::new(
        0,
        0,
        number("COLUMNS").unwrap_or(columns).clamp(24, 500),
        number("LINES").unwrap_or(lines).clamp(4, 500),
    );
    let look = look(asked.color, false);
    let interval = asked.interval;
    let mut sampler = Sampler::open(asked.devices, view.asked())?;
    sampler.sample()?;
    for number in 0..count {
        thread::sleep(interval);
        sampler.sample()?;
        // How many parents there are decides how many aliases there is room for.
        let frame = sampler.frame()?;
        view.fit(room(area, &frame), frame.admitted);
        sampler.ask(view.asked());
        let frame = sampler.frame()?;
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer, &view, &frame, look);
        let mut text = String::new();
        for y in 0..area.height {
            let line: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
            text += line.trim_end();
            text.push('\n');
        }
        if number + 1 < count {
            text.push('\n');
        }
        write(&text)?;
    }
    match sampler.parents.spoilt.pop() {
        Some((_, refusal)) => Err(refusal),
        None => Ok(()),
    }
}

fn live(devices: Vec<String>, mut view: View, look: Look) -> Result<()> {
    let failed = |error: io::Error| Refusal::io("the terminal", "top", &error);
    let (to_reader, wishes) = mpsc::channel();
    let (to_screen, frames) = mpsc::channel();
    let asked = view.asked();
    thread::spawn(move || {
        let result = error::catch(|| read(devices, asked, &wishes, &to_screen));
        if let Err(refusal) = result {
            // Who is gone needs no reason.
            let _ = to_screen.send(Err(refusal));
        }
    });
    // Before the screen is taken: what cannot begin is said on the usual one.
    let mut frame = frames.recv().unwrap_or_else(|_| Err(ended()))?;
    let mut terminal = Terminal::take().map_err(failed)?;
    let mut sent = None;
    loop {
        let (width, height) = terminal.size().map_err(failed)?;
        view.fit(room(Rect::new(0, 0, width, height), &frame), frame.admitted);
        let asked = view.asked();
        if sent.as_ref() != Some(&asked) {
            to_reader.send(asked.clone()).map_err(|_| ended())?;
            sent = Some(asked);
            if let Some(newer) = newest(&frames, AT_ONCE)? {
                frame = newer;
                view.fit(room(Rect::new(0, 0, width, height), &frame), frame.admitted);
            }
        }
        terminal
            .draw(|buffer| draw(buffer, &view, &frame, look))
            .map_err(failed)?;
        loop {
            if interrupt::noted().is_some() {
                return Ok(());
            }
            if terminal::is_gone(WAIT).map_err(failed)? {
                return Err(failed(io::Error::from_raw_os_error(libc::EIO)));
            }
            if event::poll(Duration::ZERO).or_else(again).map_err(failed)? {
                match event::read().map_err(failed)? {
                    Event::Key(event) => {
                        let key = keys::key(event);
                        match key.map(|key| view.press(key, &frame)) {
                            Some(Reaction::Quit) => return Ok(()),
                            Some(Reaction::Draw) => break,
                            None => {}
                        }
                    }
                    Event::Resize(..) => break,
                    Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => {}
                }
            }
            if let Some(newer) = newest(&frames, Duration::ZERO)? {
                frame = newer;
                break;
            }
        }
    }
}

/// A signal that was noted interrupts the wait for a key.
fn again(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(false),
        _ => Err(error),
    }
}

/// The newest frame that there is, or comes in so long.
fn newest(frames: &Receiver<Result<Frame>>, wait: Duration) -> Result<Option<Frame>> {
    let mut found = match frames.recv_timeout(wait) {
        Ok(frame) => Some(frame?),
        Err(RecvTimeoutError::Timeout) => return Ok(None),
        Err(RecvTimeoutError::Disconnected) => return Err(ended()),
    };
    while let Ok(newer) = frames.try_recv() {
        found = Some(newer?);
    }
    Ok(found)
}

fn ended() -> Refusal {
    Refusal::new(
        "top",
        "read counters",
        "the thread that reads has ended",
        libc::EIO,
    )
    .hint("it has said why above")
}

/// Reads at every interval, and sends what is to be shown then and whenever something else
/// is wanted, until nobody wants anything.
fn read(
    devices: Vec<String>,
    asked: Asked,
    wishes: &Receiver<Asked>,
    frames: &Sender<Result<Frame>>,
) -> Result<()> {
    let mut sampler = Sampler::open(devices, asked)?;
    let mut due = Instant::now();
    loop {
        let now = Instant::now();
        let mut wait = WAIT;
        if let Some(interval) = sampler.interval() {
            if now >= due {
                sampler.sample()?;
                // What was missed is not made up for.
                due = (due + interval).max(Instant::now());
            }
            wait = due.saturating_duration_since(Instant::now()).min(interval);
        }
        if frames.send(sampler.frame()).is_err() {
            return Ok(());
        }
        let wish = match sampler.interval() {
            Some(_) => wishes.recv_timeout(wait),
            None => wishes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match wish {
            Ok(mut asked) => {
                while let Ok(newer) = wishes.try_recv() {
                    asked = newer;
                }
                let before = sampler.interval();
                sampler.ask(asked);
                // A shorter interval does not wait for the longer one to be over.
                if let Some(interval) = sampler.interval()
                    && before != Some(interval)
                {
                    due = due.min(Instant::now() + interval);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
