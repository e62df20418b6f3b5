//! Tables of single cases, and a great many random ones whose plans are carried
//! out on a model of what the kernel would accept.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use alias_common::key::Vlan;
use alias_common::tcp_options::{TcpOption, TcpOptions};

use super::*;

fn address(n: u32) -> Address {
    IpAddr::from(Ipv4Addr::from_bits(0xc612_0000 + n)).into()
}

fn properties(target: &str) -> Properties {
    let target = match target {
        "device" => Target::Device { netns: None },
        "web" => Target::Device {
            netns: Some("web".into()),
        },
        "to" => Target::To {
            device: "tap0".into(),
            mac: None,
        },
        "mac" => Target::To {
            device: "tap0".into(),
            mac: Some([2, 0, 0, 0, 0, 1]),
        },
        "local" => Target::Local,
        "drop" => Target::Drop,
        alias => Target::Join {
            alias: alias.into(),
        },
    };
    Properties {
        prefix_len: 24,
        vlan: Vlan::NONE,
        target,
        enabled: true,
        announce: true,
        hear: Hear::NOTHING,
        deprecated: None,
        tcp: TcpOptions::default(),
    }
}

/// `count` aliases from a slot and an address on.
fn run(start: u32, first: u32, count: u64, target: &str) -> Run {
    Run {
        start,
        first: address(first),
        count,
        properties: properties(target),
        line: start + 1,
    }
}

/// One that a configuration made.
fn ours(slot: u32, n: u32, target: &str) -> Live {
    Live {
        slot,
        address: address(n),
        properties: properties(target),
        declared: true,
        whole: true,
    }
}

/// One that was made by hand.
fn by_hand(slot: u32, n: u32, target: &str) -> Live {
    Live {
        declared: false,
        ..ours(slot, n, target)
    }
}

fn plan_of(runs: Vec<Run>, live: &[Live]) -> Result<Plan> {
    let declared = Parent {
        name: "eth0".into(),
        runs,
        ..Parent::default()
    };
    plan(&declared, live, 100)
}

#[track_caller]
fn check(runs: Vec<Run>, live: &[Live], expected: Plan) {
    assert_eq!(plan_of(runs, live).expect("a plan"), expected);
}

#[track_caller]
fn check_refused(runs: Vec<Run>, live: &[Live], object: &str, errno: i32) {
    let refusal = plan_of(runs, live).expect_err("to be refused");
    assert_eq!(
        (&*refusal.object, refusal.errno),
        (object, errno),
        "{refusal}"
    );
}

#[test]
fn single_plans() {
    let none = Plan::default;
    check(vec![], &[], none());
    // There already, just so; and again in part.
    let run_of_ten = || vec![run(0, 0, 10, "drop")];
    let ten: Vec<Live> = (0..10).map(|n| ours(n, n, "drop")).collect();
    check(run_of_ten(), &ten, none());
    let make = vec![run_of_ten()[0].part(0, 4), run_of_ten()[0].part(6, 10)];
    check(run_of_ten(), &ten[4..6], Plan { make, ..none() });
    // By hand: just so, or not declared at all.
    let adopt = vec![0];
    check(
        vec![run(0, 0, 1, "drop")],
        &[by_hand(0, 0, "drop")],
        Plan { adopt, ..none() },
    );
    let strays = vec![5];
    check(vec![], &[by_hand(5, 5, "drop")], Plan { strays, ..none() });
    // Declared no more; or something else.
    check(
        vec![],
        &[ours(5, 5, "drop")],
        Plan {
            remove: vec![5],
            ..none()
        },
    );
    for (now, then) in [((5, "drop"), (5, "local")), ((5, "drop"), (6, "drop"))] {
        let replace = vec![run(5, then.0, 1, then.1)];
        check(
            replace.clone(),
            &[ours(5, now.0, now.1)],
            Plan { replace, ..none() },
        );
    }
    // Its device is gone.
    let broken = Live {
        whole: false,
        ..ours(5, 5, "device")
    };
    let replace = vec![run(5, 5, 1, "device")];
    check(replace.clone(), &[broken], Plan { replace, ..none() });
    // A MAC that is not declared is whatever was found; a declared one is not.
    check(vec![run(5, 5, 1, "to")], &[ours(5, 5, "mac")], none());
    let replace = vec![run(5, 5, 1, "mac")];
    check(
        replace.clone(),
        &[ours(5, 5, "to")],
        Plan { replace, ..none() },
    );
    // Its address is wanted in another slot.
    let make = vec![run(7, 5, 1, "drop")];
    check(
        make.clone(),
        &[ours(5, 5, "drop")],
        Plan {
            make,
            remove_first: vec![5],
            ..none()
        },
    );
}

