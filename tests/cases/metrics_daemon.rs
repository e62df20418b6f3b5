//! The daemon answers who reads metrics, and nobody holds it up: raw requests, then
//! Prometheus itself with the board that is shipped.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use alias_tests::{Lab, Mode, NAME_PREFIX, RawSocket, wait_for};
use serde_json::Value;

use crate::metrics::promtool;
use crate::on_drop::OnDrop;
use crate::scene::{Family, LIMIT, from_b_to_a, ip};

const PORT: u16 = 9713;

fn lab() -> Lab {
    let lab = Lab::builder().mode(Mode::Native).silent().build();
    lab.a.ip("link set lo up");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--drop"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9/24", "--drop"]);
    lab
}

fn send(lab: &Lab, address: &str, count: usize) {
    let to = ip(address);
    let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
    let built = from_b_to_a(lab).ip(family.b_ip(), to);
    let frame = built.udp(5, 9, b"counted").padded().build();
    let socket = RawSocket::open(&lab.b, "eth0");
    (0..count).for_each(|_| socket.send(&frame));
}

fn connect(lab: &Lab, port: u16) -> TcpStream {
    let stream = lab.a.enter(|| TcpStream::connect(("127.0.0.1", port)));
    let stream = stream.expect("somebody listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// Everything that comes for a request.
#[track_caller]
fn talk(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it ends");
    answer
}

fn get(lab: &Lab, accept: &str) -> String {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n");
    talk(connect(lab, PORT), &request)
}

#[track_caller]
fn has(answer: &str, line: &str) {
    let found = answer.lines().any(|one| one == line);
    assert!(found, "no line {line}: {answer}");
}

#[test]
fn the_daemon_says_what_was_counted_in_the_format_that_is_liked() {
    let lab = lab();
    let _daemon = lab.daemon(&["--metrics", "9713", "--metrics-top", "1"]);
    send(&lab, "198.51.100.8", 3);
    send(&lab, "198.51.100.9", 5);
    lab.wait_for_counter("eth0:1", "rx_packets", 5);
    lab.wait_for_counter("eth0:0", "rx_packets", 3);
    let newer = get(
        &lab,
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    );
    has(&newer, "HTTP/1.1 200 OK");
    has(
        &newer,
        "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    assert!(newer.ends_with("\n# EOF\n"), "{newer}");
    has(&newer, "# TYPE alias_daemon_repairs counter");
    let older = get(&lab, "*/*");
    has(
        &older,
        "Content-Type: text/plain; version=0.0.4; charset=utf-8",
    );
    has(&older, "# TYPE alias_daemon_repairs_total counter");
    for answer in [&newer, &older] {
        has(
            answer,
            "alias_rx_packets_total{alias=\"eth0:1\",parent=\"eth0\"} 5",
        );
        has(answer, "alias_other_aliases{parent=\"eth0\"} 1");
        has(
            answer,
            "alias_other_packets{parent=\"eth0\",direction=\"rx\"} 3",
        );
        has(
            answer,
            "alias_parent_packets_total{parent=\"eth0\",verdict=\"drop\"} 8",
        );
        has(answer, "alias_complete 1");
        assert!(
            !answer.contains("alias=\"eth0:0\""),
            "one alias only: {answer}"
        );
        let (head, body) = answer.split_once("\r\n\r\n").expect("an empty line");
        has(head, &format!("Content-Length: {}", body.len()));
    }
    let head = talk(connect(&lab, PORT), "HEAD /metrics HTTP/1.0\r\n\r\n");
    assert!(
        head.ends_with("\r\n\r\n") && !head.contains("alias_"),
        "{head}"
    );
    // What it puts right, it counts.
    let repairs = |text: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.starts_with("alias_daemon_repairs_total "));
        let value = line.and_then(|line| line.rsplit_once(' '));
        value.expect("a counter").1.parse().expect("a number")
    };
    let before = repairs(&newer);
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.10/24"]);
    lab.a.ip("link del eth0:2");
    wait_for("the repair to be counted", LIMIT, || {
        repairs(&get(&lab, "*/*")) == before + 1
    });
}

#[test]
fn a_wrong_request_is_told_so() {
    let lab = lab();
    let mut daemon = lab.daemon(&["--metrics", "127.0.0.1:9713"]);
    let long = format!(
        "GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n",
        "a".repeat(9000)
    );
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK"),
        ("GET /other HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found"),
        (
            "POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
            "405 Method Not Allowed",
        ),
        ("GET /metrics\r\n\r\n", "400 Bad Request"),
        (
            "GET /metrics HTTP/3.0\r\n\r\n",
            "505 HTTP Version Not Supported",
        ),
        (&long, "431 Request Header Fields Too Large"),
    ] {
        let mut stream = connect(&lab, PORT);
        stream.write_all(request.as_bytes()).expect("it is taken");
        let mut first = [0; 64];
        let length = stream.read(&mut first).expect("an answer");
        let first = String::from_utf8_lossy(&first[..length]).into_owned();
        let line = format!("HTTP/1.1 {status}\r\n");
        assert!(first.starts_with(&line), "{status}: {first}");
    }
    assert!(daemon.is_alive(), "{}", daemon.log());
    // Only this host is answered where nobody says more; a second one has no room there.
    lab.ctl_err(&["daemon", "--metrics", "9713"], "EBUSY");
    for wrong in ["unix:relative", "localhost", "99999", "192.0.2.9"] {
        let output = lab.ctl(&["daemon", "--metrics", wrong]);
        assert_eq!(output.code(), 2, "{wrong}: {output}");
    }
}

