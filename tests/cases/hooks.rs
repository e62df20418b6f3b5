//! Where tc programs hang, on tcx and on clsact: several parents' on one device, what
//! somebody takes off, and a qdisc of another kind in clsact's place.

use std::path::PathBuf;

use alias_tests::{Lab, LabBuilder, Mode, Namespace, RawSocket, bpf, frame::frame, wait_for};

use crate::growth::capacity;
use crate::growth::traffic::container;
use crate::scene::LIMIT;

fn on(tc: &str) -> LabBuilder {
    Lab::builder()
        .mode(Mode::Native)
        .attach_options(&["--tc", tc, "--capacity", "2"])
}

/// A frame that a container behind v0 sends from its alias's address leaves by the
/// alias's parent.
#[track_caller]
pub(crate) fn returns(lab: &Lab, far: &Namespace, alias: &str, address: &str) {
    let (parent, _) = alias.split_once(':').expect("PARENT:NUMBER");
    let sent = lab.counter(alias, "tx_packets");
    let (source, to) = (address.parse().expect("an address"), [192, 0, 2, 1].into());
    let built = frame().between(far.mac("v1"), lab.b.mac(parent));
    let bytes = built.ipv4(source, to).udp(5, 9, alias.as_bytes()).padded();
    let at_b = RawSocket::open(&lab.b, parent);
    RawSocket::open(far, "v1").send(&bytes.build());
    at_b.expect("it, by its parent", LIMIT, |got| {
        got.windows(alias.len())
            .any(|part| part == alias.as_bytes())
    });
    lab.wait_for_counter(alias, "tx_packets", sent + 1);
}

#[test]
fn parents_that_lead_to_one_device_keep_out_of_each_others_way() {
    let lab = on("clsact").build();
    let far = lab.namespace("far");
    container(&lab, &far);
    let b = lab.b.name();
    lab.a
        .ip(&format!("link add eth1 type veth peer name eth1 netns {b}"));
    for host in [&lab.a, &lab.b] {
        host.ip("link set eth1 up");
        host.run("ethtool -K eth1 gro on").ok();
    }
    lab.b.run("ethtool -K eth0 gro on").ok();
    let mac = lab.a.link("eth0")["address"].as_str().map(str::to_owned);
    let mac = mac.expect("a MAC address");
    // Both lead to one station: a device has one.
    lab.a.ip(&format!("link set eth1 address {mac}"));
    lab.ctl_ok(&["attach", "eth1", "--tc", "clsact", "--capacity", "2"]);
    lab.ctl_ok(&["add", "eth0:0", "203.0.113.9", "--to", "v0"]);
    lab.ctl_ok(&["add", "eth1:0", "203.0.113.10", "--to", "v0"]);
    let both = || {
        returns(&lab, &far, "eth0:0", "203.0.113.9");
        returns(&lab, &far, "eth1:0", "203.0.113.10");
    };
    both();
    // The one in the place of its own, and no other's.
    lab.ctl_ok(&["set", "eth0", "--capacity", "4"]);
    both();
    lab.ctl_ok(&["set", "eth1", "--capacity", "4"]);
    both();
    lab.ctl_ok(&["del", "eth1:0"]);
    returns(&lab, &far, "eth0:0", "203.0.113.9");
    lab.ctl_ok(&["add", "eth1:0", "203.0.113.10", "--to", "v0"]);
    both();
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    returns(&lab, &far, "eth1:0", "203.0.113.10");
    lab.ctl_ok(&["detach", "eth1", "--cascade"]);
    for device in ["eth0", "eth1", "v0"] {
        for side in ["ingress", "egress"] {
            let show = format!("tc filter show dev {device} {side}");
            let left = lab.a.run(&show).stdout;
            assert!(!left.contains("alias"), "{device} {side}: {left}");
        }
    }
}

/// An ingress qdisc takes what is put on its egress for ingress: nothing may hang there.
#[test]
fn an_ingress_qdisc_is_refused() {
    let lab = Lab::plain();
    lab.a.run("tc qdisc add dev eth0 ingress").ok();
    let before = lab.snapshot();
    let refused = lab.ctl_err(&["attach", "eth0", "--tc", "clsact"], "EBUSY");
    assert!(
        refused.contains("tc qdisc del dev eth0 ingress"),
        "{refused}"
    );
    lab.assert_unchanged(&before);
    let filters = lab.a.run("tc filter show dev eth0 ingress").stdout;
    assert_eq!(filters, "", "nothing hangs there");
    // tcx has no use for a qdisc.
    lab.ctl_ok(&["attach", "eth0", "--tc", "tcx"]);
}

