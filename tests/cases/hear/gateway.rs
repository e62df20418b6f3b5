//! A gateway that another machine takes over, or whose card is replaced, says so once. An
//! alias's namespace that did not hear it would send to the old station for half a minute.

use std::time::{Duration, Instant};

use alias_tests::{Lab, Namespace, RawSocket, wait_for};

use super::{STRANGER, announcement};
use crate::scene::{FAMILIES, Family, LIMIT, modes};

/// The station that a namespace's neighbour cache has for B on a device.
#[track_caller]
fn station_of_b(home: &Namespace, device: &str, family: Family) -> Option<String> {
    let rows = home.ip_json(&format!("neigh show to {} dev {device}", family.b()));
    let row = rows.as_array()?.first()?;
    Some(row["lladdr"].as_str()?.to_owned())
}

fn address(family: Family, number: usize) -> &'static str {
    match family {
        Family::V4 => ["192.0.2.50/24", "192.0.2.51/24", "192.0.2.52/24"][number],
        Family::V6 => [
            "2001:db8:0:1::50/64",
            "2001:db8:0:1::51/64",
            "2001:db8:0:1::52/64",
        ][number],
    }
}

/// B gets another station, and says so to everybody.
#[track_caller]
fn move_b(lab: &Lab, family: Family) {
    lab.b.ip("link set eth0 address 02:00:5e:00:53:01");
    let speaks = RawSocket::open(&lab.b, "eth0");
    speaks.send(&announcement(family, family.b(), STRANGER).padded().build());
}

#[test]
fn that_has_another_station_is_followed_within_a_second() {
    for mode in modes() {
        for family in FAMILIES {
            let lab = Lab::attached(mode);
            let homes = [lab.namespace("c0"), lab.namespace("c1")];
            // Two devices in the first, of which the routes use the second too.
            for (number, home) in [(0, &homes[0]), (1, &homes[0]), (2, &homes[1])] {
                let alias = format!("eth0:{number}");
                let words = [
                    "add",
                    &alias,
                    address(family, number),
                    "--netns",
                    home.name(),
                ];
                lab.ctl_ok(&words);
                home.wait_until_up(&lab.device(&alias));
            }
            let ways = [
                (&homes[0], lab.device("eth0:0")),
                (&homes[0], lab.device("eth0:1")),
                (&homes[1], lab.device("eth0:2")),
            ];
            for (home, device) in &ways {
                home.ip(&format!(
                    "route replace {}/{} dev {device}",
                    family.b(),
                    match family {
                        Family::V4 => 32,
                        Family::V6 => 128,
                    }
                ));
                home.ping_ok(family.b(), 1);
                assert!(station_of_b(home, device, family).is_some());
            }
            move_b(&lab, family);
            let told = Instant::now();
            for (home, device) in &ways {
                wait_for("the device to know B's new station", LIMIT, || {
                    station_of_b(home, device, family).as_deref() == Some("02:00:5e:00:53:01")
                });
            }
            let took = told.elapsed();
            assert!(
                took < Duration::from_secs(1),
                "{mode:?} {family:?}: {took:?}"
            );
            for (home, _) in &ways {
                home.ping_ok(family.b(), 1);
            }
            // The parent's own stack heard it as ever.
            lab.a.ping_ok(family.b(), 1);
        }
    }
}

/// A device beside the parent has a neighbour cache of its own, which routes through it use.
#[test]
fn is_followed_by_a_device_beside_the_parent() {
    for mode in modes() {
        for (family, own, gateway) in [
            (Family::V4, "198.51.100.8/24", "198.51.100.1"),
            (Family::V6, "2001:db8:5::8/64", "2001:db8:5::1"),
        ] {
            let lab = Lab::attached(mode);
            let len = own.split_once('/').map_or("", |(_, len)| len);
            lab.b.ip(&format!("addr add {gateway}/{len} dev eth0"));
            wait_for("B to have the address", LIMIT, || {
                !lab.b.ip("-o addr show dev eth0").contains("tentative")
            });
            // The parent has no address of this network: the way is by the device.
            lab.ctl_ok(&["add", "eth0:0", own]);
            lab.a.ping_ok(gateway, 1);
            let device = lab.device("eth0:0");
            let station = || {
                let rows = lab
                    .a
                    .ip_json(&format!("neigh show to {gateway} dev {device}"));
                rows[0]["lladdr"].as_str().map(str::to_owned)
            };
            assert!(station().is_some(), "{family:?}: not by the device");
            lab.b.ip("link set eth0 address 02:00:5e:00:53:01");
            let speaks = RawSocket::open(&lab.b, "eth0");
            speaks.send(&announcement(family, gateway, STRANGER).padded().build());
            let told = Instant::now();
            wait_for("the device to know the new station", LIMIT, || {
                station().as_deref() == Some("02:00:5e:00:53:01")
            });
            assert!(
                told.elapsed() < Duration::from_secs(1),
                "{mode:?} {family:?}"
            );
            lab.a.ping_ok(gateway, 1);
        }
    }
}
