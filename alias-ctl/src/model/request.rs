//! Everything a user can ask for, as values: what the command line is read to, and what
//! the verbs do.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use alias_common::hearer::Hear;
use alias_common::key::Vlan;

use super::address::{Address, Range};
use super::alias_request::{AliasRequest, Target};
use super::declaration::{Hook, Mode};
use super::ifconfig::Ifconfig;
use super::lifecycle::OnDown;
use super::list::List;
use super::route::{Action, Listing, RouteRequest};
use super::tcp_options::TcpChange;
use super::top::order::Sort;

/// Everything a user can ask for, free of the words it was asked in.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the words of the command line")]
pub enum Request {
    /// Put the programs on a device.
    Attach { device: String, spec: AttachSpec },
    /// Take them off.
    Detach(Detach),
    /// Make aliases.
    Add { name: String, wanted: AliasRequest },
    /// Delete aliases.
    Del { what: Victims },
    /// Change one alias.
    Set { name: String, change: Change },
    /// Change what holds for all aliases of a device.
    SetParent {
        device: String,
        change: ParentChange,
    },
    /// Put right what others change, as it happens.
    Daemon { options: DaemonOptions },
    /// Match an alias's packets, or leave them to the parent.
    Enable { name: String, enabled: bool },
    /// Tell the neighbours where aliases are.
    Announce { whom: Whom, rounds: u32 },
    /// Do what announces itself once, and announce it more often.
    Announced {
        request: Box<Request>,
        whom: Whom,
        rounds: u32,
    },
    /// Make a route, or take one away.
    Route {
        action: Action,
        wanted: RouteRequest,
    },
    /// List routes.
    Routes { listing: Listing },
    /// Write what is running to a file; `None`: in its place.
    Save { file: Option<PathBuf> },
    /// Make what a configuration declares, for one device or all.
    Apply {
        source: Source,
        device: Option<String>,
        dry_run: bool,
    },
    /// Compare what is running with a configuration.
    Diff { source: Source },
    /// Make an alias of a family that is not built in.
    AddTyped {
        name: String,
        address: Spelled,
        placement: TypedPlacement,
    },
    /// Make aliases of the addresses in a file.
    AddList { name: String, wanted: FromList },
    /// Delete the aliases with the addresses in a file.
    DelList {
        device: String,
        file: PathBuf,
        vlan: Vlan,
    },
    /// Delete the alias with such an address.
    DelTyped {
        device: String,
        address: Spelled,
        vlan: Vlan,
    },
    /// Give an alias such an address.
    SetTyped {
        name: String,
        address: Spelled,
        change: Change,
    },
    /// List address families.
    Types { json: bool },
    /// Register one.
    AddType { object: PathBuf },
    /// Unregister one.
    DelType { name: String },
    /// Print what the programs write of rare events.
    Journal { device: String },
    /// Look for what stands in the way.
    Doctor { device: Option<String>, json: bool },
    /// Put every program before the running kernel's verifier.
    Verify {
        objects: Option<PathBuf>,
        capacity: u32,
        json: bool,
    },
    /// Have devices run this binary's programs.
    Upgrade(Upgrade),
    /// What `ifconfig` was asked for.
    Ifconfig(Ifconfig),
    /// List aliases.
    Show { filter: Option<String>, json: bool },
    /// List aliases as the kernel does.
    Listing,
    /// List what was counted.
    Stats {
        filter: Option<String>,
        format: Format,
        parents: bool,
        top: Option<usize>,
        watch: Option<Duration>,
    },
    /// Show what aliases do, live.
    Top(Top),
}

/// What `top` shall show.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// Only these devices; empty: all.
    pub devices: Vec<String>,
    /// Time between samples.
    pub interval: Duration,
    /// In what order.
    pub sort: Sort,
    /// Only aliases with these words; empty: all.
    pub filter: String,
    /// Print so many screens as text, in place of a live one.
    pub count: Option<u32>,
    /// Whether in colours.
    pub color: Color,
}

/// Whether in colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// In any case.
    Always,
    /// In none.
    Never,
}

/// How figures are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// A table, for people.
    #[default]
    Table,
    /// An array of objects.
    Json,
    /// OpenMetrics 1.0, of aliases and parents.
    OpenMetrics,
    /// The same in the text format 0.0.4.
    Prometheus,
}

/// Which aliases the neighbours shall be told of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whom {
    /// All that may be announced.
    All,
    /// Those with these names, or of these devices.
    Named(Vec<String>),
    /// Those that a command made.
    Added,
    /// Those that a configuration declares, of one device or of all.
    Declared(Option<String>),
}

