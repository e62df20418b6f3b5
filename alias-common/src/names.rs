//! Names of programs and maps, spelled once. A map is pinned under its own
//! name; so is a program, and its link under the program's name with `_link`.

/// XDP of the parent, in native mode.
pub const ALIAS_RX: &str = "alias_rx";
/// The same for generic mode; pinned as [`ALIAS_RX`] too.
pub const ALIAS_RX_GENERIC: &str = "alias_rx_generic";
/// The same for mode tc, on the parent's tc ingress before [`ALIAS_DELIVER`]; pinned as
/// [`ALIAS_RX`] too.
pub const ALIAS_RX_TC: &str = "alias_rx_tc";
/// XDP of the parent in native mode, once an alias is a prefix or an alias type is
/// registered: the full engine.
pub const ALIAS_RX_TYPES: &str = "alias_rx_types";
/// The same for generic mode; pinned as [`ALIAS_RX_TYPES`] too.
pub const ALIAS_RX_TYPES_GENERIC: &str = "alias_rx_types_generic";
/// Where a type's program leads back to the engine, in native mode.
pub const ALIAS_TYPED: &str = "alias_typed";
/// The same for generic mode; pinned as [`ALIAS_TYPED`] too.
pub const ALIAS_TYPED_GENERIC: &str = "alias_typed_generic";
/// tc ingress of the parent.
pub const ALIAS_DELIVER: &str = "alias_deliver";
/// tc ingress of each port.
pub const ALIAS_TX: &str = "alias_tx";
/// tc ingress of each `--to` device.
pub const ALIAS_RETURN: &str = "alias_return";
/// tc egress of the parent.
pub const ALIAS_EGRESS: &str = "alias_egress";

/// Raw tracepoint `xdp_redirect_err`: counts redirects that the kernel refused.
pub const ALIAS_LOST: &str = "alias_lost";

/// Raw tracepoint `kfree_skb`: counts deliveries that the kernel dropped.
pub const ALIAS_UNDELIVERED: &str = "alias_undelivered";

/// [`crate::header::Header`], one.
pub const HEADER: &str = "header";
/// What the controller writes for the datapath ([`crate::layout`]).
pub const TABLE: &str = "table";
/// What the datapath counts, a row for each CPU ([`crate::layout`]).
pub const COUNTERS: &str = "counters";
/// [`crate::record::Record`] by id.
pub const RECORD: &str = "record";
/// Which record a slot's alias has: the controller's index of names.
pub const SLOTS: &str = "slots";
/// The devmap of `--to` devices.
pub const DEVMAP: &str = "devmap";
/// [`crate::record::Port`] by ifindex.
pub const PORT: &str = "port";
/// Who hears what is for everybody: a [`crate::hearer::Head`] and
/// [`crate::hearer::Hearer`]s.
pub const HEARERS: &str = "hearers";

/// [`crate::order::Entry`] in the order of creation, after a
/// [`crate::order::Head`].
pub const ORDER: &str = "order";

/// The parents' maps [`HEADER`], by a number that a parent has while it is attached;
/// one map of maps for the namespace, like the next two.
pub const HEADERS: &str = "headers";
/// The parents' maps [`RECORD`].
pub const RECORDS: &str = "records";
/// The parents' maps [`ORDER`].
pub const ORDERS: &str = "orders";
/// Elements of the maps of maps: how many parents a namespace can have.
pub const MAX_PARENTS: u32 = 1024;

/// Iterator, the name of its program and of its pin: a file that `cat` reads.
pub const ALIASES: &str = "aliases";
/// See [`ALIASES`].
pub const ALIAS_TYPES: &str = "alias_types";
/// The same two for kernels that allow no iterator over map elements; only programs have
/// these names.
pub const ALIASES_KSYM: &str = "aliases_ksym";
/// See [`ALIASES_KSYM`].
pub const ALIAS_TYPES_KSYM: &str = "alias_types_ksym";
/// Says that the kernel took no program for [`ALIASES`] and [`ALIAS_TYPES`].
pub const NO_LISTING: &str = "no_listing";

/// [`crate::alias_type::TypeRow`] by row; one map for the namespace.
pub const TYPES: &str = "types";
/// Programs of the registered types, by ethertype.
pub const BY_ETHERTYPE: &str = "by_ethertype";

/// [`crate::counters::Handed`] of each CPU.
pub const HANDED: &str = "handed";

/// When each CPU last wrote to the journal, ns since boot.
pub const JOURNAL_GATE: &str = "journal_gate";
/// aya-log's ring.
pub const JOURNAL: &str = "AYA_LOGS";

/// sock_ops: gives sockets the TCP options of their alias.
pub const TCP_APPLY: &str = "tcp_apply";
/// cgroup/setsockopt: notes what applications set by themselves.
pub const TCP_NOTE: &str = "tcp_note";
/// [`crate::tcp_options::Grant`] by [`crate::tcp_options::LocalAddress`]; there while
/// an alias of the parent has options.
pub const TCP_OPTIONS: &str = "tcp_options";

/// Constants of the programs, set when they are loaded.
pub mod constants {
    /// [`crate::header::Header::interface_id`].
    pub const INTERFACE_ID: &str = "INTERFACE_ID";
    /// [`crate::header::Header::secret`].
    pub const SECRET: &str = "SECRET";
    /// The hash key, as three `u64`.
    pub const HASH_KEY: &str = "HASH_KEY";
    /// [`crate::table::Geometry::home_shift`].
    pub const HOME_SHIFT: &str = "HOME_SHIFT";
    /// [`crate::table::Geometry::positions`].
    pub const POSITIONS: &str = "POSITIONS";
    /// Number of records.
    pub const CAPACITY: &str = "CAPACITY";
    /// Kernel's id of the devmap: by it `alias_lost` knows this parent's redirects.
    pub const DEVMAP_ID: &str = "DEVMAP_ID";
    /// Start and end of the kernel's `skb_do_redirect`, as two `u64`.
    pub const REDIRECT_SITE: &str = "REDIRECT_SITE";
    /// Whether frames of several fragments cannot be redirected: 0 or 1.
    pub const FRAGMENTS_STAY: &str = "FRAGMENTS_STAY";
    /// The parent's ifindex.
    pub const PARENT_IFINDEX: &str = "PARENT_IFINDEX";
}
