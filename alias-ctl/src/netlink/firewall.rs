//! Which devices the rules of nftables name, those of iptables-nft too: read from the
//! kernel, because this program runs no other. Rules are not understood beyond that.
//! Those of the old iptables (x_tables) have no such interface.

mod matches;

use super::attribute::{attributes, text, u32_at};
use super::error::Result;
use super::nftables::{Dumps, GENERAL, encoded};
use matches::{Element, Key, Match, Values};

pub use matches::{Chain, Named};

/// NFNL_SUBSYS_NFTABLES of linux/netfilter/nfnetlink.h, in the high byte of a message's type.
const NFTABLES: u16 = 10 << 8;
// Messages of linux/netfilter/nf_tables.h.
const GET_CHAIN: u16 = NFTABLES | 4;
const GET_RULE: u16 = NFTABLES | 7;
const GET_SET_ELEMENTS: u16 = NFTABLES | 13;
/// NFPROTO_UNSPEC: tables of all families.
const ALL_FAMILIES: u8 = 0;

// Attributes of linux/netfilter/nf_tables.h.
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const HOOK_DEVICE: u16 = 3;
const HOOK_DEVICES: u16 = 4;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const META_REGISTER: u16 = 1;
const META_KEY: u16 = 2;
const COMPARE_REGISTER: u16 = 1;
const COMPARE_DATA: u16 = 3;
const LOOKUP_SET: u16 = 1;
const LOOKUP_REGISTER: u16 = 2;
const DATA_VALUE: u16 = 1;
const ELEMENTS_TABLE: u16 = 1;
const ELEMENTS_SET: u16 = 2;
const ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_FLAGS: u16 = 3;
const ELEMENT_KEY_END: u16 = 10;
/// NFT_SET_ELEM_INTERVAL_END: the first key that is not in an interval any more.
const INTERVAL_END: u32 = 1;

/// All chains whose rules or hooks name devices, of the calling thread's namespace. None
/// where the kernel has no nftables.
///
/// Errors: EPERM without CAP_NET_ADMIN, those of the socket.
pub fn chains() -> Result<Vec<Chain>> {
    match read() {
        // Without nfnetlink; without nf_tables in it.
        Err(error)
            if matches!(
                error.errno(),
                libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EINVAL
            ) =>
        {
            Ok(Vec::new())
        }
        chains => chains,
    }
}

fn read() -> Result<Vec<Chain>> {
    let mut socket = Dumps::open()?;
    let mut chains: Vec<Chain> = Vec::new();
    let mut add = |name: String, matches: Vec<Match>| {
        if matches.is_empty() {
            return;
        }
        match chains.iter_mut().find(|chain| chain.name == name) {
            Some(chain) => chain.matches.extend(matches),
            None => chains.push(Chain { name, matches }),
        }
    };
    for message in socket.dump(GET_CHAIN, ALL_FAMILIES, &[])? {
        let Some((name, devices)) = hooked(&message) else {
            continue;
        };
        let named = |device: String| Match {
            key: Key::Name,
            // With its NUL: the whole name.
            values: Values::Prefix([device.as_bytes(), &[0]].concat()),
        };
        add(name, devices.into_iter().map(named).collect());
    }
    for message in socket.dump(GET_RULE, ALL_FAMILIES, &[])? {
        let Some(rule) = Rule::parse(&message) else {
            continue;
        };
        let mut matches = Vec::new();
        for (key, with) in rule.compared {
            let values = match with {
                With::Value(value) => Values::Prefix(value),
                With::Set(set) => {
                    Values::Set(elements_of(&mut socket, rule.family, &rule.table, &set)?)
                }
            };
            matches.push(Match { key, values });
        }
        add(
            format!("{} {} {}", family(rule.family), rule.table, rule.chain),
            matches,
        );
    }
    Ok(chains)
}

/// As `nft` prints NFPROTO_*.
const fn family(number: u8) -> &'static str {
    match number {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "?",
    }
}

/// The big-endian u32 of an attribute.
fn number(value: &[u8]) -> Option<u32> {
    u32_at(value, 0).map(u32::from_be)
}

/// The attribute of this type.
fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, value)| (kind == wanted).then_some(value))
}

/// A chain that hangs on devices, and which.
fn hooked(message: &[u8]) -> Option<(String, Vec<String>)> {
    let body = message.get(GENERAL..)?;
    let hook = attribute(body, CHAIN_HOOK)?;
    let mut devices: Vec<String> = attribute(hook, HOOK_DEVICE).map(text).into_iter().collect();
    let more = attribute(hook, HOOK_DEVICES).unwrap_or_default();
    devices.extend(attributes(more).map(|(_, name)| text(name)));
    devices.dedup();
    let name = format!(
        "{} {} {}",
        family(*message.first()?),
        text(attribute(body, CHAIN_TABLE)?),
        text(attribute(body, CHAIN_NAME)?)
    );
    Some((name, devices))
}

