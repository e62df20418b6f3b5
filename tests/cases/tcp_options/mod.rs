//! TCP options of an alias (AIX's ISNO), read back from real connections: where
//! they apply, who overrides them, and that nothing of them stays.

mod refusals;
pub(crate) mod sockets;
mod traces;
mod words;

use std::net::IpAddr;

use alias_tests::{Lab, Mode, Namespace};

use crate::scene::{FAMILIES, Family, Place, Scene};
use sockets::{
    Connection, MAXSEG, NODELAY, Name, RCVBUF, SNDBUF, accepted, bind, get, listen, open_to, set,
    socket,
};

/// None of them anybody's default.
const OPTIONS: [&str; 8] = [
    "--tcp-nodelay",
    "1",
    "--tcp-sendspace",
    "70000",
    "--tcp-recvspace",
    "60000",
    "--tcp-mssdflt",
    "1000",
];

/// All of them gone again.
const DEFAULTS: [&str; 8] = [
    "--tcp-nodelay",
    "default",
    "--tcp-sendspace",
    "default",
    "--tcp-recvspace",
    "default",
    "--tcp-mssdflt",
    "default",
];

/// What a socket's own options are then. The kernel doubles buffers (socket(7)), and
/// a segment of an open connection is told without the timestamps in it.
const APPLIED: [(Name, i32); 4] = [
    (NODELAY, 1),
    (SNDBUF, 140_000),
    (RCVBUF, 120_000),
    (MAXSEG, 1000 - 12),
];

/// Where the sockets of an alias are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// On the parent.
    Local,
    /// On a device of its own, beside the parent.
    Beside,
    /// On a device in another namespace.
    Elsewhere,
    /// On that device, joined.
    Joined,
}

const HOMES: [Home; 4] = [Home::Local, Home::Beside, Home::Elsewhere, Home::Joined];

/// A lab with eth0:0, which has the family's first address and no options yet.
#[track_caller]
fn scene(family: Family, home: Home) -> Scene {
    let place = match home {
        Home::Local | Home::Beside => Place::SameHost,
        Home::Elsewhere | Home::Joined => Place::OwnNamespace,
    };
    let mut scene = Scene::empty(Lab::builder().mode(Mode::Native), family, place);
    match home {
        Home::Local => scene.add("eth0:0", 0, &["--local"]),
        Home::Beside | Home::Elsewhere => scene.add("eth0:0", 0, &[]),
        Home::Joined => {
            scene.add("eth0:1", 1, &[]);
            let address = format!("{}/{}", family.alias(0), family.prefix_len());
            let lab = &scene.lab;
            lab.ctl_ok(&["add", "eth0:0", &address, "--join", "eth0:1"]);
        }
    }
    scene
}

/// The namespace in which the sockets of eth0:0 are.
fn home(scene: &Scene, home: Home) -> &Namespace {
    scene.home(if home == Home::Joined {
        "eth0:1"
    } else {
        "eth0:0"
    })
}

fn set_options(lab: &Lab) {
    lab.ctl_ok(&[&["set", "eth0:0"], &OPTIONS[..]].concat());
}

/// A connection opened from an address.
#[track_caller]
fn opened(lab: &Lab, from: &Namespace, address: IpAddr, family: Family) -> Connection {
    let socket = socket(from, address);
    bind(&socket, address);
    open_to(socket, &lab.b, family.b_ip())
}

/// A connection accepted at an address.
#[track_caller]
fn taken(lab: &Lab, at: &Namespace, address: IpAddr) -> Connection {
    let socket = socket(at, address);
    bind(&socket, address);
    accepted(&listen(socket), address, &lab.b)
}

#[track_caller]
fn assert_options(what: &str, connection: &Connection, expected: &[(Name, i32)]) {
    for &(name, value) in expected {
        assert_eq!(get(&connection.own, name), value, "{what}: {name:?}");
    }
}

/// The options of a connection that no alias had to do with.
#[track_caller]
fn assert_untouched(what: &str, connection: &Connection) {
    for (name, value) in APPLIED {
        assert_ne!(get(&connection.own, name), value, "{what}: {name:?}");
    }
}

#[test]
fn they_are_on_opened_and_accepted_connections() {
    for family in FAMILIES {
        for place in HOMES {
            let scene = scene(family, place);
            let (lab, at) = (&scene.lab, home(&scene, place));
            let address = family.alias_ip(0);
            let before = opened(lab, at, address, family);
            assert_untouched("before", &before);
            set_options(lab);
            for (way, connection) in [
                ("opened", opened(lab, at, address, family)),
                ("accepted", taken(lab, at, address)),
            ] {
                let what = format!("{family:?} {place:?} {way}");
                assert_options(&what, &connection, &APPLIED);
                // The other side was told in time.
                assert_eq!(get(&connection.peer, MAXSEG), 1000 - 12, "{what}: peer");
            }
            assert_untouched("a connection that was there", &before);
        }
    }
}

#[test]
fn an_address_that_the_route_chose_counts_too() {
    for family in FAMILIES {
        let scene = scene(family, Home::Elsewhere);
        set_options(&scene.lab);
        let socket = socket(scene.home("eth0:0"), family.alias_ip(0));
        let connection = open_to(socket, &scene.lab.b, family.b_ip());
        assert_options(&format!("{family:?}"), &connection, &APPLIED);
    }
}

