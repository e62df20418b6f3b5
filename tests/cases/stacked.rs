//! Devices above other devices: a bond, a VLAN device, a bridge as the parent of
//! aliases, and an ipvlan device or a VRF beside them. Not every kernel has all of
//! them; `cargo xtask vm` boots some that have.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use alias_tests::{Lab, Mode, Namespace, RawSocket, bpf, wait_for};

use crate::scene::{FAMILIES, Family, LIMIT, Place, Scene, from_b_to_a, has_tcx};

/// Whether this kernel makes devices of that type. If not, it says so past the test
/// harness, which would keep what a passed test prints to itself.
pub(crate) fn has(lab: &Lab, kind: &str, example: &str) -> bool {
    let made = lab.a.run(&format!("ip link add probe0 {example}"));
    if made.code() != 0 {
        let said = made.stderr.trim_end();
        // A line that cannot be written is no reason to fail.
        let _ = writeln!(io::stderr(), "SKIPPED: no {kind} here: {said}");
        return false;
    }
    lab.a.ip("link del probe0");
    true
}

/// Puts a second cable between the hosts, with port1 at both ends, and takes the
/// addresses off the first.
#[track_caller]
fn two_bare_cables(lab: &Lab) {
    lab.a.ip(&format!(
        "link add port1 type veth peer name port1 netns {}",
        lab.b.name()
    ));
    for host in [&lab.a, &lab.b] {
        host.ip("link set eth0 down");
        host.ip("addr flush dev eth0");
        for port in ["eth0", "port1"] {
            host.run(&format!("ethtool -K {port} txvlan off tx off gro on"))
                .ok();
        }
    }
}

/// A bond named top0 over eth0 and port1.
#[track_caller]
fn bond(host: &Namespace, mode: &str) {
    host.ip_batch(&format!(
        "link add top0 type bond mode {mode} miimon 20\n\
         link set eth0 master top0\n\
         link set port1 master top0\n\
         link set eth0 up\n\
         link set port1 up\n"
    ));
}

/// A bridge named top0 over eth0 and, where it is there, port1.
#[track_caller]
fn bridge(host: &Namespace) {
    host.ip("link add top0 type bridge stp_state 0 forward_delay 0");
    for port in ["eth0", "port1"] {
        if host.find_link(port).is_some() {
            host.ip(&format!("link set {port} master top0"));
            host.ip(&format!("link set {port} up"));
        }
    }
}

/// Gives top0 of each host what eth0 of a lab has.
#[track_caller]
fn address_top0(lab: &Lab) {
    for (host, index) in [(&lab.a, "9"), (&lab.b, "1")] {
        host.run("ethtool -K top0 txvlan off tx off");
        host.ip_batch(&format!(
            "link set top0 up\n\
             addr add 192.0.2.{index}/24 dev top0\n\
             addr add 2001:db8:0:1::{index}/64 dev top0 nodad\n"
        ));
    }
    lab.b.ip_batch(
        "route replace 198.51.100.0/24 dev top0\n\
         route replace 203.0.113.0/24 dev top0\n\
         route replace 2001:db8::/32 dev top0\n",
    );
    for host in [&lab.a, &lab.b] {
        host.wait_until_up("top0");
    }
}

/// Attaches to the parent, gives it an alias with a device in a namespace of its
/// own, and lets both sides ask: 10 packets each way. The scene is handed on.
#[track_caller]
fn check_alias_of(parent: &str, scene: &mut Scene, family: Family, mode: Mode) {
    let alias = format!("{parent}:0");
    scene.lab.ctl_ok(&["attach", parent, "--mode", mode.name()]);
    scene.add(&alias, 0, &[]);
    let lab = &scene.lab;
    lab.b.ping_ok(family.alias(0), 5);
    scene.home(&alias).ping_ok(family.b(), 5);
    for counter in ["rx_packets", "tx_packets"] {
        lab.wait_for_counter(&alias, counter, 10);
    }
    // The parent's own stack has lost nothing by it.
    lab.b.ping_ok(family.a(), 2);
}

/// Lays out the hosts by `lay`, once for each family and mode, and checks an alias
/// of `parent`.
#[track_caller]
fn check(
    kind: &str,
    example: &str,
    parent: &str,
    modes: &[Mode],
    lay: impl Fn(&Lab),
    after: impl Fn(&Scene, Family),
) {
    let there = |mode: &&Mode| **mode != Mode::Tc || has_tcx();
    for mode in modes.iter().filter(there) {
        for family in FAMILIES {
            let mut scene = Scene::empty(Lab::builder(), family, Place::OwnNamespace);
            if !has(&scene.lab, kind, example) {
                return;
            }
            lay(&scene.lab);
            check_alias_of(parent, &mut scene, family, *mode);
            after(&scene, family);
            scene.lab.ctl_ok(&["detach", parent, "--cascade"]);
        }
    }
}

