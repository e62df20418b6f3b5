//! Where the demo plays: hosts as network namespaces, which go with this process
//! however it ends.

use alias_tests::{Namespace, retreat};

/// The hosts.
pub(crate) struct Stage {
    // Dropped in this order: those that have devices of host-a before it.
    pub(crate) web: Namespace,
    vm: Namespace,
    pub(crate) a: Namespace,
    pub(crate) b: Namespace,
}

impl Stage {
    /// Builds it; returns when the cable is up. The error is for the user.
    pub(crate) fn set() -> Result<Self, String> {
        retreat()?;
        let stage = Self {
            web: Namespace::create("web"),
            vm: Namespace::create("vm"),
            a: Namespace::create("host-a"),
            b: Namespace::create("host-b"),
        };
        stage.lay_the_cable();
        stage.connect_the_guest();
        Ok(stage)
    }

    fn lay_the_cable(&self) {
        self.a
            .ip("link add eth0 type veth peer name eth0 netns host-b");
        // A veth hands frames over as they are in memory: checksums and tags
        // that an offload has yet to write would not be there for XDP.
        self.b.run("ethtool -K eth0 tx off txvlan off").ok();
        self.a.ip_batch(
            "link set eth0 up\n\
             addr add 192.0.2.9/24 dev eth0\n\
             addr add 2001:db8:0:1::9/64 dev eth0 nodad\n",
        );
        // The last three networks are routed to host-a, as a provider does.
        self.b.ip_batch(
            "link set eth0 up\n\
             addr add 192.0.2.1/24 dev eth0\n\
             addr add 2001:db8:0:1::1/64 dev eth0 nodad\n\
             route add 203.0.113.0/24 via 192.0.2.9\n\
             route add 198.18.0.0/15 via 192.0.2.9\n\
             route add 2001:db8:f::/48 via 2001:db8:0:1::9\n",
        );
        for host in [&self.a, &self.b] {
            host.wait_until_up("eth0");
        }
    }

    /// As others build guests and containers: nothing here knows of aliases.
    fn connect_the_guest(&self) {
        self.a.ip("link add tovm type veth peer name eth0 netns vm");
        self.a.ip("link set tovm up");
        self.vm.ip_batch(
            "link set eth0 up\n\
             addr add 192.0.2.14/24 dev eth0\n",
        );
        self.a.wait_until_up("tovm");
    }
}
