//! `top` on a real terminal, with real traffic; and what it says without one.

use alias_tests::{Background, Lab, Mode, Terminal, wait_for};

use crate::scene::LIMIT;

/// Aliases in the network that B reaches by A, all of which drop.
#[track_caller]
fn scene(addresses: &[&str]) -> Lab {
    let lab = Lab::attached(Mode::Native);
    lab.b.ip("route replace 198.18.0.0/15 via 192.0.2.9");
    for (slot, address) in addresses.iter().enumerate() {
        lab.ctl_ok(&["add", &format!("eth0:{slot}"), address, "--drop"]);
    }
    lab
}

/// So many packets by second, of 98 bytes each.
#[track_caller]
fn traffic(lab: &Lab, address: &str, by_second: u32) -> Background {
    let pause = 1.0 / f64::from(by_second);
    lab.b.spawn(&format!("ping -q -i {pause} {address}"))
}

/// The lines of aliases, in their order on the screen: name and the cells behind it.
fn rows(screen: &str) -> Vec<Vec<&str>> {
    let lines = screen.lines().map(|line| line.split_whitespace().collect());
    let is_name = |cell: &&str| cell.contains(':') && !cell.ends_with(':');
    let is_alias = |cells: &Vec<&str>| cells.first().is_some_and(is_name);
    lines.filter(is_alias).collect()
}

fn names(screen: &str) -> Vec<&str> {
    rows(screen).into_iter().map(|cells| cells[0]).collect()
}

/// A rate as `top` writes it.
fn rate(cell: &str) -> f64 {
    let (digits, factor) = match cell.split_at_checked(cell.len().saturating_sub(1)) {
        Some((digits, "k")) => (digits, 1e3),
        Some((digits, "M")) => (digits, 1e6),
        _ => (cell, 1.0),
    };
    digits.parse().map_or(-1.0, |value: f64| value * factor)
}

#[test]
fn rates_of_real_packets_and_their_order() {
    let lab = scene(&["198.18.0.1", "198.18.0.2", "198.18.0.3"]);
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    let _busy = traffic(&lab, "198.18.0.2", 100);
    let _slow = traffic(&lab, "198.18.0.3", 10);
    terminal.enter("$CTL top --interval 1");
    let screen = terminal.wait_for("rates", |screen| {
        let rows = rows(screen);
        rows.len() == 3 && rows[0][0] == "eth0:1" && (50.0..=120.0).contains(&rate(rows[0][3]))
    });
    let rows = rows(&screen);
    assert_eq!(names(&screen), ["eth0:1", "eth0:2", "eth0:0"], "{screen}");
    // alias, address, target, rx-pps, rx-bps, tx-pps, tx-bps, drops
    let busy = &rows[0];
    assert_eq!(busy[1..3], ["198.18.0.2", "drop"], "{screen}");
    let bits = rate(busy[3]) * 98.0 * 8.0;
    assert!((rate(busy[4]) / bits - 1.0).abs() < 0.05, "{screen}");
    assert_eq!(busy[5..7], ["0", "0"], "{screen}");
    assert_eq!(busy[7], busy[3], "all are dropped: {screen}");
    assert!((3.0..=15.0).contains(&rate(rows[1][3])), "{screen}");
    assert!(screen.contains("RX-PPSv"), "{screen}");
    // The parent has the sum of both, and the reason.
    let parent = screen.lines().find(|line| line.starts_with("eth0 native"));
    let parent: Vec<&str> = parent.expect("a parent").split_whitespace().collect();
    assert_eq!(parent[2], "3");
    assert!(rate(parent[3]) >= rate(busy[3]), "{screen}");
    assert_eq!(parent[8], parent[3], "policy drops: {screen}");

    terminal.write("1");
    let by_name = ["eth0:0", "eth0:1", "eth0:2"];
    terminal.wait_for("names", |screen| {
        names(screen) == by_name && screen.contains("ALIAS^")
    });
    terminal.write("r");
    terminal.wait_for("the other way", |screen| {
        names(screen) == ["eth0:2", "eth0:1", "eth0:0"] && screen.contains("ALIASv")
    });
    terminal.write("8");
    terminal.wait_for("drops", |screen| {
        names(screen) == ["eth0:1", "eth0:2", "eth0:0"] && screen.contains("DROPSv")
    });
    terminal.press(&["Left"]);
    terminal.wait_for("the column before", |screen| screen.contains("TX-BPSv"));
}

