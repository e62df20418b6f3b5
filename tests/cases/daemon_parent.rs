//! What becomes of aliases when their parent changes: down, deleted, moved, of
//! another size or station, without a carrier.

use std::net::IpAddr;

use alias_tests::{Lab, RawSocket, frame::read, wait_for};

use crate::daemon_stage::{BOTH, By, Stage, alias_links};
use crate::scene::{Family, LIMIT};

/// An alias of each kind on eth0: device, join, one elsewhere, local of both
/// families, to, drop.
fn add_one_of_each(stage: &Stage, elsewhere: &alias_tests::Namespace) -> Vec<String> {
    let lab = &stage.lab;
    lab.a
        .ip_batch("link add v0 type veth peer name v1\nlink set v0 up\nlink set v1 up\n");
    for words in [
        "eth0:0 198.51.100.8/24",
        "eth0:1 198.51.100.9/24 --join eth0:0",
        &format!("eth0:2 2001:db8:5::8/64 --netns {}", elsewhere.name()),
        "eth0:3 203.0.113.9/24 --local",
        "eth0:4 2001:db8:6::9/64 --local",
        "eth0:5 198.51.100.10 --to v0",
        "eth0:6 198.51.100.11 --drop",
    ] {
        let words: Vec<&str> = ["add"].into_iter().chain(words.split(' ')).collect();
        lab.ctl_ok(&words);
    }
    (0..7).map(|slot| format!("eth0:{slot}")).collect()
}

#[test]
fn down_frees_the_aliases() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let elsewhere = lab.namespace("c0");
        let before = lab.snapshot();
        assert_eq!(add_one_of_each(&stage, &elsewhere), stage.of_eth0());
        lab.a.ip("link set eth0 down");
        stage.left(&[]);
        assert_eq!(alias_links(&lab.a), [""; 0], "{by:?}");
        assert_eq!(alias_links(&elsewhere), [""; 0], "{by:?}");
        let attached = lab.ctl_json(&["types"]);
        assert_eq!(attached[0]["aliases"], 1, "{by:?}: only eth1:0 is left");
        // It stays attached, and nothing can be added until it is up.
        lab.ctl_err(&["attach", "eth0"], "EEXIST");
        lab.ctl_err(&["add", "eth0:0", "198.51.100.8/24"], "EIO");
        lab.a.ip("link set eth0 up");
        stage.let_a_marker_pass();
        assert_eq!(stage.of_eth0(), [""; 0], "{by:?}: they do not come back");
        lab.a.ip("link del v0");
        lab.a.ip("addr add 2001:db8:0:1::9/64 dev eth0 nodad");
        let names = |rows: &[serde_json::Value]| rows.len();
        assert_eq!(names(&lab.snapshot().rows), names(&before.rows));
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        lab.b.ping_ok("198.51.100.8", 2);
    }
}

/// Without the daemon, the very command that is refused frees them.
#[test]
fn a_refused_command_finds_the_parent_down() {
    let stage = Stage::new(By::NextCommand);
    let lab = &stage.lab;
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.a.ip("link set eth0 down");
    assert_eq!(stage.of_eth0(), ["eth0:0"], "nobody was there to see it");
    lab.ctl_err(&["add", "eth0:1", "198.51.100.9/24"], "EIO");
    assert_eq!(stage.of_eth0(), [""; 0]);
}

/// No netlink socket of host A holds anything.
fn nothing_unread(lab: &Lab) -> bool {
    const RMEM: usize = 4;
    let sockets = lab.a.run("cat /proc/net/netlink").ok().stdout;
    let rmem = |line: &str| line.split_whitespace().nth(RMEM) == Some("0");
    sockets.lines().skip(1).all(rmem)
}

/// Down and up again before anybody looks: only the event tells.
#[test]
fn down_and_up_frees_what_was_there_by_then() {
    let stage = Stage::new(By::Daemon);
    let lab = &stage.lab;
    for round in 0..5 {
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        lab.a.ip_batch("link set eth0 down\nlink set eth0 up\n");
        wait_for("the daemon to have read it", LIMIT, || nothing_unread(lab));
        // What is added after it is up again has nothing to do with it.
        lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24"]);
        stage.left(&["eth0:1"]);
        stage.let_a_marker_pass();
        assert_eq!(stage.of_eth0(), ["eth0:1"], "round {round}");
        lab.b.ping_ok("203.0.113.9", 1);
        lab.ctl_ok(&["del", "eth0:1"]);
    }
}

/// Who chooses that aliases stay.
#[derive(Clone, Copy, Debug)]
enum Chosen {
    ByDaemon,
    BySet,
}

