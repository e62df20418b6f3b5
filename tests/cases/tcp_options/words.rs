//! AIX's own spelling.

use alias_tests::{Lab, Mode};
use serde_json::Value;

use super::{APPLIED, NODELAY, assert_options, get, opened, taken};
use crate::scene::Family;

#[test]
fn as_aix_wrote_them() {
    let lab = Lab::attached(Mode::Native);
    let address = Family::V4.alias_ip(0);
    let ifconfig = |words: &str| {
        let words: Vec<&str> = ["ifconfig"].into_iter().chain(words.split(' ')).collect();
        lab.ctl_ok(&words);
    };
    ifconfig("eth0:0 198.51.100.8 netmask 255.255.255.0 tcp_nodelay 1 tcp_mssdflt 1000");
    ifconfig("eth0:0 tcp_sendspace 70000 tcp_recvspace 60000 rfc1323 1");
    assert_options(
        "opened",
        &opened(&lab, &lab.a, address, Family::V4),
        &APPLIED,
    );
    assert_options("accepted", &taken(&lab, &lab.a, address), &APPLIED);

    let before = lab.snapshot();
    for (words, errno) in [
        ("eth0:0 tcp_nodelay 1 tcp_mssdflt 87", "EINVAL"),
        ("eth0:0 tcp_mssdflt 500 nosuchword", "EINVAL"),
        ("eth0:0 tcp_mssdflt", "EINVAL"),
        ("eth0:0 tcp_mssdflt 500 rfc1323 0", "EOPNOTSUPP"),
        ("eth0 tcp_nodelay 1", "EOPNOTSUPP"),
    ] {
        let words: Vec<&str> = ["ifconfig"].into_iter().chain(words.split(' ')).collect();
        lab.ctl_err(&words, errno);
    }
    lab.assert_unchanged(&before);

    ifconfig("eth0:0 -tcp_nodelay");
    let connection = opened(&lab, &lab.a, address, Family::V4);
    assert_eq!(get(&connection.own, NODELAY), 0);
    assert_options("the others", &connection, &APPLIED[1..]);
    ifconfig("eth0:0 -tcp_sendspace -tcp_recvspace -tcp_mssdflt -rfc1323");
    assert_eq!(lab.row("eth0:0")["tcp"], Value::Null);
}
