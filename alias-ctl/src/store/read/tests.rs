//! Tables of files: what they mean, what is refused and where.

use alias_common::alias_type::AddressFormat;
use alias_common::hearer::Hear;
use alias_common::key::Vlan;
use alias_common::tcp_options::TcpOptions;

use super::*;
use crate::model::declaration::Properties;
use crate::model::declaration::fold;
use crate::model::lifecycle::OnDown;
use crate::model::tcp_options;
use crate::model::typed::is_named;

/// MPLS labels, as the example registers them.
const MPLS: TypeRow = TypeRow {
    family: 28,
    ethertype: 0x8847,
    address_len: 3,
    format: AddressFormat::Decimal as u8,
    address_bits: 20,
    reserved: 0,
    name: *b"mpls\0\0\0\0\0\0\0\0\0\0\0\0",
};

fn read(text: &str, object: &str) -> Result<Declaration> {
    let [ip, ipv6] = TypeRow::BUILT_IN;
    super::read(text, object, &mut |word| {
        let mut known = [ip, ipv6, MPLS].into_iter();
        let found = known.find(|row| is_named(row, word));
        found.ok_or_else(|| Refusal::new(word, "read", "unknown", libc::EAFNOSUPPORT))
    })
}

fn write(declaration: &Declaration) -> String {
    crate::store::write::write(declaration, &[MPLS])
}

/// A file with a head, so that its own lines begin with 2.
fn with_head(text: &str) -> String {
    format!("version = 1\n{text}")
}

#[track_caller]
fn check(text: &str, expected: &Declaration) {
    let found = read(&with_head(text), "f").unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(&found, expected, "{text}");
}

/// Refused, with all of these words in the message.
#[track_caller]
fn check_refused(text: &str, errno: i32, words: &[&str]) {
    let refusal = read(text, "f").expect_err(text);
    let message = refusal.to_string();
    assert_eq!(refusal.errno, errno, "{text}\n{message}");
    for word in words {
        assert!(message.contains(word), "{text}\n{message}\nlacks {word:?}");
    }
}

fn drop_alias() -> Declaration {
    Declaration {
        parents: vec![Parent {
            name: "eth0".into(),
            attachment: Attachment::default(),
            runs: vec![Run {
                start: 3,
                first: address::parse("192.0.2.10").unwrap().address.into(),
                count: 1,
                properties: Properties {
                    prefix_len: 24,
                    vlan: Vlan::NONE,
                    target: Target::Drop,
                    enabled: true,
                    announce: true,
                    hear: Hear::NOTHING,
                    deprecated: None,
                    tcp: TcpOptions::default(),
                },
                line: 2,
            }],
        }],
    }
}

#[test]
fn one_alias_in_many_spellings() {
    let expected = drop_alias();
    for text in [
        "[[alias]]\nname = \"eth0:3\"\naddress = \"192.0.2.10/24\"\ntarget = \"drop\"",
        "[[alias]] # mine\r\n\r\nname = 'eth0:003'\r\ntarget='drop'\r\naddress=\"192.0.2.10/24\"\r\n",
        "[[ 'alias' ]]\nname = \"\"\"\neth0:3\"\"\"\naddress = \"192.0.2.10\\u002F24\"\ntarget = \"drop\"",
        "alias = [{name = \"eth0:3\", address = \"192.0.2.10/24\", target = \"drop\"}]",
        "alias = [{name = \"eth0:3\", address = \"192.0.2.10/24\", target = \"drop\", family = \"ip\"},\n]",
        "[[alias]]\nname = \"eth0:3\"\naddress = \"192.0.2.10/24\"\ntarget = \"drop\"\nenabled = true\nannounce = true\nfamily = \"ip\"",
    ] {
        check(text, &expected);
    }
}

