//! Whether the rules see what is planted, and nothing else.

use crate::rules::{COMMAND, Rules, complaints};
use crate::source::Crate;

/// Files, each with its text.
type Files = &'static [(&'static str, &'static str)];

/// What is said of files.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let rules = Rules {
        layers: COMMAND.layers,
        known_circles: &[&["cli/old.rs", "cli/older.rs"]],
    };
    let texts = files
        .iter()
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
        .collect();
    complaints(&Crate::of("planted", texts), &rules)
}

#[test]
fn what_is_against_the_rules_is_found() {
    let cases: &[(&str, Files, &str)] = &[
        (
            "an import that goes up",
            &[
                ("wiring/port.rs", "\nuse crate::lifecycle::retire;\n"),
                ("lifecycle/retire.rs", ""),
            ],
            "planted/src/wiring/port.rs:2: imports crate::lifecycle::retire: wiring may import only",
        ),
        (
            "one in a tree, on its line",
            &[
                (
                    "model/wish.rs",
                    "use crate::{\n    error::Refusal,\n    netlink::{Link},\n};",
                ),
                ("error.rs", ""),
                ("netlink/mod.rs", ""),
            ],
            "planted/src/model/wish.rs:3: imports crate::netlink::Link",
        ),
        (
            "a path without use",
            &[
                ("store/file.rs", "fn f() { crate::wiring::host::open() }"),
                ("wiring/host.rs", ""),
            ],
            "imports crate::wiring::host::open",
        ),
        (
            "super, as often as it takes",
            &[
                (
                    "render/text/row.rs",
                    "use super::super::super::store::file;",
                ),
                ("store/file.rs", ""),
            ],
            "imports crate::store::file: render may import only",
        ),
        (
            "neither of two layers beside each other",
            &[
                ("dataplane/hook.rs", "use crate::netlink::Link;"),
                ("netlink/mod.rs", "pub use link::Link;"),
                ("netlink/link.rs", ""),
            ],
            "imports crate::netlink::Link: dataplane may import only",
        ),
        (
            "a verb that calls another",
            &[("verbs/list.rs", "use super::add;"), ("verbs/add.rs", "")],
            "verbs do not import each other, and list is not add",
        ),
        (
            "one that calls what calls all",
            &[
                ("verbs/add.rs", "use super::run::run;"),
                ("verbs/run.rs", ""),
            ],
            "verbs do not import each other, and add is not run",
        ),
        (
            "a layer without a row",
            &[("helpers.rs", "")],
            "planted/src/helpers.rs: helpers is in no layer",
        ),
        (
            "the crate's root",
            &[
                ("lib.rs", "pub use model::AliasRequest;"),
                ("model/mod.rs", ""),
                ("store/file.rs", "use crate::VERSION;"),
            ],
            "imports crate::VERSION, of the crate's root",
        ),
        (
            "a circle of two",
            &[
                ("wiring/veth.rs", "use super::port;"),
                ("wiring/port.rs", "use super::veth::is_ours;"),
            ],
            "planted/src/wiring/veth.rs:1: imports crate::wiring::port of wiring/port.rs",
        ),
        (
            "a circle of three, through a name that is shown",
            &[
                ("model/a.rs", "use super::B;"),
                ("model/mod.rs", "mod b;\npub use b::B;"),
                ("model/b.rs", "use super::c::C;"),
                ("model/c.rs", "use super::a::A;"),
            ],
            "planted/src/model/a.rs:1: imports crate::model::B of model/b.rs",
        ),
        (
            "a module and one below it",
            &[
                ("verbs/show/mod.rs", "fn f() { names::look_up() }"),
                ("verbs/show/names.rs", "use super::Section;"),
            ],
            "planted/src/verbs/show/mod.rs:1: imports crate::verbs::show::names::look_up",
        ),
    ];
    for (what, files, expected) in cases {
        let said = found(files);
        assert!(
            said.len() == 1 && said[0].contains(expected),
            "{what}: {said:#?}"
        );
    }
}

#[test]
fn what_keeps_to_the_rules_is_not() {
    let cases: &[(&str, Files)] = &[
        (
            "arrows down",
            &[
                ("main.rs", "use alias_ctl::cli; use alias_ctl::verbs;"),
                ("cli/mod.rs", "use crate::model::request::Request;"),
                ("verbs/mod.rs", "pub mod run;"),
                ("verbs/run.rs", "use super::add; fn f() { add::add() }"),
                ("verbs/add.rs", "use crate::lifecycle::add;"),
                ("lifecycle/add.rs", "use crate::wiring::host::Host;"),
                (
                    "wiring/host.rs",
                    "use crate::netlink::Link; use crate::model::name;",
                ),
                ("netlink/mod.rs", ""),
                ("model/request.rs", ""),
                (
                    "model/name.rs",
                    "use std::fmt; use alias_common::key::Vlan;",
                ),
            ],
        ),
        (
            "comments, text and tests",
            &[
                (
                    "model/name.rs",
                    "//! As [`crate::wiring::host`] does.\n\
                     /* use crate::wiring::host; */\n\
                     const A: &str = \"use crate::wiring::host; \\\" crate::wiring::host\";\n\
                     const B: &str = r#\"crate::wiring::host \" \"#;\n\
                     const C: char = '\"';\n\
                     fn f<'a>(x: &'a str) {}\n\
                     #[cfg(test)]\nmod tests {\n    use crate::wiring::host;\n    fn f() {}\n}\n",
                ),
                ("model/tests.rs", "use crate::wiring::host;"),
                ("wiring/host.rs", ""),
            ],
        ),
        (
            "parts of one verb",
            &[
                ("verbs/show/mod.rs", "mod names; use names::Names;"),
                ("verbs/show/names.rs", "use super::section::Section;"),
                ("verbs/show/section.rs", ""),
            ],
        ),
        (
            "a folder that shows what its files have",
            &[
                (
                    "netlink/mod.rs",
                    "pub mod link;\npub use link::Link;\npub(crate) use link::Kind;",
                ),
                ("netlink/link.rs", "use super::dump;"),
                ("netlink/dump.rs", "use super::error::Result;"),
                ("netlink/error.rs", ""),
            ],
        ),
    ];
    for (what, files) in cases {
        assert_eq!(found(files), Vec::<String>::new(), "{what}");
    }
}

/// A circle that is known does not hide a larger one.
#[test]
fn nobody_joins_a_known_circle() {
    let known = [
        ("cli/old.rs", "use super::older::Older;"),
        ("cli/older.rs", "use super::old::Old;"),
    ];
    assert_eq!(found(&known), Vec::<String>::new());
    let joined = [
        ("cli/old.rs", "use super::older::Older;"),
        ("cli/older.rs", "use super::lower;"),
        ("cli/lower.rs", "use super::old::Old;"),
    ];
    assert_eq!(found(&joined).len(), 1);
}
