//! `ifconfig`: the words are the model's to read; here are their help, and the
//! layout that the environment chooses.

use clap::Args;

use crate::model::ifconfig::{self, Style, Unread};
use crate::model::request::Request;

use super::invocation::Unreadable;

/// Chooses the listing's layout where no `--style` does.
const STYLE_VARIABLE: &str = "ALIAS_IFCONFIG_STYLE";

/// Clap only gathers them.
#[derive(Debug, Args)]
#[command(
    override_usage = "alias-ctl ifconfig [-a] [-4|-6] [-u|-d] [-l|-s] [--style linux|bsd|aix|solaris] [NAME] [inet|inet6]\n       \
        alias-ctl ifconfig NAME WORD…\n       \
        alias-ctl ifconfig --style STYLE --flags WORD",
    after_help = "NAME is a device, or an alias DEVICE:NUMBER; DEVICE:NUMBER- deletes it.\n\n\
        Addresses, in any order:\n  \
        ADDRESS[/LENGTH] [netmask M] [broadcast B]  the alias's, or the device's own; 0.0.0.0: delete it\n  \
        add | alias | firstalias | addif            one more, in the lowest free slot; addif prints its name\n  \
        del | delete | -alias | remove | removeif   the alias that has the address\n  \
        plumb | unplumb                             an alias comes with its address; deletes it\n  \
        [-]deprecated  no_dad                       no source of the host's; no duplicate is looked for\n\
        A + behind netmask or broadcast is that of the device's network.\n\
        Without a mask the address's class decides: A /8, B /16, C /24.\n\n\
        The device:\n  \
        up  down  [-]arp  [-]promisc  [-]allmulti  [-]multicast  mtu N  txqueuelen N\n  \
        hw ether MAC  detach\n  \
        --cascade                                   aliases that stand in the way go too\n\n\
        TCP options of an alias (AIX): tcp_nodelay 0|1, tcp_sendspace, tcp_recvspace, tcp_mssdflt,\n  \
        rfc1323 with a value; -tcp_nodelay and so on for the default\n\n\
        Listings:\n  \
        -a all, -u what is up, -d what is down, -l names on one line, -s one line each,\n  \
        -4, -6 or inet, inet6 one family\n  \
        --flags WORD says which bits a system's flag word has\n\n\
        Examples:\n  \
        ifconfig eth0:0 192.0.2.10 netmask 255.255.255.0\n  \
        ifconfig eth0 192.0.2.11/24 alias\n  \
        ifconfig eth0 192.0.2.11 delete\n  \
        ifconfig eth0:0 down\n\n\
        ALIAS_IFCONFIG_STYLE chooses the layout of listings too."
)]
pub(super) struct Words {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl From<Unread> for Unreadable {
    fn from(unread: Unread) -> Unreadable {
        match unread {
            Unread::Usage(text) => Unreadable::Usage(text),
            Unread::Word(refusal) => Unreadable::Value(refusal),
        }
    }
}

impl Words {
    pub(super) fn request(self) -> Result<Request, Unreadable> {
        let style = match std::env::var(STYLE_VARIABLE) {
            Ok(name) => Style::parse(&name).ok_or_else(|| {
                Unreadable::Usage(format!("{STYLE_VARIABLE}={name}: {}", Style::NAMES))
            })?,
            Err(_) => Style::default(),
        };
        Ok(Request::Ifconfig(ifconfig::read(&self.words, style)?))
    }
}
