//! What is refused: the errno by its name, a sentence, and nothing changed.

use alias_tests::{
    Lab, Mode,
    bpf::{self, Kind, only_return, xdp},
};

const ADDRESS: &str = "198.51.100.8/24";

#[track_caller]
fn with_one_alias() -> Lab {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", ADDRESS]);
    lab
}

#[test]
fn adding_the_same_again_keeps_the_counters() {
    let lab = with_one_alias();
    lab.b.ping_ok("198.51.100.8", 3);
    lab.wait_for_counter("eth0:0", "tx_packets", 3);
    let before = lab.snapshot();
    lab.ctl_ok(&["add", "eth0:0", ADDRESS]);
    lab.assert_unchanged(&before);
    assert_eq!(lab.alias_names(), ["eth0:0"]);
    assert_eq!(lab.counter("eth0:0", "rx_packets"), 3);
    assert_eq!(lab.counter("eth0:0", "tx_packets"), 3);
}

#[test]
fn a_parent_that_is_down_is_eio() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("link set eth0 down");
    lab.ctl_refused(&["add", "eth0:0", ADDRESS], "EIO");
}

#[test]
fn a_parent_that_does_not_exist_is_enodev() {
    let lab = with_one_alias();
    lab.ctl_refused(&["add", "eth9:0", "203.0.113.9/24"], "ENODEV");
    lab.ctl_refused(&["del", "eth9:0"], "ENODEV");
    lab.ctl_refused(&["attach", "eth9"], "ENODEV");
}

#[test]
fn a_bad_suffix_is_enodev() {
    let lab = with_one_alias();
    for name in [
        "eth0:", "eth0:abc", "eth0:0,2", "eth0:0:1", "eth0:-1", "eth0:0x1", "eth0:-", "eth0:1 ",
        "eth0:+1",
    ] {
        let message = lab.ctl_refused(&["add", name, "203.0.113.9/24"], "ENODEV");
        assert!(
            message.contains(name),
            "the message names {name:?}: {message}"
        );
        lab.ctl_refused(&["del", name], "ENODEV");
    }
}

#[test]
fn a_slot_that_is_free_cannot_be_deleted() {
    let lab = with_one_alias();
    lab.ctl_refused(&["del", "eth0:1"], "ENODEV");
}

#[test]
fn leading_zeros_name_the_same_slot() {
    let lab = with_one_alias();
    lab.ctl_ok(&["add", "eth0:007", "203.0.113.9/24"]);
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:7"]);
    lab.ctl_ok(&["del", "eth0:0007"]);
    assert_eq!(lab.alias_names(), ["eth0:0"]);
}

#[test]
fn without_privilege_it_is_eperm() {
    let lab = with_one_alias();
    for arguments in [
        ["add", "eth0:1", "203.0.113.9/24"].as_slice(),
        &["del", "eth0:0"],
        &["disable", "eth0:0"],
        &["detach", "eth0", "--cascade"],
    ] {
        let before = lab.snapshot();
        lab.ctl_err_unprivileged(arguments, "EPERM");
        lab.assert_unchanged(&before);
    }
}

#[test]
fn an_address_that_another_alias_has_is_eexist() {
    let lab = with_one_alias();
    lab.ctl_refused(&["add", "eth0:1", ADDRESS], "EEXIST");
    lab.ctl_refused(&["add", "eth0:1", "198.51.100.8/32"], "EEXIST");
    lab.ctl_ok(&["add", "eth0:1", "2001:db8:5::8/64"]);
    // The same address, spelt otherwise.
    lab.ctl_refused(&["add", "eth0:2", "2001:0db8:5:0::8/64"], "EEXIST");
}

#[test]
fn an_unknown_namespace_is_enoent() {
    let lab = with_one_alias();
    let arguments = [
        "add",
        "eth0:1",
        "203.0.113.9/24",
        "--netns",
        "no-such-namespace",
    ];
    let message = lab.ctl_refused(&arguments, "ENOENT");
    assert!(message.contains("no-such-namespace"), "{message}");
}

#[test]
fn a_foreign_program_is_ebusy_and_named() {
    let lab = Lab::plain();
    let program = bpf::load(Kind::Xdp, &only_return(xdp::PASS as i32)).expect("load");
    let id = bpf::program_id(&program)
        .expect("a program has an id")
        .to_string();
    let _link = bpf::attach_xdp(&program, &lab.a, "eth0").expect("attach");
    for arguments in [
        ["attach", "eth0"].as_slice(),
        &["attach", "eth0", "--mode", "generic"],
    ] {
        let message = lab.ctl_refused(arguments, "EBUSY");
        let names_it = message
            .split(|c: char| !c.is_ascii_digit())
            .any(|word| word == id);
        assert!(names_it, "the message names program {id}: {message}");
    }
}

#[test]
fn the_limit_is_enospc_and_named() {
    let lab = Lab::builder()
        .mode(Mode::Native)
        .attach_options(&["--max-aliases", "1"])
        .build();
    lab.ctl_ok(&["add", "eth0:255", ADDRESS]);
    let message = lab.ctl_refused(&["add", "eth0:0", "203.0.113.9/24"], "ENOSPC");
    assert!(message.contains("limit 1"), "{message}");
    let message = lab.ctl_refused(&["add", "eth0:4194304", "203.0.113.9/24"], "EINVAL");
    assert!(message.contains("4194304"), "{message}");
}
