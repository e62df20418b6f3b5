//! What the user has chosen, and what keys do to it.

use std::time::Duration;

use super::frame::Frame;
use super::order::{Column, Sort};
use super::table::Identity;

/// What was pressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "what is on the keys")]
pub enum Key {
    Char(char),
    /// Ctrl-C.
    Interrupt,
    Enter,
    Escape,
    Backspace,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// What is to be done about a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// Draw again.
    Draw,
    /// End.
    Quit,
}

/// What is on the screen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Screen {
    /// The aliases.
    List,
    /// All of one of them.
    Detail(Identity),
    /// What the keys do.
    Help,
}

/// What the user has chosen.
#[derive(Clone, Debug)]
pub struct View {
    /// What is on the screen.
    pub screen: Screen,
    /// In what order.
    pub sort: Sort,
    /// Only those that have these words.
    pub filter: String,
    /// The filter is being typed.
    pub is_typing: bool,
    /// Time between samples.
    pub interval: Duration,
    /// Nothing is read.
    pub is_paused: bool,
    /// Place of the first alias that is visible.
    pub first: usize,
    /// Place of the one that is marked.
    pub cursor: usize,
    /// How many there is room for.
    pub height: usize,
}

/// What is to be read.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "as in View")]
pub struct Asked {
    pub sort: Sort,
    pub filter: String,
    pub interval: Duration,
    pub is_paused: bool,
    pub first: usize,
    pub height: usize,
    pub detail: Option<Identity>,
}

/// Intervals that + and - lead to, in milliseconds.
const INTERVALS: [u64; 9] = [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000];

impl View {
    /// At the start.
    #[must_use]
    pub fn new(sort: Sort, filter: &str, interval: Duration) -> View {
        View {
            screen: Screen::List,
            sort,
            filter: filter.to_owned(),
            is_typing: false,
            interval,
            is_paused: false,
            first: 0,
            cursor: 0,
            height: 0,
        }
    }

    /// What is to be read for it.
    #[must_use]
    pub fn asked(&self) -> Asked {
        Asked {
            sort: self.sort,
            filter: self.filter.clone(),
            interval: self.interval,
            is_paused: self.is_paused,
            first: self.first,
            height: self.height,
            detail: match self.screen {
                Screen::Detail(identity) => Some(identity),
                Screen::List | Screen::Help => None,
            },
        }
    }

    /// There is room for so many aliases, of which there are `admitted`: the marked one is
    /// one of them, and visible.
    pub fn fit(&mut self, height: usize, admitted: usize) {
        self.height = height;
        self.cursor = self.cursor.min(admitted.saturating_sub(1));
        self.first = self.first.min(admitted.saturating_sub(height));
        if self.cursor < self.first {
            self.first = self.cursor;
        } else if height > 0 && self.cursor >= self.first + height {
            self.first = self.cursor + 1 - height;
        }
    }

