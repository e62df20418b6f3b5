//! A server is replaced: its old address moves as an alias to the new machine,
//! and service goes on. The server is a real one, and a client asks it all the
//! time by an address that is meanwhile taken from one host and given to another.
//!
//! ```text
//! host A  eth0 192.0.2.9   ─┐
//! host N  eth0 192.0.2.10  ─┼─ switch
//! client  eth0 192.0.2.1   ─┘
//! ```

mod dns;

use std::{
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use alias_tests::{Lab, Namespace, wait_for};

use crate::on_drop::OnDrop;
use crate::scene::{Family, ip};

/// Between two questions.
const PACE: Duration = Duration::from_millis(5);
/// Answers that show that a host serves.
const ENOUGH: usize = 100;
/// What a server may take to answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(20);
/// RFC 1035, 4.2.1.
const DOMAIN: u16 = 53;

/// What became of one question.
struct Asked {
    at: Instant,
    answer: Option<(Instant, String)>,
}

/// What the client has seen so far; its index is the question's id.
#[derive(Default)]
struct Log(Mutex<Vec<Asked>>);

impl Log {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<Asked>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answered_by(&self, host: &str) -> usize {
        self.with(|asked| answers(asked).filter(|(_, by)| *by == host).count())
    }
}

/// When each answer came, and from whom, in the order of the questions.
fn answers(asked: &[Asked]) -> impl Iterator<Item = (Instant, &str)> {
    let answers = asked.iter().filter_map(|asked| asked.answer.as_ref());
    answers.map(|(at, by)| (*at, by.as_str()))
}

/// Asks one question after another until `done`, then waits for what is due.
fn ask_all_the_time(socket: &UdpSocket, server: IpAddr, log: &Log, done: &AtomicBool) {
    let mut next = Instant::now();
    while !done.load(Ordering::Relaxed) {
        let at = Instant::now();
        let id = log.with(|asked| {
            asked.push(Asked { at, answer: None });
            asked.len() - 1
        });
        let id = u16::try_from(id).expect("fewer questions than ids");
        // What cannot be sent is a question that is lost.
        let _ = socket.send_to(&dns::question(id), (server, DOMAIN));
        next = (next + PACE).max(at);
        hear_until(socket, next, log);
    }
    let last = Instant::now();
    while last.elapsed() < PATIENCE && log.with(|asked| asked.iter().any(|a| a.answer.is_none())) {
        hear_until(socket, Instant::now() + PACE, log);
    }
}

/// Notes the answers that come until then.
fn hear_until(socket: &UdpSocket, deadline: Instant, log: &Log) {
    let mut message = [0; 512];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        socket
            .set_read_timeout(Some(left))
            .expect("a timeout above zero");
        let Ok((length, _)) = socket.recv_from(&mut message) else {
            continue;
        };
        if let Some((id, by)) = dns::answer(&message[..length]) {
            let at = Instant::now();
            log.with(|asked| {
                asked[usize::from(id)].answer.get_or_insert((at, by));
            });
        }
    }
}

/// A socket of a namespace that can ask a server of this family.
fn asking(host: &Namespace, server: IpAddr) -> UdpSocket {
    let any: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    host.enter(|| UdpSocket::bind((any, 0)))
        .expect("any free port")
}

#[track_caller]
fn wait_until_served(host: &Namespace, name: &str) {
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    let socket = asking(host, localhost);
    let log = Log::default();
    wait_for(&format!("dnsmasq of {name}"), LIMIT, || {
        log.with(|asked| {
            asked.clear();
            asked.push(Asked {
                at: Instant::now(),
                answer: None,
            });
        });
        let _ = socket.send_to(&dns::question(0), (localhost, DOMAIN));
        hear_until(&socket, Instant::now() + PACE, &log);
        log.answered_by(name) == 1
    });
}

/// Makes host B of the lab the switch, and puts two more hosts on it.
fn onto_a_switch(lab: &Lab, hosts: [(&Namespace, &str, &str); 2]) {
    let switch = &lab.b;
    switch.ip_batch(
        "addr flush dev eth0\n\
         link add br0 type bridge\n\
         link set eth0 master br0\n\
         link set br0 up\n",
    );
    for (number, (host, v4, v6)) in hosts.iter().enumerate() {
        let port = format!("port{number}");
        switch.ip(&format!(
            "link add {port} type veth peer name eth0 netns {}",
            host.name()
        ));
        // As for the lab's own cable.
        switch
            .run(&format!("ethtool -K {port} txvlan off tx off"))
            .ok();
        switch.ip_batch(&format!("link set {port} master br0\nlink set {port} up\n"));
        host.ip_batch(&format!(
            "link set eth0 up\naddr add {v4}/24 dev eth0\naddr add {v6}/64 dev eth0 nodad\n"
        ));
    }
}

