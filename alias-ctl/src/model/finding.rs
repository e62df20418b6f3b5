//! What an examination finds: pure, so that how it is told is somebody else's.

/// How much it matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// As it should be.
    Fine,
    /// It works, but slower, or not as one might think.
    Note,
    /// Packets are lost, or a command will be refused.
    Problem,
}

impl Level {
    /// As it is printed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Level::Fine => "ok",
            Level::Note => "note",
            Level::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What was looked at: an alias, a device, a part of the system.
    pub object: String,
    /// What was found.
    pub what: String,
    /// What to do about it; empty when there is nothing to do.
    pub hint: String,
}

/// Findings in the order they were made.
#[derive(Debug, Default)]
pub struct Findings {
    all: Vec<Finding>,
    /// Of what is found for many objects, only this one is told.
    only: Option<String>,
}

impl Findings {
    /// How many findings of one kind are told one by one.
    const TOLD: usize = 5;

    /// From now on, what is found for other aliases than this one is left out.
    pub fn leave_out_others(&mut self, alias: &str) {
        self.only = Some(alias.to_owned());
    }

    fn add(&mut self, level: Level, object: impl Into<String>, what: impl Into<String>) {
        self.all.push(Finding {
            level,
            object: object.into(),
            what: what.into(),
            hint: String::new(),
        });
    }

    /// Something is as it should be.
    pub fn fine(&mut self, object: impl Into<String>, what: impl Into<String>) {
        self.add(Level::Fine, object, what);
    }

    /// Something is worth knowing.
    pub fn note(
        &mut self,
        object: impl Into<String>,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(Level::Note, object, what);
        self.add_hint(hint);
    }

    /// Something is wrong.
    pub fn problem(
        &mut self,
        object: impl Into<String>,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(Level::Problem, object, what);
        self.add_hint(hint);
    }

    fn add_hint(&mut self, hint: impl Into<String>) {
        if let Some(last) = self.all.last_mut() {
            last.hint = hint.into();
        }
    }

    /// The same thing found for many objects: the first few are told one by one, and
    /// how many more there are.
    pub fn each(&mut self, level: Level, found: &[(String, String)], what: &str) {
        if let Some(only) = self.only.clone() {
            for (object, hint) in found.iter().filter(|(object, _)| *object == only) {
                self.add(level, object, what);
                self.add_hint(hint);
            }
            return;
        }
        for (object, hint) in found.iter().take(Self::TOLD) {
            self.add(level, object, what);
            self.add_hint(hint);
        }
        if found.len() > Self::TOLD {
            let more = found.len() - Self::TOLD;
            self.add(level, format!("and {more} more"), what);
        }
    }

    /// What is wrong with many objects: object, what, hint. Those of which the same is wrong
    /// are told together.
    pub fn problems_of(&mut self, found: impl Iterator<Item = (String, String, String)>) {
        let mut kinds: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for (object, what, hint) in found {
            let found = (object, hint);
            match kinds.iter_mut().find(|(known, _)| *known == what) {
                Some((_, of_kind)) => of_kind.push(found),
                None => kinds.push((what, vec![found])),
            }
        }
        for (what, found) in kinds {
            self.each(Level::Problem, &found, &what);
        }
    }

    /// Number of problems.
    #[must_use]
    pub fn problems(&self) -> usize {
        let is_problem = |finding: &&Finding| finding.level == Level::Problem;
        self.all.iter().filter(is_problem).count()
    }

    /// All of them, in the order they were made.
    #[must_use]
    pub fn all(&self) -> &[Finding] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_alias_nothing_is_summed_up_or_hidden() {
        let found: Vec<_> = (0..7)
            .map(|n| (format!("eth0:{n}"), String::new()))
            .collect();
        let mut findings = Findings::default();
        findings.leave_out_others("eth0:6");
        findings.each(Level::Problem, &found, "its device is gone");
        let objects: Vec<_> = findings.all().iter().map(|f| f.object.as_str()).collect();
        assert_eq!(objects, ["eth0:6"]);
    }

    #[test]
    fn many_of_a_kind_are_summed_up() {
        let mut findings = Findings::default();
        let found: Vec<_> = (0..7)
            .map(|n| (format!("eth0:{n}"), String::new()))
            .collect();
        findings.each(Level::Problem, &found, "its device is gone");
        let objects: Vec<_> = findings.all().iter().map(|f| f.object.as_str()).collect();
        assert_eq!(
            objects,
            [
                "eth0:0",
                "eth0:1",
                "eth0:2",
                "eth0:3",
                "eth0:4",
                "and 2 more"
            ]
        );
        findings.note("eth0", "slow", "");
        assert_eq!(findings.problems(), 6);
    }
}
