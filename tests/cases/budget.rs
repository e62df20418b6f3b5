//! What each program may cost the verifier. A program that grows past it makes
//! loading slower and comes nearer to the kernel's limit of a million: that is to
//! be decided, not to happen.

use std::collections::BTreeMap;

use alias_tests::{Lab, Mode, bpf::open_pinned, program_info::program_info};

/// Instructions that the verifier may walk, over all paths, by the name that the
/// program is pinned under, on every kernel from 6.1 on: `cargo xtask vm` runs this on
/// several. What was seen is in docs/KERNELS.md; all of it is far from the million at which
/// the kernel gives up; newer verifiers have walked ten times as far as older ones.
const BUDGET: &[(&str, u32)] = &[
    ("alias_rx", 60_000),
    ("alias_rx_types", 100_000),
    ("alias_typed", 25_000),
    ("alias_deliver", 60_000),
    ("alias_tx", 60_000),
    ("alias_return", 50_000),
    ("alias_egress", 50_000),
    ("alias_lost", 100),
    ("alias_undelivered", 200),
];

/// Of what is not a parent's: the listing, by either iterator, and TCP options.
const SHARED: &[(&str, u32)] = &[
    // 63,448 on 7.3.4: a slot is a field of the record, of which that verifier walks each length.
    ("aliases", 80_000),
    ("alias_types", 10_000),
    ("tcp_note", 500),
    ("tcp_apply", 2_000),
];

#[test]
fn every_program_keeps_to_its_budget() {
    for mode in [Mode::Native, Mode::Generic] {
        let lab = Lab::attached(mode);
        // With it comes the full engine.
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.0/24", "--prefix", "--drop"]);
        let mut wrong = Vec::new();
        let verified = verified(&lab);
        for (name, walked) in &verified {
            match budget(name) {
                Some(budget) if *walked <= budget => {}
                Some(budget) => wrong.push(format!("{name}: {walked}, and {budget} is its budget")),
                None => wrong.push(format!("{name}: {walked}, and it has no budget")),
            }
        }
        for (name, _) in BUDGET.iter().filter(|(n, _)| !verified.contains_key(*n)) {
            wrong.push(format!("{name}: has a budget, and is not pinned"));
        }
        assert!(
            wrong.is_empty(),
            "{}: instructions walked:\n{}",
            mode.name(),
            wrong.join("\n")
        );
    }
}

fn budget(name: &str) -> Option<u32> {
    let entry = BUDGET.iter().find(|(of, _)| *of == name);
    entry.map(|&(_, budget)| budget)
}

/// What `alias-ctl verify` loads: every program there is, by itself.
#[test]
fn every_program_that_verify_loads_keeps_to_its_budget() {
    let lab = Lab::plain();
    let mut seen = 0;
    for row in lab.ctl_json(&["verify"]).as_array().expect("rows") {
        let program = row["program"].as_str().expect("a name");
        let Some(walked) = row["walked_instructions"].as_u64() else {
            // An iterator for which another stands in: `verify` would have failed else.
            continue;
        };
        let name = program
            .trim_end_matches("_generic")
            .trim_end_matches("_ksym")
            .trim_end_matches("_tc");
        let budget = BUDGET.iter().chain(SHARED).find(|(of, _)| *of == name);
        let budget = budget
            .unwrap_or_else(|| panic!("{program}: {walked}, and it has no budget"))
            .1;
        assert!(
            walked <= budget.into(),
            "{program}: {walked}, and {budget} is its budget"
        );
        seen += 1;
    }
    assert!(seen >= BUDGET.len() + SHARED.len(), "{seen} programs");
}

/// A machine that has just booted into a shell, or a chroot, has none mounted.
#[test]
fn verify_needs_no_bpffs() {
    let lab = Lab::builder()
        .env("ALIAS_BPFFS_ROOT", "/nonexistent")
        .build();
    let rows = lab.ctl_json(&["verify"]);
    let rows = rows.as_array().expect("rows");
    assert!(rows.len() >= BUDGET.len() + SHARED.len(), "{rows:?}");
    lab.ctl_err(&["show"], "ENODEV");
}

/// Of every program that is pinned, the parent's and the namespace's.
fn verified(lab: &Lab) -> BTreeMap<String, u32> {
    let mut verified = BTreeMap::new();
    for pin in lab.pins() {
        // Directories, and the files that the kernel puts into every bpffs.
        let Ok(object) = open_pinned(&pin) else {
            continue;
        };
        let said = |error| panic!("{}: {error}", pin.display());
        if let Some(info) = program_info(&object).unwrap_or_else(said) {
            let name = pin.file_name().expect("a pin has a name");
            let walked = info.verified_instructions;
            assert!(walked > 0, "{}: the kernel does not tell", pin.display());
            verified.insert(name.to_string_lossy().into_owned(), walked);
        }
    }
    verified
}