/// A qdisc whose filters are a block's has none of its own.
#[test]
fn a_shared_block_is_refused_and_in_nobodys_way() {
    let lab = on("clsact").build();
    let far = lab.namespace("far");
    container(&lab, &far);
    lab.a.run("tc qdisc add dev v0 ingress_block 5 clsact").ok();
    let before = lab.snapshot();
    let to = ["add", "eth0:0", "203.0.113.9", "--to", "v0"];
    let refused = lab.ctl_err(&to, "EBUSY");
    assert!(refused.contains("tc qdisc del dev v0 clsact"), "{refused}");
    lab.assert_unchanged(&before);
    lab.a.run("tc qdisc del dev v0 clsact").ok();
    lab.ctl_ok(&to);
    // The parent's and the target's, later.
    for device in ["eth0", "v0"] {
        lab.a.run(&format!("tc qdisc del dev {device} clsact")).ok();
        let add = format!("tc qdisc add dev {device} ingress_block 5 clsact");
        lab.a.run(&add).ok();
        let told = lab.ctl(&["doctor", "eth0"]);
        assert_eq!(told.code(), 1, "{told}");
        assert!(told.stdout.contains("was taken off"), "{told}");
    }
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9", "--drop"]);
    lab.ctl_err(&["add", "eth0:2", "198.51.100.8", "--drop"], "EBUSY");
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    lab.ctl_err(&["attach", "eth0", "--tc", "clsact"], "EBUSY");
    lab.ctl_ok(&["attach", "eth0", "--tc", "tcx"]);
}

/// A parent whose qdisc somebody has replaced does not grow, and is no hindrance to
/// anything else.
#[test]
fn a_parent_that_cannot_grow_is_as_it_was() {
    let lab = on("clsact").build();
    let far = lab.namespace("far");
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:0", "203.0.113.9", "--to", "v0"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9", "--drop"]);
    for device in ["eth0", "v0"] {
        lab.a.run(&format!("tc qdisc del dev {device} clsact")).ok();
        lab.a
            .run(&format!("tc qdisc add dev {device} ingress"))
            .ok();
        let (before, pins) = (lab.snapshot(), lab.pins());
        let grow = ["add", "eth0:2", "198.51.100.8", "--drop"];
        let refused = lab.ctl_err(&grow, "EBUSY");
        let way_out = format!("tc qdisc del dev {device} ingress");
        assert!(refused.contains(&way_out), "{refused}");
        lab.assert_unchanged(&before);
        assert_eq!(lab.pins(), pins);
        assert_eq!(capacity(&lab), 2);
        lab.ctl_ok(&["set", "eth0:1", "198.51.100.10"]);
        lab.ctl_ok(&["del", "eth0:1"]);
        lab.ctl_ok(&["add", "eth0:1", "198.51.100.9", "--drop"]);
        lab.a.run(&way_out).ok();
    }
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.8", "--drop"]);
    assert_eq!(capacity(&lab), 4);
    lab.b.run("ethtool -K eth0 gro on").ok();
    returns(&lab, &far, "eth0:0", "203.0.113.9");
}

/// `doctor` has nothing to say. A new device has a carrier a moment later.
#[track_caller]
pub(crate) fn well(lab: &Lab) {
    wait_for("doctor to find all well", LIMIT, || {
        lab.ctl(&["doctor", "eth0"]).code() == 0
    });
}

/// Takes a program of eth0's off the device that it hangs on.
#[track_caller]
pub(crate) fn take_off(lab: &Lab, tc: &str, program: &str) {
    let (device, side) = match program {
        "alias_return" => ("v0", "ingress"),
        "alias_deliver" => ("eth0", "ingress"),
        _ => ("eth0", "egress"),
    };
    if tc == "clsact" {
        lab.a
            .run(&format!("tc filter del dev {device} {side}"))
            .ok();
        return;
    }
    let detach = |pin: &PathBuf| match program {
        "alias_return" => bpf::detach_tc(pin, &lab.a, device),
        _ => bpf::detach_link(pin),
    };
    let name = match program {
        "alias_return" => program.to_owned(),
        _ => format!("{program}_link"),
    };
    // Of a parent that is half grown either generation's hangs there.
    let pins = lab.pins();
    let mut pins = pins.iter().filter(|pin| pin.ends_with(&name));
    assert!(
        pins.any(|pin| detach(pin).is_ok()),
        "{program} hangs nowhere"
    );
}