#[test]
fn switches_alone_replace_nothing() {
    let mut off = run(5, 5, 1, "drop");
    off.properties.enabled = false;
    off.properties.announce = false;
    let (enable, announce) = (vec![(5, false)], vec![(5, false)]);
    let expected = Plan {
        enable,
        announce,
        ..Plan::default()
    };
    check(vec![off.clone()], &[ours(5, 5, "drop")], expected);
    let mut tuned = run(5, 5, 1, "drop");
    tuned.properties.tcp.set(TcpOption::TcpNodelay, Some(1));
    let tune = vec![(5, tuned.properties.tcp)];
    let expected = Plan {
        tune,
        ..Plan::default()
    };
    check(vec![tuned.clone()], &[ours(5, 5, "drop")], expected);
    check_refused(
        vec![tuned],
        &[by_hand(5, 5, "drop")],
        "eth0:5",
        libc::EEXIST,
    );
    // By hand and disabled is another alias than the declared one.
    check_refused(vec![off], &[by_hand(5, 5, "drop")], "eth0:5", libc::EEXIST);
}

#[test]
fn joins_follow_their_owners() {
    let owner = |slot, n, target| run(slot, n, 1, target);
    // The owner is replaced: so is what joined it, declared as before.
    let runs = vec![owner(0, 9, "device"), run(1, 1, 2, "eth0:0")];
    let live = [
        ours(0, 0, "device"),
        ours(1, 1, "eth0:0"),
        ours(2, 2, "eth0:0"),
    ];
    let replace = vec![
        owner(0, 9, "device"),
        runs[1].part(1, 2),
        runs[1].part(2, 3),
    ];
    check(
        runs,
        &live,
        Plan {
            replace,
            ..Plan::default()
        },
    );
    // Both go, together.
    let live = [ours(0, 0, "device"), ours(1, 1, "eth0:0")];
    check(
        vec![],
        &live,
        Plan {
            remove: vec![0, 1],
            ..Plan::default()
        },
    );
    // The owner's place is wanted: what joined it goes before, too.
    let make = vec![run(7, 0, 1, "drop")];
    let expected = Plan {
        make: make.clone(),
        remove_first: vec![0, 1],
        ..Plan::default()
    };
    check(make, &live, expected);
    // Somebody joined by hand.
    let live = [ours(0, 0, "device"), by_hand(1, 1, "eth0:0")];
    check_refused(vec![], &live, "eth0:0", libc::EBUSY);
    check_refused(vec![owner(0, 9, "device")], &live, "eth0:0", libc::EBUSY);
}

#[test]
fn what_stands_in_the_way_is_refused() {
    let slot = vec![run(5, 5, 1, "drop")];
    check_refused(
        slot.clone(),
        &[by_hand(5, 6, "drop")],
        "eth0:5",
        libc::EEXIST,
    );
    check_refused(
        slot.clone(),
        &[by_hand(5, 5, "local")],
        "eth0:5",
        libc::EEXIST,
    );
    check_refused(slot, &[by_hand(6, 5, "drop")], "198.18.0.5", libc::EEXIST);
    // Too many, too high.
    let high = MAX_SLOTS - 1;
    check_refused(vec![run(0, 0, 101, "drop")], &[], "eth0", libc::ENOSPC);
    check_refused(vec![run(high, 0, 2, "drop")], &[], "eth0", libc::ENOSPC);
    check_refused(vec![run(0, 0, u64::MAX, "drop")], &[], "eth0", libc::ENOSPC);
    check_refused(
        vec![run(MAX_SLOTS, 0, 1, "drop")],
        &[],
        "eth0:4194304",
        libc::EINVAL,
    );
    // The limit counts aliases, whatever their numbers are: with those that stay, without
    // those that go.
    let stays = [by_hand(7, 1000, "drop")];
    check_refused(
        vec![run(high - 99, 0, 100, "drop")],
        &stays,
        "eth0",
        libc::ENOSPC,
    );
    let goes = [ours(7, 1000, "drop")];
    assert!(plan_of(vec![run(high - 99, 0, 100, "drop")], &goes).is_ok());
    // What is there already is no matter.
    let many: Vec<Live> = (0..101).map(|slot| ours(slot, slot, "drop")).collect();
    check(vec![run(0, 0, 101, "drop")], &many, Plan::default());
    // Joins that lead nowhere.
    check_refused(vec![run(1, 1, 1, "eth0:0")], &[], "eth0:1", libc::ENODEV);
    let to_drop = vec![run(0, 0, 1, "drop"), run(1, 1, 1, "eth0:0")];
    check_refused(to_drop, &[], "eth0:1", libc::EINVAL);
    let mut other = run(0, 0, 1, "device");
    other.properties.vlan = Vlan::new(7, 0);
    check_refused(
        vec![other, run(1, 1, 1, "eth0:0")],
        &[],
        "eth0:1",
        libc::EINVAL,
    );
    // A device that was made by hand can be joined, one that goes cannot.
    let make = vec![run(1, 1, 1, "eth0:0")];
    let strays = vec![0];
    let expected = Plan {
        make: make.clone(),
        strays,
        ..Plan::default()
    };
    check(make.clone(), &[by_hand(0, 0, "device")], expected);
    check_refused(make, &[ours(0, 0, "device")], "eth0:1", libc::ENODEV);
}

/// Numbers from a fixed seed (SplitMix64, as in crash tests).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % u64::from(end)) as u32
    }
}

/// Aliases by slot, as the kernel would have them.
#[derive(Clone, Default)]
struct Machine(BTreeMap<u32, Live>);