/// What of an alias shall change; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Another address, and its prefix length if it is not to stay.
    pub address: Option<(Address, Option<u8>)>,
    /// Another VLAN.
    pub vlan: Option<Vlan>,
    /// Another target.
    pub target: Option<Target>,
    /// Tell the neighbours.
    pub announce: bool,
    /// What its device hears beside announcements.
    pub hear: Option<Hear>,
    /// TCP options of its sockets.
    pub tcp: TcpChange,
}

/// How what was asked for ended, when nothing was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// What was looked for was found, and a script wants to know: exit code 1.
    Found,
}

/// What the user may choose about a parent.
#[derive(Clone, Copy, Debug)]
pub struct AttachSpec {
    /// How XDP runs.
    pub mode: Mode,
    /// How many aliases there is room for to begin with.
    pub capacity: u32,
    /// How many aliases there may be; `None`: no limit.
    pub max_aliases: Option<u32>,
    /// Highest level the datapath writes to the journal: 0 nothing, 1 errors,
    /// 2 warnings, up to 5.
    pub log_level: u8,
    /// What becomes of aliases when the parent goes down; `None`: as usual.
    pub on_down: Option<OnDown>,
    /// Where tc programs hang; `None`: tcx where there is tcx.
    pub hook: Option<Hook>,
}

/// Aliases that a parent has room for to begin with, when nobody asks for more.
pub const DEFAULT_CAPACITY: u32 = 1024;

/// What of a parent shall change; `None` stays.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ParentChange {
    /// How many aliases there may be. Those over the limit stay.
    pub max_aliases: Option<u32>,
    /// Room for so many aliases at least.
    pub capacity: Option<u32>,
    /// What becomes of its aliases when it goes down.
    pub on_down: Option<OnDown>,
    /// Highest level of the journal, as in the header: 0 nothing, 2 warnings.
    pub log_level: Option<u8>,
}

/// Which aliases shall go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Victims {
    /// Those with these names; of one parent or several.
    Named(Vec<String>),
    /// The one with this address on this parent.
    Address {
        /// The parent.
        device: String,
        /// The address.
        address: Address,
        /// The VLAN it is scoped to.
        vlan: Vlan,
    },
    /// Those with these addresses on this parent.
    Listed {
        /// The parent.
        device: String,
        /// The addresses.
        list: List,
        /// The VLAN they are scoped to.
        vlan: Vlan,
    },
    /// Those with these addresses on this parent.
    Range {
        /// The parent.
        device: String,
        /// The addresses.
        range: Range,
        /// The VLAN they are scoped to.
        vlan: Vlan,
    },
    /// All of this parent.
    All(String),
}

/// Aliases to make from a list.
#[derive(Clone, Debug)]
pub struct FromList {
    /// The list; `-` is standard input.
    pub file: PathBuf,
    /// Where to begin to look for free slots.
    pub start: u32,
    /// Prefix length of addresses without one; `None`: all their bits.
    pub prefix_len: Option<u8>,
    /// The VLAN they are scoped to.
    pub vlan: Vlan,
    /// What happens to their packets.
    pub target: Target,
    /// Tell the neighbours.
    pub announce: bool,
    /// What their devices hear beside announcements.
    pub hear: Hear,
    /// TCP options of their sockets.
    pub tcp: TcpChange,
}

/// An address as a user spelled it, and the family it is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spelled {
    /// Name or number of the family.
    pub family: String,
    /// The address.
    pub text: String,
}

/// What a user wants of such an alias beside its address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypedPlacement {
    /// The VLAN it is scoped to.
    pub vlan: Vlan,
    /// What its device hears beside announcements.
    pub hear: Hear,
    /// TCP options, which are refused: TCP knows no such addresses.
    pub tcp: TcpChange,
    /// What happens to its packets.
    pub target: Target,
}

/// Which configuration is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// The one that `save` wrote, in its place.
    Saved,
    /// One that a user names.
    File(PathBuf),
}

/// What shall be detached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Detach {
    /// An attached device; `None`: all of the namespace.
    pub device: Option<String>,
    /// And those of every other namespace.
    pub all_netns: bool,
    /// Their aliases go too.
    pub cascade: bool,
}

/// What shall be upgraded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Upgrade {
    /// Attached devices; none: all of the namespace.
    pub devices: Vec<String>,
    /// And those of every other namespace.
    pub all_netns: bool,
    /// Only say what would be.
    pub dry_run: bool,
}

/// What the daemon was told.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// What becomes of aliases of parents that go down and were given no choice.
    pub on_down: OnDown,
    /// Bytes of kernel messages that may wait.
    pub event_buffer: usize,
    /// Where Prometheus asks; `None`: nowhere.
    pub metrics: Option<MetricsAt>,
    /// Of how many aliases it is told, those with the most packets.
    pub metrics_top: usize,
}

/// Where the daemon listens for who reads metrics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MetricsAt {
    /// An address of the namespace, and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for MetricsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetricsAt::Tcp(address) => write!(f, "{address}"),
            MetricsAt::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
