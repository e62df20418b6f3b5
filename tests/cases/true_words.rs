//! What a message advises can be followed, and does what was wanted.

use alias_tests::{Lab, Mode};

/// Refused so, with these words and without those.
#[track_caller]
fn check(lab: &Lab, arguments: &[&str], errno_name: &str, says: &str, not: &str) {
    let message = lab.ctl_err(arguments, errno_name);
    assert!(message.contains(says), "{arguments:?}: {message}");
    assert!(!message.contains(not), "{arguments:?}: {message}");
}

#[test]
fn who_deletes_is_not_told_to_make_one() {
    let lab = Lab::plain();
    for words in [
        &["del", "eth0:0"][..],
        &["del", "eth0", "198.51.100.8"],
        &["detach", "eth0", "--cascade"],
        &["disable", "eth0:0"],
        &["announce", "eth0:0"],
    ] {
        check(&lab, words, "ENODEV", "alias-ctl show", "make one");
    }
    check(
        &lab,
        &["enable", "eth0:0"],
        "ENODEV",
        "make one",
        "alias-ctl show",
    );
}

/// To leave the word out gave an alias of IPv4 the IPv6 address in place of its own.
#[test]
fn a_second_address_is_another_alias() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["ifconfig", "eth0:1", "198.51.100.8/24"]);
    let words = ["ifconfig", "eth0:1", "inet6", "add", "2001:db8:5::9/64"];
    check(
        &lab,
        &words,
        "EINVAL",
        "alias-ctl ifconfig eth0 inet6 add 2001:db8:5::9",
        "leave the word out",
    );
    lab.ctl_ok(&["ifconfig", "eth0", "inet6", "add", "2001:db8:5::9/64"]);
    assert_eq!(lab.alias_names(), ["eth0:1", "eth0:0"]);
}

#[test]
fn restore_and_apply_name_their_file() {
    let directory = std::env::temp_dir().join(format!("alias-words-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("aliases.toml");
    let path = file.to_str().expect("a path in UTF-8");
    let text =
        "version = 1\n\n[[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8\"\nto = \"tap9\"\n";
    std::fs::write(&file, text).expect("a file");
    let lab = Lab::builder()
        .mode(Mode::Native)
        .env("ALIAS_CONFIG", path)
        .build();
    let line = format!("{path}, line 3");
    for words in [
        &["restore"][..],
        &["restore", "--file", path],
        &["restore", "--dry-run"],
        &["apply", path],
    ] {
        check(&lab, words, "ENODEV", &line, "nothing is saved");
    }
    check(
        &lab,
        &["restore", "eth7"],
        "ENOENT",
        path,
        "nothing is saved of it",
    );
    std::fs::remove_dir_all(&directory).expect("our own directory");
}