/// Clients that say nothing, and one that takes nothing: they are few, they end, and what
/// the daemon is there for goes on.
#[test]
fn clients_that_wait_hold_nobody_up() {
    let lab = lab();
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.10/24"]);
    lab.ctl_ok(&["add", "eth0", "--range", "198.18.0.0/19", "--drop"]);
    let _daemon = lab.daemon(&["--metrics", "9713", "--metrics-top", "100000"]);
    let began = Instant::now();
    let mut deaf = connect(&lab, PORT);
    deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        .expect("it is taken");
    let mut silent: Vec<TcpStream> = (0..7).map(|_| connect(&lab, PORT)).collect();
    silent[0].write_all(b"GET /met").expect("it is taken");
    wait_for("the ninth to be turned away", LIMIT, || {
        get(&lab, "*/*").starts_with("HTTP/1.1 503 Service Unavailable\r\n")
    });
    lab.a.ip("link del eth0:2");
    wait_for("the daemon to do its work", LIMIT, || {
        !lab.alias_names().contains(&"eth0:2".to_owned())
    });
    for stream in &mut silent {
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it ends");
        assert!(
            said.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
            "{said}"
        );
    }
    assert!(began.elapsed() > Duration::from_secs(9), "it is patient");
    // The one that took nothing is cut off in the middle, and there is room again.
    wait_for("to be answered", LIMIT, || {
        get(&lab, "*/*").starts_with("HTTP/1.1 200 OK\r\n")
    });
    wait_for("the deaf one to be dropped", LIMIT, || {
        let established = lab.a.run("ss -Htn state established sport = :9713").ok();
        established.stdout.trim().is_empty()
    });
}

/// What the answer costs is bounded by the series that it has.
#[test]
fn a_million_aliases_are_told_in_two_seconds() {
    let lab = Lab::builder().mode(Mode::Native).silent().build();
    lab.a.ip("link set lo up");
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "2001:db8:7::-2001:db8:7::f:423f",
        "--drop",
    ]);
    let daemon = lab.daemon(&["--metrics", "9713"]);
    send(&lab, "2001:db8:7::9:8765", 6);
    let mut least = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        let answer = get(&lab, "application/openmetrics-text");
        least = least.min(began.elapsed());
        has(&answer, "alias_other_aliases{parent=\"eth0\"} 999000");
        has(&answer, "alias_parent_aliases{parent=\"eth0\"} 1000000");
        assert_eq!(answer.matches("\nalias_info{").count(), 1000);
        assert!(
            answer.contains("address=\"2001:db8:7::9:8765\""),
            "the busiest is told"
        );
        assert!(answer.len() < 2 << 20, "{}", answer.len());
    }
    let memory = daemon.anonymous_memory() >> 20;
    // A line that cannot be written is no reason to fail.
    let _ = writeln!(
        io::stderr(),
        "1,000,000 aliases, 1,000 told: {least:?}, {memory} MiB"
    );
    assert!(least < Duration::from_secs(2), "{least:?}");
    assert!(memory < 256, "{memory} MiB");
}