#[test]
fn down_keeps_the_aliases_where_it_was_chosen() {
    for (by, chosen) in [
        (By::Daemon, Chosen::ByDaemon),
        (By::Daemon, Chosen::BySet),
        (By::NextCommand, Chosen::BySet),
    ] {
        let stage = match chosen {
            Chosen::ByDaemon => Stage::with_options(by, &["--on-parent-down", "keep"]),
            Chosen::BySet => Stage::new(by),
        };
        let lab = &stage.lab;
        if matches!(chosen, Chosen::BySet) {
            lab.ctl_ok(&["set", "eth0", "--on-parent-down", "keep"]);
        }
        let elsewhere = lab.namespace("c0");
        let all = add_one_of_each(&stage, &elsewhere);
        lab.a.ip("link set eth0 down");
        stage.let_a_marker_pass();
        assert_eq!(stage.of_eth0(), all, "{by:?} {chosen:?}");
        lab.ctl_err(&["add", "eth0:9", "198.51.100.12", "--drop"], "EIO");
        lab.a.ip("link set eth0 up");
        // The kernel took these away with the parent.
        stage.put_right("the address of eth0:4 and the routes", || {
            lab.a.ip("-6 addr show dev eth0").contains("2001:db8:6::9")
                && lab.a.ip("route show 203.0.113.0/24").contains("dev eth0")
                && lab
                    .a
                    .ip("-6 route show 2001:db8:6::/64")
                    .contains("dev eth0")
        });
        assert_eq!(stage.of_eth0(), all, "{by:?} {chosen:?}");
        lab.b.ping_ok("198.51.100.8", 1);
        lab.b.ping_ok("203.0.113.9", 1);
        // A parent's own choice comes before the daemon's.
        lab.ctl_ok(&["set", "eth0", "--on-parent-down", "delete"]);
        lab.a.ip("link set eth0 down");
        stage.left(&[]);
    }
}

/// Down and up again between two commands: nobody saw it, but what the kernel took is
/// missing, and is put back where aliases are kept.
#[test]
fn kept_through_a_down_that_nobody_saw() {
    let stage = Stage::new(By::NextCommand);
    let lab = &stage.lab;
    lab.ctl_ok(&["set", "eth0", "--on-parent-down", "keep"]);
    lab.ctl_ok(&["add", "eth0:0", "2001:db8:5::8/64", "--local"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.8/24", "--local"]);
    lab.a.ip("link set eth0 down");
    lab.a.ip("link set eth0 up");
    lab.a.ip("addr add 2001:db8:0:1::9/64 dev eth0 nodad");
    stage.left(&["eth0:0", "eth0:1"]);
    assert!(!lab.a.ip("route show 198.51.100.0/24").is_empty());
    assert!(!lab.a.ip("-6 route show 2001:db8:5::/64").is_empty());
    lab.b.ping_ok("198.51.100.8", 1);
    lab.b.ping_ok("2001:db8:5::8", 1);
}

#[test]
fn a_route_that_was_taken_away_is_put_back() {
    let stage = Stage::new(By::NextCommand);
    let lab = &stage.lab;
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--local"]);
    lab.ctl_ok(&["add", "eth0:1", "2001:db8:5::8/64", "--local"]);
    for (family, network) in [("-4", "198.51.100.0/24"), ("-6", "2001:db8:5::/64")] {
        let routes = || lab.a.ip(&format!("{family} route show {network}"));
        let before = routes();
        lab.a.ip(&format!("{family} route del {network} dev eth0"));
        stage.put_right("the route to be back", || routes() == before);
    }
    assert_eq!(stage.of_eth0(), ["eth0:0", "eth0:1"]);
}

#[test]
fn the_choice_can_be_made_when_attaching() {
    let stage = Stage::new(By::NextCommand);
    let lab = &stage.lab;
    lab.ctl_ok(&["detach", "eth0"]);
    lab.ctl_ok(&["attach", "eth0", "--on-parent-down", "keep"]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.a.ip("link set eth0 down");
    lab.ctl_ok(&["disable", "eth1:0"]);
    assert_eq!(stage.of_eth0(), ["eth0:0"]);
}

#[test]
fn deleted_or_moved_away_takes_the_aliases_along() {
    for by in BOTH {
        for moved in [false, true] {
            let stage = Stage::new(by);
            let lab = &stage.lab;
            let (away, home) = (lab.namespace("away"), lab.namespace("home"));
            lab.a.ip("link add other0 type veth peer name other1");
            lab.a.ip("link set other0 up");
            let before = alias_links(&lab.a);
            lab.ctl_ok(&["add", "other0:0", "198.18.1.1/24"]);
            lab.ctl_ok(&["add", "other0:1", "198.18.1.2/24", "--netns", home.name()]);
            lab.ctl_ok(&["add", "other0:2", "198.18.1.3/24", "--local"]);
            if moved {
                lab.a.ip(&format!("link set other0 netns {}", away.name()));
            } else {
                lab.a.ip("link del other0");
            }
            stage.put_right("no device to be left", || {
                alias_links(&lab.a) == before && alias_links(&home).is_empty()
            });
            assert_eq!(lab.alias_names(), ["eth1:0"], "{by:?} {moved}");
            if moved {
                stage.put_right("its programs to be off", || {
                    !away.ip("link show dev other0").contains("xdp")
                });
            }
        }
    }
}

#[test]
fn a_new_mtu_is_the_devices_too() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let home = lab.namespace("c0");
        stage.add_two(&["--netns", home.name()]);
        for mtu in [1400, 3000] {
            lab.a.ip(&format!("link set eth0 mtu {mtu}"));
            stage.put_right("the MTU to be the devices'", || {
                lab.a.link("eth0:0")["mtu"] == mtu && home.link("eth0:1")["mtu"] == mtu
            });
        }
        // What somebody chose for a device is theirs.
        lab.a.ip("link set dev eth0:0 mtu 1300");
        stage.let_a_marker_pass();
        assert_eq!(lab.a.link("eth0:0")["mtu"], 1300, "{by:?}");
    }
}

#[test]
fn a_new_station_is_the_devices_too_and_announced() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        stage.add_two(&["--local"]);
        let at_b = RawSocket::open(&lab.b, "eth0");
        lab.a.ip("link set eth0 address 02:00:00:00:00:55");
        let station = [2, 0, 0, 0, 0, 0x55];
        stage.put_right("the MAC to be the device's", || {
            lab.a.mac("eth0:0") == station
        });
        for address in ["198.51.100.8", "203.0.113.9"] {
            let address: IpAddr = address.parse().expect("v4");
            at_b.expect("a gratuitous ARP with the new station", LIMIT, |got| {
                read(got).is_some_and(|seen| {
                    seen.source == station
                        && seen
                            .arp
                            .is_some_and(|arp| IpAddr::V4(arp.sender) == address)
                })
            });
        }
        lab.b.ping_ok("198.51.100.8", 1);
        assert_eq!(lab.counter("eth0:0", "dropped.spoof"), 0, "{by:?}");
    }
}

