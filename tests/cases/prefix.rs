//! A prefix as one alias: which frames are its, what its stacks and devices do, and
//! what the controller makes of it.

mod controller;
mod golden;
mod killed;
mod own_address;
mod packets;

use alias_tests::{Lab, program_info::program_info};

/// Tag and id of the XDP program on eth0, and its size in the kernel.
#[track_caller]
fn running(lab: &Lab) -> (String, u64, u32) {
    let link = lab.a.link("eth0");
    let program = &link["xdp"]["prog"];
    let (tag, id) = (program["tag"].as_str(), program["id"].as_u64());
    let tag = tag.expect("XDP runs on eth0").to_owned();
    let id = id.expect("XDP runs on eth0");
    let size = lab.pins().iter().find_map(|pin| {
        let object = alias_tests::bpf::open_pinned(pin).ok()?;
        let info = program_info(&object).ok()??;
        (u64::from(info.id) == id).then_some(info.xlated_bytes)
    });
    (tag, id, size.expect("its pin"))
}