/// A listener on all addresses, of which one is the alias's. Its answer to a SYN
/// is sent before any program could change the segment in it.
#[test]
fn a_listener_on_all_addresses_gets_all_but_the_segment() {
    for family in FAMILIES {
        let scene = scene(family, Home::Local);
        set_options(&scene.lab);
        let any: IpAddr = match family {
            Family::V4 => [0; 4].into(),
            Family::V6 => [0; 16].into(),
        };
        let socket = socket(&scene.lab.a, any);
        bind(&socket, any);
        let listener = listen(socket);
        let connection = accepted(&listener, family.alias_ip(0), &scene.lab.b);
        assert_options(&format!("{family:?}"), &connection, &APPLIED[..3]);
        let own = family.a().parse().expect("an address");
        assert_untouched("A's own address", &accepted(&listener, own, &scene.lab.b));
    }
}

/// An IPv6 socket that speaks IPv4 has the IPv4 address of the alias.
#[test]
fn ipv4_over_an_ipv6_socket_is_the_same_address() {
    let scene = scene(Family::V4, Home::Local);
    set_options(&scene.lab);
    let any = IpAddr::from([0; 16]);
    let listening = socket(&scene.lab.a, any);
    bind(&listening, any);
    let connection = accepted(&listen(listening), Family::V4.alias_ip(0), &scene.lab.b);
    assert_options("accepted", &connection, &APPLIED[..3]);

    let mapped =
        |text: &str| IpAddr::from(text.parse::<std::net::Ipv4Addr>().unwrap().to_ipv6_mapped());
    let opening = socket(&scene.lab.a, any);
    bind(&opening, mapped(Family::V4.alias(0)));
    let listener = scene
        .lab
        .b
        .enter(|| std::net::TcpListener::bind("192.0.2.1:0"));
    let port = listener.as_ref().unwrap().local_addr().unwrap().port();
    let own = sockets::connect(opening, (mapped("192.0.2.1"), port).into());
    let (peer, _) = listener.unwrap().accept().expect("the connection stands");
    assert_options("opened", &Connection { own, peer }, &APPLIED);
}

/// Other values than the alias's, as an application sets them and as it reads
/// them back from an open connection.
const APPLICATION: [(Name, i32, i32); 4] = [
    (NODELAY, 0, 0),
    (SNDBUF, 30_000, 60_000),
    (RCVBUF, 40_000, 80_000),
    (MAXSEG, 700, 700 - 12),
];

#[test]
fn what_the_application_sets_wins() {
    for family in FAMILIES {
        for place in [Home::Local, Home::Elsewhere] {
            let scene = scene(family, place);
            let (lab, at) = (&scene.lab, home(&scene, place));
            let address = family.alias_ip(0);
            set_options(lab);
            // One option at a time: the others stay the alias's.
            for (name, value, read) in APPLICATION {
                let expected = APPLIED
                    .map(|(other, applied)| (other, if other == name { read } else { applied }));
                let what = |moment: &str| format!("{family:?} {place:?} {name:?} {moment}");

                let early = socket(at, address);
                set(&early, name, value);
                bind(&early, address);
                let connection = open_to(early, &lab.b, family.b_ip());
                assert_options(&what("before connect"), &connection, &expected);

                let listening = socket(at, address);
                set(&listening, name, value);
                bind(&listening, address);
                let connection = accepted(&listen(listening), address, &lab.b);
                assert_options(&what("before listen"), &connection, &expected);

                let listening = socket(at, address);
                bind(&listening, address);
                let listener = listen(listening);
                set(&listener, name, value);
                let connection = accepted(&listener, address, &lab.b);
                assert_options(&what("after listen"), &connection, &expected);

                // The segment of an open connection is settled.
                if name != MAXSEG {
                    for connection in [opened(lab, at, address, family), taken(lab, at, address)] {
                        set(&connection.own, name, value);
                        assert_options(&what("afterwards"), &connection, &expected);
                    }
                }
            }
        }
    }
}

/// A value that the kernel refuses is none that the application has set.
#[test]
fn a_refused_setsockopt_is_no_choice() {
    let scene = scene(Family::V4, Home::Local);
    set_options(&scene.lab);
    let early = socket(&scene.lab.a, Family::V4.alias_ip(0));
    let short: u8 = 0;
    // SAFETY: an open descriptor, and one byte with its length.
    let result = unsafe {
        use std::os::fd::AsRawFd;
        let value = (&raw const short).cast();
        libc::setsockopt(
            early.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            value,
            1,
        )
    };
    assert_eq!(result, -1, "one byte is no integer");
    bind(&early, Family::V4.alias_ip(0));
    let connection = open_to(early, &scene.lab.b, Family::V4.b_ip());
    assert_options("refused before", &connection, &APPLIED);
}

#[test]
fn other_addresses_and_namespaces_have_nothing_of_it() {
    // Two labs with the same addresses at once, and different options.
    for family in FAMILIES {
        let (one, other) = (scene(family, Home::Local), scene(family, Home::Local));
        set_options(&one.lab);
        other
            .lab
            .ctl_ok(&["set", "eth0:0", "--tcp-sendspace", "50000"]);
        let address = family.alias_ip(0);
        let there = opened(&other.lab, &other.lab.a, address, family);
        assert_untouched("the other lab", &there);
        assert_eq!(get(&there.own, SNDBUF), 100_000);
        assert_options(
            "the first lab",
            &taken(&one.lab, &one.lab.a, address),
            &APPLIED,
        );
        let own = family.a().parse().expect("an address");
        for connection in [
            opened(&one.lab, &one.lab.a, own, family),
            taken(&one.lab, &one.lab.a, own),
        ] {
            assert_untouched("A's own address", &connection);
        }
    }
}
