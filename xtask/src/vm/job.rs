//! What a guest is asked to do, and what it says of it.

use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::process;

/// One thing to do in a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    name: String,
    command: String,
    /// Whether it has to report results of tests.
    tests: bool,
}

/// The job that loads every program of every object.
const VERIFY: &str = "verify";

/// The prefix of filters whose tests run over the guest's own network cards.
const ON_CARDS: &str = "nic:";

impl Job {
    /// What `--filter` names: `verify`, or tests by a part of their names.
    pub(crate) fn of_filter(filter: &str) -> Self {
        if filter == VERIFY {
            return Self {
                name: filter.to_owned(),
                command: "/alias/alias-ctl verify".to_owned(),
                tests: false,
            };
        }
        let (threads, environment, part) = match filter.strip_prefix(ON_CARDS) {
            // There is one pair of cards.
            Some(part) => (1, "ALIAS_TEST_CABLE=virtio_net ", part),
            None => (2, "", filter),
        };
        // A part of a name of libtest's has no character that a shell minds, but
        // what a user types may.
        let words: Vec<String> = part
            .split(',')
            .map(|word| format!("'{}'", word.replace('\'', "")))
            .collect();
        Self {
            name: filter.replace(char::is_whitespace, ""),
            command: format!(
                "{environment}/alias/namespaces --test-threads={threads} {}",
                words.join(" ")
            ),
            tests: true,
        }
    }

    /// A line of shell, whose exit code is its result.
    pub(crate) fn of_command(command: &str) -> Self {
        Self {
            name: "run".to_owned(),
            command: command.replace('\n', "; "),
            tests: false,
        }
    }

    /// The line of /alias/jobs.
    pub(crate) fn line(&self) -> String {
        format!("{} {}\n", self.name, self.command)
    }
}

/// What came of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    code: i32,
    pub(crate) counts: Counts,
    pub(crate) elapsed: Duration,
}

/// What a guest has said until now.
#[derive(Debug)]
pub(crate) struct Report {
    jobs: Vec<Job>,
    outcomes: Vec<Outcome>,
    /// When the running job began, and its results until now.
    running: Option<(Instant, Counts)>,
    started: Instant,
    boot: Option<Duration>,
    done: bool,
}

impl Report {
    pub(crate) fn new(jobs: Vec<Job>, started: Instant) -> Self {
        Self {
            jobs,
            outcomes: Vec::new(),
            running: None,
            started,
            boot: None,
            done: false,
        }
    }

    /// Takes a line that the guest has printed at this moment; false: it is for
    /// this report alone, not for people.
    pub(crate) fn take(&mut self, line: &str, now: Instant) -> bool {
        let Some(told) = line.strip_prefix("@@") else {
            if let Some((_, counts)) = &mut self.running {
                counts.add(line);
            }
            return true;
        };
        let mut words = told.split_whitespace();
        match words.next() {
            Some("begin") => self.running = Some((now, Counts::default())),
            Some("end") => {
                let code = words.last().and_then(|word| word.parse().ok());
                if let (Some((begun, counts)), Some(code)) = (self.running.take(), code) {
                    self.outcomes.push(Outcome {
                        code,
                        counts,
                        elapsed: now.duration_since(begun),
                    });
                }
            }
            Some("done") => self.done = true,
            Some("kernel") => self.boot = Some(now.duration_since(self.started)),
            _ => {}
        }
        false
    }

    /// Whether the guest reached its end.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether every job was done and none failed.
    pub(crate) fn passed(&self) -> bool {
        self.done && self.rows().iter().all(|row| row.passed)
    }

    /// All results of tests.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for outcome in &self.outcomes {
            sum.join(outcome.counts);
        }
        sum
    }

    /// A row for the boot and one for each job.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let boot = Row {
            job: "boot".to_owned(),
            passed: self.boot.is_some(),
            result: String::new(),
            elapsed: self.boot,
        };
        let jobs = self.jobs.iter().enumerate().map(|(index, job)| {
            let outcome = self.outcomes.get(index);
            let begun = self.running.is_some() && index == self.outcomes.len();
            let (passed, result) = match outcome {
                None if begun => (false, "did not end".to_owned()),
                None => (false, "was not reached".to_owned()),
                Some(outcome) => verdict(job, *outcome),
            };
            Row {
                job: job.name.clone(),
                passed,
                result,
                elapsed: outcome.map(|outcome| outcome.elapsed),
            }
        });
        std::iter::once(boot).chain(jobs).collect()
    }
}

