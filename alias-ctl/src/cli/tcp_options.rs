//! The TCP options of `add` and `set`.

use alias_common::tcp_options::TcpOption;
use clap::Args;

use crate::error::Result;
use crate::model::tcp_options::{TcpChange, parse};

/// AIX's interface specific network options.
#[derive(Debug, Args)]
#[command(next_help_heading = "TCP options of its sockets (a value, or `default`)")]
pub(super) struct TcpArguments {
    /// Window scaling and timestamps: 1
    #[arg(long, value_name = "1")]
    rfc1323: Option<String>,
    /// 1 sends small segments at once (Nagle's algorithm off)
    #[arg(long, value_name = "0|1")]
    tcp_nodelay: Option<String>,
    /// Send buffer
    #[arg(long, value_name = "BYTES")]
    tcp_sendspace: Option<String>,
    /// Receive buffer
    #[arg(long, value_name = "BYTES")]
    tcp_recvspace: Option<String>,
    /// Largest segment
    #[arg(long, value_name = "BYTES")]
    tcp_mssdflt: Option<String>,
}

impl TcpArguments {
    pub(super) fn lower(&self) -> Result<TcpChange> {
        let mut change = TcpChange::default();
        for (option, text) in [
            (TcpOption::Rfc1323, &self.rfc1323),
            (TcpOption::TcpNodelay, &self.tcp_nodelay),
            (TcpOption::TcpSendspace, &self.tcp_sendspace),
            (TcpOption::TcpRecvspace, &self.tcp_recvspace),
            (TcpOption::TcpMssdflt, &self.tcp_mssdflt),
        ] {
            match text.as_deref() {
                None => {}
                Some("default") => change.push(option, None),
                Some(text) => change.push(option, Some(parse(option, text)?)),
            }
        }
        Ok(change)
    }
}
