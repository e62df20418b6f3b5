//! The words of the command line, as clap reads them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::announce::{Announce, Rounds};
use super::configuration::{Apply, Diff, Restore, Save};
use super::daemon::{Daemon, OnDown};
use super::tcp_options::TcpArguments;

/// IP aliases on one network device, each with its own counters, device and target.
#[derive(Debug, Parser)]
#[command(
    name = "alias-ctl",
    version,
    propagate_version = true,
    after_help = "Examples:\n  \
        alias-ctl add eth0:0 192.0.2.10/24              an alias with a device of its own\n  \
        alias-ctl add eth0:1 192.0.2.11 --drop          count and drop\n  \
        alias-ctl add eth0:2 198.51.100.0/24 --prefix   all of a network, as one alias\n  \
        alias-ctl add eth0 --range 198.18.0.0/22 --drop 1,024 at once\n  \
        alias-ctl stats                                 what each alias received and sent\n  \
        alias-ctl del eth0:0\n\n\
        Exit codes: 0 done, 1 refused or failed, 2 usage."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

const SAVED: &str = "The saved configuration is /etc/alias/aliases.toml, or the file that \
    the environment variable ALIAS_CONFIG names.";

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Put the programs on a device (`add` does it when needed)
    #[command(
        after_help = "Examples:\n  alias-ctl attach eth0 --capacity 1000000\n  \
        alias-ctl attach eth0 --mode tc      on any device; best for streams"
    )]
    Attach(Attach),
    /// Take the programs off a device
    #[command(after_help = "Examples:\n  alias-ctl detach eth0\n  \
        alias-ctl detach eth0 --cascade             its aliases go too\n  \
        alias-ctl detach --all-netns --cascade      nothing is left: for a package's script")]
    Detach(Detach),
    /// Add an alias, or many
    #[command(after_help = "Examples:\n  alias-ctl add eth0:0 192.0.2.10/24\n  \
        alias-ctl add eth0 2001:db8::10/64 --netns web\n  \
        alias-ctl add eth0:5 192.0.2.15 --join eth0:0\n  \
        alias-ctl add eth0:6 192.0.2.16 --to tap3\n  \
        alias-ctl add eth0:7 192.0.2.17/24 --vlan 100\n  \
        alias-ctl add eth0:8 198.51.100.0/24 --prefix --netns web\n  \
        alias-ctl add eth0 --range 198.18.0.0-198.18.63.127 --drop\n  \
        alias-ctl add eth0 --from addresses.txt --drop\n\n\
        Firewall:\n  Rules on iifname \"eth0\", and netdev ingress on it, do not see the packets of an\n  \
        alias with a device of its own (the default): what they close is open on it. Name\n  \
        those devices too: iifgroup 152615, or iifname \"al*\" (they are named al*_*).")]
    Add(Add),
    /// Delete aliases
    #[command(after_help = "Examples:\n  alias-ctl del eth0:0 eth0:1\n  \
        alias-ctl del 192.0.2.10\n  alias-ctl del eth0 192.0.2.10\n  alias-ctl del eth0 198.51.100.0/24\n  \
        alias-ctl del eth0 --all\n  \
        alias-ctl del eth0:10-50\n  \
        alias-ctl del eth0 --range 198.51.100.20-198.51.100.60\n  \
        alias-ctl del eth0 --from addresses.txt")]
    Del(Del),
    /// Change an alias; its counters go on
    #[command(after_help = "Examples:\n  alias-ctl set eth0:0 192.0.2.20/24\n  \
        alias-ctl set eth0:0 --drop\n  \
        alias-ctl set eth0:0 --tcp-nodelay 1 --tcp-sendspace 65536\n  \
        alias-ctl set eth0:0 --tcp-nodelay default")]
    Set(Set),
    /// Match an alias's packets again
    Enable(Enable),
    /// Leave an alias's packets to the device, as if it were not
    Disable(Name),
    /// Tell the neighbours where aliases are
    #[command(after_help = super::announce::HELP)]
    Announce(Announce),
    /// Add, delete and list routes, in the words of route(8)
    #[command(after_help = super::route::ROUTE_HELP)]
    Route(super::route::Words),
    /// List routes, as netstat -rn
    #[command(after_help = super::route::NETSTAT_HELP)]
    Netstat(super::route::Words),
    /// Write what is running to the saved configuration
    #[command(after_help = SAVED)]
    Save(Save),
    /// Make again what was saved
    #[command(after_help = SAVED)]
    Restore(Restore),
    /// Make the aliases what a file declares; what was made by hand stays
    #[command(after_help = "Examples:\n  alias-ctl apply --dry-run aliases.toml\n  \
        alias-ctl apply aliases.toml")]
    Apply(Apply),
    /// Compare what is running with a file, or with what was saved
    #[command(
        after_help = "Lines:\n  - is running and not in the file\n  + is in the file and not running\n  \
        ! is both, but its device or address is gone\n\n\
        Exit codes: 0 no difference, 1 a difference, 2 trouble."
    )]
    Diff(Diff),
    /// Watch devices and addresses, and put right at once what others change
    #[command(
        after_help = "Without it, the next command that changes something puts it right.\n\n\
        Examples:\n  alias-ctl daemon\n  alias-ctl daemon --on-parent-down keep\n  \
        alias-ctl daemon --metrics 9713                http://127.0.0.1:9713/metrics"
    )]
    Daemon(Daemon),
    /// List, register and unregister address families
    Types(super::types::Types),
    /// Print rare events (spoofed frames, a target that is gone) as they happen
    Journal(Journal),
    /// Look for what stands in the way of aliases, and say what to do
    #[command(
        after_help = "Examples:\n  alias-ctl doctor\n  alias-ctl doctor eth1\n  alias-ctl doctor eth0:0\n\n\
        Exit code 1 when there is a problem."
    )]
    Doctor(super::doctor::Doctor),
    /// Load every program into the running kernel, attach none, and say what it took
    #[command(
        after_help = "Columns:\n  WALKED is the number of instructions that the verifier walked over all paths;\n  \
        the kernel gives up at 1,000,000.\n\n\
        Examples:\n  alias-ctl verify\n  alias-ctl verify --objects target/bpf\n\n\
        Exit code 1 when the kernel refuses one."
    )]
    Verify(Verify),
    /// Have devices run this binary's programs in place of another build's, while packets flow
    #[command(after_help = super::upgrade::HELP)]
    Upgrade(super::upgrade::Upgrade),
    /// Print a script that completes the words of this command line
    #[command(
        after_help = "Example:\n  alias-ctl completions bash > /etc/bash_completion.d/alias-ctl"
    )]
    Completions(Completions),
    /// Write the manual pages
    #[command(after_help = "Example:\n  alias-ctl man /usr/local/share/man/man1")]
    Man(Man),
    /// Speak ifconfig's grammar: Linux, BSD and AIX (or link this program as ifconfig)
    Ifconfig(super::ifconfig::Words),
    /// List aliases
    Show(Show),
    /// List what was counted for each alias
    #[command(
        after_help = "Figures:\n  rx counts every packet that matched, dropped ones too. \
        ARP and neighbour discovery\n  are counted apart (see -j). Bytes include the Ethernet header."
    )]
    Stats(Stats),
    /// Watch what aliases do, live: rates, drops, histories
    #[command(after_help = super::top::HELP)]
    Top(super::top::Top),
}

