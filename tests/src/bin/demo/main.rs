//! `cargo xtask demo`: shows aliases at work on real packets, and checks what
//! they counted. Reads from top to bottom as it is shown.
//!
//! What is not here: no knowledge of datapath or controller. The demo speaks to
//! them as its viewer would, by command line and by packets.

mod narrator;
mod stage;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use alias_tests::frame::{self, Echo, frame};
use alias_tests::transfer::{self, Direction};
use alias_tests::{RawSocket, Snapshot, wait_for};

use crate::narrator::{Counters, Narrator};
use crate::stage::Stage;

/// What an event between two hosts on one cable may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Bytes of one TCP stream.
const STREAM: u64 = 8 << 20;

fn main() -> ExitCode {
    let start = Instant::now();
    let stage = match Stage::set() {
        Ok(stage) => stage,
        Err(reason) => {
            eprintln!("demo: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let show = Narrator::new(&stage.a);
    let before = Snapshot::of(&stage.a);

    introduce();
    create(&stage, &show);
    send(&stage, &show);
    on_a_vlan(&stage, &show);
    list(&show, &stage);
    spoof(&stage, &show);
    change(&stage, &show);
    kill_the_controller(&stage, &show);
    refuse(&stage, &show);
    many(&stage, &show);
    clean_up(&stage, &show, &before);

    show.verdict(start.elapsed())
}

fn introduce() {
    println!(
        "\
Two hosts on one cable; on host-a a container \"web\", and a guest \"vm\" behind a
veth of its own. All are network namespaces that only this demo can see.

    host-b                          host-a              web     vm
    eth0 192.0.2.1  ------------->  eth0 192.0.2.9
         2001:db8:0:1::1                 2001:db8:0:1::9
         (sends)                    (aliases go here)

The prompt says where a command runs. Output is cut to the lines that matter.
What is [ok] has been checked; one [WRONG] fails the demo."
    );
}

fn create(stage: &Stage, show: &Narrator) {
    show.title("One command makes an alias, and attaches the programs if they are not there");
    show.run(&stage.a, "alias-ctl add eth0:0 192.0.2.10/24");
    show.say("The NIC now has an XDP program, and the alias a device that answers to its name:");
    let parent = show.run_cut(&stage.a, "ip link show dev eth0", "prog/xdp");
    show.check(
        "an XDP program is on eth0",
        parent.contains("prog/xdp"),
        true,
    );
    show.run_cut(&stage.a, "ip -brief addr show dev eth0:0", "");

    show.title("The same with other fates: who shall get the packets?");
    show.say("A device in the container's namespace, IPv4 and IPv6:");
    show.run(&stage.a, "alias-ctl add eth0:1 192.0.2.11/24 --netns web");
    show.run(
        &stage.a,
        "alias-ctl add eth0:2 2001:db8:0:1::12/64 --netns web",
    );
    show.say("Another address on the container's device, counted apart:");
    show.run(&stage.a, "alias-ctl add eth0:3 192.0.2.13/24 --join eth0:1");
    show.say("A device that was there before, here the veth of the guest:");
    show.run(&stage.a, "alias-ctl add eth0:4 192.0.2.14/24 --to tovm");
    show.say("The host's own stack; and nowhere:");
    show.run(&stage.a, "alias-ctl add eth0:5 192.0.2.15/24 --local");
    show.run(&stage.a, "alias-ctl add eth0:6 203.0.113.16 --drop");
    show.run(&stage.a, "alias-ctl add eth0:7 2001:db8:f::17 --drop");
    show.say("Only what carries VLAN tag 100:");
    show.run(
        &stage.a,
        "alias-ctl add eth0:8 198.51.100.18/24 --netns web --vlan 100",
    );
    let listing = show.run_cut(&stage.a, "alias-ctl show", "");
    show.check(
        "9 aliases are listed",
        listing.matches(" enabled").count(),
        9,
    );
}

fn send(stage: &Stage, show: &Narrator) {
    show.title("host-b sends, each alias counts");
    let mac = show.mac_of_eth0();
    show.say("ARP: who asks for an alias gets the MAC of eth0.");
    for address in ["192.0.2.10", "192.0.2.11", "192.0.2.14"] {
        let reply = show.run_cut(
            &stage.b,
            &format!("arping -c 1 -w 5 -I eth0 {address}"),
            "reply from",
        );
        show.check(
            &format!("{address} is at {mac}"),
            reply.to_lowercase().contains(&mac),
            true,
        );
    }
    show.say("Three echo requests to each; ARP and ND are not among the packets.");
    for (alias, address) in [
        ("eth0:0", "192.0.2.10"),
        ("eth0:1", "192.0.2.11"),
        ("eth0:2", "2001:db8:0:1::12"),
        ("eth0:3", "192.0.2.13"),
        ("eth0:4", "192.0.2.14"),
        ("eth0:5", "192.0.2.15"),
    ] {
        ping(stage, show, address, 3);
        show.check_counters(alias, &[("rx_packets", 3), ("tx_packets", 3)]);
    }
    show.say("ND: the neighbour entry of the IPv6 alias has the MAC of eth0 as well.");
    let neighbour = show.run_cut(&stage.b, "ip neigh show 2001:db8:0:1::12", "");
    show.check(
        &format!("2001:db8:0:1::12 is at {mac}"),
        neighbour.contains(&mac),
        true,
    );
    show.say("What goes to a dropped alias ends in the NIC's driver.");
    for (alias, address) in [("eth0:6", "203.0.113.16"), ("eth0:7", "2001:db8:f::17")] {
        ping(stage, show, address, 0);
        show.check_counters(
            alias,
            &[("rx_packets", 3), ("tx_packets", 0), ("dropped.policy", 3)],
        );
    }

    show.say("TCP: 8 MiB into the container, and 8 MiB out of it; every byte arrives.");
    for (direction, counter) in [
        (Direction::ToServer, "rx_bytes"),
        (Direction::ToClient, "tx_bytes"),
    ] {
        let before = show.counters("eth0:1").get(counter);
        transfer::tcp(&stage.web, ip("192.0.2.11"), &stage.b, STREAM, direction);
        let more = show.counters("eth0:1").get(counter) - before;
        show.check_at_least(&format!("eth0:1: more {counter}"), more, STREAM);
    }

    show.say("UDP over IPv6: 20 datagrams of 1,000 bytes, each sent back by a socket in web.");
    for _ in 0..20 {
        transfer::udp_echo(&stage.web, ip("2001:db8:0:1::12"), &stage.b, 1000);
    }
    show.check_counters("eth0:2", &[("rx_packets", 23), ("tx_packets", 23)]);
}

fn ping(stage: &Stage, show: &Narrator, address: &str, answered: u32) {
    // -i and -W: how long the last answer may take, and what silence costs.
    let pace = if answered > 0 {
        "-l 3 -i 2 -W 2"
    } else {
        "-i 0.1 -W 0.3"
    };
    let line = format!("ping -q -c 3 {pace} {address}");
    let summary = show.run_cut(&stage.b, &line, "transmitted");
    let expected = format!("{answered} received");
    if !summary.contains(&expected) {
        show.check(&format!("ping {address}"), summary.trim(), &expected);
    }
}

fn on_a_vlan(stage: &Stage, show: &Narrator) {
    show.title("An alias of one VLAN");
    show.say("A raw socket of host-b asks by ARP and sends three echo requests, tagged 100,");
    show.say("and one request with tag 101, which is nobody's.");
    let host_b = Ipv4Addr::new(198, 51, 100, 1);
    let alias = Ipv4Addr::new(198, 51, 100, 18);
    let wire = RawSocket::open(&stage.b, "eth0");
    let (here, there) = (stage.b.mac("eth0"), stage.a.mac("eth0"));

    let ask = frame().between(here, frame::BROADCAST).vlan(100);
    wire.send(&ask.arp_request(host_b, alias).padded().build());
    let answer = wire.receive(LIMIT, |got| {
        frame::read(got).is_some_and(|seen| {
            seen.vlans == [100] && seen.arp.is_some_and(|arp| arp.sender == alias)
        })
    });
    show.check("ARP reply with tag 100", answer.is_some(), true);

    let echo = |tag, sequence| {
        let request = frame().between(here, there).vlan(tag).ipv4(host_b, alias);
        let request = request.echo(Echo::Request, 1, sequence, b"alias demo");
        wire.send(&request.padded().build());
    };
    echo(101, 0);
    let answered = (1..=3)
        .filter(|sequence| {
            echo(100, *sequence);
            let answer = wire.receive(LIMIT, |got| {
                frame::read(got).is_some_and(|seen| {
                    seen.vlans == [100] && seen.echo_reply() == Some((1, *sequence))
                })
            });
            answer.is_some()
        })
        .count();
    show.check("echo replies with tag 100", answered, 3);
    show.check_counters("eth0:8", &[("rx_packets", 3), ("tx_packets", 3)]);
}

fn list(show: &Narrator, stage: &Stage) {
    show.title("What each alias counted");
    show.run_cut(&stage.a, "alias-ctl stats", "");
    show.say("What the programs on eth0 did with all packets:");
    show.run_cut(&stage.a, "alias-ctl stats --parent", "");
    show.say("One alias, for scripts:");
    show.run_cut(&stage.a, "alias-ctl stats eth0:6 -j", "");
}

fn spoof(stage: &Stage, show: &Narrator) {
    show.title("The container takes an address that is not its own");
    show.run(&stage.web, "ip addr add 192.0.2.99/32 dev eth0:1");
    let before = show.counters("eth0:1");
    let summary = show.run_cut(
        &stage.web,
        "ping -q -c 3 -i 0.1 -W 0.3 -I 192.0.2.99 192.0.2.1",
        "transmitted",
    );
    show.check("no answer", summary.contains(" 0 received"), true);
    let after = show.counters("eth0:1");
    let rise = |name| after.get(name) - before.get(name);
    show.check(
        "eth0:1: dropped.spoof 3 more, tx_packets none",
        (rise("dropped.spoof"), rise("tx_packets")),
        (3, 0),
    );
    show.run(&stage.web, "ip addr del 192.0.2.99/32 dev eth0:1");
}

fn change(stage: &Stage, show: &Narrator) {
    show.title("Change one address, and leave the others alone");
    show.run(&stage.a, "alias-ctl set eth0:6 --local");
    ping(stage, show, "203.0.113.16", 3);
    show.say("Its counters go on: three dropped before, three answered now.");
    show.check_counters(
        "eth0:6",
        &[("rx_packets", 6), ("tx_packets", 3), ("dropped.policy", 3)],
    );
    show.run(&stage.a, "alias-ctl disable eth0:4");
    ping(stage, show, "192.0.2.14", 0);
    show.check_counters("eth0:4", &[("rx_packets", 3)]);
    show.run(&stage.a, "alias-ctl enable eth0:4");
    ping(stage, show, "192.0.2.14", 3);
    show.check_counters("eth0:4", &[("rx_packets", 6)]);
}

fn kill_the_controller(stage: &Stage, show: &Narrator) {
    show.title("Kill the controller");
    show.run_cut(
        &stage.a,
        "alias-ctl stats --watch 1 > /dev/null & kill -9 $!; wait $!; echo \"exit code $?\"",
        "",
    );
    show.say("It changes nothing, because nothing has to run:");
    let none = show.run_cut(
        &stage.a,
        "pgrep --ns $$ --nslist net -x alias-ctl || echo no alias-ctl is running",
        "",
    );
    show.check("no process", none.starts_with("no "), true);
    let before = show.counters("eth0:1");
    ping(stage, show, "192.0.2.11", 3);
    let after = show.counters("eth0:1");
    show.check(
        "eth0:1: rx_packets 3 more",
        after.get("rx_packets") - before.get("rx_packets"),
        3,
    );
    show.say("All state is in the kernel, pinned here:");
    show.run_cut(&stage.a, "cd /sys/fs/bpf/alias/*/*/* && ls -C -w 76", "");
}

fn refuse(stage: &Stage, show: &Narrator) {
    show.title("What is refused says why, and changes nothing");
    let before = Snapshot::of(&stage.a);
    for (line, errno) in [
        ("alias-ctl add eth0:9 192.0.2.10", "(EEXIST)"),
        ("alias-ctl add eth9:0 192.0.2.20", "(ENODEV)"),
        ("alias-ctl del eth0:1", "(EBUSY)"),
    ] {
        let output = show.run_refused(&stage.a, line);
        show.check(
            &format!("exit code 1, {errno}"),
            output.contains(errno),
            true,
        );
    }
    show.check(
        "nothing changed: links, addresses, routes",
        unchanged(stage, &before),
        "as before",
    );
}

fn many(stage: &Stage, show: &Narrator) {
    show.title("64 x 254 aliases at once");
    let start = Instant::now();
    show.run(
        &stage.a,
        "alias-ctl add eth0 --range 198.18.0.0-198.18.63.127 --start 1000 --drop",
    );
    show.say(&format!("({:.2} s)", start.elapsed().as_secs_f64()));
    let heading = show.run_cut(&stage.a, "alias-ctl show eth0", "in use, room for");
    show.check(
        "9 and 16,256 aliases",
        heading.contains(" 16265 in use"),
        true,
    );
    ping(stage, show, "198.18.63.100", 0);
    show.run_cut(&stage.a, "alias-ctl stats eth0:17228", "");
    show.check_counters("eth0:17228", &[("rx_packets", 3), ("dropped.policy", 3)]);
    show.check_counters("eth0:17227", &[("rx_packets", 0)]);
}

fn clean_up(stage: &Stage, show: &Narrator, before: &Snapshot) {
    show.title("And back");
    show.run(&stage.a, "alias-ctl detach eth0 --cascade");
    let mut last = String::new();
    wait_for("the alias devices to go", LIMIT, || {
        last = unchanged(stage, before);
        last == "as before"
    });
    show.check(
        "host-a is as before: links, addresses, routes",
        last.as_str(),
        "as before",
    );
    let left = show.run_cut(&stage.a, "find /sys/fs/bpf -path '*/alias*' | wc -l", "");
    show.check("no pins left", left.trim(), "0");
}

/// "as before", or the difference.
fn unchanged(stage: &Stage, before: &Snapshot) -> String {
    let difference = before.difference(&Snapshot::of(&stage.a));
    if difference.is_empty() {
        "as before".to_owned()
    } else {
        difference.join("\n")
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl Counters {
    fn get(&self, path: &str) -> u64 {
        self.find(path).unwrap_or(0)
    }
}
