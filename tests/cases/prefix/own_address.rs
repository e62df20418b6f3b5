//! The parent's own addresses: no prefix takes one away from it, whatever the step.

use alias_tests::{Lab, Mode, Tap};

use super::running;

#[track_caller]
fn run(lab: &Lab, line: &str) -> String {
    lab.ctl_ok(&line.split(' ').collect::<Vec<_>>())
}

/// Refused with that error and word; nothing was changed, and the host is heard.
#[track_caller]
fn refused(lab: &Lab, line: &str, errno: &str, said: &str) {
    let before = (lab.rows(), lab.pins(), running(lab));
    let text = lab.ctl_err(&line.split(' ').collect::<Vec<_>>(), errno);
    assert!(text.contains(said), "{line}: {text}");
    assert_eq!((lab.rows(), lab.pins(), running(lab)), before, "{line}");
    lab.b.ping_ok("192.0.2.9", 1);
}

#[test]
fn a_prefix_of_the_stack_gets_no_other_target() {
    let lab = Lab::attached(Mode::Native);
    let _tap = Tap::open(&lab.a, "tap0");
    run(&lab, "add eth0:0 203.0.113.1/24");
    run(&lab, "add eth0:7 192.0.2.8/29 --prefix --local");
    lab.b.ping_ok("192.0.2.9", 1);
    for target in ["--drop", "--to tap0", "--device", "--join eth0:0"] {
        let line = format!("set eth0:7 {target}");
        refused(&lab, &line, "EEXIST", "192.0.2.9 --local");
        let line = format!("set eth0:7 192.0.2.8/30 --prefix {target}");
        refused(&lab, &line, "EEXIST", "192.0.2.9 --local");
    }
    // Local it stays, or it has none of the parent's in it.
    run(&lab, "set eth0:7 --local");
    run(&lab, "set eth0:7 192.0.2.128/25 --prefix --drop");
    lab.b.ping_ok("192.0.2.9", 1);
    run(&lab, "set eth0:7 192.0.2.8/29 --prefix --local");
    run(&lab, "add eth0:5 192.0.2.9 --local");
    run(&lab, "set eth0:7 --drop");
    lab.b.ping_ok("192.0.2.9", 1);
}

#[test]
fn the_alias_that_keeps_it_stays_as_long_as_the_prefix() {
    let directory = std::env::temp_dir().join(format!("alias-t{}-own", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory of our own");
    let list = directory.join("list").display().to_string();
    std::fs::write(&list, "192.0.2.9\n").expect("a file of our own");
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:5 192.0.2.9 --local");
    refused(
        &lab,
        "set eth0:5 192.0.2.0/24 --prefix --drop",
        "EEXIST",
        "192.0.2.9",
    );
    run(&lab, "disable eth0:5");
    refused(
        &lab,
        "add eth0:6 192.0.2.0/24 --prefix --drop",
        "EEXIST",
        "192.0.2.9",
    );
    run(&lab, "enable eth0:5");
    run(&lab, "add eth0:6 192.0.2.0/24 --prefix --drop");
    run(&lab, "add eth0:7 192.0.2.77 --local");
    lab.b.ping_ok("192.0.2.9", 1);
    let steps = [
        "del eth0:5".to_owned(),
        "del eth0:5 eth0:7".to_owned(),
        "del eth0 192.0.2.9".to_owned(),
        format!("del eth0 --from {list}"),
        "disable eth0:5".to_owned(),
        "disable eth0:7".to_owned(),
        "set eth0:5 203.0.113.9 --local".to_owned(),
        "ifconfig eth0:5 down".to_owned(),
    ];
    let way_out = "alias-ctl del eth0:6";
    for line in &steps {
        refused(&lab, line, "EBUSY", way_out);
    }
    // The prefix may be enabled again at any time.
    run(&lab, "disable eth0:6");
    refused(&lab, "del eth0:5", "EBUSY", way_out);
    run(&lab, "enable eth0:6");
    // The address of this one goes with it.
    run(&lab, "del eth0:7");
    // What comes later is nobody's to keep, and stands in nobody's way.
    lab.a.ip("addr add 192.0.2.99/24 dev eth0");
    run(&lab, "add eth0:8 203.0.113.8 --drop");
    run(&lab, "del eth0:8");
    refused(&lab, "del eth0:5", "EBUSY", "192.0.2.9 ");
    run(&lab, "del eth0:5 eth0:6");
    lab.b.ping_ok("192.0.2.9", 1);
    std::fs::remove_dir_all(&directory).expect("a directory of our own");
}

#[test]
fn all_may_go_at_once() {
    let lab = Lab::attached(Mode::Native);
    run(&lab, "add eth0:5 192.0.2.9 --local");
    run(&lab, "add eth0:6 192.0.2.0/24 --prefix --drop");
    run(&lab, "del eth0 --all");
    assert_eq!(lab.alias_names(), [""; 0]);
    lab.b.ping_ok("192.0.2.9", 1);
}

/// A configuration is no way round it, and one with both is made whatever their order.
#[test]
fn a_configuration_takes_none_either() {
    let directory = std::env::temp_dir().join(format!("alias-t{}-own-c", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory of our own");
    let file = directory.join("aliases.toml").display().to_string();
    let lab = Lab::attached(Mode::Native);
    let keeper = "[[alias]]\nname = \"eth0:5\"\naddress = \"192.0.2.9\"\ntarget = \"local\"\n";
    let prefix = "[[alias]]\nname = \"eth0:2\"\naddress = \"192.0.2.0/24\"\n\
         prefix = true\ntarget = \"drop\"\n";
    let write = |aliases: &[&str]| {
        let text = format!(
            "version = 1\n[[parent]]\nname = \"eth0\"\n{}",
            aliases.concat()
        );
        std::fs::write(&file, text).expect("a file of our own");
    };
    let apply = format!("apply {file}");
    write(&[prefix]);
    refused(&lab, &apply, "EEXIST", "192.0.2.9");
    write(&[prefix, keeper]);
    run(&lab, &apply);
    assert_eq!(lab.alias_names(), ["eth0:2", "eth0:5"]);
    lab.b.ping_ok("192.0.2.9", 1);
    let disabled = format!("{keeper}enabled = false\n");
    let moved = keeper.replace("192.0.2.9", "203.0.113.9");
    for aliases in [&[prefix, &disabled][..], &[prefix, &moved], &[prefix]] {
        write(aliases);
        refused(&lab, &apply, "EBUSY", "eth0:2");
    }
    write(&[]);
    run(&lab, &apply);
    assert_eq!(lab.alias_names(), [""; 0]);
    lab.b.ping_ok("192.0.2.9", 1);
    std::fs::remove_dir_all(&directory).expect("a directory of our own");
}
