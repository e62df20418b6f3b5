//! `add --from` and `del --from`: addresses that stand in a file.

use std::path::{Path, PathBuf};

use alias_common::key::Vlan;

use crate::error::Result;
use crate::model::isno::TcpChange;
use crate::model::list::{Lengths, List};
use crate::model::wish::{Addresses, Target, Wish};
use crate::store::file;

use super::add;
use super::del::{self, Victims};

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
    /// TCP options of their sockets.
    pub tcp: TcpChange,
}

/// `alias-ctl add DEVICE --from FILE`. The list is read and checked first.
///
/// # Errors
///
/// Those of the list, and those of [`add::add`]; nothing is added.
pub fn add(name: &str, wanted: FromList) -> Result<()> {
    let list = read(&wanted.file, Lengths::One(wanted.prefix_len))?;
    let wish = Wish {
        prefix_len: list.prefix_len,
        addresses: Addresses::Listed {
            list,
            start: wanted.start,
        },
        vlan: wanted.vlan,
        target: wanted.target,
        announce: wanted.announce,
        tcp: wanted.tcp,
    };
    add::add(name, &wish)
}

/// `alias-ctl del DEVICE --from FILE`.
///
/// # Errors
///
/// Those of the list, and those of [`del::del`]; nothing is deleted.
pub fn del(device: String, file: &Path, vlan: Vlan) -> Result<()> {
    // What an address's length was does not matter when it goes.
    let list = read(file, Lengths::Any)?;
    del::del(&Victims::Listed { device, list, vlan })
}

fn read(path: &Path, lengths: Lengths) -> Result<List> {
    if path.as_os_str() == "-" {
        return List::parse(&file::read_standard_input()?, "standard input", lengths);
    }
    let text = file::read_or_wait(path)?;
    List::parse(&text, &path.display().to_string(), lengths)
}
