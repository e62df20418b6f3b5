//! Other people's tools, set up on A's eth0 as their manuals say.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use alias_tests::bpf::open_pinned;
use alias_tests::map::{self, possible_cpus};
use alias_tests::{Namespace, run_to_end};

use crate::Result;

const LIMIT: Duration = Duration::from_secs(60);
/// Where xdp-filter pins its IPv4 addresses, on this process's own bpffs.
const FILTER_IPV4: &str = "/sys/fs/bpf/xdp-filter/filter_ipv4";

/// Runs a tool that may not be there, or may not work on this kernel.
pub(crate) fn tool(host: &Namespace, line: &str, input: &str) -> Result<String> {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or_default();
    if !is_installed(program) {
        return Err(format!("{program} is not installed"));
    }
    let mut command = host.command(program);
    command.args(words);
    let output = run_to_end(command, input.as_bytes(), LIMIT);
    if output.code() != 0 {
        let said = output.stderr.lines().last().unwrap_or_default();
        return Err(format!("`{line}`: exit code {}: {said}", output.code()));
    }
    Ok(output.stdout)
}

pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Without an XDP program a veth takes redirected frames only with GRO.
pub(crate) fn gro(host: &Namespace, device: &str) -> Result<()> {
    tool(host, &format!("ethtool -K {device} gro on"), "").map(drop)
}

/// nftables at the device: a set with a counter in each element, and drop.
pub(crate) fn nftables(host: &Namespace, first: Ipv4Addr, count: u32) -> Result<()> {
    let mut script = "table netdev bench {\n\
         set addresses { type ipv4_addr; size 65536; counter; elements = {"
        .to_owned();
    for n in 0..count {
        // Writing to a String cannot fail.
        let _ = write!(script, "{},", Ipv4Addr::from_bits(first.to_bits() + n));
    }
    script += "} }\n\
        chain in { type filter hook ingress device eth0 priority 0; ip daddr @addresses drop; }\n}\n";
    tool(host, "nft -f -", &script).map(drop)
}

/// xdp-filter with its program for IPv4 alone. A second value is its own map, which
/// is filled through bpf(2): by its command line it takes half a minute.
pub(crate) fn xdp_filter(host: &Namespace, first: Ipv4Addr, count: u32) -> Result<OwnedFd> {
    tool(host, "xdp-filter load -m native -f ipv4 eth0", "")?;
    // The first as it makes it, the others like it.
    tool(host, &format!("xdp-filter ip {first}"), "")?;
    let filled = fill_like_the_first(first, count);
    filled.map_err(|error| format!("{FILTER_IPV4}: {error}"))
}

fn fill_like_the_first(first: Ipv4Addr, count: u32) -> std::io::Result<OwnedFd> {
    let table = open_pinned(Path::new(FILTER_IPV4))?;
    let mut value = vec![0; 8 * possible_cpus()?];
    map::lookup(&table, &first.octets(), &mut value)?;
    for n in 1..count {
        let address = Ipv4Addr::from_bits(first.to_bits() + n).octets();
        map::update(&table, &address, &value)?;
    }
    Ok(table)
}

/// The module or built-in that `ip link add type KIND` needs, by trying it.
pub(crate) fn has_link_kind(host: &Namespace, kind: &str) -> Result<()> {
    tool(
        host,
        &format!("ip link add probe0 link eth0 type {kind}"),
        "",
    )?;
    tool(host, "ip link del probe0", "").map(drop)
}
