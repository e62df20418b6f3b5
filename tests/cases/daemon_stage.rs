//! What happens to parents and devices is put right at once with the daemon, and
//! by the next command that changes something without it. Both must come out the same.

use alias_tests::{Daemon, Lab, Mode, wait_for};

use crate::scene::LIMIT;

/// Who puts things right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Daemon,
    NextCommand,
}

pub(crate) const BOTH: [By; 2] = [By::Daemon, By::NextCommand];

/// A lab with eth0 attached, and a second parent `eth1` whose alias `eth1:0` has no
/// part in what happens.
pub(crate) struct Stage {
    // Ended before the lab goes.
    pub(crate) daemon: Option<Daemon>,
    pub(crate) lab: Lab,
}

impl Stage {
    #[track_caller]
    pub(crate) fn new(by: By) -> Self {
        Self::with_options(by, &[])
    }

    /// With words for `alias-ctl daemon`, should there be one.
    #[track_caller]
    pub(crate) fn with_options(by: By, options: &[&str]) -> Self {
        let lab = Lab::attached(Mode::Native);
        lab.a.ip_batch(
            "link add eth1 type veth peer name far1\n\
             link set eth1 up\n\
             link set far1 up\n",
        );
        lab.ctl_ok(&["add", "eth1:0", "198.18.0.1", "--drop"]);
        Self {
            daemon: (by == By::Daemon).then(|| lab.daemon(options)),
            lab,
        }
    }

    /// eth0:0 on a device beside the parent, and eth0:1 where these words say.
    #[track_caller]
    pub(crate) fn add_two(&self, target: &[&str]) {
        self.lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        let second = ["add", "eth0:1", "203.0.113.9/24"];
        self.lab.ctl_ok(&[&second[..], target].concat());
    }

    /// Waits for the daemon, or runs a command that has nothing to do with what
    /// happened, until the condition holds.
    #[track_caller]
    pub(crate) fn put_right(&self, what: &str, mut condition: impl FnMut() -> bool) {
        if self.daemon.is_some() {
            wait_for(what, LIMIT, condition);
        } else {
            self.lab.ctl_ok(&["enable", "eth1:0"]);
            assert!(condition(), "after the next command: {what}");
        }
    }

    /// The aliases of eth0.
    #[track_caller]
    pub(crate) fn of_eth0(&self) -> Vec<String> {
        let mut names = self.lab.alias_names();
        names.retain(|name| name.starts_with("eth0:"));
        names
    }

    /// Waits until exactly these are the aliases of eth0.
    #[track_caller]
    pub(crate) fn left(&self, names: &[&str]) {
        self.put_right(&format!("{names:?} to be left"), || self.of_eth0() == names);
        assert!(self.lab.alias_names().contains(&"eth1:0".to_owned()));
    }

    /// Lets something happen that is put right, so that what happened before it
    /// has been looked at.
    #[track_caller]
    pub(crate) fn let_a_marker_pass(&self) {
        self.lab.ctl_ok(&["add", "eth1:99", "198.18.0.99"]);
        self.lab.a.ip("link del eth1:99");
        self.put_right("the marker to go", || {
            !self.lab.alias_names().contains(&"eth1:99".to_owned())
        });
    }
}

/// The devices of aliases that are in a namespace, with their ports.
#[track_caller]
pub(crate) fn alias_links(namespace: &alias_tests::Namespace) -> Vec<String> {
    let links = namespace.ip_json("link show group 152615");
    let names = links.as_array().into_iter().flatten();
    names
        .filter_map(|link| link["ifname"].as_str().map(str::to_owned))
        .collect()
}