/// A rule, as far as it is looked at.
#[derive(Debug, Eq, PartialEq)]
struct Rule {
    family: u8,
    table: String,
    chain: String,
    compared: Vec<(Key, With)>,
}

#[derive(Debug, Eq, PartialEq)]
enum With {
    Value(Vec<u8>),
    /// By the set's name.
    Set(String),
}

impl Rule {
    fn parse(message: &[u8]) -> Option<Rule> {
        let body = message.get(GENERAL..)?;
        let mut rule = Rule {
            family: *message.first()?,
            table: text(attribute(body, RULE_TABLE)?),
            chain: text(attribute(body, RULE_CHAIN)?),
            compared: Vec::new(),
        };
        // What was loaded into which register.
        let mut loaded: Vec<(u32, Key)> = Vec::new();
        let expressions = attribute(body, RULE_EXPRESSIONS).unwrap_or_default();
        for (_, expression) in attributes(expressions) {
            let name = text(attribute(expression, EXPRESSION_NAME)?);
            let data = attribute(expression, EXPRESSION_DATA).unwrap_or_default();
            let register = |kind: u16| attribute(data, kind).and_then(number);
            let key = |register: Option<u32>| {
                let found = loaded.iter().rev().find(|(at, _)| Some(*at) == register);
                found.map(|(_, key)| *key)
            };
            match name.as_str() {
                "meta" => {
                    let Some(register) = register(META_REGISTER) else {
                        continue;
                    };
                    loaded.retain(|(at, _)| *at != register);
                    // NFT_META_IIF, OIF; IIFNAME, OIFNAME; IIFGROUP, OIFGROUP.
                    let key = match attribute(data, META_KEY).and_then(number) {
                        Some(4 | 5) => Key::Index,
                        Some(6 | 7) => Key::Name,
                        Some(21 | 22) => Key::Group,
                        _ => continue,
                    };
                    loaded.push((register, key));
                }
                "cmp" => {
                    let value =
                        attribute(data, COMPARE_DATA).and_then(|data| attribute(data, DATA_VALUE));
                    if let (Some(key), Some(value)) = (key(register(COMPARE_REGISTER)), value) {
                        rule.compared.push((key, With::Value(value.to_vec())));
                    }
                }
                "lookup" => {
                    let set = attribute(data, LOOKUP_SET).map(text);
                    if let (Some(key), Some(set)) = (key(register(LOOKUP_REGISTER)), set) {
                        rule.compared.push((key, With::Set(set)));
                    }
                }
                // What else writes a register (payload, ct) writes META_REGISTER's number
                // in an attribute of its own; a comparison of that is never of a device.
                "payload" | "ct" | "exthdr" | "fib" | "rt" | "socket" | "immediate" => {
                    if let Some(register) = register(1) {
                        loaded.retain(|(at, _)| *at != register);
                    }
                }
                _ => {}
            }
        }
        Some(rule)
    }
}

