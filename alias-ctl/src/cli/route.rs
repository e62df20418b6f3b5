//! `route` and `netstat`: clap only gathers their words, whose grammar is older
//! than its conventions and read by [`crate::model::route`].

use clap::Args;

use crate::error::Result;
use crate::model::request::Request;
use crate::model::route::{self, Command};

pub(super) const ROUTE_HELP: &str = "\
Linux:\n  \
  alias-ctl route add -host 203.0.113.7 dev eth0:0\n  \
  alias-ctl route add -net 203.0.113.0 netmask 255.255.255.128 dev eth0:0\n  \
  alias-ctl route add default gw 192.0.2.1 metric 5 dev eth0:0\n  \
  alias-ctl route del -host 203.0.113.7 dev eth0:0\n  \
  alias-ctl route [-n] [-e] [-6]\n\n\
BSD:\n  \
  alias-ctl route add -net 203.0.113.0 -netmask 0xffffff80 -interface eth0:0\n  \
  alias-ctl route delete 203.0.113.7 192.0.2.1\n  \
  alias-ctl route --style bsd\n\n\
A route through an alias sends from its address, and goes with it. A link named\n\
route to alias-ctl is this verb. Names of hosts and networks are not looked up.";

pub(super) const NETSTAT_HELP: &str = "\
Examples:\n  \
  alias-ctl netstat -rn\n  \
  alias-ctl netstat -rn --style bsd -f inet6\n\n\
A link named netstat to alias-ctl is this verb. Nothing but routes is listed.";

#[derive(Debug, Args)]
pub(super) struct Words {
    /// As the historic command reads them; see below
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Words {
    pub(super) fn route(self) -> Result<Request> {
        Ok(match route::route(&self.words)? {
            Command::Change(action, wanted) => Request::Route { action, wanted },
            Command::List(listing) => Request::Routes { listing },
        })
    }

    pub(super) fn netstat(self) -> Result<Request> {
        let listing = route::netstat(&self.words)?;
        Ok(Request::Routes { listing })
    }
}