/// Host B is a switch with both ports of host A's bond.
fn active_backup(lab: &Lab) {
    two_bare_cables(lab);
    bond(&lab.a, "active-backup");
    bridge(&lab.b);
    address_top0(lab);
}

fn balanced(lab: &Lab) {
    two_bare_cables(lab);
    for host in [&lab.a, &lab.b] {
        bond(host, "balance-xor");
    }
    address_top0(lab);
}

/// The port in use loses its cable: the other one takes over.
#[track_caller]
fn fail_over(scene: &Scene, family: Family) {
    let active = scene.lab.a.link("top0")["linkinfo"]["info_data"]["active_slave"].clone();
    let active = active.as_str().expect("an active port").to_owned();
    scene.lab.b.ip(&format!("link set {active} down"));
    wait_for("the other port to be in use", LIMIT, || {
        let now = &scene.lab.a.link("top0")["linkinfo"]["info_data"]["active_slave"];
        *now != *active && now.is_string()
    });
    scene.lab.b.ping_ok(family.alias(0), 5);
    scene.home("top0:0").ping_ok(family.b(), 5);
}

#[test]
fn an_active_backup_bond_in_native_mode() {
    check(
        "bonding",
        "type bond",
        "top0",
        &[Mode::Native],
        active_backup,
        fail_over,
    );
}

#[test]
fn an_active_backup_bond_in_generic_mode() {
    check(
        "bonding",
        "type bond",
        "top0",
        &[Mode::Generic, Mode::Tc],
        active_backup,
        fail_over,
    );
}

#[test]
fn a_balanced_bond_in_native_mode() {
    check(
        "bonding",
        "type bond",
        "top0",
        &[Mode::Native],
        balanced,
        |_, _| {},
    );
}

#[test]
fn a_balanced_bond_in_generic_mode() {
    check(
        "bonding",
        "type bond",
        "top0",
        &[Mode::Generic],
        balanced,
        |_, _| {},
    );
}

/// A port that is not in use hands over what a switch floods too, and the bond
/// throws it away behind the driver, where native XDP has counted it already. `doctor`
/// says so of that mode; in the others a frame counts once.
#[track_caller]
fn check_flooded(mode: Mode) {
    let mut scene = Scene::empty(Lab::builder(), Family::V4, Place::OwnNamespace);
    if !has(&scene.lab, "bonding", "type bond") {
        return;
    }
    active_backup(&scene.lab);
    scene.lab.ctl_ok(&["attach", "top0", "--mode", mode.name()]);
    scene.add("top0:0", 0, &[]);
    let lab = &scene.lab;
    let built = from_b_to_a(lab).between(lab.b.mac("top0"), [0xff; 6]);
    let frame = built
        .ip(Family::V4.b_ip(), Family::V4.alias_ip(0))
        .udp(5, 9, b"flooded")
        .padded()
        .build();
    let at_b = RawSocket::open(&lab.b, "top0");
    (0..8).for_each(|_| at_b.send(&frame));
    // Behind them, to be sure that all have come.
    lab.b.ping_ok(Family::V4.a(), 1);
    assert_eq!(lab.counter("top0:0", "rx_packets"), 8, "{mode:?}");
}

/// What native XDP counts twice there, `doctor` says, with the mode that counts it once.
#[test]
fn an_active_backup_bond_in_native_mode_is_named() {
    let lab = Lab::plain();
    if !has(&lab, "bonding", "type bond") {
        return;
    }
    active_backup(&lab);
    lab.ctl_ok(&["attach", "top0"]);
    let said = lab.ctl(&["doctor", "top0"]).stdout;
    let other = if has_tcx() {
        "--mode tc"
    } else {
        "--mode generic"
    };
    assert!(said.contains("twice") && said.contains(other), "{said}");
    lab.ctl_ok(&["detach", "top0"]);
    lab.ctl_ok(&["attach", "top0", "--mode", "generic"]);
    let said = lab.ctl(&["doctor", "top0"]).stdout;
    assert!(!said.contains("twice"), "{said}");
}

#[test]
fn an_active_backup_bond_counts_a_flooded_frame_once_tc() {
    if has_tcx() {
        check_flooded(Mode::Tc);
    }
}

#[test]
fn an_active_backup_bond_counts_a_flooded_frame_once_generic() {
    check_flooded(Mode::Generic);
}

/// VLAN devices have no native XDP.
#[test]
fn a_vlan_device() {
    let lay = |lab: &Lab| {
        for host in [&lab.a, &lab.b] {
            host.ip("addr flush dev eth0");
            host.ip("link add link eth0 name top0 type vlan id 10");
        }
        address_top0(lab);
    };
    check(
        "802.1Q devices",
        "link eth0 type vlan id 10",
        "top0",
        &[Mode::Generic, Mode::Tc],
        lay,
        |_, _| {},
    );
}

/// Nor have bridges.
#[test]
fn a_bridge() {
    let lay = |lab: &Lab| {
        for host in [&lab.a, &lab.b] {
            host.ip("addr flush dev eth0");
            bridge(host);
        }
        address_top0(lab);
    };
    check(
        "bridge",
        "type bridge",
        "top0",
        &[Mode::Generic, Mode::Tc],
        lay,
        |_, _| {},
    );
}