#[test]
fn every_key_is_read_and_written() {
    let text = r#"
        [[parent]]
        name = "eth0"
        mode = "best-effort"
        capacity = 1_000
        max_aliases = 0x100
        on_parent_down = "keep"
        log = "warn"
        tc = "clsact"
        [[alias]]
        name = "eth0:0"
        address = "2001:db8::10/64"
        family = "ipv6"
        netns = "web"
        vlan = "100.200"
        tcp_nodelay = 1
        rfc1323 = 1
        tcp_mssdflt = 1_000
        [[alias]]
        name = "eth0:1"
        address = "2001:db8::11/64"
        join = "eth0:0"
        vlan = "100.200"
        enabled = false
        [[range]]
        parent = "eth0"
        start = 10
        addresses = "198.18.0.0/28"
        prefix_len = 15
        to = "tap0"
        mac = "02:00:00:00:00:01"
        announce = false
        [[alias]]
        name = "eth1:0"
        address = "192.0.2.1"
        target = "local"
        [[alias]]
        name = "eth1:1"
        address = "192.0.2.2"
        vlan = 7
    "#;
    let found = read(&with_head(text), "f").unwrap();
    let [eth0, eth1] = &found.parents[..] else {
        panic!("two devices: {found:?}");
    };
    assert_eq!(
        eth0.attachment,
        Attachment {
            mode: Some(Mode::BestEffort),
            capacity: Some(1000),
            max_aliases: Some(256),
            log: Some(2),
            tc: Some(Hook::Clsact),
            on_parent_down: Some(OnDown::Keep),
        }
    );
    let of = |parent: &Parent| {
        let all = parent.runs.iter().map(|run| {
            let is = run.properties.clone();
            let vlan = (is.vlan.outer(), is.vlan.inner());
            (
                run.start,
                run.count,
                is.prefix_len,
                vlan,
                is.target,
                is.enabled,
                is.announce,
            )
        });
        all.collect::<Vec<_>>()
    };
    let netns = Some("web".to_owned());
    let alias = "eth0:0".to_owned();
    let to = Target::To {
        device: "tap0".into(),
        mac: Some([2, 0, 0, 0, 0, 1]),
    };
    assert_eq!(
        of(eth0),
        [
            (0, 1, 64, (100, 200), Target::Device { netns }, true, true),
            (1, 1, 64, (100, 200), Target::Join { alias }, false, true),
            (10, 16, 15, (0, 0), to, true, false),
        ]
    );
    assert_eq!(
        of(eth1),
        [
            (0, 1, 32, (0, 0), Target::Local, true, true),
            (1, 1, 32, (7, 0), Target::Device { netns: None }, true, true),
        ]
    );
    let tcp: Vec<_> = tcp_options::listed(&eth0.runs[0].properties.tcp).collect();
    let expected = [("rfc1323", 1), ("tcp_nodelay", 1), ("tcp_mssdflt", 1000)];
    assert_eq!(tcp, expected);
    // What is written says the same, but for the lines it stands on.
    let mut again = read(&write(&found), "f").unwrap();
    for (again, found) in again.parents.iter_mut().zip(&found.parents) {
        for (again, found) in again.runs.iter_mut().zip(&found.runs) {
            again.line = found.line;
        }
    }
    assert_eq!(again, found);
}

