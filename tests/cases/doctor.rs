//! `doctor` tells the truth: what it calls a problem loses packets, and what it
//! says to do ends the loss.

use alias_tests::bpf::{self, Kind, only_return, xdp};
use alias_tests::{Lab, Mode, comes_true, wait_for};
use serde_json::Value;

use crate::scene::{Family, LIMIT, Place, Scene};

/// What `doctor -j` found, and its exit code.
#[track_caller]
fn doctor(lab: &Lab, arguments: &[&str]) -> (Vec<Value>, i32) {
    let output = lab.ctl(&[&["doctor", "-j"], arguments].concat());
    let code = output.code();
    let found: Value = serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("doctor -j: {error}: {output}"));
    let found = found.as_array().expect("an array").clone();
    (found, code)
}

fn of_level(found: &[Value], level: &str) -> Vec<Value> {
    let wanted = found.iter().filter(|finding| finding["level"] == level);
    wanted.cloned().collect()
}

/// The problems, which are to be those of these objects, with the exit code that goes
/// with them. The kernel tells of a carrier some time after a device is up or down.
#[track_caller]
fn problems(lab: &Lab, objects: &[&str]) -> Vec<Value> {
    let (mut found, mut code) = (Vec::new(), 0);
    let expected = comes_true(LIMIT, || {
        (found, code) = doctor(lab, &[]);
        let problems = of_level(&found, "problem");
        problems
            .iter()
            .map(|problem| &problem["object"])
            .eq(objects)
    });
    assert!(expected, "of {objects:?}: {found:#?}");
    assert_eq!(code, i32::from(!objects.is_empty()), "{found:#?}");
    of_level(&found, "problem")
}

#[track_caller]
fn only_problem(lab: &Lab, object: &str) -> Value {
    problems(lab, &[object]).remove(0)
}

#[track_caller]
fn no_problem(lab: &Lab) {
    problems(lab, &[]);
}

/// Runs what the finding says to do.
#[track_caller]
fn heed(lab: &Lab, finding: &Value) {
    let command = finding["way_out"].as_str().expect("a way out");
    lab.a.run(command).ok();
}

#[test]
fn what_is_well_has_no_problem() {
    for place in [Place::SameHost, Place::OwnNamespace] {
        let scene = Scene::with_two(Mode::Native, Family::V4, place);
        scene
            .lab
            .ctl_ok(&["add", "eth0:2", "203.0.113.12", "--local"]);
        scene.lab.b.ping_ok(Family::V4.alias(0), 1);
        no_problem(&scene.lab);
    }
}

#[test]
fn it_changes_nothing() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::SameHost);
    let (before, pins) = (scene.lab.snapshot(), scene.lab.pins());
    doctor(&scene.lab, &[]);
    doctor(&scene.lab, &["eth0"]);
    scene.lab.assert_unchanged(&before);
    assert_eq!(scene.lab.pins(), pins);
}

#[test]
fn generic_mode_is_a_note() {
    let lab = Lab::attached(Mode::Generic);
    let (found, code) = doctor(&lab, &[]);
    assert_eq!(code, 0, "{found:#?}");
    let notes = of_level(&found, "note");
    assert!(
        notes.iter().any(|note| note["object"] == "eth0"),
        "{found:#?}"
    );
}

#[test]
fn strict_reverse_path_filtering_is_found_and_mended() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::SameHost);
    let lab = &scene.lab;
    let setting = format!("ipv4/conf/{}/rp_filter", scene.device("eth0:0"));
    lab.a.sysctl(&setting, "1");
    lab.b.ping_unanswered(Family::V4.alias(0));
    heed(lab, &only_problem(lab, "eth0:0"));
    no_problem(lab);
    lab.b.ping_ok(Family::V4.alias(0), 1);
}

#[test]
fn a_device_that_is_down_is_found_and_mended() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::SameHost);
    let lab = &scene.lab;
    lab.a
        .ip(&format!("link set {} down", scene.device("eth0:1")));
    heed(lab, &only_problem(lab, "eth0:1"));
    no_problem(lab);
    lab.b.ping_ok(Family::V4.alias(1), 1);
}

#[test]
fn a_parent_that_is_down_is_found() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("link set eth0 down");
    heed(&lab, &only_problem(&lab, "eth0"));
    no_problem(&lab);
}