#[test]
fn a_socket_in_the_file_system_is_its_groups() {
    let lab = lab();
    let name = format!("{NAME_PREFIX}{}-metrics.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _gone = OnDrop(|| drop(fs::remove_file(&path)));
    let place = format!("unix:{}", path.display());
    // As a daemon leaves it that was killed.
    drop(UnixListener::bind(&path).expect("a socket"));
    let daemon = lab.daemon(&["--metrics", &place]);
    let mode = fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    let stream = UnixStream::connect(&path).expect("it listens");
    let answer = talk(stream, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    has(&answer, "alias_parent_aliases{parent=\"eth0\"} 2");
    assert_eq!(daemon.stop(libc::SIGTERM), Some(0));
    assert!(!path.exists(), "it goes with the daemon");
    // Somebody else's: it stays.
    let _other = UnixListener::bind(&path).expect("a socket");
    lab.ctl_err(&["daemon", "--metrics", &place], "EADDRINUSE");
    assert!(path.exists());
}

fn board() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../alias-ctl/share/grafana/alias.json"
    );
    let text = fs::read_to_string(path).expect("a file that is shipped");
    serde_json::from_str(&text).expect("JSON")
}

/// What the board asks Prometheus, with what Grafana puts in.
fn queries() -> Vec<String> {
    let board = board();
    let panels = board["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.map(|target| target["expr"].as_str().expect("a query"));
    queries
        .map(|query| {
            query
                .replace("$__rate_interval", "30s")
                .replace("$parent", "eth0")
        })
        .collect()
}

/// Prometheus of Debian's package, in host A; its data go with it.
struct Prometheus {
    directory: PathBuf,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The result of a query; `None`: it cannot say yet.
fn query(lab: &Lab, text: &str) -> Option<Vec<Value>> {
    let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let stream = lab.a.enter(|| TcpStream::connect("127.0.0.1:9090")).ok()?;
    let request = format!("GET /api/v1/query?query={escaped} HTTP/1.0\r\n\r\n");
    let answer = talk(stream, &request);
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).ok()?;
    assert_ne!(body["errorType"], "bad_data", "{text}: {body}");
    body["data"]["result"].as_array().cloned()
}

#[test]
fn prometheus_scrapes_it_and_the_board_has_answers() {
    let lab = lab();
    let name = format!("{NAME_PREFIX}{}-prometheus", std::process::id());
    let home = Prometheus {
        directory: std::env::temp_dir().join(name),
    };
    fs::create_dir(&home.directory).expect("a directory of our own");
    let Some(promtool) = promtool(&home.directory) else {
        // A line that cannot be written is no reason to fail.
        let _ = writeln!(io::stderr(), "SKIPPED: no prometheus: apt offers none here");
        return;
    };
    let _daemon = lab.daemon(&["--metrics", "9713"]);
    let file = home.directory.join("prometheus.yml");
    let configuration = "global: {scrape_interval: 1s}\n\
         scrape_configs:\n- job_name: alias\n  static_configs: [{targets: ['127.0.0.1:9713']}]\n";
    fs::write(&file, configuration).expect("our own directory");
    let _running = lab.a.spawn(&format!(
        "{} --config.file={} --storage.tsdb.path={} --web.listen-address=127.0.0.1:9090",
        promtool.with_file_name("prometheus").display(),
        file.display(),
        home.directory.join("data").display(),
    ));
    wait_for("a first scrape", LIMIT, || {
        query(&lab, "up").is_some_and(|found| found.iter().any(|one| one["value"][1] == "1"))
    });
    send(&lab, "198.51.100.8", 7);
    send(&lab, "198.51.100.9", 4);
    // Looked up by address, as only the info has it.
    let by_address = "alias_rx_packets_total * on (alias) group_left (address) \
                      alias_info{address=\"198.51.100.8\"}";
    wait_for("Prometheus to have the figure", LIMIT, || {
        let found = query(&lab, by_address).unwrap_or_default();
        found.len() == 1
            && found[0]["value"][1] == "7"
            && found[0]["metric"]["address"] == "198.51.100.8"
    });
    let queries = queries();
    assert!(queries.len() > 15, "{queries:?}");
    for one in &queries {
        wait_for(&format!("an answer to {one}"), LIMIT, || {
            query(&lab, one).is_some_and(|found| !found.is_empty())
        });
    }
}