    /// A key was pressed while `frame` was on the screen.
    pub fn press(&mut self, key: Key, frame: &Frame) -> Reaction {
        if key == Key::Interrupt {
            return Reaction::Quit;
        }
        if self.is_typing {
            self.type_filter(key);
            return Reaction::Draw;
        }
        let reaction = match self.screen {
            Screen::List => self.press_in_list(key, frame),
            Screen::Detail(_) | Screen::Help => self.press_elsewhere(key),
        };
        self.fit(self.height, frame.admitted);
        reaction
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Char(typed) => self.filter.push(typed),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Escape => {
                self.filter.clear();
                self.is_typing = false;
            }
            Key::Enter => self.is_typing = false,
            Key::Interrupt
            | Key::Up
            | Key::Down
            | Key::Left
            | Key::Right
            | Key::PageUp
            | Key::PageDown
            | Key::Home
            | Key::End => {}
        }
        self.first = 0;
        self.cursor = 0;
    }

    fn press_elsewhere(&mut self, key: Key) -> Reaction {
        match key {
            Key::Char('q') if self.screen == Screen::Help => self.screen = Screen::List,
            Key::Char('q') => return Reaction::Quit,
            Key::Char('?') if self.screen != Screen::Help => self.screen = Screen::Help,
            Key::Char('?') | Key::Enter | Key::Escape | Key::Backspace | Key::Left => {
                self.screen = Screen::List;
            }
            Key::Char(other) => self.press_anywhere(other),
            Key::Interrupt
            | Key::Up
            | Key::Down
            | Key::Right
            | Key::PageUp
            | Key::PageDown
            | Key::Home
            | Key::End => {}
        }
        Reaction::Draw
    }

    fn press_in_list(&mut self, key: Key, frame: &Frame) -> Reaction {
        let page = self.height.max(1);
        match key {
            Key::Char('q') => return Reaction::Quit,
            Key::Char('?') => self.screen = Screen::Help,
            Key::Char('/') => self.is_typing = true,
            Key::Char('k') | Key::Up => self.cursor = self.cursor.saturating_sub(1),
            Key::Char('j') | Key::Down => self.cursor += 1,
            Key::PageUp => {
                self.cursor = self.cursor.saturating_sub(page);
                self.first = self.first.saturating_sub(page);
            }
            Key::PageDown => {
                self.cursor += page;
                self.first += page;
            }
            Key::Char('g') | Key::Home => self.cursor = 0,
            Key::Char('G') | Key::End => self.cursor = frame.admitted,
            Key::Char('<') | Key::Left => self.sort_beside(Column::ALL.len() - 1),
            Key::Char('>') | Key::Right => self.sort_beside(1),
            Key::Escape => self.filter.clear(),
            Key::Enter => {
                let marked = self.cursor.checked_sub(frame.first);
                if let Some(row) = marked.and_then(|place| frame.rows.get(place)) {
                    self.screen = Screen::Detail(row.identity);
                }
            }
            Key::Char(other) => self.press_anywhere(other),
            Key::Interrupt | Key::Backspace => {}
        }
        Reaction::Draw
    }

    /// What a letter does on every screen.
    fn press_anywhere(&mut self, key: char) {
        match key {
            'p' | ' ' => self.is_paused = !self.is_paused,
            'r' => self.sort.is_reversed = !self.sort.is_reversed,
            '+' | '=' => {
                let longer = INTERVALS.into_iter().map(Duration::from_millis);
                let longer = longer.into_iter().find(|other| *other > self.interval);
                self.interval = longer.unwrap_or(self.interval);
            }
            '-' => {
                let shorter = INTERVALS.into_iter().rev().map(Duration::from_millis);
                let shorter = shorter.into_iter().find(|other| *other < self.interval);
                self.interval = shorter.unwrap_or(self.interval);
            }
            digit => {
                let place = digit.to_digit(10).and_then(|one| one.checked_sub(1));
                let column = place.and_then(|place| Column::ALL.get(place as usize));
                if let Some(column) = column {
                    self.sort_by(*column);
                }
            }
        }
    }

    /// The column that it is sorted by already turns its order round.
    fn sort_by(&mut self, column: Column) {
        if self.sort.column == column {
            self.sort.is_reversed = !self.sort.is_reversed;
        } else {
            self.sort = Sort::by(column);
        }
    }

    fn sort_beside(&mut self, steps: usize) {
        let place = (self.sort.column.place() + steps) % Column::ALL.len();
        self.sort = Sort::by(Column::ALL[place]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Row;
    use super::*;

    fn frame(first: usize, rows: usize, admitted: usize) -> Frame {
        let row = |place: usize| Row {
            identity: identity(first + place),
            name: String::new(),
            address: String::new(),
            target: String::new(),
            rates: None,
            history: Vec::new(),
        };
        Frame {
            rows: (0..rows).map(row).collect(),
            first,
            admitted,
            all: admitted,
            ..Frame::default()
        }
    }

    fn identity(place: usize) -> Identity {
        Identity {
            parent: 2,
            id: place as u32,
            created: place as u64 + 1,
        }
    }

    fn view(height: usize, admitted: usize) -> View {
        let mut view = View::new(Sort::by(Column::RxPackets), "", Duration::from_secs(1));
        view.fit(height, admitted);
        view
    }

    /// Where keys lead: the first that is visible, and the marked one.
    #[track_caller]
    fn check(keys: &[Key], expected: (usize, usize)) {
        let mut view = view(10, 25);
        for key in keys {
            view.press(*key, &frame(view.first, 10, 25));
        }
        assert_eq!((view.first, view.cursor), expected, "{keys:?}");
    }

    #[test]
    fn the_marked_one_is_always_visible() {
        check(&[Key::Up], (0, 0));
        check(&[Key::Down; 9], (0, 9));
        check(&[Key::Down; 10], (1, 10));
        check(&[Key::Down; 30], (15, 24));
        check(&[Key::PageDown], (10, 10));
        check(&[Key::PageDown, Key::PageDown, Key::PageDown], (15, 24));
        check(&[Key::End], (15, 24));
        check(&[Key::End, Key::Home], (0, 0));
        check(&[Key::End, Key::PageUp], (5, 14));
        let mut small = view(10, 25);
        small.press(Key::End, &frame(0, 10, 25));
        small.fit(3, 5);
        assert_eq!((small.first, small.cursor), (2, 4));
        small.fit(0, 0);
        assert_eq!((small.first, small.cursor), (0, 0));
    }

    #[test]
    fn columns_are_chosen_by_number_and_by_arrow() {
        let mut view = view(10, 25);
        let shown = frame(0, 10, 25);
        for (key, column, is_reversed) in [
            (Key::Char('1'), Column::Alias, false),
            (Key::Char('1'), Column::Alias, true),
            (Key::Left, Column::Drops, false),
            (Key::Char('r'), Column::Drops, true),
            (Key::Char('>'), Column::Alias, false),
            (Key::Char('8'), Column::Drops, false),
            (Key::Char('9'), Column::Drops, false),
            (Key::Char('0'), Column::Drops, false),
        ] {
            view.press(key, &shown);
            let expected = Sort {
                column,
                is_reversed,
            };
            assert_eq!(view.sort, expected, "{key:?}");
        }
    }

    #[test]
    fn what_is_typed_is_the_filter_until_enter() {
        let mut view = view(10, 25);
        let shown = frame(0, 10, 25);
        view.press(Key::PageDown, &shown);
        for key in "/q1\u{e9}".chars() {
            assert_eq!(view.press(Key::Char(key), &shown), Reaction::Draw);
        }
        assert_eq!(
            (view.filter.as_str(), view.first, view.cursor),
            ("q1\u{e9}", 0, 0)
        );
        view.press(Key::Backspace, &shown);
        view.press(Key::Enter, &shown);
        assert_eq!(view.asked().filter, "q1");
        assert_eq!(view.press(Key::Char('p'), &shown), Reaction::Draw);
        assert!(view.is_paused && view.filter == "q1");
        view.press(Key::Escape, &shown);
        assert_eq!(view.filter, "");
        assert_eq!(view.press(Key::Char('q'), &shown), Reaction::Quit);
        view.press(Key::Char('/'), &shown);
        assert_eq!(view.press(Key::Interrupt, &shown), Reaction::Quit);
    }

    #[test]
    fn enter_looks_at_the_marked_one() {
        let mut view = view(10, 25);
        let shown = frame(10, 10, 25);
        (view.first, view.cursor) = (10, 12);
        view.press(Key::Enter, &shown);
        assert_eq!(view.asked().detail, Some(identity(12)));
        view.press(Key::Char('?'), &shown);
        assert_eq!(view.screen, Screen::Help);
        assert_eq!(view.press(Key::Char('q'), &shown), Reaction::Draw);
        assert_eq!(view.screen, Screen::List);
        view.press(Key::Enter, &shown);
        view.press(Key::Escape, &shown);
        assert_eq!((view.screen, view.cursor), (Screen::List, 12));
        view.press(Key::Enter, &frame(0, 0, 0));
        assert_eq!(view.screen, Screen::List);
    }

    #[test]
    fn the_interval_has_two_ends() {
        let mut view = view(10, 25);
        let shown = frame(0, 10, 25);
        for (key, times, expected) in [('+', 1, 2000), ('+', 20, 60_000), ('-', 20, 100)] {
            for _ in 0..times {
                view.press(Key::Char(key), &shown);
            }
            assert_eq!(view.interval, Duration::from_millis(expected), "{key}");
        }
    }
}
