//! The file itself: what is refused to read, where `save` does not write, and what
//! a comparison's exit code says.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use super::desk::{Desk, text};

const ONE: &str =
    "version = 1\n[[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8\"\ntarget = \"drop\"\n";

/// Aliases of a device that is down go with the next change: a file that has them is
/// not written anew without them.
#[test]
fn what_is_about_to_go_is_not_saved_away() {
    let desk = Desk::attached();
    desk.lab
        .ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    desk.lab.ctl_ok(&["save"]);
    let saved = desk.saved();
    desk.lab.a.ip("link set eth0 down");
    let refused = desk.lab.ctl_err(&["save"], "ENETDOWN");
    assert!(refused.contains("ip link set dev eth0 up"), "{refused}");
    assert_eq!(desk.saved(), saved);
    let told = desk.lab.ctl(&["doctor", "eth0"]).stdout;
    assert!(told.contains("deletes its aliases (1)"), "{told}");
    desk.lab.a.ip("link set eth0 up");
    desk.lab.ctl_ok(&["save"]);
    assert_eq!(desk.saved(), saved, "nothing was lost");
    // And when they go, somebody is told.
    desk.lab.a.ip("link set eth0 down");
    let gone = desk.lab.ctl(&["disable", "eth0:0"]);
    let note = "alias-ctl: note: eth0: it went down: deleted eth0:0";
    assert!(gone.stderr.contains(note), "{gone}");
}

/// A limit that was set below what was there already.
#[test]
fn what_is_saved_over_a_limit_can_be_restored() {
    let desk = Desk::attached();
    desk.lab
        .ctl_ok(&["add", "eth0:100", "198.51.100.8", "--drop"]);
    desk.lab.ctl_ok(&["set", "eth0", "--max-aliases", "0"]);
    let saved = desk.lab.ctl(&["save"]).ok();
    assert!(
        saved
            .stderr
            .contains("1 aliases, over the limit 0: 1 is saved"),
        "{saved}"
    );
    let rows = desk.lab.rows();
    desk.lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    desk.lab.ctl_ok(&["restore"]);
    assert_eq!(desk.lab.rows(), rows);
}

/// What only the kernel knows is refused with the line that asks for it.
#[test]
fn what_is_not_there_is_named_with_its_line() {
    let desk = Desk::attached();
    desk.lab.a.ip("link add down0 type veth peer name down1");
    let alias = |n: u32, rest: &str| {
        format!("[[alias]]\nname = \"eth0:{n}\"\naddress = \"198.51.100.{n}\"\n{rest}\n")
    };
    let many: String = (1..5).map(|n| alias(n, "target = \"drop\"")).collect();
    // Four aliases of four lines each, behind the version's line.
    for (last, errno, words) in [
        (
            alias(9, "netns = \"nowhere\""),
            "ENOENT",
            "nowhere: open: line 18: ",
        ),
        (
            alias(9, "to = \"nowhere0\""),
            "ENODEV",
            "nowhere0: use as target: line 18: ",
        ),
        (
            alias(9, "to = \"down0\""),
            "ENETDOWN",
            "down0: use as target: line 18: ",
        ),
        (
            alias(9, "target = \"drop\"").replace("198.51.100.9", "192.0.2.9"),
            "EEXIST",
            "192.0.2.9: add: line 18: ",
        ),
        (
            alias(9, "target = \"drop\"").replace("eth0", "none0"),
            "ENODEV",
            "none0: apply: line 18: ",
        ),
    ] {
        let path = desk.write(&format!("version = 1\n{many}{last}"));
        let refused = desk.lab.ctl_refused(&["apply", &path], errno);
        let words = words.replace("line 18", &format!("{path}, line 18"));
        assert!(refused.contains(&words), "{words} in {refused}");
    }
}