#[derive(Debug, Args)]
pub(super) struct Attach {
    /// The device
    pub(super) device: String,
    /// Where the engine runs: XDP in the driver, at tc, or XDP in the kernel's generic hook;
    /// native is refused where the driver has none
    #[arg(long, value_enum, default_value_t)]
    pub(super) mode: Mode,
    /// Room for so many aliases to begin with; it grows by itself when there are more
    #[arg(long, default_value_t = crate::model::request::DEFAULT_CAPACITY)]
    pub(super) capacity: u32,
    /// Refuse more aliases than so many (NET_ALIAS had 256); 0 refuses all
    #[arg(long)]
    pub(super) max_aliases: Option<u32>,
    /// Let the programs write rare events, for alias-ctl journal
    #[arg(long, value_enum, default_value_t)]
    pub(super) log: Log,
    /// What becomes of the aliases when the device goes down [default: the daemon's
    /// choice, else delete]
    #[arg(long, value_enum)]
    pub(super) on_parent_down: Option<OnDown>,
    /// Where tc programs hang; tcx where the kernel has it (Linux 6.6)
    #[arg(long, value_enum)]
    pub(super) tc: Option<Tc>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Tc {
    Tcx,
    Clsact,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum Mode {
    #[default]
    Native,
    Generic,
    Tc,
    BestEffort,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    /// OpenMetrics 1.0
    Openmetrics,
    /// The text format 0.0.4, for node_exporter's textfile collector
    Prometheus,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum Log {
    #[default]
    Off,
    Warn,
    Info,
    Debug,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Load the objects (*.bpf.o) in this directory too, in place of embedded ones of their name
    #[arg(long, value_name = "DIR")]
    pub(super) objects: Option<PathBuf>,
    /// How many aliases the parent has room for that they are loaded for
    #[arg(long, default_value_t = crate::model::request::DEFAULT_CAPACITY)]
    pub(super) capacity: u32,
    /// As JSON
    #[arg(short = 'j', long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Detach {
    /// The device
    #[arg(required_unless_present_any = ["all", "all_netns"])]
    pub(super) device: Option<String>,
    /// All attached devices of this network namespace
    #[arg(long, conflicts_with = "device")]
    pub(super) all: bool,
    /// And those of every other network namespace that a name or a process leads to
    #[arg(long, conflicts_with = "device")]
    pub(super) all_netns: bool,
    /// Delete their aliases too
    #[arg(long)]
    pub(super) cascade: bool,
}

#[derive(Debug, Args)]
#[group(id = "where", multiple = false)]
pub(super) struct TargetArguments {
    /// A device of its own (the default)
    #[arg(long)]
    pub(super) device: bool,
    /// The device of another alias
    #[arg(long, value_name = "ALIAS")]
    pub(super) join: Option<String>,
    /// A device that exists: a tap, a veth, another NIC
    #[arg(long, value_name = "DEV")]
    pub(super) to: Option<String>,
    /// The parent's own stack
    #[arg(long)]
    pub(super) local: bool,
    /// Nowhere: count and drop
    #[arg(long)]
    pub(super) drop: bool,
}

/// What `add` and `set` have in common.
#[derive(Debug, Args)]
pub(super) struct PlacementArguments {
    #[command(flatten)]
    pub(super) target: TargetArguments,
    /// Namespace of the device: a name, a path or a process id
    #[arg(long, value_name = "NS", conflicts_with_all = ["join", "to", "local", "drop"])]
    pub(super) netns: Option<String>,
    /// MAC of the far side of --to; found out where it can be
    #[arg(long, requires = "to", value_name = "MAC")]
    pub(super) mac: Option<String>,
    /// What the device hears of what is said to everybody, beside announcements: multicast,
    /// broadcast, or both with a comma; none takes it back
    #[arg(long, value_name = "WHAT", conflicts_with_all = ["join", "local", "drop"])]
    pub(super) hear: Option<String>,
    /// Do not tell the neighbours
    #[arg(long)]
    pub(super) no_announce: bool,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// DEVICE:SLOT, or DEVICE for the lowest free slot
    pub(super) name: String,
    /// ADDRESS or ADDRESS/LENGTH; without a length, the address alone
    #[arg(required_unless_present_any = ["range", "from"], conflicts_with_all = ["range", "from"])]
    pub(super) address: Option<String>,
    /// The address is a prefix: one alias for all that begin with it. A longer prefix,
    /// and an address that is an alias itself, go before it
    #[arg(long, conflicts_with_all = ["range", "from", "family"])]
    pub(super) prefix: bool,
    /// Many addresses: FIRST-LAST, FIRST-LAST/LENGTH, or PREFIX/LENGTH for all that are in it
    #[arg(long, value_name = "A-B[/LEN]|PREFIX")]
    pub(super) range: Option<String>,
    /// Many addresses: those in a file, one a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "range")]
    pub(super) from: Option<PathBuf>,
    /// Lowest slot that many may get; they take the free ones from there on
    #[arg(long, value_name = "SLOT")]
    pub(super) start: Option<u32>,
    /// Prefix length of many addresses, where a file's line says none
    #[arg(long, value_name = "BITS")]
    pub(super) prefix_len: Option<u8>,
    /// Family of the address, by name or number; IP addresses are recognised
    #[arg(long, conflicts_with_all = ["range", "from"])]
    pub(super) family: Option<String>,
    #[command(flatten)]
    pub(super) placement: PlacementArguments,
    /// Only frames of this VLAN; OUTER.INNER for two tags
    #[arg(long, value_name = "ID")]
    pub(super) vlan: Option<String>,
    #[command(flatten)]
    pub(super) tcp: TcpArguments,
}

#[derive(Debug, Args)]
pub(super) struct Del {
    /// ALIAS…, ADDRESS…, DEVICE:FIRST-LAST, DEVICE ADDRESS, DEVICE PREFIX/LENGTH, or DEVICE with one
    /// of --all, --range and --from
    #[arg(required = true, num_args = 1..)]
    pub(super) names: Vec<String>,
    /// Those with these addresses, all of which must be aliases'
    #[arg(long, value_name = "A-B|PREFIX", conflicts_with_all = ["all", "from", "family"])]
    pub(super) range: Option<String>,
    /// All aliases of the device
    #[arg(long)]
    pub(super) all: bool,
    /// Those whose addresses stand in a file, one a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "family"])]
    pub(super) from: Option<PathBuf>,
    /// Family of the address, by name or number
    #[arg(long, conflicts_with = "all")]
    pub(super) family: Option<String>,
    /// VLAN of the address
    #[arg(long, value_name = "ID")]
    pub(super) vlan: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// DEVICE:SLOT, or DEVICE with --capacity, --max-aliases, --on-parent-down or --log
    pub(super) name: String,
    /// Another ADDRESS or ADDRESS/LENGTH; without a length, the one it has
    pub(super) address: Option<String>,
    /// The address is a prefix
    #[arg(long, requires = "address", conflicts_with = "family")]
    pub(super) prefix: bool,
    /// Family of the address, by name or number; IP addresses are recognised
    #[arg(long, requires = "address")]
    pub(super) family: Option<String>,
    #[command(flatten)]
    pub(super) placement: PlacementArguments,
    /// Let the device have room for at least so many aliases, before there are so many
    #[arg(long, value_name = "NUMBER")]
    pub(super) capacity: Option<u32>,
    /// Refuse more aliases of the device than so many; what is there stays
    #[arg(long, value_name = "NUMBER")]
    pub(super) max_aliases: Option<u32>,
    /// What becomes of the device's aliases when it goes down
    #[arg(long, value_enum)]
    pub(super) on_parent_down: Option<OnDown>,
    /// What the device's programs write for alias-ctl journal; no packet is lost in the change
    #[arg(long, value_enum)]
    pub(super) log: Option<Log>,
    /// Another VLAN; 0 for none
    #[arg(long, value_name = "ID")]
    pub(super) vlan: Option<String>,
    #[command(flatten)]
    pub(super) tcp: TcpArguments,
}

#[derive(Debug, Args)]
pub(super) struct Enable {
    /// DEVICE:SLOT
    pub(super) name: String,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// DEVICE:SLOT
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct Journal {
    /// A device that was attached with --log, or set so
    pub(super) device: String,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Where the pages are written: alias-ctl.1 and one for each verb
    pub(super) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Only this DEVICE, DEVICE:SLOT or ADDRESS
    pub(super) name: Option<String>,
    /// As the kernel lists them itself, in the form of NET_ALIAS
    #[arg(long, conflicts_with_all = ["name", "json"])]
    pub(super) proc: bool,
    /// As JSON
    #[arg(short = 'j', long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Only this DEVICE, DEVICE:SLOT or ADDRESS
    pub(super) name: Option<String>,
    /// As JSON
    #[arg(short = 'j', long)]
    pub(super) json: bool,
    /// How it is written; the last two are for Prometheus, and have aliases and devices
    #[arg(long, value_enum, conflicts_with = "json")]
    pub(super) format: Option<Format>,
    /// Only so many aliases, those with the most packets (openmetrics, prometheus)
    #[arg(long, value_name = "NUMBER")]
    pub(super) top: Option<usize>,
    /// What the programs of each device did with all packets, by verdict
    #[arg(long)]
    pub(super) parent: bool,
    /// Again and again, every so many seconds, with packets and bits by second
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    pub(super) watch: Option<f64>,
}