#[test]
fn a_filter_as_it_is_typed() {
    let lab = scene(&["198.18.0.1", "198.18.7.2", "198.18.7.3"]);
    let home = lab.namespace("c1");
    lab.ctl_ok(&["add", "eth0:9", "198.18.9.9", "--netns", home.name()]);
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    terminal.enter("$CTL top --sort alias --interval 0.2");
    terminal.wait_for("all", |screen| rows(screen).len() == 4);
    terminal.write("/18.7.");
    terminal.wait_for("two", |screen| {
        names(screen) == ["eth0:1", "eth0:2"] && screen.starts_with("2 of 4 aliases")
    });
    // What ends the program elsewhere is only a letter here.
    terminal.write("q");
    terminal.wait_for("none", |screen| screen.contains("no alias has these words"));
    terminal.press(&["Escape"]);
    terminal.wait_for("all again", |screen| rows(screen).len() == 4);
    terminal.write("/c1");
    terminal.wait_for("by namespace", |screen| names(screen) == ["eth0:9"]);
    terminal.press(&["Enter"]);
    terminal.wait_for("the filter stays", |screen| {
        screen.contains("/ c1 (Esc: all)")
    });
    // One that comes is asked too.
    lab.ctl_ok(&["add", "eth0:10", "198.18.9.10", "--netns", home.name()]);
    terminal.wait_for("one more", |screen| names(screen) == ["eth0:9", "eth0:10"]);
    lab.ctl_ok(&["del", "eth0:9"]);
    terminal.wait_for("one less", |screen| names(screen) == ["eth0:10"]);
}

#[test]
fn all_of_one_alias() {
    let lab = scene(&["198.18.0.1", "198.18.0.2"]);
    let Some(terminal) = Terminal::open(&lab, (80, 30)) else {
        return;
    };
    let sent = lab.b.run("ping -q -c 7 -i 0.01 -W 1 198.18.0.2");
    assert!(sent.stdout.contains("7 packets transmitted"), "{sent}");
    lab.wait_for_counter("eth0:1", "rx_packets", 7);
    terminal.enter("$CTL top --sort alias --interval 0.2");
    terminal.wait_for("both", |screen| rows(screen).len() == 2);
    terminal.press(&["Down", "Enter"]);
    let screen = terminal.wait_for("the second", |screen| {
        screen.starts_with("eth0:1") && screen.contains("COUNTED")
    });
    for (word, value) in [
        ("address", "198.18.0.2/32"),
        ("target", "drop"),
        ("netns", "the parent's"),
        ("mode", "native"),
        ("state", "enabled"),
        ("rx packets", "7"),
        ("rx bytes", "686"),
        ("dropped policy", "7"),
        ("dropped spoof", "0"),
    ] {
        let line = screen.lines().find(|line| line.starts_with(word));
        let value_found = line.and_then(|line| line[word.len()..].trim().split("  ").next());
        assert_eq!(value_found, Some(value), "{word}: {screen}");
    }
    terminal.write("?");
    terminal.wait_for("help", |screen| screen.contains("filter as you type"));
    terminal.press(&["Escape"]);
    terminal.wait_for("the list", |screen| rows(screen).len() == 2);
    terminal.press(&["Enter"]);
    terminal.wait_for("the second", |screen| screen.starts_with("eth0:1"));
    lab.ctl_ok(&["del", "eth0:1"]);
    terminal.wait_for("that it is gone", |screen| {
        screen.starts_with("the alias is gone")
    });
}

