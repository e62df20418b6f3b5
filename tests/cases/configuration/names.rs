//! A file names a device by any of its names, and means one parent.

use super::desk::Desk;

/// A file of two aliases, by these names, the second joined to the first's device or not.
fn file(first: &str, second: &str, join: &str) -> String {
    format!(
        "version = 1\n\n[[alias]]\nname = \"{first}\"\naddress = \"198.51.100.8/24\"\n\n\
         [[alias]]\nname = \"{second}\"\naddress = \"198.51.100.9/24\"\n{join}"
    )
}

#[test]
fn two_names_of_a_device_are_one_parent() {
    for (second, join) in [
        ("eth0:2", "target = \"drop\"\n"),
        ("enp2s5:2", "join = \"enp2s5:1\"\n"),
    ] {
        let desk = Desk::plain();
        desk.lab.a.ip("link property add dev eth0 altname enp2s5");
        let path = desk.write(&file("enp2s5:1", second, join));
        desk.lab.ctl_ok(&["apply", &path]);
        assert_eq!(desk.lab.alias_names(), ["eth0:1", "eth0:2"], "{join}");
        assert_eq!(desk.compare(&[&path]), (0, String::new()));
        // Once more: nothing is lost.
        desk.lab.ctl_ok(&["apply", &path]);
        assert_eq!(desk.lab.alias_names(), ["eth0:1", "eth0:2"], "{join}");
        desk.lab.ctl_ok(&["save"]);
        desk.lab.ctl_ok(&["detach", "eth0", "--cascade"]);
        desk.lab.ctl_ok(&["restore", "enp2s5"]);
        assert_eq!(desk.lab.alias_names(), ["eth0:1", "eth0:2"], "{join}");
    }
}

#[test]
fn a_slot_that_two_names_have_is_refused_with_both_lines() {
    let desk = Desk::plain();
    desk.lab.a.ip("link property add dev eth0 altname enp2s5");
    let path = desk.write(&file("enp2s5:1", "eth0:1", "target = \"drop\"\n"));
    for words in [&["apply", &path][..], &["apply", "--dry-run", &path]] {
        let refused = desk.lab.ctl_err(words, "EEXIST");
        assert!(refused.contains("line 3"), "{refused}");
        assert!(refused.contains("line 7"), "{refused}");
    }
    assert!(desk.lab.rows().is_empty());
}
