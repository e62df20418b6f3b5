//! Which tests took longest: what libtest says of each when it is asked to.

use std::process::Command;

/// How many of them are shown.
const SHOWN: usize = 20;

/// What is quicker is nobody's concern, in seconds.
const QUICK: f64 = 1.0;

/// Asks a test binary how long each test takes. The question is for nightlies only,
/// and RUSTC_BOOTSTRAP allows it elsewhere; a test binary compiles nothing with it.
pub(crate) fn ask(binary: &mut Command) {
    binary
        .args(["-Zunstable-options", "--report-time"])
        .env("RUSTC_BOOTSTRAP", "1");
}

/// How long each test took.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Slowest(Vec<(f64, String)>);

impl Slowest {
    /// Adds `test NAME ... ok <1.234s>`; any other line changes nothing.
    pub(crate) fn add(&mut self, line: &str) {
        self.0.extend(timed(line));
    }

    /// Those that took longest, one a line, or nothing when all were quick.
    pub(crate) fn shown(&mut self) -> String {
        self.0.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let sum: f64 = self.0.iter().map(|(seconds, _)| seconds).sum();
        let slow: Vec<String> = self
            .0
            .iter()
            .take_while(|(seconds, _)| *seconds >= QUICK)
            .take(SHOWN)
            .map(|(seconds, name)| format!("    {seconds:6.1} s  {name}\n"))
            .collect();
        if slow.is_empty() {
            return String::new();
        }
        format!(
            "slowest of {} tests, which took {sum:.0} s one by one:\n{}",
            self.0.len(),
            slow.concat()
        )
    }
}

fn timed(line: &str) -> Option<(f64, String)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let (_, time) = verdict.rsplit_once('<')?;
    let seconds = time.strip_suffix("s>")?.parse().ok()?;
    // "NAME - should panic" is how libtest shows such a test.
    Some((seconds, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_libtest() {
        let check = |line: &str, expected: Option<(f64, &str)>| {
            let expected = expected.map(|(seconds, name)| (seconds, name.to_owned()));
            assert_eq!(timed(line), expected, "{line}");
        };
        check("test a::b ... ok <1.250s>", Some((1.25, "a::b")));
        check("test a ... FAILED <0.003s>", Some((0.003, "a")));
        check("test a ... ok", None);
        check("test result: ok. 3 passed; finished in 0.00s", None);
        check("running 3 tests", None);
    }

    #[test]
    fn the_slowest_come_first_and_the_quick_not_at_all() {
        let mut slowest = Slowest::default();
        for line in ["a ... ok <1.000s>", "b ... ok <2.500s>", "c ... ok <0.9s>"] {
            slowest.add(&format!("test {line}"));
        }
        assert_eq!(
            slowest.shown(),
            "slowest of 3 tests, which took 4 s one by one:\n       \
             2.5 s  b\n       1.0 s  a\n"
        );
    }
}
