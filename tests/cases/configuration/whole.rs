//! All or nothing: what fails half way is undone; and a great many at once.

use std::time::Instant;

use alias_tests::Lab;

use super::desk::Desk;
use super::{Targets, figures, ping, send};

#[test]
fn what_fails_half_way_is_undone() {
    let targets = Targets::build();
    let desk = &targets.desk;
    let home = targets.home.name();
    let declare = |first: &str, rest: &str| {
        desk.write(&format!(
            "version = 1\n[[parent]]\nname = \"eth0\"\nmax_aliases = 1000\n\
             [[alias]]\nname = \"eth0:0\"\naddress = \"{first}/24\"\nnetns = \"{home}\"\n\
             [[alias]]\nname = \"eth0:1\"\naddress = \"198.51.100.20/24\"\njoin = \"eth0:0\"\n\
             {rest}"
        ))
    };
    let path = declare(
        "198.51.100.8",
        "[[alias]]\nname = \"eth0:2\"\naddress = \"198.51.100.30\"\ntarget = \"drop\"\n\
         [[alias]]\nname = \"eth0:3\"\naddress = \"198.51.100.31\"\ntarget = \"local\"\n",
    );
    desk.lab.ctl_ok(&["apply", &path]);
    ping(desk, &targets.home, "eth0:0", 3);
    ping(desk, &targets.home, "eth0:1", 2);
    send(desk, "198.51.100.30", 5);
    desk.lab.wait_for_counter("eth0:2", "dropped.policy", 5);
    targets.home.ip("route flush 192.0.2.0/24");

    // v0 is down, which is seen when its turn comes: after eth0:0 was given
    // another address, eth0:2 was deleted because its address is wanted, many
    // were made, and the limit is another.
    desk.lab.a.ip("link set v0 down");
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.contains("max_aliases = 1000"));
    declare(
        "198.51.100.9",
        "[[alias]]\nname = \"eth0:4\"\naddress = \"198.51.100.30\"\n\
         [[range]]\nparent = \"eth0\"\nstart = 100\naddresses = \"198.18.0.0/24\"\ntarget = \"drop\"\n\
         [[range]]\nparent = \"eth0\"\nstart = 400\naddresses = \"198.18.1.0/28\"\n\
         [[alias]]\nname = \"eth0:900\"\naddress = \"203.0.113.9\"\nto = \"v0\"\n",
    );
    let text = std::fs::read_to_string(&path).expect("it is there");
    desk.write(&text.replace("max_aliases = 1000", "max_aliases = 2000"));
    // What is made anew has another index; the rest is compared as it is.
    let before = super::rows(desk);
    let pins = desk.lab.pins();
    let message = desk.lab.ctl_err(&["apply", &path], "ENETDOWN");
    assert!(message.contains("v0"), "{message}");
    assert_eq!(super::rows(desk), before);
    assert_eq!(desk.lab.pins(), pins);
    assert_eq!(figures(desk, "eth0:0"), [3, 3, 0]);
    assert_eq!(figures(desk, "eth0:1"), [2, 2, 0]);
    assert_eq!(figures(desk, "eth0:2"), [5, 0, 5]);
    // The old limit holds, and the aliases work.
    desk.lab.ctl_err(
        &[
            "add",
            "eth0",
            "--range",
            "198.19.0.0-198.19.3.231",
            "--drop",
        ],
        "ENOSPC",
    );
    ping(desk, &targets.home, "eth0:0", 1);
    ping(desk, &targets.home, "eth0:1", 1);
    desk.lab.b.ping_ok("198.51.100.31", 1);
    send(desk, "198.51.100.30", 1);
    desk.lab.wait_for_counter("eth0:2", "dropped.policy", 6);

    desk.lab.a.ip("link set v0 up");
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(desk.compare(&[&path]), (0, String::new()));
    assert_eq!(figures(desk, "eth0:0"), [4, 4, 0]);
}

#[test]
fn a_device_that_was_attached_for_it_is_detached_again() {
    let desk = Desk::plain();
    let path = desk.write(
        "version = 1\n\
         [[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8/24\"\n\
         [[alias]]\nname = \"eth0:1\"\naddress = \"192.0.2.9/24\"\n",
    );
    desk.lab.ctl_refused(&["apply", &path], "EEXIST");
    assert_eq!(desk.lab.ctl_ok(&["show"]), "");
}