#[test]
fn a_lost_carrier_changes_nothing() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        stage.add_two(&["--local"]);
        lab.b.ip("link set eth0 down");
        stage.let_a_marker_pass();
        assert_eq!(stage.of_eth0(), ["eth0:0", "eth0:1"], "{by:?}");
        lab.b.ip_batch(
            "link set eth0 up\n\
             route add 198.51.100.0/24 dev eth0\n\
             route add 203.0.113.0/24 dev eth0\n",
        );
        lab.b.ping_ok(Family::V4.alias(0), 1);
        lab.b.ping_ok(Family::V4.alias(1), 1);
    }
}

#[test]
fn a_new_name_is_the_aliases_too() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let home = lab.namespace("c0");
        stage.add_two(&["--netns", home.name()]);
        lab.ctl_ok(&["add", "eth0:2", "203.0.113.10/24", "--local"]);
        lab.a.ip("link set eth0 name wan0");
        stage.put_right("the devices to have the new names", || {
            lab.a.find_link("wan0:0").is_some() && home.find_link("wan0:1").is_some()
        });
        assert!(lab.a.find_link("eth0:0").is_none(), "{by:?}");
        assert!(home.find_link("eth0:1").is_none(), "{by:?}");
        let mut names = lab.alias_names();
        names.retain(|name| name != "eth1:0");
        assert_eq!(names, ["wan0:0", "wan0:1", "wan0:2"], "{by:?}");
        // The kernel carries labels over by itself.
        assert!(lab.a.ip("addr show label wan0:2").contains("203.0.113.10"));
        lab.b.ping_ok("198.51.100.8", 1);
    }
}

/// What was saved comes back with the device, up again or made again.
#[test]
fn a_device_that_comes_up_gets_what_was_saved() {
    let path = std::env::temp_dir().join(format!("alias-saved-{}.toml", std::process::id()));
    let lab = Lab::builder()
        .env("ALIAS_CONFIG", &path.display().to_string())
        .build();
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24", "--local"]);
    lab.a
        .ip_batch("link add eth1 type veth peer name far1\nlink set eth1 up\n");
    lab.ctl_ok(&["add", "eth1:0", "198.18.0.1", "--drop"]);
    lab.ctl_ok(&["save"]);
    let daemon = lab.daemon(&[]);
    lab.a.ip("link set eth0 down");
    wait_for("the aliases to go", LIMIT, || {
        lab.alias_names() == ["eth1:0"]
    });
    lab.a.ip("link set eth0 up");
    wait_for("the saved aliases", LIMIT, || lab.alias_names().len() == 3);
    lab.b.ping_ok("198.51.100.8", 1);
    lab.b.ping_ok("203.0.113.9", 1);
    lab.a.ip("link del eth1");
    wait_for("its aliases to go", LIMIT, || lab.alias_names().len() == 2);
    lab.a
        .ip_batch("link add eth1 type veth peer name far1\nlink set eth1 up\n");
    wait_for("the saved alias of the new device", LIMIT, || {
        lab.alias_names().contains(&"eth1:0".to_owned())
    });
    // What is deleted while its device is up stays deleted.
    lab.ctl_ok(&["del", "eth0:1"]);
    lab.a.ip("link set eth0 mtu 1400");
    wait_for("the pass", LIMIT, || lab.a.link("eth0:0")["mtu"] == 1400);
    assert!(!lab.alias_names().contains(&"eth0:1".to_owned()));
    drop(daemon);
    std::fs::remove_file(&path).expect("the file that was saved");
}