#[test]
fn every_refusal_says_where() {
    const EINVAL: i32 = libc::EINVAL;
    const EEXIST: i32 = libc::EEXIST;
    check_refused(
        "",
        EINVAL,
        &["line 1, column 1", "key version", "version = 1"],
    );
    check_refused("[[alias]]\nname = \"eth0:0\"", EINVAL, &["key version"]);
    check_refused(
        "version = 2",
        EINVAL,
        &["line 1, column 11", "version 2 is unknown"],
    );
    check_refused("version = \"1\"", EINVAL, &["a string where an integer"]);
    check_refused(
        "version = 1\nversion = 1",
        EEXIST,
        &["line 2, column 1", "line 1 has this key"],
    );
    check_refused(
        "version = 1\nversoin = 1",
        EINVAL,
        &["line 2", "key versoin", "unknown key"],
    );
    for (text, errno, words) in [
        // Not TOML.
        ("[[alias]", EINVAL, &["line 2"][..]),
        ("alias", EINVAL, &["line 2"]),
        ("[[alias]]\nname = ", EINVAL, &["line 3"]),
        ("[[alias]]\nname = \"eth0:0", EINVAL, &["line 3"]),
        ("[[alias]]\nname = \"\\q\"", EINVAL, &["line 3"]),
        ("[[alias]]\nname = eth0", EINVAL, &["line 3, column 8"]),
        ("[[alias]]\nname = \"a\0b\"", EINVAL, &["line 3"]),
        ("# \0", EINVAL, &["line 2"]),
        ("\0", EINVAL, &["line 2"]),
        ("[[alias]] name = \"eth0:0\"", EINVAL, &["line 2"]),
        // Not ours.
        (
            "[[aliases]]",
            EINVAL,
            &["line 2, column 3", "key aliases", "unknown table"],
        ),
        (
            "[alias]\nname = \"eth0:0\"",
            EINVAL,
            &["line 2, column 2", "[[alias]]"],
        ),
        ("[alias.x]", EINVAL, &["unknown table"]),
        (
            "alias = 1",
            EINVAL,
            &["line 2, column 9", "key alias", "not a list"],
        ),
        ("alias = [1]", EINVAL, &["line 2, column 10", "key alias"]),
        ("alias = {}", EINVAL, &["key alias"]),
        (
            "[[alias]]\nnmae = \"eth0:0\"",
            EINVAL,
            &["line 3, column 1", "key alias.nmae", "known keys: name"],
        ),
        (
            "[[alias]]\n\"name.x\" = 1",
            EINVAL,
            &["line 3", "unknown key"],
        ),
        (
            "[[alias]]\nname.x = 1",
            EINVAL,
            &["key alias.name.x", "unknown key"],
        ),
        (
            "[[alias]]\n[alias.extra]\na = 1",
            EINVAL,
            &["line 4, column 1", "key alias.extra.a"],
        ),
        ("[[alias]]\nextra = {a = 1}", EINVAL, &["key alias.extra.a"]),
        (
            "[[alias]]\nname = [\"eth0:0\"]",
            EINVAL,
            &["line 3, column 8", "key alias.name", "a list"],
        ),
        // Wrong types and values.
        (
            "[[alias]]\nname = 5",
            EINVAL,
            &[
                "line 3, column 8",
                "key alias.name",
                "an integer where a string",
            ],
        ),
        ("[[alias]]\nname = 5.5", EINVAL, &["a float"]),
        ("[[alias]]\nname = 1979-05-27", EINVAL, &["a date"]),
        (
            "[[alias]]\nenabled = 1",
            EINVAL,
            &["key alias.enabled", "true or false"],
        ),
        (
            "[[alias]]\nvlan = 99999999999999999999",
            EINVAL,
            &["key alias.vlan", "64 bits"],
        ),
        (
            "[[alias]]\nvlan = 4095",
            EINVAL,
            &["key alias.vlan", "1 to 4094"],
        ),
        ("[[alias]]\nvlan = true", EINVAL, &["key alias.vlan"]),
        ("[[alias]]\nname = \"eth0\"", EINVAL, &["key alias.name"]),
        (
            "[[alias]]\nname = \"eth0:x\"",
            libc::ENODEV,
            &["key alias.name"],
        ),
        (
            "[[alias]]\nname = \"eth0:99999999\"",
            EINVAL,
            &["key alias.name"],
        ),
        ("[[alias]]\nname = \"a/b:0\"", EINVAL, &["key alias.name"]),
        (
            "[[alias]]\nname = \"eth0:0\"",
            EINVAL,
            &["line 2", "key alias.address", "missing"],
        ),
        (
            "[[alias]]\naddress = \"192.0.2.1\"",
            EINVAL,
            &["line 2", "key alias.name", "missing"],
        ),
        (
            "[[alias]]\naddress = \"192.0.2.300\"",
            EINVAL,
            &["line 3, column 11", "key alias.address", "192.0.2.300"],
        ),
        (
            "[[alias]]\naddress = \"224.0.0.1\"",
            EINVAL,
            &["a multicast address"],
        ),
        (
            "[[alias]]\nname = \"eth0:0\"\naddress = \"192.0.2.1\"\nfamily = \"ipv6\"",
            EINVAL,
            &["line 5", "key alias.family"],
        ),
        (
            "[[alias]]\ntarget = \"away\"",
            EINVAL,
            &["key alias.target", "device, join, to, local, drop"],
        ),
        (
            "[[alias]]\nmac = \"01:00:00:00:00:01\"",
            EINVAL,
            &["key alias.mac"],
        ),
        (
            "[[alias]]\nnetns = \"/proc/1/ns/net\"",
            EINVAL,
            &["key alias.netns", "/run/netns"],
        ),
        ("[[alias]]\njoin = \"eth0\"", EINVAL, &["key alias.join"]),
        ("[[alias]]\nto = \"\"", EINVAL, &["key alias.to"]),
        (
            "[[alias]]\ntcp_mssdflt = 5",
            EINVAL,
            &["line 3, column 15", "key alias.tcp_mssdflt", "88 to 32767"],
        ),
        (
            "[[alias]]\ntcp_nodelay = true",
            EINVAL,
            &["key alias.tcp_nodelay", "an integer"],
        ),
        (
            "[[range]]\naddresses = \"198.18.0.0\"",
            EINVAL,
            &["key range.addresses"],
        ),
        (
            "[[range]]\naddresses = \"198.18.0.0/24\"",
            EINVAL,
            &["key range.parent", "missing"],
        ),
        (
            "[[range]]\nparent = \"eth0\"",
            EINVAL,
            &["key range.addresses", "missing"],
        ),
        (
            "[[range]]\nstart = -1",
            EINVAL,
            &["key range.start", "-1 is not between"],
        ),
        (
            "[[range]]\nparent = \"eth0\"\naddresses = \"198.18.0.0/24\"\nprefix_len = 33",
            EINVAL,
            &["key range.prefix_len"],
        ),
        (
            "[[parent]]\nmode = \"native\"",
            EINVAL,
            &["key parent.name", "missing"],
        ),
        (
            "[[parent]]\nmode = \"fast\"",
            EINVAL,
            &["key parent.mode", "native, generic, tc, best-effort"],
        ),
        ("[[parent]]\ncapacity = 0", EINVAL, &["key parent.capacity"]),
        (
            "[[parent]]\nname = \"eth0:0\"",
            EINVAL,
            &["key parent.name"],
        ),
        // Twice.
        (
            "[[parent]]\nname = \"eth0\"\n[[parent]]\nname = \"eth0\"",
            EEXIST,
            &["line 4", "line 2"],
        ),
        (
            "[[alias]]\nname = \"eth0:0\"\nname = \"eth0:1\"",
            EEXIST,
            &["line 4", "key alias.name", "line 3"],
        ),
        (
            "[[alias]]\na = {b = 1}\na.b = 2",
            EEXIST,
            &["key alias.a.b"],
        ),
    ] {
        check_refused(&with_head(text), errno, words);
    }
}

