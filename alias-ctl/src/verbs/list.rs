//! `add --from` and `del --from`: addresses that stand in a file.

use std::path::Path;

use alias_common::key::Vlan;

use crate::error::Result;
use crate::lifecycle::{add, delete, transaction, way_back};
use crate::model::alias_request::{Addresses, AliasRequest};
use crate::model::list::{Lengths, List};
use crate::model::request::{FromList, Victims};
use crate::store::file;
use crate::wiring::host::Host;

/// `alias-ctl add DEVICE --from FILE`. The list is read and checked first.
///
/// # Errors
///
/// Those of the list, and those of [`add::add`]; nothing is added.
pub fn add(name: &str, wanted: FromList) -> Result<()> {
    let list = read(&wanted.file, Lengths::One(wanted.prefix_len))?;
    let wanted = AliasRequest {
        prefix_len: list.prefix_len,
        addresses: Addresses::Listed {
            list,
            start: wanted.start,
        },
        vlan: wanted.vlan,
        target: wanted.target,
        announce: wanted.announce,
        hear: wanted.hear,
        tcp: wanted.tcp,
    };
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    add::add(&mut tx, name, &wanted)?;
    way_back::tell(tx.host);
    Ok(())
}

/// `alias-ctl del DEVICE --from FILE`.
///
/// # Errors
///
/// Those of the list, and those of [`delete::delete`]; nothing is deleted.
pub fn del(device: String, file: &Path, vlan: Vlan) -> Result<()> {
    // What an address's length was does not matter when it goes.
    let list = read(file, Lengths::Any)?;
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    let victims = Victims::Listed { device, list, vlan };
    delete::delete(&mut tx, &victims)
}

fn read(path: &Path, lengths: Lengths) -> Result<List> {
    if path.as_os_str() == "-" {
        return List::parse(&file::read_standard_input()?, "standard input", lengths);
    }
    let text = file::read_or_wait(path)?;
    List::parse(&text, &path.display().to_string(), lengths)
}