/// Whoever's terminal is gone ends, and does not turn in circles.
#[test]
fn a_terminal_that_is_gone() {
    let lab = scene(&["198.18.0.1"]);
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    terminal.enter("$CTL top --interval 60");
    terminal.wait_for("top", |screen| screen.starts_with("1 aliases"));
    let running = std::path::PathBuf::from(format!("/proc/{}", terminal.child()));
    assert!(running.exists());
    drop(terminal);
    wait_for("it to end", LIMIT, || !running.exists());
}

/// What is on the screen stays while it is paused, whatever happens.
#[test]
fn pause_and_interval() {
    let lab = scene(&["198.18.0.1"]);
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    terminal.enter("$CTL top --interval 0.2");
    terminal.wait_for("one", |screen| screen.starts_with("1 aliases, every 0.2 s"));
    terminal.write("p");
    terminal.wait_for("the pause", |screen| screen.contains(", paused"));
    lab.ctl_ok(&["add", "eth0:1", "198.18.0.2", "--drop"]);
    terminal.write("+");
    terminal.write("r");
    terminal.wait_for("the order", |screen| screen.contains("RX-PPS^"));
    assert_eq!(names(&terminal.screen()), ["eth0:0"]);
    terminal.write("p");
    terminal.wait_for("both", |screen| {
        names(screen).len() == 2 && screen.starts_with("2 aliases, every 0.5 s")
    });
}

