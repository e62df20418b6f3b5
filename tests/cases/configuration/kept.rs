//! What a saved file keeps, and what it says it does not.

use super::desk::Desk;

/// Lines of `ip addr show` that have an address.
fn shown(desk: &Desk, address: &str) -> String {
    let all = desk.lab.a.ip("addr show dev eth0");
    all.lines()
        .filter(|line| line.contains(&format!(" {address}/")))
        .collect()
}

/// IPv4 is a source of the host's unless somebody says otherwise, IPv6 the other way round.
#[test]
fn whether_an_address_is_deprecated() {
    const V4: &str = "198.51.100.8";
    const V6: &str = "2001:db8:0:7::8";
    let desk = Desk::attached();
    let ctl = |line: &str| desk.lab.ctl_ok(&line.split(' ').collect::<Vec<_>>());
    ctl("add eth0:0 198.51.100.8/24 --local");
    ctl("add eth0:1 2001:db8:0:7::8/64 --local");
    ctl("add eth0:2 198.51.100.9/24 --local");
    ctl("save");
    assert!(!desk.saved().contains("deprecated"), "{}", desk.saved());
    ctl("ifconfig eth0:0 deprecated");
    ctl("ifconfig eth0:1 -deprecated");
    let (code, told) = desk.compare(&[]);
    assert_eq!(code, 1, "{told}");
    assert!(
        told.contains("- eth0:0 198.51.100.8/24 local deprecated"),
        "{told}"
    );
    assert!(
        told.contains("- eth0:1 2001:db8:0:7::8/64 local not deprecated"),
        "{told}"
    );
    ctl("save");
    ctl("detach eth0 --cascade");
    ctl("restore");
    assert!(
        shown(&desk, V4).contains("deprecated"),
        "{}",
        shown(&desk, V4)
    );
    assert!(
        !shown(&desk, V6).contains("deprecated"),
        "{}",
        shown(&desk, V6)
    );
    assert_eq!(desk.compare(&[]), (0, String::new()));
    // Said the other way, it is changed, and is so from then on.
    let path = desk.write(&desk.saved().replace("= true", "= false"));
    for _ in 0..2 {
        ctl(&format!("apply {path}"));
        assert!(
            !shown(&desk, V4).contains("deprecated"),
            "{}",
            shown(&desk, V4)
        );
        assert_eq!(desk.compare(&[&path]), (0, String::new()));
    }
    // It goes with what is a source of the host's.
    for target in ["drop", "device"] {
        let text = format!(
            "version = 1\n[[alias]]\nname = \"eth0:9\"\naddress = \"203.0.113.9\"\n\
             target = \"{target}\"\ndeprecated = true\n"
        );
        let path = desk.write(&text);
        let refused = desk.lab.ctl_err(&["apply", &path], "EINVAL");
        assert!(refused.contains("line 6"), "{refused}");
        assert!(refused.contains("local"), "{refused}");
    }
}

#[test]
fn the_oldest_alias_of_a_network_stays_its_source() {
    let desk = Desk::attached();
    let ctl = |line: &str| desk.lab.ctl_ok(&line.split(' ').collect::<Vec<_>>());
    let source = || {
        let route = desk.lab.a.ip("route get 198.51.100.77");
        route.contains("src 198.51.100.40 ")
    };
    for line in [
        "add eth0:9 198.51.100.40/24 --local",
        "add eth0:2 198.51.100.8/24 --local",
        "add eth0 --range 198.51.100.10-198.51.100.19/24 --local",
    ] {
        ctl(line);
    }
    assert!(source());
    for _ in 0..2 {
        ctl("save");
        ctl("detach eth0 --cascade");
        ctl("restore");
        assert!(source(), "{}", desk.saved());
    }
}

/// They are the kernel's, and were somebody's wish: who restores must know.
#[test]
fn routes_are_not_saved_and_that_is_said() {
    let desk = Desk::attached();
    let ctl = |line: &str| desk.lab.ctl(&line.split(' ').collect::<Vec<_>>()).ok();
    ctl("add eth0:0 198.51.100.8/24 --local");
    ctl("add eth0:1 2001:db8:0:7::8/64 --local");
    ctl("add eth0:2 198.51.100.9/24");
    assert_eq!(ctl("save").stderr, "", "the networks' routes are made anew");
    ctl("route add -net 203.0.113.0 netmask 255.255.255.0 gw 198.51.100.1 dev eth0:0");
    ctl("route add -host 203.0.113.7 dev eth0:2");
    let said = ctl("save").stderr;
    assert!(
        said.contains("the file has no routes, and 2 lead"),
        "{said}"
    );
}
