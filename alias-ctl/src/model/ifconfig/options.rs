//! What stands before the name: which listing is wanted, and in which style.

use super::{Family, Form, Ifconfig, Listing, State, Style, Unread, words};

pub(super) fn no_option(word: &str) -> Unread {
    Unread::Usage(format!("there is no option {word}"))
}

/// What stands before the name.
pub(super) struct Options {
    pub(super) style: Style,
    all: bool,
    up: bool,
    down: bool,
    form: Form,
    /// A listing was asked for in so many words.
    pub(super) lists: bool,
    /// Solaris's `-4`, `-6`.
    family: Option<Family>,
    pub(super) cascade: bool,
    pub(super) flags: Option<u64>,
}

impl Options {
    pub(super) fn new(style: Style) -> Options {
        Options {
            style,
            all: false,
            up: false,
            down: false,
            form: Form::Blocks,
            lists: false,
            family: None,
            cascade: false,
            flags: None,
        }
    }

    pub(super) fn style(&mut self, name: &str) -> std::result::Result<(), Unread> {
        self.style = Style::parse(name)
            .ok_or_else(|| Unread::Usage(format!("--style {name}: {}", Style::NAMES)))?;
        Ok(())
    }

    pub(super) fn flag_word(&mut self, word: &str) -> std::result::Result<(), Unread> {
        let read = words::flag_word(word);
        self.flags =
            Some(read.ok_or_else(|| Unread::Usage(format!("--flags {word}: a hexadecimal word")))?);
        Ok(())
    }

    pub(super) fn letters(&mut self, word: &str) -> std::result::Result<(), Unread> {
        let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty());
        for letter in letters.ok_or_else(|| no_option(word))?.chars() {
            match letter {
                'a' => self.all = true,
                'u' => self.up = true,
                'd' => self.down = true,
                'l' => self.form = Form::Names,
                's' => self.form = Form::Table,
                '4' => self.family(Family::Inet)?,
                '6' => self.family(Family::Inet6)?,
                // net-tools and BSD: more of the same.
                'v' => continue,
                _ => return Err(no_option(word)),
            }
            self.lists = true;
        }
        Ok(())
    }

    fn family(&mut self, family: Family) -> std::result::Result<(), Unread> {
        if self.family.is_some_and(|other| other != family) {
            return Err(Unread::Usage(
                "a listing is of one family, or of all".into(),
            ));
        }
        self.family = Some(family);
        Ok(())
    }

    pub(super) fn listing(
        &mut self,
        name: Option<&str>,
        family: Option<Family>,
    ) -> std::result::Result<Ifconfig, Unread> {
        if let Some(family) = family {
            self.family(family)?;
        }
        if self.up && self.down {
            return Err(Unread::Usage("-u and -d exclude each other".into()));
        }
        if name.is_some() && self.form == Form::Names {
            return Err(Unread::Usage("-l lists all names: name none".into()));
        }
        let state = match (self.up, self.down) {
            (true, _) => State::Up,
            (_, true) => State::Down,
            // Linux shows what is up unless it is told -a; the others show all.
            _ if self.all || name.is_some() || self.style != Style::Linux => State::Any,
            _ if self.form == Form::Names => State::Any,
            _ => State::Up,
        };
        Ok(Ifconfig::List(Listing {
            name: name.map(str::to_owned),
            family: self.family,
            state,
            form: self.form,
            style: self.style,
        }))
    }
}
