//! The words of `announce`, and those about announcing elsewhere.

use clap::Args;

use crate::model::request::{Request, Whom};

/// Neighbours take the last of several; more would be a flood.
const MOST_ROUNDS: i64 = 100;

pub(super) const HELP: &str = "IPv4 is announced by gratuitous ARP, IPv6 by unsolicited neighbour \
    advertisements,\nat most 10,000 a second. An alias that was added with --no-announce is \
    announced\nwhen its name is given.\n\nExamples:\n  alias-ctl announce eth0:0\n  \
    alias-ctl announce eth0 --announce-count 5\n  alias-ctl announce --all";

#[derive(Debug, Args)]
pub(super) struct Announce {
    /// DEVICE:SLOT, or DEVICE for all its aliases
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    names: Vec<String>,
    /// All aliases of all devices
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    rounds: Rounds,
}

impl Announce {
    pub(super) fn lower(self) -> Request {
        Request::Announce {
            whom: match self.all {
                true => Whom::All,
                false => Whom::Named(self.names),
            },
            rounds: self.rounds.announce_count,
        }
    }
}

/// How often.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Rounds {
    /// Tell the neighbours so many times, a fifth of a second apart
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=MOST_ROUNDS)
    )]
    announce_count: u32,
}

impl Rounds {
    /// The request, and what is to be told after it.
    pub(super) fn after(self, request: Request, whom: Whom) -> Request {
        let tells_itself = !matches!(whom, Whom::Declared(_));
        if tells_itself && self.announce_count == 1 {
            return request;
        }
        Request::Announced {
            request: Box::new(request),
            whom,
            rounds: self.announce_count,
        }
    }
}