const ALL: &[Mode] = &[Mode::Native, Mode::Generic, Mode::Tc];

/// An ipvlan device shares its parent's station, as alias devices do, and answers
/// for addresses of its own beside them.
#[test]
fn beside_ipvlan_devices() {
    let neighbour = |scene: &Scene, family: Family| {
        let lab = &scene.lab;
        let container = lab.namespace("ipvlan");
        lab.a
            .ip("link add link eth0 name ipvlan0 type ipvlan mode l2");
        lab.a
            .ip(&format!("link set ipvlan0 netns {}", container.name()));
        container.ip_batch(
            "link set ipvlan0 up\n\
             addr add 192.0.2.50/24 dev ipvlan0\n\
             addr add 2001:db8:0:1::50/64 dev ipvlan0 nodad\n",
        );
        let address = match family {
            Family::V4 => "192.0.2.50",
            Family::V6 => "2001:db8:0:1::50",
        };
        // Its state never says that it is up.
        wait_for("the ipvlan device to answer", LIMIT, || {
            lab.b.ping(address, 1).received == 1
        });
        lab.b.ping_ok(address, 5);
        lab.b.ping_ok(family.alias(0), 5);
        lab.wait_for_counter("eth0:0", "rx_packets", 15);
    };
    check(
        "ipvlan",
        "link eth0 type ipvlan mode l2",
        "eth0",
        ALL,
        |_| {},
        neighbour,
    );
}

/// A parent whose own addresses are routed by another table.
#[test]
fn a_parent_in_a_vrf() {
    let lay = |lab: &Lab| {
        lab.a.ip_batch(
            "link add vrf0 type vrf table 100\n\
             link set vrf0 up\n\
             link set eth0 master vrf0\n\
             addr replace 2001:db8:0:1::9/64 dev eth0 nodad\n",
        );
        lab.a.wait_until_up("eth0");
    };
    check("VRF", "type vrf table 99", "eth0", ALL, lay, |_, _| {});
}

/// Takes `alias_deliver` off a parent, and leaves the rest.
#[track_caller]
fn take_off_delivery(lab: &Lab, parent: &str) {
    let directory = lab.a.ifindex(parent).to_string();
    let pins = lab.pins();
    let mut links = pins.iter().filter(|pin| {
        pin.ends_with("alias_deliver_link") && pin.iter().any(|part| *part == *directory)
    });
    match links.next() {
        Some(link) => bpf::detach_link(link).expect("our own link"),
        // A kernel without tcx.
        None => {
            lab.a
                .run(&format!("tc filter del dev {parent} ingress"))
                .ok();
        }
    }
}

/// A port and the bridge above it are both parents, with aliases in the same slot of
/// each: what the lower orders, and has nobody to carry out, the upper does not obey.
#[test]
fn a_port_and_its_bridge_are_both_parents() {
    for mode in ALL.iter().filter(|mode| **mode != Mode::Tc || has_tcx()) {
        for family in FAMILIES {
            let mut scene = Scene::empty(Lab::builder(), family, Place::OwnNamespace);
            if !has(&scene.lab, "bridge", "type bridge") {
                return;
            }
            for host in [&scene.lab.a, &scene.lab.b] {
                host.ip("addr flush dev eth0");
                bridge(host);
            }
            address_top0(&scene.lab);
            scene.lab.ctl_ok(&["attach", "eth0", "--mode", mode.name()]);
            let upper = match mode {
                Mode::Tc => "tc",
                Mode::Native | Mode::Generic => "generic",
            };
            scene.lab.ctl_ok(&["attach", "top0", "--mode", upper]);
            scene.add("eth0:0", 0, &[]);
            scene.add("top0:0", 1, &[]);
            let lab = &scene.lab;
            let (lower, upper) = (family.alias(0), family.alias(1));
            for address in [lower, upper, lower, upper] {
                lab.b.ping_ok(address, 5);
            }
            for alias in ["eth0:0", "top0:0"] {
                lab.wait_for_counter(alias, "rx_packets", 10);
                lab.wait_for_counter(alias, "tx_packets", 10);
            }

            if *mode == Mode::Tc {
                // What orders carries out.
                continue;
            }
            let above = RawSocket::open(scene.home("top0:0"), "top0:0");
            take_off_delivery(lab, "eth0");
            assert_eq!(lab.b.ping(lower, 3).received, 0, "{mode:?} {family:?}");
            lab.b.ping_ok(upper, 5);
            let lower = octets(family.alias_ip(0));
            let strayed = above.receive(Duration::ZERO, |frame| {
                frame.windows(lower.len()).any(|part| part == lower)
            });
            assert_eq!(strayed, None, "{mode:?} {family:?}");
            assert_eq!(
                lab.counter("top0:0", "rx_packets"),
                15,
                "{mode:?} {family:?}"
            );
        }
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