/// However it ends, the terminal is as it was: the lines that were there, the cursor, echo.
#[test]
fn the_terminal_is_given_back() {
    let lab = scene(&["198.18.0.1"]);
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    terminal.enter("clear; echo before-it");
    let is_ready = |screen: &str| screen.trim_end() == "before-it\n$";
    terminal.wait_for("a prompt", is_ready);
    type End<'a> = &'a dyn Fn(&Terminal<'_>);
    let signal = |signal: i32| {
        move |terminal: &Terminal<'_>| {
            // SAFETY: two integers; the child is the shell's, and waits for us.
            assert_eq!(unsafe { libc::kill(terminal.child(), signal) }, 0);
        }
    };
    let (terminate, hang_up) = (signal(libc::SIGTERM), signal(libc::SIGHUP));
    let ends: [(&str, i32, End<'_>); 4] = [
        ("q", 0, &|terminal| terminal.write("q")),
        ("Ctrl-C", 0, &|terminal| terminal.press(&["C-c"])),
        ("SIGTERM", 128 + libc::SIGTERM, &terminate),
        ("SIGHUP", 128 + libc::SIGHUP, &hang_up),
    ];
    for (what, code, end) in ends {
        terminal.enter("$CTL top --interval 60; echo code=$?");
        terminal.wait_for("top", |screen| screen.starts_with("1 aliases"));
        assert_eq!(
            terminal.value("#{alternate_on} #{cursor_flag}"),
            "1 0",
            "{what}"
        );
        end(&terminal);
        let ended = format!("code={code}");
        terminal.wait_for(what, |screen| {
            let mut lines = screen.trim_end().lines().rev();
            lines.next() == Some("$") && lines.any(|line| line == ended)
        });
        assert!(terminal.screen().contains("before-it"), "{what}");
        assert_eq!(
            terminal.value("#{alternate_on} #{cursor_flag}"),
            "0 1",
            "{what}"
        );
        terminal.enter("clear; stty -a | grep -o ' icanon\\| echo ' | tr -d '\\n'; echo .");
        terminal.wait_for("echo and lines", |screen| screen.contains(" icanon echo ."));
        terminal.enter("clear; echo before-it");
        terminal.wait_for("a prompt", is_ready);
    }
}

#[test]
fn every_size_of_terminal() {
    let lab = scene(&["198.18.0.1", "198.18.0.2", "198.18.0.3"]);
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    terminal.enter("$CTL top --interval 0.2");
    terminal.wait_for("all columns", |screen| screen.contains("HISTORY"));
    terminal.resize(40, 6);
    terminal.wait_for("fewer columns", |screen| {
        !screen.contains("HISTORY") && screen.contains("TX-PPS") && rows(screen).len() == 3
    });
    terminal.resize(10, 2);
    terminal.wait_for("that it is too small", |screen| {
        screen.starts_with("too small:")
    });
    terminal.resize(160, 50);
    let screen = terminal.wait_for("all again", |screen| {
        screen.contains("HISTORY") && rows(screen).len() == 3
    });
    let heading = screen.lines().find(|line| line.starts_with("ALIAS"));
    assert_eq!(heading.map(str::len), Some(160), "{screen}");
}

#[test]
fn parents_that_come_and_go() {
    let lab = scene(&["198.18.0.1"]);
    let cable = |word: &str| lab.a.ip(&format!("link {word}"));
    let make = || {
        cable("add v0 type veth peer name v1");
        lab.a.ip("link set v0 up");
        lab.a.ip("link set v1 up");
        lab.ctl_ok(&["add", "v0:0", "203.0.113.1", "--drop"]);
    };
    make();
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    terminal.enter("$CTL top v0 --interval 0.2");
    terminal.wait_for("only the one", |screen| names(screen) == ["v0:0"]);
    cable("del v0");
    terminal.wait_for("that it is gone", |screen| {
        screen.contains("v0 gone") && names(screen).is_empty()
    });
    make();
    terminal.wait_for("the new one", |screen| {
        screen.contains("v0 native") && names(screen) == ["v0:0"]
    });
    terminal.write("q");
    terminal.enter("clear; $CTL top --sort alias --interval 0.2");
    terminal.wait_for("both", |screen| names(screen) == ["eth0:0", "v0:0"]);
    lab.ctl_ok(&["detach", "v0", "--cascade"]);
    terminal.wait_for("the other", |screen| names(screen) == ["eth0:0"]);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    terminal.wait_for("none", |screen| screen.contains("no device is attached"));
    lab.ctl_ok(&["add", "eth0:5", "198.18.0.5", "--drop"]);
    terminal.wait_for("one", |screen| names(screen) == ["eth0:5"]);
}

/// A parent that grows has new maps: rates go on in them.
#[test]
fn a_parent_that_grows() {
    let lab = Lab::builder()
        .mode(Mode::Native)
        .attach_options(&["--capacity", "8"])
        .build();
    lab.b.ip("route replace 198.18.0.0/15 via 192.0.2.9");
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.1", "--drop"]);
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    let _busy = traffic(&lab, "198.18.0.1", 100);
    terminal.enter("$CTL top --interval 0.5");
    let is_busy = |screen: &str| {
        let rows = rows(screen);
        rows.first()
            .is_some_and(|row| row[0] == "eth0:0" && rate(row[3]) > 20.0)
    };
    terminal.wait_for("rates", is_busy);
    lab.ctl_ok(&["add", "eth0", "--range", "198.19.0.0/24", "--drop"]);
    terminal.wait_for("rates of more", |screen| {
        screen.starts_with("257 aliases") && is_busy(screen)
    });
}

#[test]
fn colours_only_where_they_are_wanted() {
    let lab = scene(&["198.18.0.1"]);
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    for (command, is_colored) in [
        ("$CTL top", true),
        ("NO_COLOR=1 $CTL top", false),
        ("$CTL top --color never", false),
        ("NO_COLOR=1 $CTL top --color always", true),
    ] {
        terminal.enter(command);
        terminal.wait_for("top", |screen| screen.contains("eth0 native"));
        // The titles are in cyan, of the terminal's own colours the sixth.
        let found = terminal.colored().contains("38;5;6m");
        assert_eq!(found, is_colored, "{command}");
        terminal.write("q");
        terminal.enter("clear");
        terminal.wait_for("a prompt", |screen| !screen.contains("eth0"));
    }
}

/// A device may have any character in its name but a few.
#[test]
fn foreign_names_do_nothing_to_the_terminal() {
    let lab = scene(&[]);
    let odd = "v\u{1b}[31mx";
    lab.a.ip(&format!("link add {odd} type veth peer name v1"));
    lab.a.ip(&format!("link set {odd} up"));
    lab.a.ip("link set v1 up");
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.1", "--to", odd]);
    let Some(terminal) = Terminal::open(&lab, (120, 24)) else {
        return;
    };
    terminal.enter("$CTL top");
    let spelled = "to v\\u{1b}[31mx";
    terminal.wait_for("the name", |screen| screen.contains(spelled));
    assert!(!terminal.colored().contains("\u{1b}[31mx"));
    let once = lab.ctl_ok(&["top", "--once", "--interval", "0.1"]);
    assert!(!once.contains('\u{1b}'), "{once:?}");
}

#[test]
fn without_a_terminal() {
    let lab = scene(&["198.18.0.1", "198.18.0.2"]);
    let said = lab.ctl_err(&["top"], "ENOTTY");
    assert!(said.contains("alias-ctl stats --watch"), "{said}");
    lab.ctl_err(&["top", "nosuch0", "--once"], "ENODEV");
    lab.ctl_err(&["top", "lo", "--once"], "ENODEV");
    lab.ctl_err(&["top", "--once", "--sort", "rx"], "EINVAL");
    lab.ctl_err(&["top", "--once", "--interval", "0"], "EINVAL");
    let _busy = traffic(&lab, "198.18.0.2", 100);
    lab.wait_for_some("eth0:1", "rx_packets");
    let arguments = ["--interval", "1", "--filter", "198.18.0.2"];
    let once = lab.ctl_ok(&[&["top", "--once"], &arguments[..]].concat());
    assert_eq!(names(&once), ["eth0:1"]);
    assert!((50.0..=120.0).contains(&rate(rows(&once)[0][3])), "{once}");
    assert_eq!(once.lines().count(), 24, "{once}");
    let twice = lab.ctl_ok(&["top", "--count", "2", "--interval", "0.1"]);
    assert_eq!(names(&twice).len(), 4, "{twice}");
}

/// `stats --watch` has rates from the second time on.
#[test]
fn stats_that_are_watched_have_rates() {
    let lab = scene(&["198.18.0.1", "198.18.0.2"]);
    let _busy = traffic(&lab, "198.18.0.2", 100);
    let once = lab.ctl_ok(&["stats"]);
    assert!(!once.contains("PPS"), "{once}");
    let Some(terminal) = Terminal::open(&lab, (120, 24)) else {
        return;
    };
    terminal.enter("$CTL stats --watch 1");
    // ALIAS ADDRESS TARGET RX-PACKETS RX-BYTES TX-PACKETS TX-BYTES RX-PPS RX-BPS TX-PPS TX-BPS
    let screen = terminal.wait_for("rates", |screen| {
        screen.contains("RX-PPS") && rows(screen).last().is_some_and(|row| row[0] == "eth0:1")
    });
    let rows = rows(&screen);
    let busy = rows.last().expect("a row");
    assert!((50.0..=120.0).contains(&rate(busy[7])), "{screen}");
    assert!(
        (rate(busy[8]) / (rate(busy[7]) * 784.0) - 1.0).abs() < 0.05,
        "{screen}"
    );
    assert_eq!(
        rows[rows.len() - 2][7..11],
        ["0", "0", "0", "0"],
        "{screen}"
    );
}

/// As many as fit a /18, of which one has traffic: it is on the first screen.
#[test]
fn the_busy_one_of_sixteen_thousand() {
    let lab = scene(&[]);
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.18.0.0-198.18.63.127",
        "--drop",
    ]);
    let _busy = traffic(&lab, "198.18.60.7", 100);
    lab.wait_for_some("eth0:15367", "rx_packets");
    let once = lab.ctl_ok(&["top", "--once", "--interval", "0.5"]);
    assert!(once.starts_with("16,256 aliases, every 0.5 s\n"), "{once}");
    assert_eq!(names(&once)[0], "eth0:15367", "{once}");
    let Some(terminal) = Terminal::open(&lab, (80, 24)) else {
        return;
    };
    terminal.enter("$CTL top --interval 0.5");
    terminal.wait_for("the busy one", |screen| {
        names(screen).first() == Some(&"eth0:15367")
    });
    terminal.write("1");
    terminal.press(&["End"]);
    terminal.wait_for("the last one", |screen| {
        names(screen).last() == Some(&"eth0:16255")
    });
}
