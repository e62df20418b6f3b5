//! How the tests of `ifconfig` call it.

use alias_tests::{CtlOutput, Lab, Mode};

/// Runs `alias-ctl ifconfig` with these words in host A.
#[track_caller]
pub(crate) fn ifconfig(lab: &Lab, line: &str) -> CtlOutput {
    let words: Vec<&str> = ["ifconfig"]
        .into_iter()
        .chain(line.split_whitespace())
        .collect();
    lab.ctl(&words)
}

/// The same, which must succeed; hands its standard output on.
#[track_caller]
pub(crate) fn ok(lab: &Lab, line: &str) -> String {
    ifconfig(lab, line).ok().stdout
}

/// The same, which must be refused with this errno's name, and change nothing.
#[track_caller]
pub(crate) fn refused(lab: &Lab, line: &str, errno_name: &str) -> String {
    let words: Vec<&str> = ["ifconfig"]
        .into_iter()
        .chain(line.split_whitespace())
        .collect();
    lab.ctl_refused(&words, errno_name)
}

/// A lab with eth0:0 and eth0:1, made by ifconfig.
#[track_caller]
pub(crate) fn with_two() -> Lab {
    let lab = Lab::attached(Mode::Native);
    ok(&lab, "eth0:0 198.51.100.8");
    ok(&lab, "eth0:1 203.0.113.9");
    lab
}

/// The addresses of A's eth0, in the kernel's order.
#[track_caller]
pub(crate) fn addresses(lab: &Lab) -> Vec<String> {
    let links = lab.a.ip_json("addr show dev eth0");
    let infos = links[0]["addr_info"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    infos
        .iter()
        .filter(|info| info["scope"] != "link")
        .filter_map(|info| Some(format!("{}/{}", info["local"].as_str()?, info["prefixlen"])))
        .collect()
}

/// Whether something of `alias-ctl` is pinned. The kernel pins things of its own.
#[track_caller]
pub(crate) fn is_attached(lab: &Lab) -> bool {
    let ours = lab.bpffs().join("alias");
    lab.pins().iter().any(|pin| pin.starts_with(&ours))
}
