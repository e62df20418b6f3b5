//! What becomes of parents whose pins are gone: their aliases cannot be had again, and
//! what is left of them goes. What another bpffs has is left to that one.

use std::io::{self, Write};

use crate::dataplane::elsewhere;
use crate::error::{Refusal, Result};
use crate::netlink::Link;
use crate::wiring::host::Host;
use crate::wiring::stray::{self, Strays};
use crate::wiring::transaction::Transaction;

/// What a look for such parents came to.
#[derive(Debug, Default)]
pub struct Cleared {
    /// Those of which nothing is left, by ifindex.
    pub parents: Vec<u32>,
    /// What was done, a sentence each.
    pub done: Vec<String>,
    /// What was refused, at most one of each.
    pub failed: Vec<Refusal>,
}

/// Takes away what is left of them. One whose aliases another bpffs has is barred; one
/// whose program still runs is left to who attaches it anew.
///
/// # Errors
///
/// That of asking the kernel.
pub fn clear(tx: &mut Transaction<'_>) -> Result<Cleared> {
    let host = &mut *tx.host;
    let mut cleared = Cleared::default();
    for (ifindex, strays) in stray::find(host)? {
        let name = name_of(host, ifindex)?;
        if let Some(holder) = stray::holder_of(host, ifindex) {
            let refusal = stray::held(&name, "use", &holder);
            host.barred.insert(ifindex, refusal);
            continue;
        }
        if strays.engine.is_some() {
            continue;
        }
        match stray::remove(host, ifindex, &strays) {
            Ok(()) => {
                cleared.done.push(told(&name, &strays));
                cleared.parents.push(ifindex);
            }
            Err(refusal) => cleared.failed.push(refusal),
        }
    }
    Ok(cleared)
}

/// Frees a device that is about to be attached of what is left there: then it is as if it
/// had never been attached. Returns the device as it is afterwards.
///
/// # Errors
///
/// EBUSY when another bpffs has its aliases, or that cannot be told; what the kernel
/// refused.
pub fn free(tx: &mut Transaction<'_>, link: &Link) -> Result<Link> {
    let host = &mut *tx.host;
    let Some(strays) = stray::find(host)?.remove(&link.ifindex) else {
        return match link.xdp {
            Some(_) => stray::wait_for_engine(host, link),
            None => Ok(link.clone()),
        };
    };
    if let Some(holder) = stray::holder_of(host, link.ifindex) {
        return Err(stray::held(&link.name, "attach", &holder));
    }
    if let Some(engine) = strays.engine {
        stray::take_off(link, engine)?;
    }
    stray::remove(host, link.ifindex, &strays)?;
    // With nobody to read it the work goes on.
    let _ = writeln!(
        io::stderr(),
        "alias-ctl: note: {}",
        told(&link.name, &strays)
    );
    stray::wait_for_engine(host, link)
}

/// What there is to be said of such a parent: who has its aliases, or what is left of
/// them; and what to do.
///
/// # Errors
///
/// That of asking the kernel.
pub fn describe(host: &mut Host, ifindex: u32, strays: &Strays) -> Result<[String; 3]> {
    let name = name_of(host, ifindex)?;
    if let Some(holder) = stray::holder_of(host, ifindex) {
        let refusal = stray::held(&name, "use", &holder);
        return Ok([name, refusal.reason, refusal.hint]);
    }
    if let Some(engine) = strays.engine {
        let hint = match elsewhere::sees_all_processes() {
            true => format!("attach it anew: alias-ctl restore, or alias-ctl attach {name}"),
            false => "call alias-ctl where its pins are, outside of this container".into(),
        };
        let what = format!("alias-ctl's own program {engine} runs on it, and its pins are gone");
        return Ok([name, what, hint]);
    }
    Ok([
        name,
        format!("the pins of its aliases are gone, and these are left of them: {strays}"),
        "the next command that changes something takes them away; to have saved aliases again: \
         alias-ctl restore"
            .into(),
    ])
}

fn told(name: &str, strays: &Strays) -> String {
    format!("{name}: the pins of its aliases were gone: took away what was left ({strays})")
}

fn name_of(host: &mut Host, ifindex: u32) -> Result<String> {
    let link = host.netlink.link_by_index(ifindex)?;
    Ok(link.map_or_else(|| format!("device {ifindex}"), |link| link.name))
}