#[test]
fn hostile_files_change_nothing() {
    let desk = Desk::attached();
    desk.lab.ctl_ok(&["add", "eth0:7", "203.0.113.7", "--drop"]);
    let refused = |bytes: &[u8], errno: &str, words: &[&str]| {
        let path = desk.write_bytes(bytes);
        for verb in [
            &["apply"][..],
            &["apply", "--dry-run"],
            &["restore", "--file"],
        ] {
            let message = desk.lab.ctl_refused(&[verb, &[&path]].concat(), errno);
            for word in words {
                assert!(message.contains(word), "{word} in {message}");
            }
        }
        assert_eq!(desk.compare(&[&path]), (2, String::new()), "trouble is 2");
    };
    refused(b"", "EINVAL", &["key version", "line 1"]);
    refused(b"version = 1\n\xff\xfe", "EILSEQ", &["line 2", "UTF-8"]);
    refused(b"version = 1\n\0", "EINVAL", &["line 2, column"]);
    refused(
        b"version = 1\nversion = 1",
        "EEXIST",
        &["line 2", "line 1", "key version"],
    );
    refused(
        &[ONE.as_bytes(), b"name = \"eth0:1\""].concat(),
        "EEXIST",
        &["line 6", "line 3"],
    );
    refused(
        &[ONE.as_bytes(), b"x = 1"].concat(),
        "EINVAL",
        &["line 6, column 1, key alias.x"],
    );
    let deep = format!("{ONE}x = {}", "[".repeat(500_000));
    refused(deep.as_bytes(), "EINVAL", &["line 6"]);

    // Larger than any configuration: refused before it fills the memory.
    let path = desk.path("huge.toml");
    let huge = File::create(&path).expect("a file of our own");
    huge.set_len(1 << 40).expect("a hole");
    desk.lab.ctl_refused(&["apply", &text(&path)], "EFBIG");
    let fifo = desk.path("fifo");
    desk.lab.a.run(&format!("mkfifo {}", fifo.display())).ok();
    desk.lab.ctl_refused(&["apply", &text(&fifo)], "EINVAL");
    desk.lab.ctl_refused(&["apply", "/dev/zero"], "EINVAL");
    desk.lab
        .ctl_refused(&["apply", &text(&desk.path("."))], "EINVAL");
    desk.lab
        .ctl_refused(&["apply", &text(&desk.path("none"))], "ENOENT");
    desk.lab.ctl_refused(&["restore"], "ENOENT");
}

#[test]
fn a_comparison_answers_as_diff_does() {
    let desk = Desk::attached();
    assert_eq!(desk.compare(&[]).0, 2, "nothing is saved");
    desk.lab.ctl_ok(&["save"]);
    assert_eq!(desk.compare(&[]), (0, String::new()));
    desk.lab
        .ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    let made = "- eth0:0 198.51.100.8/32 drop  # made by hand\n";
    assert_eq!(desk.compare(&[]), (1, made.into()));
    let path = desk.write(ONE);
    assert_eq!(desk.compare(&[&path]), (0, String::new()));
    desk.lab.ctl_ok(&["set", "eth0:0", "198.51.100.9"]);
    let (code, both) = desk.compare(&[&path]);
    assert_eq!(code, 1);
    assert!(
        both.starts_with("- eth0:0 198.51.100.9/32 drop")
            && both.contains("\n+ eth0:0 198.51.100.8/32 drop\n"),
        "{both}"
    );
    desk.lab.ctl_ok(&["del", "eth0:0"]);
    assert_eq!(
        desk.compare(&[&path]),
        (1, "+ eth0:0 198.51.100.8/32 drop\n".into())
    );
    assert_eq!(desk.lab.ctl(&["diff", &path, "more"]).code(), 2);
    // A plan is only printed.
    let before = desk.lab.snapshot();
    assert_eq!(
        desk.lab.ctl_ok(&["apply", "--dry-run", &path]),
        "+ eth0:0 198.51.100.8/32 drop\n"
    );
    desk.lab.assert_unchanged(&before);
}