#[test]
fn what_is_taken_off_is_told_and_hangs_again() {
    for tc in ["tcx", "clsact"] {
        let lab = on(tc).gro_at_b().build();
        let (home, far) = (lab.namespace("home"), lab.namespace("far"));
        container(&lab, &far);
        lab.ctl_ok(&["add", "eth0:0", "203.0.113.9", "--to", "v0"]);
        lab.ctl_ok(&["add", "eth0:1", "198.51.100.8/24", "--netns", home.name()]);
        lab.ctl_ok(&["add", "eth0:2", "198.51.100.9", "--local"]);
        let device = lab.device("eth0:1");
        home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
        let everything = || {
            returns(&lab, &far, "eth0:0", "203.0.113.9");
            for (alias, address) in [("eth0:1", "198.51.100.8"), ("eth0:2", "198.51.100.9")] {
                let sent = lab.counter(alias, "tx_packets");
                lab.b.ping_ok(address, 2);
                assert!(
                    lab.counter(alias, "tx_packets") >= sent + 2,
                    "{tc}: {alias}"
                );
            }
        };
        everything();
        let pins = lab.pins();
        for program in ["alias_deliver", "alias_egress", "alias_return"] {
            take_off(&lab, tc, program);
            let told = lab.ctl(&["doctor", "eth0"]);
            assert_eq!(told.code(), 1, "{tc}: {told}");
            let name = format!("{program} was taken off");
            assert!(told.stdout.contains(&name), "{tc}: {told}");
            lab.ctl_ok(&["enable", "eth0:0"]);
            well(&lab);
            assert_eq!(lab.pins(), pins, "{tc}: {program}");
            everything();
        }
    }
}

#[test]
fn what_is_taken_off_before_there_is_an_alias_hangs_again_for_it() {
    for tc in ["tcx", "clsact"] {
        let lab = on(tc).build();
        take_off(&lab, tc, "alias_deliver");
        take_off(&lab, tc, "alias_egress");
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--device"]);
        well(&lab);
        lab.b.ping_ok("198.51.100.8", 1);
    }
}

/// Killed when its filters hung and it was not attached yet.
#[test]
fn a_killed_attachment_leaves_no_filter() {
    const ATTEMPTS: u32 = 40;
    let lab = Lab::plain();
    lab.a.ip("link add other0 type veth peer name other1");
    let filters = || lab.a.run("tc filter show dev eth0 egress").stdout;
    let draft = format!("new-{}", lab.a.ifindex("eth0"));
    for _ in 0..ATTEMPTS {
        let mut victim = lab.ctl_spawn(&["attach", "eth0", "--tc", "clsact"]);
        while filters().is_empty() && victim.is_alive() {}
        victim.kill();
        let is_hit = lab.pins().iter().any(|pin| pin.ends_with(&draft));
        // Any change tidies up.
        lab.ctl_ok(&["attach", "other0"]);
        lab.ctl_ok(&["detach", "other0"]);
        if is_hit {
            assert_eq!(filters(), "");
            return;
        }
        lab.ctl_ok(&["detach", "eth0"]);
    }
    panic!("of {ATTEMPTS} none was killed in time");
}

/// What a device alias sends comes in by its port: without `alias_tx` there it is lost.
#[test]
fn what_is_taken_off_ports_is_told_and_hangs_again() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    for (name, address) in [("eth0:0", "198.51.100.8/24"), ("eth0:1", "198.51.100.9/24")] {
        lab.ctl_ok(&["add", name, address, "--netns", home.name()]);
    }
    let device = lab.device("eth0:0");
    home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
    let parent = lab.a.ifindex("eth0");
    let blocks = lab.a.run("tc qdisc show").stdout;
    let (_, block) = blocks.split_once("ingress_block ").expect("the ports'");
    let block = block.split_whitespace().next().expect("its number");
    let from_port = |number: usize| format!("tc qdisc del dev ap{parent}_{number} clsact");
    for lost in [
        vec![from_port(0)],
        vec![format!("tc filter del block {block}")],
        vec![from_port(0), from_port(1)],
    ] {
        lost.iter()
            .for_each(|command| drop(lab.a.run(command).ok()));
        let told = lab.ctl(&["doctor", "eth0"]);
        assert_eq!(told.code(), 1, "{lost:?}: {told}");
        assert!(
            told.stdout.contains("alias_tx was taken off its port"),
            "{told}"
        );
        lab.ctl_ok(&["enable", "eth0:0"]);
        well(&lab);
        lab.b.ping_ok("198.51.100.8", 1);
    }
}