#[test]
fn targets_and_their_keys_go_together() {
    for (keys, word) in [
        ("target = \"drop\"\nnetns = \"web\"", "key alias.netns"),
        ("target = \"device\"\njoin = \"eth0:1\"", "key alias.join"),
        ("join = \"eth0:1\"\nto = \"tap0\"", "key alias.to"),
        ("mac = \"02:00:00:00:00:01\"", "key alias.mac"),
        ("target = \"join\"", "key alias.join"),
        ("target = \"to\"", "key alias.to"),
        ("target = \"local\"\nvlan = 7", "key alias.vlan"),
        ("join = \"eth1:1\"", "key alias.join"),
        ("join = \"eth0:0\"", "an alias cannot join itself"),
    ] {
        let text = format!("[[alias]]\nname = \"eth0:0\"\naddress = \"192.0.2.1\"\n{keys}");
        check_refused(&with_head(&text), libc::EINVAL, &[word, "line "]);
    }
}

#[test]
fn registered_families_are_read_and_written() {
    let alias = |keys: &str| with_head(&format!("[[alias]]\nname = \"eth0:0\"\n{keys}\n"));
    let found = read(
        &alias("address = \"100\"\nfamily = \"mpls\"\ntarget = \"drop\""),
        "f",
    );
    let found = found.unwrap();
    let run = &found.parents[0].runs[0];
    assert_eq!(
        (run.first.to_string(), run.properties.prefix_len),
        ("100".into(), 20)
    );
    let text = write(&found);
    assert!(
        text.contains("family = \"mpls\"\naddress = \"100\"\n"),
        "{text}"
    );
    let again = read(&text, "f").unwrap();
    assert_eq!(again.parents[0].runs[0].first, run.first);
    for (keys, errno, word) in [
        (
            "address = \"1048576\"\nfamily = \"mpls\"",
            libc::EINVAL,
            "line 4, column 11, key alias.address",
        ),
        (
            "address = \"192.0.2.1\"\nfamily = \"28\"",
            libc::EINVAL,
            "key alias.address",
        ),
        ("address = \"100\"", libc::EINVAL, "key alias.address"),
        (
            "address = \"100\"\nfamily = \"ax25\"",
            libc::EAFNOSUPPORT,
            "line 5, column 10, key alias.family",
        ),
    ] {
        check_refused(&alias(keys), errno, &[word]);
    }
}

