//! A file names a device by any of its names, and means one parent.

use std::fs;

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

/// Others may call an address of theirs `eth0:7`: to them the name is that address.
#[test]
fn a_name_that_others_gave_to_an_address_is_taken() {
    const OTHERS: &str = "192.0.2.50";
    let alias = |address: &str, rest: &str| {
        format!("version = 1\n\n[[alias]]\nname = \"eth0:7\"\naddress = \"{address}\"\n{rest}")
    };
    let range = "version = 1\n\n[[range]]\nparent = \"eth0\"\nstart = 5\n\
                 addresses = \"198.51.100.5-198.51.100.9\"\ntarget = \"drop\"\n";
    let desk = Desk::attached();
    let host = &desk.lab.a;
    host.ip(&format!("addr add {OTHERS}/24 dev eth0 label eth0:7"));
    let saved = desk.saved_path();
    fs::create_dir(saved.parent().expect("a directory")).expect("of our own");
    for text in [
        alias("198.51.100.8/24", "target = \"local\"\n"),
        alias("198.51.100.8/24", ""),
        alias("192.0.2.50/24", "target = \"drop\"\n"),
        range.to_owned(),
    ] {
        let path = desk.write(&text);
        fs::write(&saved, &text).expect("a file of our own");
        for words in [
            &["apply", &path][..],
            &["apply", "--dry-run", &path],
            &["restore"],
        ] {
            let refused = desk.lab.ctl_err(words, "EEXIST");
            assert!(refused.contains(OTHERS), "{words:?}: {refused}");
            assert!(refused.contains("line 3"), "{words:?}: {refused}");
        }
        assert!(desk.lab.rows().is_empty(), "{text}");
        assert!(host.ip("addr show dev eth0").contains(OTHERS), "{text}");
    }
    // Declared as what it is, it is taken over, and is the declared one from then on.
    let path = desk.write(&alias("192.0.2.50/24", "target = \"local\"\n"));
    for _ in 0..2 {
        desk.lab.ctl_ok(&["apply", &path]);
        assert_eq!(desk.lab.alias_names(), ["eth0:7"]);
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
