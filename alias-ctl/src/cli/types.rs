//! The words of `types`, and of `--family` where an address is of a family that is
//! not built in.

use std::path::PathBuf;

use alias_common::alias_type::TypeRow;
use clap::{Args, Subcommand};

use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::request::{Request, Spelled};
use crate::model::typed::{is_named, name};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  alias-ctl types add mpls.bpf.o\n  \
        alias-ctl add eth0:0 100 --family mpls --to veth9\n  alias-ctl types del mpls"
)]
pub(super) struct Types {
    /// As JSON
    #[arg(short = 'j', long)]
    json: bool,
    #[command(subcommand)]
    verb: Option<TypesVerb>,
}

#[derive(Debug, Subcommand)]
enum TypesVerb {
    /// Register the address family that a BPF object describes
    Add {
        /// The object, for example mpls.bpf.o
        object: PathBuf,
    },
    /// Unregister an address family that no alias is of
    Del {
        /// Its name or its number
        name: String,
    },
}

pub(super) fn lower(words: Types) -> Request {
    match words.verb {
        None => Request::Types { json: words.json },
        Some(TypesVerb::Add { object }) => Request::AddType { object },
        Some(TypesVerb::Del { name }) => Request::DelType { name },
    }
}

/// What `--family` says of an address: that of a family which is not built in has to
/// be read later. `None`: it is an IP address.
pub(super) fn spelled(family: Option<&str>, address: &str) -> Option<Spelled> {
    let family = family?;
    let built_in = TypeRow::BUILT_IN.iter().any(|row| is_named(row, family));
    (!built_in).then(|| Spelled {
        family: family.to_owned(),
        text: address.to_owned(),
    })
}

/// Refuses an IP address that is not of the family the user named.
pub(super) fn check_family(family: Option<&str>, address: Address) -> Result<()> {
    let row = address.alias_type();
    match family {
        Some(word) if !is_named(&row, word) => Err(Refusal::new(
            address.to_string(),
            "read address",
            format!("it is of family {}, not {word}", name(&row)),
            libc::EINVAL,
        )
        .hint("leave --family out: IP addresses are recognised")),
        _ => Ok(()),
    }
}
