//! Somebody has taken off what a parent that grows is to replace: it grows all the same,
//! and everything is in place again.

use alias_tests::{Lab, Mode};

use super::traffic::container;
use super::{capacity, nothing_is_left};
use crate::hooks::{returns, take_off, well};

#[test]
fn a_qdisc_that_is_gone_comes_back() {
    let options = ["--tc", "clsact", "--capacity", "2"];
    let builder = Lab::builder().mode(Mode::Native).attach_options(&options);
    let lab = builder.build();
    let (home, far) = (lab.namespace("home"), lab.namespace("far"));
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24", "--to", "v0"]);
    let device = lab.device("eth0:0");
    home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
    let port = format!("ap{}_0", lab.a.ifindex("eth0"));
    let everything = || {
        for (alias, address) in [("eth0:0", "198.51.100.8"), ("eth0:1", "203.0.113.9")] {
            let sent = lab.counter(alias, "tx_packets");
            lab.b.ping_ok(address, 2);
            assert!(lab.counter(alias, "tx_packets") >= sent + 2, "{alias}");
        }
    };
    everything();
    let devices: [&[&str]; 4] = [&["eth0"], &["v0"], &[&port], &["eth0", "v0", &port]];
    for (gone, slot) in devices.into_iter().zip([2, 4, 8, 16]) {
        for device in gone {
            lab.a.run(&format!("tc qdisc del dev {device} clsact")).ok();
        }
        let name = format!("eth0:{slot}");
        lab.ctl_ok(&["add", &name, &format!("198.18.0.{slot}"), "--drop"]);
        assert_eq!(capacity(&lab), 2 * slot, "{gone:?}");
        // As many as there is room for now.
        let range = format!("198.18.{slot}.1-198.18.{slot}.{}", slot - 1);
        lab.ctl_ok(&["add", "eth0", "--range", &range, "--drop"]);
        everything();
        lab.ctl_ok(&["disable", &name]);
    }
    // One filter, not the whole qdisc.
    lab.a.run("tc filter del dev eth0 ingress").ok();
    lab.ctl_ok(&["add", "eth0:32", "198.18.0.32", "--drop"]);
    everything();
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    nothing_is_left(&lab);
    let left = lab.a.run("tc filter show dev v0 ingress").stdout;
    assert!(!left.contains("alias"), "{left}");
}

/// Killed when the new programs ran, and then somebody took off what hung beside them:
/// the next command finds neither the old ones to replace nor their links.
#[test]
fn what_is_taken_off_half_grown_hangs_again() {
    const ATTEMPTS: u32 = 20;
    for tc in ["tcx", "clsact"] {
        let options = ["--tc", tc, "--capacity", "2"];
        let builder = Lab::builder().mode(Mode::Native).attach_options(&options);
        let lab = builder.gro_at_b().build();
        let far = lab.namespace("far");
        container(&lab, &far);
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--device"]);
        lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24", "--to", "v0"]);
        let runs = || lab.a.link("eth0")["xdp"]["prog"]["id"].as_u64();
        let growth = format!("grow-{}", lab.a.ifindex("eth0"));
        let is_half_grown = |number: u32| {
            let (before, capacity) = (runs(), (2 + number).to_string());
            let mut victim = lab.ctl_spawn(&["set", "eth0", "--capacity", &capacity]);
            while runs() == before && victim.is_alive() {}
            victim.kill();
            runs() != before && lab.pins().iter().any(|pin| pin.ends_with(&growth))
        };
        assert!((1..=ATTEMPTS).any(is_half_grown), "{tc}: none was hit");
        for program in ["alias_deliver", "alias_egress", "alias_return"] {
            take_off(&lab, tc, program);
        }
        lab.ctl_ok(&["enable", "eth0:0"]);
        assert!(!lab.pins().iter().any(|pin| pin.ends_with(&growth)));
        well(&lab);
        lab.b.ping_ok("198.51.100.8", 2);
        returns(&lab, &far, "eth0:1", "203.0.113.9");
        lab.ctl_ok(&["detach", "eth0", "--cascade"]);
        nothing_is_left(&lab);
    }
}
