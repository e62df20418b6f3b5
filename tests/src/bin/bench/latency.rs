//! Question and answer: one datagram there and one back, before the next.

use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use alias_tests::Mode;
use serde_json::json;

use crate::cpu::stay_on;
use crate::ends::{ADDRESS, Ends};
use crate::goal::Goal;
use crate::options::Effort;
use crate::report::{Report, Table};
use crate::samples::{Samples, shown};
use crate::{Progress, Result};

const PORT: u16 = 7;
/// Of one turn; the first tenth warms up and is not counted.
const QUESTIONS: usize = 11_000;
const WARM_UP: usize = 1_000;
const LIMIT: Duration = Duration::from_secs(5);
/// Ends the server.
const LAST: [u8; 1] = [0xff];

struct Row {
    name: &'static str,
    ends: Result<Ends>,
    median: Samples,
    p99: Samples,
}

pub(crate) fn measure(effort: &Effort, progress: &Progress, report: &mut Report) -> Result<()> {
    progress.step("latency, making the hosts");
    let mut rows = [
        row("ours: device alias", Ends::alias(Mode::Native)),
        row("peer: unsteered, A's own address", Ends::unsteered()),
        row("peer: macvlan", Ends::macvlan()),
    ];
    for turn in 1..=effort.turns {
        progress.step(&format!("latency, turn {turn} of {}", effort.turns));
        for row in &mut rows {
            row.turn()
                .map_err(|error| format!("{}: {error}", row.name))?;
        }
    }
    report.add(table(&rows));
    let [ours, unsteered, _] = &rows;
    for (which, ours, unsteered) in [
        ("p50", &ours.median, &unsteered.median),
        ("p99", &ours.p99, &unsteered.p99),
    ] {
        let work = format!("request-response to a device alias, {which}: to unsteered");
        report.goal(Goal::at_most(&work, ours, unsteered, 1.05));
    }
    Ok(())
}

fn row(name: &'static str, ends: Result<Ends>) -> Row {
    Row {
        name,
        ends,
        median: Samples::default(),
        p99: Samples::default(),
    }
}

impl Row {
    fn turn(&mut self) -> io::Result<()> {
        let Ok(ends) = &self.ends else {
            return Ok(());
        };
        ends.begin();
        let mut times = times(ends)?;
        ends.finish();
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
        self.median.push(at(50));
        self.p99.push(at(99));
        Ok(())
    }
}

/// From before the question is sent until the answer is read.
fn times(ends: &Ends) -> io::Result<Vec<Duration>> {
    let open = |address: &str, port| {
        let socket = UdpSocket::bind((address, port))?;
        socket.set_read_timeout(Some(LIMIT))?;
        io::Result::Ok(socket)
    };
    let there = ends.server().enter(|| open(ADDRESS, PORT))?;
    let here = ends.lab.b.enter(|| open("0.0.0.0", 0))?;
    here.connect((ADDRESS, PORT))?;
    thread::scope(|scope| {
        let server = scope.spawn(|| answer(&there));
        let client = scope.spawn(|| {
            stay_on(1)?;
            let mut times = Vec::with_capacity(QUESTIONS);
            let mut answer = [0; 8];
            for _ in 0..QUESTIONS {
                let start = Instant::now();
                here.send(&[0; 8])?;
                here.recv(&mut answer)?;
                times.push(start.elapsed());
            }
            here.send(&LAST)?;
            io::Result::Ok(times.split_off(WARM_UP))
        });
        let times = client.join().expect("the client does not panic");
        server.join().expect("the server does not panic")?;
        times
    })
}

fn answer(socket: &UdpSocket) -> io::Result<()> {
    stay_on(0)?;
    let mut question = [0; 8];
    loop {
        let (length, from) = socket.recv_from(&mut question)?;
        if question[..length] == LAST {
            return Ok(());
        }
        socket.send_to(&question[..length], from)?;
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(
        "latency",
        "Request and response: a datagram of 8 bytes there and back",
        &[
            "what",
            "p50",
            "of them least",
            "p99",
            "of them least",
            "unit",
            "turns",
            "method",
        ],
    );
    for row in rows {
        let missing = row.ends.as_ref().err();
        let method = match missing {
            Some(reason) => format!("NOT MEASURED: {reason}"),
            None => format!("{} round trips a turn", QUESTIONS - WARM_UP),
        };
        table.row(
            vec![
                row.name.to_owned(),
                shown(row.median.median()),
                shown(row.median.minimum()),
                shown(row.p99.median()),
                shown(row.p99.minimum()),
                "us".to_owned(),
                row.median.count().to_string(),
                method.clone(),
            ],
            json!({
                "name": row.name,
                "unit": "us",
                "p50": row.median.to_json(),
                "p99": row.p99.to_json(),
                "round_trips": QUESTIONS - WARM_UP,
                "method": method,
                "missing": missing,
            }),
        );
    }
    table.note("p50 and p99 of each turn; the median and the least of the turns' figures; blocking sockets, client and server on a CPU each");
    table
}
