//! How long aliases live.

/// What becomes of aliases when their parent goes down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnDown {
    /// They are closed and freed, as in NET_ALIAS.
    Delete,
    /// They stay, as addresses of IPv4 do on today's Linux.
    Keep,
}
