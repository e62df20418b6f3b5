//! What `ip link` says that alias devices are for, and who keeps it right.

use alias_tests::{Lab, Mode, Namespace};

use crate::daemon_stage::{BOTH, Stage};

/// The text of a device, as `ip -d link` prints it; empty for none.
#[track_caller]
fn description(at: &Namespace, device: &str) -> String {
    let shown = at.ip(&format!("-d link show dev {device}"));
    let line = shown.lines().map(str::trim);
    let text = line.filter_map(|line| line.strip_prefix("alias "));
    text.map(str::to_owned).collect()
}

#[test]
fn a_device_says_whose_it_is() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("c0");
    for words in [
        &["eth0:0", "198.51.100.8/24"][..],
        &["eth0:1", "203.0.113.9/24", "--netns", home.name()],
        &["eth0:2", "198.51.100.10/24", "--join", "eth0:0"],
        &["eth0:3", "2001:db8:5::8/64"],
        &["eth0:4", "198.18.4.0/24", "--prefix"],
    ] {
        lab.ctl_ok(&[&["add"], words].concat());
    }
    for (at, alias, text) in [
        (&lab.a, "eth0:0", "eth0:0 198.51.100.8"),
        (&home, "eth0:1", "eth0:1 203.0.113.9"),
        (&lab.a, "eth0:3", "eth0:3 2001:db8:5::8"),
        (&lab.a, "eth0:4", "eth0:4 198.18.4.0/24"),
        (&lab.a, "eth0", ""),
    ] {
        assert_eq!(description(at, alias), text, "{alias}");
    }
    // Many at once go another way.
    lab.ctl_ok(&["add", "eth0", "--range", "198.18.0.1-198.18.0.40"]);
    for row in lab
        .rows()
        .iter()
        .filter(|row| row["slot"].as_u64() >= Some(5))
    {
        let alias = row["alias"].as_str().expect("a name");
        let address = row["address"].as_str().expect("an address");
        assert_eq!(description(&lab.a, alias), format!("{alias} {address}"));
    }
    lab.ctl_ok(&["set", "eth0:3", "2001:db8:5::9"]);
    assert_eq!(description(&lab.a, "eth0:3"), "eth0:3 2001:db8:5::9");
    lab.ctl_ok(&["set", "eth0:3", "--netns", home.name()]);
    assert_eq!(description(&home, "eth0:3"), "eth0:3 2001:db8:5::9");
}

/// The parent's new name is in it. What somebody else has written, or taken away, stays.
#[test]
fn it_follows_the_parents_name_and_the_device() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let home = lab.namespace("c0");
        stage.add_two(&["--netns", home.name()]);
        lab.ctl_ok(&["add", "eth0:2", "203.0.113.10/24"]);
        lab.ctl_ok(&["add", "eth0:3", "203.0.113.11/24"]);
        let devices = ["eth0:2", "eth0:3"].map(|alias| lab.device(alias));
        // Their own names stay.
        let [first, second] = ["eth0:0", "eth0:1"].map(|alias| lab.device(alias));
        lab.a.ip_batch(&format!(
            "link set {} alias mine\nlink set {} alias \"\"\n",
            devices[0], devices[1]
        ));
        lab.a.ip("link set eth0 name wan0");
        stage.put_right("the descriptions to have the new name", || {
            description(&lab.a, &first) == "wan0:0 198.51.100.8"
                && description(&home, &second) == "wan0:1 203.0.113.9"
        });
        assert_eq!(description(&lab.a, &devices[0]), "mine", "{by:?}");
        assert_eq!(description(&lab.a, &devices[1]), "", "{by:?}");

        let device = lab.device("wan0:0");
        lab.a
            .ip(&format!("link set {device} netns {}", home.name()));
        stage.put_right("the alias to be there", || {
            lab.row("wan0:0")["netns"] == home.name()
        });
        assert_eq!(description(&home, &first), "wan0:0 198.51.100.8", "{by:?}");
    }
}