#[track_caller]
fn check(family: Family, target: &str) {
    let lab = Lab::plain();
    let (new, client) = (lab.namespace("n"), lab.namespace("c"));
    onto_a_switch(
        &lab,
        [
            (&new, "192.0.2.10", "2001:db8:0:1::10"),
            (&client, "192.0.2.1", "2001:db8:0:1::1"),
        ],
    );
    // Left alone, a client finds out by itself some seconds after the answers have
    // ceased (RFC 4861, 7.3.3). This one does not, while the test lasts: it must be told.
    for version in ["ipv4", "ipv6"] {
        client.sysctl(
            &format!("{version}/neigh/eth0/delay_first_probe_time"),
            "600",
        );
    }
    let address = match family {
        Family::V4 => "192.0.2.53/24",
        Family::V6 => "2001:db8:0:1::53/64",
    };
    let (service, _) = address.split_once('/').expect("with its length");
    let add = ["add", "eth0:0", address, target];
    lab.ctl_ok(&add);
    // Attaching takes longer than adding: it is done before the hour comes.
    lab.ctl_in(&new, &["attach", "eth0"]).ok();
    let _servers = [dns::serve(&lab.a, "a"), dns::serve(&new, "n")];
    wait_until_served(&lab.a, "a");
    wait_until_served(&new, "n");

    let (log, done) = (Log::default(), AtomicBool::new(false));
    let socket = asking(&client, ip(service));
    let moved_at = thread::scope(|scope| {
        scope.spawn(|| ask_all_the_time(&socket, ip(service), &log, &done));
        // Also when an assertion fails: the scope waits for the client.
        let _end = OnDrop(|| done.store(true, Ordering::Relaxed));
        wait_for("answers of the old host", LIMIT, || {
            log.answered_by("a") >= ENOUGH
        });
        assert_eq!(log.answered_by("n"), 0);
        let moved_at = Instant::now();
        lab.ctl_ok(&["del", "eth0:0"]);
        lab.ctl_in(&new, &add).ok();
        wait_for("answers of the new host", LIMIT, || {
            log.answered_by("n") >= ENOUGH
        });
        moved_at
    });

    let asked = log.with(std::mem::take);
    let lost = asked.iter().filter(|asked| asked.answer.is_none()).count();
    let by = |host: &str| answers(&asked).filter(|(_, by)| *by == host).count();
    let first_of_new = answers(&asked)
        .filter(|(_, by)| *by == "n")
        .map(|(at, _)| at)
        .min()
        .expect("it has answered");
    // Past the harness, which keeps what a passing test prints to itself.
    let _ = writeln!(
        io::stderr(),
        "moving {service} ({}): {} queries, {} answered by the old host, {} by the new one, \
         {lost} lost; the new host answered {} ms after the move began",
        target.trim_start_matches('-'),
        asked.len(),
        by("a"),
        by("n"),
        first_of_new.duration_since(moved_at).as_millis(),
    );
    // Nothing is lost but what was asked while nobody had the address.
    for (id, question) in asked.iter().enumerate() {
        let nobodys = question.at + PATIENCE >= moved_at && question.at <= first_of_new;
        assert!(question.answer.is_some() || nobodys, "query {id} was lost");
    }
    let last_of_old = answers(&asked)
        .filter(|(_, by)| *by == "a")
        .map(|(at, _)| at)
        .max();
    assert!(last_of_old < Some(first_of_new), "one host after the other");
    // By the announcement: nobody else has told it.
    let station = new.link("eth0")["address"].clone();
    let neighbours = client.ip_json(&format!("neigh show {service} dev eth0"));
    assert_eq!(neighbours[0]["lladdr"], station, "{neighbours}");
}

#[test]
fn a_name_servers_address_local_v4() {
    check(Family::V4, "--local");
}

#[test]
fn a_name_servers_address_local_v6() {
    check(Family::V6, "--local");
}

#[test]
fn a_name_servers_address_device_v4() {
    check(Family::V4, "--device");
}

#[test]
fn a_name_servers_address_device_v6() {
    check(Family::V6, "--device");
}
