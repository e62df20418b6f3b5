//! `kill -9` at any moment of `apply` and of `save`: the next one makes everything
//! as it is declared.

use std::fs;

use super::desk::Desk;
use super::{Targets, rows};
use crate::aim::Aim;

/// Two configurations that have little in common.
fn configurations(home: &str) -> [String; 2] {
    let first = format!(
        "version = 1\n\
         [[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8/24\"\nnetns = \"{home}\"\n\
         [[alias]]\nname = \"eth0:1\"\naddress = \"198.51.100.9/24\"\njoin = \"eth0:0\"\n\
         [[range]]\nparent = \"eth0\"\nstart = 10\naddresses = \"198.18.0.0/26\"\ntarget = \"drop\"\n\
         [[range]]\nparent = \"eth0\"\nstart = 100\naddresses = \"198.18.1.0/29\"\nnetns = \"{home}\"\n\
         [[alias]]\nname = \"eth0:3\"\naddress = \"203.0.113.3/24\"\ntarget = \"local\"\n"
    );
    let second = format!(
        "version = 1\n\
         [[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.9/24\"\ntarget = \"drop\"\n\
         [[alias]]\nname = \"eth0:1\"\naddress = \"198.51.100.8/24\"\nnetns = \"{home}\"\n\
         [[range]]\nparent = \"eth0\"\nstart = 40\naddresses = \"198.18.0.0/26\"\ntarget = \"drop\"\n\
         [[alias]]\nname = \"eth0:3\"\naddress = \"203.0.113.4/24\"\nto = \"v0\"\n"
    );
    [first, second]
}

#[test]
fn the_next_apply_converges() {
    let targets = Targets::build();
    let desk = &targets.desk;
    desk.lab.ctl_ok(&["add", "eth0:500", "203.0.113.200/24"]);
    let texts = configurations(targets.home.name());
    let mut wanted = Vec::new();
    let mut aim = Aim::new(0x00c0_ffee);
    for text in texts.iter().chain(&texts) {
        let path = desk.write(text);
        aim.measure(|| drop(desk.lab.ctl_ok(&["apply", &path])));
        let names: std::collections::BTreeSet<String> =
            desk.lab.alias_names().into_iter().collect();
        wanted.push((
            names,
            targets.home.ip_json("link show").as_array().map(Vec::len),
        ));
    }
    assert_eq!(
        wanted[..2],
        wanted[2..],
        "applied in turns, both are reached"
    );
    let by_hand = desk.lab.row("eth0:500");

    let mut round = 0;
    while aim.goes_on(30) {
        let next = round % 2;
        let path = desk.write(&texts[next]);
        aim.kill(desk.lab.ctl_spawn(&["apply", &path]));
        if round % 3 == 2 {
            // Another writer comes between.
            desk.lab.ctl_ok(&["set", "eth0", "--max-aliases", "65536"]);
        }
        desk.lab.ctl_ok(&["apply", &path]);
        let (names, links) = &wanted[next];
        let now: std::collections::BTreeSet<String> = desk.lab.alias_names().into_iter().collect();
        assert_eq!(&now, names, "round {round}");
        let there = targets.home.ip_json("link show").as_array().map(Vec::len);
        assert_eq!(&there, links, "round {round}: devices in the namespace");
        let (_, difference) = desk.compare(&[&path]);
        assert_eq!(
            difference,
            "- eth0:500 203.0.113.200/24 device  # made by hand\n"
        );
        round += 1;
    }
    assert_eq!(desk.lab.row("eth0:500"), by_hand);
}

#[test]
fn a_killed_save_leaves_the_old_file_or_the_new_one() {
    let desk = Desk::attached();
    desk.lab
        .ctl_ok(&["add", "eth0", "--range", "198.18.0.0/20", "--drop"]);
    let mut aim = Aim::new(0x000f_f1ce);
    aim.measure(|| drop(desk.lab.ctl_ok(&["save"])));
    let old = desk.saved();
    desk.lab.ctl_ok(&["del", "eth0:7"]);
    let listed = rows(&desk);
    let mut seen = [0, 0];
    while aim.goes_on(25) {
        fs::write(desk.saved_path(), &old).expect("a file of our own");
        aim.kill(desk.lab.ctl_spawn(&["save"]));
        let now = desk.saved();
        seen[usize::from(now != old)] += 1;
        assert!(now == old || now.contains("start = 8\n"), "{now}");
    }
    desk.lab.ctl_ok(&["save"]);
    assert_eq!(desk.compare(&[]), (0, String::new()));
    assert_eq!(rows(&desk), listed);
    let names = fs::read_dir(desk.path("saved")).expect("it is there");
    assert_eq!(names.count(), 1, "nothing beside it; seen {seen:?}");
}