fn verdict(job: &Job, outcome: Outcome) -> (bool, String) {
    let Counts {
        passed,
        failed,
        ignored,
    } = outcome.counts;
    let code = match outcome.code {
        0 => String::new(),
        code => format!(" (exit code {code})"),
    };
    if !job.tests {
        return (outcome.code == 0, code.trim_start().to_owned());
    }
    if outcome.code == 0 && passed == 0 {
        return (false, "no test's name contains it".to_owned());
    }
    let mut words = vec![format!("{passed} passed")];
    for (count, what) in [(failed, "failed"), (ignored, "ignored")] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    // A test binary that fails has said which; only another end needs its code.
    let code = if failed > 0 { String::new() } else { code };
    (outcome.code == 0, format!("{}{code}", words.join(", ")))
}

/// A line of the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    job: String,
    passed: bool,
    result: String,
    elapsed: Option<Duration>,
}

/// The table of all kernels.
pub(crate) fn table(kernels: &[(&str, Vec<Row>)]) -> String {
    let shown = |row: &Row| row.elapsed.map_or_else(|| "-".to_owned(), process::seconds);
    let rows = || {
        kernels
            .iter()
            .flat_map(|(release, rows)| rows.iter().map(move |row| (*release, row)))
    };
    let widest = |width: &dyn Fn(&str, &Row) -> usize| {
        rows()
            .map(|(release, row)| width(release, row))
            .max()
            .unwrap_or_default()
    };
    let releases = widest(&|release, _| release.len());
    let jobs = widest(&|_, row| row.job.len());
    let times = widest(&|_, row| shown(row).len());
    let mut text = String::new();
    for (release, row) in rows() {
        let verdict = if row.passed { "ok" } else { "FAILED" };
        let line = format!(
            "{release:releases$}  {:jobs$}  {verdict:6}  {:>times$}  {}",
            row.job,
            shown(row),
            row.result
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_job() {
        let check = |filter: &str, line: &str| {
            assert_eq!(Job::of_filter(filter).line(), format!("{line}\n"));
        };
        check("verify", "verify /alias/alias-ctl verify");
        check(
            "vlan::",
            "vlan:: /alias/namespaces --test-threads=2 'vlan::'",
        );
        check(
            "a,b c;d'",
            "a,bc;d' /alias/namespaces --test-threads=2 'a' 'b c;d'",
        );
        check(
            "nic:traffic",
            "nic:traffic ALIAS_TEST_CABLE=virtio_net /alias/namespaces --test-threads=1 'traffic'",
        );
    }

    #[test]
    fn the_guests_words_become_rows() {
        let check = |said: &[&str], passed: bool, expected: &str| {
            let start = Instant::now();
            let jobs = ["verify", "vlan", "list"].map(Job::of_filter).to_vec();
            let mut report = Report::new(jobs, start);
            for (second, line) in (1..).zip(said) {
                report.take(line, start + Duration::from_secs(second));
            }
            assert_eq!(report.passed(), passed, "{said:?}");
            assert_eq!(table(&[("6.1", report.rows())]), expected, "{said:?}");
        };
        check(
            &[],
            false,
            "6.1  boot    FAILED  -\n\
             6.1  verify  FAILED  -  was not reached\n\
             6.1  vlan    FAILED  -  was not reached\n\
             6.1  list    FAILED  -  was not reached\n",
        );
        check(
            &[
                "@@kernel 6.1.0",
                "@@begin verify",
                "alias_rx 12 3 ms",
                "@@end verify 0",
                "@@begin vlan",
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured",
                "@@end vlan 0",
                "@@begin list",
                "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured",
                "@@end list 0",
                "@@done",
            ],
            true,
            "6.1  boot    ok      1.0 s\n\
             6.1  verify  ok      2.0 s\n\
             6.1  vlan    ok      2.0 s  3 passed, 1 ignored\n\
             6.1  list    ok      2.0 s  4 passed\n",
        );
        check(
            &[
                "@@kernel 6.1.0",
                "@@begin verify",
                "@@end verify 1",
                "@@begin vlan",
                "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured",
                "@@end vlan 101",
                "@@begin list",
                "test a_killed_guest ... ",
            ],
            false,
            "6.1  boot    ok      1.0 s\n\
             6.1  verify  FAILED  1.0 s  (exit code 1)\n\
             6.1  vlan    FAILED  2.0 s  3 passed, 2 failed\n\
             6.1  list    FAILED      -  did not end\n",
        );
        check(
            &[
                "@@kernel 6.1.0",
                "@@begin verify",
                "@@end verify 0",
                "@@begin vlan",
                "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured",
                "@@end vlan 0",
                "@@begin list",
                "@@end list 139",
                "@@done",
            ],
            false,
            "6.1  boot    ok      1.0 s\n\
             6.1  verify  ok      1.0 s\n\
             6.1  vlan    FAILED  2.0 s  no test's name contains it\n\
             6.1  list    FAILED  1.0 s  0 passed (exit code 139)\n",
        );
    }
}
