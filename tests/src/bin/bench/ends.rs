//! Two real ends of a connection: a host B that sends, and an address that is an
//! alias device, a macvlan, or A's own. No offload is switched off by hand.

use std::os::fd::OwnedFd;

use alias_tests::bpf::{self, Kind, xdp};
use alias_tests::{Lab, Mode, Namespace};

use crate::Result;
use crate::peers;

/// BPF_F_XDP_HAS_FRAGS.
const HAS_FRAGS: u32 = 1 << 5;

/// Where the other end is.
pub(crate) const ADDRESS: &str = "192.0.2.40";

/// Hosts, and what `alias-ctl` is told before a turn.
pub(crate) struct Ends {
    // Dropped in this order: the device's home before the lab it belongs to.
    home: Option<Namespace>,
    pub(crate) lab: Lab,
    ctl: Vec<String>,
    /// Attached to A's eth0.
    _program: Option<OwnedFd>,
}

impl Ends {
    /// A device alias in a namespace of its own.
    pub(crate) fn alias(mode: Mode) -> Result<Self> {
        let lab = lab();
        let home = lab.namespace("home");
        let add = format!("add eth0:0 {ADDRESS}/24 --netns {}", home.name());
        Ok(Self {
            home: Some(home),
            lab,
            ctl: vec![format!("attach eth0 --mode {}", mode.name()), add],
            _program: None,
        })
    }

    /// A macvlan in a namespace of its own.
    pub(crate) fn macvlan() -> Result<Self> {
        let lab = lab();
        let home = lab.namespace("home");
        peers::has_link_kind(&lab.a, "macvlan")?;
        lab.a.ip(&format!(
            "link add mv0 link eth0 netns {} type macvlan mode bridge",
            home.name()
        ));
        home.ip("link set mv0 up");
        home.ip(&format!("addr add {ADDRESS}/24 dev mv0"));
        Ok(Self {
            home: Some(home),
            lab,
            ctl: Vec::new(),
            _program: None,
        })
    }

    /// The same on a parent whose XDP program lets everything pass.
    pub(crate) fn macvlan_behind_xdp() -> Result<Self> {
        let said = |error: std::io::Error| error.to_string();
        let ends = Self::macvlan()?;
        let program = bpf::load_like(Kind::Xdp, HAS_FRAGS, 0, &bpf::only_return(xdp::PASS as i32));
        let link = bpf::attach_xdp(&program.map_err(said)?, &ends.lab.a, "eth0");
        Ok(Self {
            _program: Some(link.map_err(said)?),
            ..ends
        })
    }

    /// A's own address, and nothing of ours.
    pub(crate) fn unsteered() -> Result<Self> {
        let lab = lab();
        lab.a.ip(&format!("addr add {ADDRESS}/24 dev eth0"));
        Ok(Self {
            home: None,
            lab,
            ctl: Vec::new(),
            _program: None,
        })
    }

    /// Where the address is.
    pub(crate) fn server(&self) -> &Namespace {
        self.home.as_ref().unwrap_or(&self.lab.a)
    }

    /// Ours is attached only while it is measured: see [`crate::live`].
    pub(crate) fn begin(&self) {
        for line in &self.ctl {
            let words: Vec<&str> = line.split_whitespace().collect();
            self.lab.ctl_ok(&words);
        }
        self.lab.b.ping_ok(ADDRESS, 1);
    }

    pub(crate) fn finish(&self) {
        if !self.ctl.is_empty() {
            self.lab.ctl_ok(&["detach", "eth0", "--cascade"]);
        }
    }
}

fn lab() -> Lab {
    Lab::builder().offloads_at_b().build()
}