impl Machine {
    fn take(&mut self, slot: u32) {
        self.0.remove(&slot).expect("what is taken down is there");
    }

    fn no_joiner_is_left_behind(&self) {
        for alias in self.0.values() {
            if let Some(owner) = joined_slot(&alias.properties.target) {
                let owner = self.0.get(&owner).map(|owner| &owner.properties.target);
                let is_device = matches!(owner, Some(Target::Device { .. }));
                assert!(is_device, "{alias:?} has lost its device");
            }
        }
    }

    fn make(&mut self, slot: u32, run: &Run) {
        let taken = self
            .0
            .values()
            .any(|alias| alias.address == run.address(slot));
        assert!(!taken, "eth0:{slot}: its address is taken");
        let alias = Live {
            slot,
            address: run.address(slot),
            properties: run.properties.clone(),
            declared: true,
            whole: true,
        };
        assert!(self.0.insert(slot, alias).is_none(), "eth0:{slot} is taken");
    }

    /// As the executor does it.
    fn carry_out(&mut self, plan: &Plan) {
        for run in &plan.replace {
            self.take(run.start);
        }
        plan.remove_first.iter().for_each(|slot| self.take(*slot));
        self.no_joiner_is_left_behind();
        let mut runs: Vec<&Run> = plan.replace.iter().chain(&plan.make).collect();
        runs.sort_by_key(|run| joined_slot(&run.properties.target).is_some());
        for run in runs {
            for slot in run.start..run.end() {
                self.make(slot, run);
                self.no_joiner_is_left_behind();
            }
        }
        plan.remove.iter().for_each(|slot| self.take(*slot));
        self.no_joiner_is_left_behind();
        for slot in &plan.adopt {
            self.0.get_mut(slot).expect("it is there").declared = true;
        }
    }
}

/// Up to eight aliases in slots and with addresses that often collide.
fn random(dice: &mut Dice, declared: impl Fn(&mut Dice) -> bool) -> Vec<Live> {
    let mut machine = Machine::default();
    for _ in 0..dice.below(9) {
        let (slot, n) = (dice.below(8), dice.below(8));
        let taken = machine.0.values().any(|alias| alias.address == address(n));
        let target = match dice.below(6) {
            0 | 1 => "device".to_owned(),
            2 => "web".to_owned(),
            3 => "drop".to_owned(),
            _ => {
                let owner = dice.below(8);
                let there = machine.0.get(&owner).map(|alias| &alias.properties.target);
                if !matches!(there, Some(Target::Device { .. })) {
                    continue;
                }
                format!("eth0:{owner}")
            }
        };
        if !taken && !machine.0.contains_key(&slot) {
            let alias = Live {
                declared: declared(dice),
                whole: dice.below(8) != 0,
                ..ours(slot, n, &target)
            };
            machine.0.insert(slot, alias);
        }
    }
    machine.0.into_values().collect()
}

fn together(ours: &[Live], by_hand: &[&Live]) -> Vec<Live> {
    let mut all: Vec<Live> = ours.to_vec();
    all.extend(by_hand.iter().map(|alias| (*alias).clone()));
    all.sort_by_key(|alias| alias.slot);
    all
}

#[test]
fn plans_can_be_carried_out_and_lead_to_what_is_declared() {
    let mut dice = Dice(0x5eed);
    let (mut planned, mut refused) = (0, 0);
    for _ in 0..30_000 {
        let mostly_ours = dice.below(2) == 0;
        let live = random(&mut dice, |dice| mostly_ours || dice.below(4) != 0);
        let runs: Vec<Run> = random(&mut dice, |_| true)
            .into_iter()
            .map(|alias| Run {
                start: alias.slot,
                first: alias.address,
                count: 1,
                properties: alias.properties,
                line: 1,
            })
            .collect();
        let Ok(plan) = plan_of(runs.clone(), &live) else {
            refused += 1;
            assert!(
                live.iter().any(|alias| !alias.declared),
                "{live:?} {runs:?}"
            );
            continue;
        };
        planned += 1;
        let mut machine = Machine(
            live.iter()
                .map(|alias| (alias.slot, alias.clone()))
                .collect(),
        );
        machine.carry_out(&plan);
        let by_hand: Vec<&Live> = live
            .iter()
            .filter(|alias| plan.strays.contains(&alias.slot))
            .collect();
        for alias in &by_hand {
            assert_eq!(machine.0.remove(&alias.slot).as_ref(), Some(*alias));
        }
        let now: Vec<Live> = machine.0.values().cloned().collect();
        let wanted = runs
            .iter()
            .map(|run| (run.start, run.first, &run.properties));
        assert!(
            now.iter()
                .map(|a| (a.slot, a.address, &a.properties))
                .eq(wanted)
        );
        assert!(now.iter().all(|alias| alias.declared && alias.whole));
        let mut again = plan_of(runs, &together(&now, &by_hand)).expect("the same again");
        again.strays.clear();
        assert_eq!(again, Plan::default());
    }
    assert!(planned > 15_000 && refused > 1_500, "{planned} {refused}");
}
