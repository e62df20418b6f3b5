//! docs/HOSTS.md tells the truth: each line of its tables of other systems' configuration
//! files has the command beside it that makes the alias.

use std::net::Ipv4Addr;
use std::path::Path;

use alias_tests::{Lab, Mode, RawSocket, ctl_binary, frame::read, run_to_end};

use crate::scene::LIMIT;

/// A row: where it stands, what was written there, the commands, the aliases then.
struct Row {
    heading: String,
    line: String,
    commands: Vec<String>,
    aliases: String,
}

/// The rows of tables with three columns whose second one is a command.
fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/HOSTS.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let mut heading = String::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            heading = title.to_owned();
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [written, command, aliases] = cells[..] else {
            continue;
        };
        if !line.starts_with('|') || !command.starts_with("`alias-ctl ") {
            continue;
        }
        rows.push(Row {
            heading: heading.clone(),
            line: written.to_owned(),
            commands: command
                .split(", ")
                .map(|one| one.trim_matches('`').to_owned())
                .collect(),
            aliases: aliases.replace('`', ""),
        });
    }
    rows
}

/// `eth0:0 192.0.2.10/24`, for all of them; many in a row are their first and last.
fn aliases(lab: &Lab) -> String {
    let text = |row: &serde_json::Value| {
        format!(
            "{} {}/{}",
            row["alias"].as_str().unwrap_or_default(),
            row["address"].as_str().unwrap_or_default(),
            row["prefix_len"]
        )
    };
    let mut rows = lab.rows();
    rows.sort_by_key(|row| row["slot"].as_u64());
    match &rows[..] {
        [] => "none".to_owned(),
        [first, .., last] if rows.len() > 2 => {
            format!("{} … {}: {}", text(first), text(last), rows.len())
        }
        few => few.iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn every_line_has_the_command_that_does_it() {
    const SYSTEMS: [&str; 6] = ["Debian", "Red Hat", "netplan", "FreeBSD", "AIX", "Solaris"];
    let rows = rows();
    let of = |system: &str| rows.iter().any(|row| row.heading.starts_with(system));
    for system in SYSTEMS {
        assert!(of(system), "no line of {system}");
    }
    let lab = Lab::attached(Mode::Native);
    let mut before = None;
    for row in &rows {
        // What a system's lines make stays for its next ones.
        if before.replace(&row.heading) != Some(&row.heading) {
            lab.ctl_ok(&["del", "eth0", "--all"]);
        }
        for command in &row.commands {
            let words: Vec<&str> = command.split_whitespace().skip(1).collect();
            lab.ctl_ok(&words);
        }
        let what = format!("{}: {}", row.heading, row.line);
        assert_eq!(aliases(&lab), row.aliases, "{what}");
        for row in lab.rows() {
            assert_eq!(row["target"], "local", "{what}");
            let address = row["address"].as_str().expect("an address");
            lab.b.ping_ok(address, 1);
        }
    }
}

/// The script that keepalived calls is the one in the document.
#[test]
fn the_notify_script_moves_an_address() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/HOSTS.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let script = text
        .split_once("```sh\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(script, _)| script)
        .expect("a script in the document");
    let lab = Lab::attached(Mode::Native);
    let binary = ctl_binary();
    let directory = binary.parent().expect("a program is in a directory");
    let notify = |state: &str| {
        let mut command = lab.a.command("sh");
        command
            .args(["-c", script, "alias-vrrp", "INSTANCE", "web", state])
            .env("ALIAS_BPFFS_ROOT", lab.bpffs())
            .env("PATH", format!("{}:/usr/bin:/bin", directory.display()));
        run_to_end(command, b"", LIMIT).ok();
    };
    for _ in 0..2 {
        notify("BACKUP");
        lab.b.ping_unanswered("192.0.2.10");
        let at_b = RawSocket::open(&lab.b, "eth0");
        notify("MASTER");
        for _ in 0..5 {
            at_b.expect("an announcement", LIMIT, |got| {
                let address = Ipv4Addr::new(192, 0, 2, 10);
                read(got).is_some_and(|seen| {
                    seen.arp
                        .is_some_and(|arp| arp.sender == address && arp.target == address)
                })
            });
        }
        lab.b.ping_ok("192.0.2.10", 1);
    }
}
