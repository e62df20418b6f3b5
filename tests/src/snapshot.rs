//! A host's network configuration as data, to prove that nothing changed.

use serde_json::{Map, Value};

use crate::namespace::Namespace;

/// What is asked, in the order of a report.
const QUESTIONS: [&str; 7] = [
    "-d link show",
    "-4 addr show",
    "-6 addr show",
    "-4 route show table all",
    "-6 route show table all",
    "-4 rule show",
    "-6 rule show",
];

/// Keys whose values change by themselves.
const VOLATILE: [&str; 7] = [
    "valid_life_time",
    "preferred_life_time",
    "expires",
    "age",
    "users",
    "stats",
    "stats64",
];

/// Links with their altnames, flags and XDP programs, addresses, all routing
/// tables (`local` too) and rules of one namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    answers: Vec<Vec<Value>>,
}

impl Snapshot {
    /// Takes it now.
    #[track_caller]
    pub fn of(namespace: &Namespace) -> Self {
        let ask = |question: &&str| match namespace.ip_json(question) {
            Value::Array(items) => items.into_iter().map(without_volatile).collect(),
            other => vec![other],
        };
        Self {
            answers: QUESTIONS.iter().map(ask).collect(),
        }
    }

    /// What is gone (`-`) and what is new (`+`), one line each.
    pub fn difference(&self, later: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for ((question, before), after) in QUESTIONS.iter().zip(&self.answers).zip(&later.answers) {
            let mut report = |sign: char, these: &[Value], those: &[Value]| {
                for item in these.iter().filter(|item| !those.contains(item)) {
                    lines.push(format!("{sign} ip {question}: {item}"));
                }
            };
            report('-', before, after);
            report('+', after, before);
        }
        lines
    }
}

/// Panics with the difference unless both are equal.
#[track_caller]
pub fn assert_unchanged(before: &Snapshot, after: &Snapshot) {
    let difference = before.difference(after);
    assert!(
        difference.is_empty() && before == after,
        "the host has changed:\n{}",
        difference.join("\n")
    );
}

fn without_volatile(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .filter(|(key, _)| !VOLATILE.contains(&key.as_str()))
                .map(|(key, value)| (key, without_volatile(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(
            items
                .into_iter()
                .map(without_volatile)
                // `ip -j -4 addr` prints `{}` for a device without address.
                .filter(|item| item != &Value::Object(Map::new()))
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::without_volatile;

    #[test]
    fn volatile_fields_go_at_any_depth() {
        let link = json!({"ifname": "eth0", "addr_info": [{"local": "192.0.2.9", "valid_life_time": 9}, {}]});
        let kept = json!({"ifname": "eth0", "addr_info": [{"local": "192.0.2.9"}]});
        assert_eq!(without_volatile(link), kept);
    }
}