#[test]
fn an_attached_device_is_as_declared_or_refused() {
    let desk = Desk::plain();
    let declare = |keys: &str| {
        desk.write(&format!(
            "version = 1\n[[parent]]\nname = \"eth0\"\n{keys}\n\
             [[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8\"\ntarget = \"drop\"\n"
        ))
    };
    let path = declare("mode = \"generic\"\ncapacity = 100\nmax_aliases = 1\nlog = \"warn\"");
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(desk.lab.row("eth0:0")["mode"], "generic");
    assert!(desk.lab.ctl_ok(&["show"]).contains("room for 100"));
    desk.lab
        .ctl_err(&["add", "eth0:50", "203.0.113.1", "--drop"], "ENOSPC");
    assert_eq!(desk.compare(&[&path]), (0, String::new()));
    desk.lab.ctl_ok(&["save"]);
    assert_eq!(desk.compare(&[]), (0, String::new()));
    for (keys, word) in [
        ("mode = \"native\"", "mode generic"),
        ("log = \"debug\"", "log warn"),
    ] {
        declare(keys);
        let message = desk.lab.ctl_refused(&["apply", &path], "EBUSY");
        assert!(message.contains(word), "{message}");
        // What can be set while packets flow is no reason to detach.
        let detach = !word.starts_with("log");
        assert_eq!(message.contains("--cascade"), detach, "{message}");
        let (code, text) = desk.compare(&[&path]);
        assert_eq!(code, 1);
        assert!(text.contains(&format!("- eth0 {word}\n")), "{text}");
    }
    // A device has the capacity that is declared, or it has grown past it.
    for (declared, is) in [("101", "room for 101"), ("100", "room for 101")] {
        declare(&format!("capacity = {declared}"));
        desk.lab.ctl_ok(&["apply", &path]);
        assert!(desk.lab.ctl_ok(&["show"]).contains(is));
        assert_eq!(desk.compare(&[&path]), (0, String::new()));
    }
    declare("mode = \"best-effort\"\nmax_aliases = 2");
    desk.lab.ctl_ok(&["apply", &path]);
    desk.lab
        .ctl_ok(&["add", "eth0:50", "203.0.113.1", "--drop"]);
    // As it was saved.
    desk.lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    desk.lab.ctl_ok(&["restore"]);
    assert_eq!(desk.compare(&[]), (0, String::new()));
}

#[test]
fn what_becomes_of_aliases_of_a_device_that_goes_down_is_declared_too() {
    let desk = Desk::plain();
    let lab = &desk.lab;
    lab.ctl_ok(&["attach", "eth0", "--on-parent-down", "keep"]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--local"]);
    lab.ctl_ok(&["save"]);
    let other = desk.saved().replace("\"keep\"", "\"delete\"");
    let file = desk.write(&other);
    let (code, text) = desk.compare(&[&file]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("+ eth0 on_parent_down delete"), "{text}");
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    lab.ctl_ok(&["restore"]);
    assert_eq!(desk.compare(&[]).0, 0);
    // Kept, it is found down and still there by the next command.
    lab.a.ip("link set eth0 down");
    lab.ctl_ok(&["enable", "eth0:0"]);
    lab.a.ip("link set eth0 up");
    lab.ctl_ok(&["apply", &file]);
    lab.a.ip("link set eth0 down");
    lab.ctl_err(&["enable", "eth0:0"], "ENODEV");
}

/// 64 x 254 aliases, each written by itself.
fn sixteen_thousand(extra: &str) -> String {
    let addresses = (0..64).flat_map(|y| (1..=254).map(move |x| (y, x)));
    let aliases = addresses.map(|(y, x)| {
        format!(
            "[[alias]]\nname = \"eth0:{}\"\naddress = \"10.0.{y}.{x}\"\ntarget = \"drop\"\n",
            y * 256 + x
        )
    });
    format!("version = 1\n{extra}{}", aliases.collect::<String>())
}

/// What a quarter of a hundred calls take, one alias each.
#[track_caller]
fn one_by_one(lab: &Lab) -> std::time::Duration {
    let started = Instant::now();
    for n in 0..25 {
        let alias = format!("eth0:{n}");
        lab.ctl_ok(&["add", &alias, &format!("10.0.99.{n}"), "--drop"]);
    }
    started.elapsed() / 25
}

#[test]
fn sixteen_thousand_at_once_are_far_faster_than_one_by_one() {
    let desk = Desk::attached();
    let each = one_by_one(&desk.lab);
    desk.lab.ctl_ok(&["del", "eth0", "--all"]);
    let path = desk.write(&sixteen_thousand(""));
    let started = Instant::now();
    desk.lab.ctl_ok(&["apply", &path]);
    let took = started.elapsed();
    assert_eq!(desk.lab.rows().len(), 16_256);
    assert!(
        took * 5 < each * 16_256,
        "{took:?} for all, {each:?} for each"
    );
    for (slot, address) in [
        (1, "10.0.0.1"),
        (16_382, "10.0.63.254"),
        (8_000, "10.0.31.64"),
    ] {
        let alias = format!("eth0:{slot}");
        assert_eq!(desk.lab.row(&alias)["address"], address);
        send(&desk, address, 2);
        desk.lab.wait_for_counter(&alias, "dropped.policy", 2);
    }
    // Folded, it is a small file, and the same.
    desk.lab.ctl_ok(&["save"]);
    assert!(desk.saved().len() < 10_000, "{} bytes", desk.saved().len());
    assert_eq!(desk.compare(&[]), (0, String::new()));
    let listed = super::rows(&desk);
    desk.lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    desk.lab.ctl_ok(&["restore"]);
    assert_eq!(super::rows(&desk), listed);
}

#[test]
fn too_many_are_enospc_and_none_is_made() {
    let desk = Desk::plain();
    let small = "[[parent]]\nname = \"eth0\"\nmax_aliases = 16000\n";
    let path = desk.write(&sixteen_thousand(small));
    desk.lab.ctl_refused(&["apply", &path], "ENOSPC");
    // A limit below the capacity, and what is there already.
    desk.lab.ctl_ok(&["attach", "eth0"]);
    desk.lab.ctl_ok(&["add", "eth0:0", "203.0.113.1", "--drop"]);
    desk.lab.ctl_ok(&["set", "eth0", "--max-aliases", "256"]);
    for addresses in ["198.18.0.0/24", "198.18.0.0/15", "2001:db8::/80"] {
        desk.write(&format!(
            "version = 1\n[[range]]\nparent = \"eth0\"\nstart = 1\naddresses = \"{addresses}\"\n"
        ));
        desk.lab.ctl_refused(&["apply", &path], "ENOSPC");
    }
}