#[test]
fn a_target_that_is_down_is_found_and_mended() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("link add to0 type veth peer name far0");
    lab.a.ip("link set far0 up");
    lab.a.ip("link set to0 up");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--to", "to0"]);
    no_problem(&lab);
    lab.a.ip("link set to0 down");
    heed(&lab, &only_problem(&lab, "eth0:0"));
    no_problem(&lab);
}

#[test]
fn a_foreign_program_is_found_on_a_device_that_is_not_attached() {
    let lab = Lab::plain();
    let program = bpf::load(Kind::Xdp, &only_return(xdp::PASS as i32)).expect("load");
    let link = bpf::attach_xdp(&program, &lab.a, "eth0").expect("attach");
    let (found, code) = doctor(&lab, &["eth0"]);
    let problems = of_level(&found, "problem");
    assert_eq!((problems.len(), code), (1, 1), "{found:#?}");
    let id = bpf::program_id(&program).expect("a program has an id");
    let what = problems[0]["finding"].as_str().unwrap_or_default();
    assert!(what.contains(&format!("id {id}")), "{found:#?}");
    drop(link);
    drop(program);
    wait_for("no problem to be left", LIMIT, || {
        doctor(&lab, &["eth0"]).1 == 0
    });
}

/// As after a device was down and up again, and nobody saw it.
#[test]
fn a_route_that_is_gone_is_found_and_mended() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--local"]);
    let routes = || lab.a.ip("route show 198.51.100.0/24");
    let before = routes();
    lab.a.ip("route del 198.51.100.0/24 dev eth0");
    let problem = only_problem(&lab, "eth0:0");
    let words = problem["way_out"].as_str().expect("a way out");
    let words: Vec<&str> = words.split_whitespace().skip(1).collect();
    lab.ctl_ok(&words);
    assert_eq!(routes(), before);
    no_problem(&lab);
}

#[test]
fn many_of_a_kind_are_summed_up() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.18.0.0-198.18.0.19",
        "--local",
    ]);
    no_problem(&lab);
    for n in 0..20 {
        lab.a.ip(&format!("addr del 198.18.0.{n}/32 dev eth0"));
    }
    let (found, code) = doctor(&lab, &[]);
    let problems = of_level(&found, "problem");
    assert_eq!((problems.len(), code), (6, 1), "{found:#?}");
    assert_eq!(problems[5]["object"], "and 15 more");
}

#[test]
fn of_one_alias_only_what_concerns_it_is_said() {
    let lab = Lab::attached(Mode::Native);
    for slot in 0..8 {
        lab.a
            .ip(&format!("link add to{slot} type veth peer name far{slot}"));
        lab.a
            .ip_batch(&format!("link set far{slot} up\nlink set to{slot} up\n"));
        let (name, address) = (format!("eth0:{slot}"), format!("198.51.100.{slot}"));
        lab.ctl_ok(&["add", &name, &address, "--to", &format!("to{slot}")]);
    }
    for slot in 1..8 {
        lab.a.ip(&format!("link set to{slot} down"));
    }
    let objects = |alias: &str| {
        let (found, code) = doctor(&lab, &[alias]);
        let problems = of_level(&found, "problem");
        let objects: Vec<String> = problems
            .iter()
            .filter_map(|problem| problem["object"].as_str().map(str::to_owned))
            .collect();
        (objects, code)
    };
    // The last one, which a list of all sums up, by either of its names.
    for name in ["eth0:7", "eth0:007"] {
        assert_eq!(objects(name), (vec!["eth0:7".to_owned()], 1), "{name}");
    }
    assert_eq!(objects("eth0:0"), (vec![], 0));
    let (found, _) = doctor(&lab, &["eth0:0"]);
    assert!(
        found.iter().any(|one| one["object"] == "eth0:0"),
        "{found:#?}"
    );
    lab.ctl_err(&["doctor", "eth0:9"], "ENODEV");
}

#[test]
fn an_unknown_device_is_enodev() {
    Lab::plain().ctl_err(&["doctor", "eth9"], "ENODEV");
}

#[test]
fn without_privilege_that_is_the_problem() {
    let lab = Lab::plain();
    let output = lab.ctl_unprivileged(&["doctor"]);
    assert_eq!(output.code(), 1, "{output}");
    assert!(output.stdout.contains("CAP_NET_ADMIN"), "{output}");
}