#[test]
fn save_writes_its_own_file_and_no_other() {
    let desk = Desk::attached();
    desk.lab
        .ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    desk.lab.ctl_ok(&["save"]);
    let saved = desk.saved();
    let status = fs::metadata(desk.saved_path()).expect("it is there");
    assert_eq!(status.mode() & 0o7777, 0o600);

    let other = desk.path("other");
    fs::write(&other, "precious").expect("a file of our own");
    let link = desk.path("link.toml");
    symlink(&other, &link).expect("a link of our own");
    desk.lab
        .ctl_refused(&["save", "--file", &text(&link)], "ELOOP");
    fs::write(desk.path("foreign.toml"), "precious").expect("a file of our own");
    chown(desk.path("foreign.toml"), Some(65_534), None).expect("we are root");
    desk.lab.ctl_refused(
        &["save", "--file", &text(&desk.path("foreign.toml"))],
        "EPERM",
    );
    desk.lab
        .ctl_refused(&["save", "--file", &text(&desk.path("."))], "EINVAL");
    desk.lab
        .ctl_refused(&["save", "--file", &text(&desk.path("a/b/c"))], "ENOENT");
    let open = desk.path("open");
    fs::create_dir(&open).expect("a directory of our own");
    fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("it is ours");
    desk.lab
        .ctl_refused(&["save", "--file", &text(&open.join("f"))], "EPERM");
    for file in ["other", "foreign.toml"] {
        assert_eq!(fs::read(desk.path(file)).expect("it is there"), b"precious");
    }

    // What a killed saver left beside it, were it a trap, does no harm.
    symlink(&other, desk.path("saved/.aliases.toml.new")).expect("a link of our own");
    desk.lab.ctl_ok(&["save"]);
    assert_eq!(desk.saved(), saved);
    assert_eq!(fs::read(&other).expect("it is there"), b"precious");
    let names = fs::read_dir(desk.path("saved")).expect("it is there");
    assert_eq!(names.count(), 1, "nothing beside it");
}

#[test]
fn a_saved_file_that_others_could_write_is_not_obeyed() {
    let desk = Desk::attached();
    desk.lab.ctl_ok(&["save"]);
    let path = desk.saved_path();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("it is ours");
    for words in [&["restore"][..], &["restore", "eth0"]] {
        let message = desk.lab.ctl_refused(words, "EPERM");
        assert!(message.contains("666"), "{message}");
    }
    // Named, it is the user's own choice.
    desk.lab.ctl_ok(&["apply", &text(&path)]);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    chown(&path, Some(65_534), None).expect("we are root");
    desk.lab.ctl_refused(&["restore"], "EPERM");
}

#[test]
fn what_has_no_name_cannot_be_saved() {
    let desk = Desk::attached();
    desk.lab.ctl_ok(&["save"]);
    let saved = desk.saved();
    let home = desk.lab.a.spawn("unshare --net sleep 60");
    let own = fs::read_link("/proc/self/ns/net").expect("our namespace");
    let netns = format!("/proc/{}/ns/net", home.pid());
    alias_tests::wait_for("the namespace", crate::scene::LIMIT, || {
        let now = fs::read_link(&netns).ok();
        let a = desk
            .lab
            .a
            .enter(|| fs::read_link("/proc/thread-self/ns/net").ok());
        now.is_some() && now != Some(own.clone()) && now != a
    });
    desk.lab.ctl_ok(&[
        "add",
        "eth0:4",
        "198.51.100.8",
        "--netns",
        &home.pid().to_string(),
    ]);
    let message = desk.lab.ctl_refused(&["save"], "EINVAL");
    assert!(
        message.contains("eth0:4") && message.contains("/run/netns"),
        "{message}"
    );
    assert_eq!(desk.saved(), saved);
}

#[test]
fn without_the_right_nothing_happens() {
    let desk = Desk::attached();
    let path = desk.write(ONE);
    let before = desk.lab.snapshot();
    desk.lab.ctl_ok(&["save"]);
    let saved = desk.saved();
    desk.lab.ctl_ok(&["add", "eth0:1", "203.0.113.1", "--drop"]);
    for words in [&["apply", &path][..], &["restore"], &["save"]] {
        desk.lab.ctl_err_unprivileged(words, "EPERM");
    }
    desk.lab.ctl_ok(&["del", "eth0:1"]);
    desk.lab.assert_unchanged(&before);
    assert_eq!(desk.saved(), saved);
}