#[test]
fn what_is_declared_twice_names_both_lines() {
    let alias = |name: &str, address: &str| {
        format!("[[alias]]\nname = \"{name}\"\naddress = \"{address}\"\ntarget = \"drop\"\n")
    };
    let text = alias("eth0:0", "192.0.2.1") + &alias("eth0:00", "192.0.2.2");
    check_refused(
        &with_head(&text),
        libc::EEXIST,
        &["eth0:0", "line 2", "line 6"],
    );
    let text = alias("eth0:0", "192.0.2.1") + &alias("eth0:1", "192.0.2.1/24");
    check_refused(
        &with_head(&text),
        libc::EEXIST,
        &["192.0.2.1", "line 2", "line 6"],
    );
    // Devices have addresses of their own.
    let text = alias("eth0:0", "192.0.2.1") + &alias("eth1:0", "192.0.2.1");
    assert!(read(&with_head(&text), "f").is_ok());
}

#[test]
fn hostile_files_are_refused_in_little_time_and_space() {
    let deep = "[".repeat(1 << 20);
    check_refused(
        &with_head(&format!("a = {deep}")),
        libc::EINVAL,
        &["line 2"],
    );
    let deep = "{a=".repeat(1 << 18);
    check_refused(
        &with_head(&format!("a = {deep}")),
        libc::EINVAL,
        &["line 2"],
    );
    let deep = format!("[[alias]]\nname = {}1{}", "[".repeat(100), "]".repeat(100));
    check_refused(&with_head(&deep), libc::EINVAL, &["line 3"]);
    let long = format!("[[{}]]", "a.".repeat(1 << 20));
    check_refused(&with_head(&long), libc::EINVAL, &["line 2"]);
    let dotted = format!("{}a", "a.".repeat(1 << 18));
    for text in [
        format!("{dotted} = 1"),
        format!("[[{dotted}]]"),
        format!("[{dotted}]"),
    ] {
        check_refused(&with_head(&text), libc::EINVAL, &["line 2", "parts"]);
    }
    let many: String = (0..100).map(|n| format!("a{n} = 1\n")).collect();
    check_refused(
        &with_head(&format!("[[alias]]\n{many}")),
        libc::EINVAL,
        &["too many keys"],
    );
    let list = format!("a = [{}]", "1,".repeat(1 << 20));
    check_refused(&with_head(&list), libc::EINVAL, &["line 2"]);
    check_refused(
        &with_head(&"[[alias]]\n".repeat(1 << 20)),
        libc::EINVAL,
        &["alias.name"],
    );
}

#[test]
fn what_folds_is_read_as_it_was() {
    let properties = &drop_alias().parents[0].runs[0].properties;
    let aliases = |end: u32| {
        (0..end).map(|n| {
            let ip = std::net::Ipv4Addr::from_bits(0xc612_0000 + n);
            (n, std::net::IpAddr::from(ip).into(), properties.clone())
        })
    };
    for (count, tables) in [(1, 1), (3, 3), (4, 1), (100_000, 1)] {
        let mut declaration = drop_alias();
        declaration.parents[0].runs = fold(aliases(count));
        let text = write(&declaration);
        assert_eq!(text.matches("[[").count(), tables + 1, "{count}");
        let found = read(&text, "f").unwrap();
        let spread = found.parents[0].runs.iter().flat_map(|run| {
            (run.start..run.end()).map(|slot| (slot, run.address(slot), run.properties.clone()))
        });
        assert!(spread.eq(aliases(count)), "{count}");
    }
}

#[test]
fn names_are_quoted() {
    let mut declaration = drop_alias();
    "a\"b\\c\u{7f}é".clone_into(&mut declaration.parents[0].name);
    declaration.parents[0].runs.clear();
    let found = read(&write(&declaration), "f");
    // A control character is no name; the text is TOML all the same.
    assert!(found.unwrap_err().reason.contains("no device's name"));
    "a\"b\\cé".clone_into(&mut declaration.parents[0].name);
    let found = read(&write(&declaration), "f").unwrap();
    assert_eq!(found.parents[0].name, declaration.parents[0].name);
}

/// What the manual shows can be read, and says what it shows.
#[test]
fn the_readmes_example_is_read() {
    let readme = include_str!("../../../../README.md");
    let (_, rest) = readme.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let found = read(example, "README.md").unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(found.parents.len(), 1);
    assert_eq!(found.parents[0].count(), 3 + 16_256);
}