/// The elements of a set, in the order of their keys.
fn elements_of(socket: &mut Dumps, family: u8, table: &str, set: &str) -> Result<Vec<Element>> {
    let query = [
        encoded(ELEMENTS_TABLE, &[table.as_bytes(), &[0]].concat()),
        encoded(ELEMENTS_SET, &[set.as_bytes(), &[0]].concat()),
    ];
    let answers = socket.dump(GET_SET_ELEMENTS, family, &query.concat());
    let answers = match answers {
        // Gone since the rule was read.
        Err(error) if error.errno() == libc::ENOENT => Vec::new(),
        answers => answers?,
    };
    let mut found: Vec<Element> = answers
        .iter()
        .flat_map(|message| elements(message))
        .collect();
    found.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

/// The elements of a set, in one message of its dump.
fn elements(message: &[u8]) -> Vec<Element> {
    let body = message.get(GENERAL..).unwrap_or_default();
    let list = attribute(body, ELEMENTS).unwrap_or_default();
    attributes(list)
        .filter_map(|(_, element)| {
            let value = |kind: u16| {
                let data = attribute(element, kind)?;
                attribute(data, DATA_VALUE).map(<[u8]>::to_vec)
            };
            let flags = attribute(element, ELEMENT_FLAGS).and_then(number);
            Some(Element {
                key: value(ELEMENT_KEY)?,
                last: value(ELEMENT_KEY_END),
                is_end: flags.unwrap_or(0) & INTERVAL_END != 0,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::matches::NAME;
    use super::*;

    const ETH0: Named<'_> = Named {
        name: "eth0",
        ifindex: 3,
        group: 0,
    };

    fn nested(kind: u16, parts: &[Vec<u8>]) -> Vec<u8> {
        encoded(kind | 0x8000, &parts.concat())
    }

    fn name(text: &str) -> Vec<u8> {
        let mut name = text.as_bytes().to_vec();
        name.resize(NAME, 0);
        name
    }

    fn meta(key: u32) -> Vec<u8> {
        let data = [
            encoded(META_REGISTER, &1_u32.to_be_bytes()),
            encoded(META_KEY, &key.to_be_bytes()),
        ];
        let parts = [
            encoded(EXPRESSION_NAME, b"meta\0"),
            nested(EXPRESSION_DATA, &data),
        ];
        nested(1, &parts)
    }

    fn compare(value: &[u8]) -> Vec<u8> {
        let data = [
            encoded(COMPARE_REGISTER, &1_u32.to_be_bytes()),
            nested(COMPARE_DATA, &[encoded(DATA_VALUE, value)]),
        ];
        let parts = [
            encoded(EXPRESSION_NAME, b"cmp\0"),
            nested(EXPRESSION_DATA, &data),
        ];
        nested(1, &parts)
    }

    fn rule(expressions: &[Vec<u8>]) -> Vec<u8> {
        let parts = [
            encoded(RULE_TABLE, b"filter\0"),
            encoded(RULE_CHAIN, b"input\0"),
            nested(RULE_EXPRESSIONS, expressions),
        ];
        [vec![1, 0, 0, 0], parts.concat()].concat()
    }

    #[test]
    fn a_rule_names_a_device_by_name_pattern_number_or_group() {
        for (what, expressions, is_named) in [
            ("iifname eth0", vec![meta(6), compare(&name("eth0"))], true),
            (
                "iifname eth01",
                vec![meta(6), compare(&name("eth01"))],
                false,
            ),
            ("iifname eth*", vec![meta(6), compare(b"eth")], true),
            ("iifname al*", vec![meta(6), compare(b"al")], false),
            ("iif 3", vec![meta(4), compare(&3_u32.to_ne_bytes())], true),
            ("iif 4", vec![meta(4), compare(&4_u32.to_ne_bytes())], false),
            ("iifgroup 0", vec![meta(21), compare(&[0; 4])], true),
            (
                "mark 3",
                vec![meta(3), compare(&3_u32.to_ne_bytes())],
                false,
            ),
            (
                "the register is another's by then",
                vec![meta(6), meta(3), compare(&name("eth0"))],
                false,
            ),
        ] {
            let rule = Rule::parse(&rule(&expressions)).unwrap();
            let chain = Chain {
                name: String::new(),
                matches: rule
                    .compared
                    .into_iter()
                    .map(|(key, with)| match with {
                        With::Value(value) => Match {
                            key,
                            values: Values::Prefix(value),
                        },
                        With::Set(set) => panic!("{set}"),
                    })
                    .collect(),
            };
            assert_eq!(chain.names(&ETH0), is_named, "{what}");
        }
    }

    #[test]
    fn a_set_holds_values_intervals_and_concatenations() {
        let element = |key: Vec<u8>, last: Option<Vec<u8>>, is_end| Element { key, last, is_end };
        let port = |device: &str| [name(device), vec![0, 22, 0, 0]].concat();
        for (what, elements, is_in) in [
            ("alone", vec![element(name("eth0"), None, false)], true),
            ("another", vec![element(name("eth1"), None, false)], false),
            (
                "eth* as an interval",
                vec![
                    element(name("eth"), None, false),
                    element(name("eti"), None, true),
                ],
                true,
            ),
            (
                "behind an interval",
                vec![
                    element(name("br"), None, false),
                    element(name("bs"), None, true),
                ],
                false,
            ),
            (
                "with a port",
                vec![element(port("eth0"), None, false)],
                true,
            ),
            (
                "with a range of ports",
                vec![element(port("eth0"), Some(port("eth0")), false)],
                true,
            ),
        ] {
            assert_eq!(Values::Set(elements).hold(&name("eth0")), is_in, "{what}");
        }
    }

    #[test]
    fn a_hook_names_its_devices() {
        let hook = nested(
            CHAIN_HOOK,
            &[
                encoded(HOOK_DEVICE, b"eth0\0"),
                nested(
                    HOOK_DEVICES,
                    &[encoded(1, b"eth0\0"), encoded(1, b"eth1\0")],
                ),
            ],
        );
        let message = [
            vec![5, 0, 0, 0],
            encoded(CHAIN_TABLE, b"t\0"),
            encoded(CHAIN_NAME, b"in\0"),
            hook,
        ];
        let devices = vec!["eth0".to_owned(), "eth1".to_owned()];
        assert_eq!(
            hooked(&message.concat()),
            Some(("netdev t in".to_owned(), devices))
        );
    }
}
