//! The scene most cases play in: a lab with `alias-ctl` attached, and aliases
//! that live on host A or each in a namespace of its own.

use std::{fs, net::IpAddr, sync::OnceLock, time::Duration};

use alias_tests::{
    Lab, LabBuilder, Mode, Namespace,
    frame::{Frame, frame},
};

/// What an event may take on a machine that does much besides. Only a test that fails
/// takes so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Both modes in which the engine is an XDP program.
pub(crate) const XDP_MODES: [Mode; 2] = [Mode::Native, Mode::Generic];

/// All modes that this kernel has, for cases that must come out the same.
pub(crate) fn modes() -> impl Iterator<Item = Mode> + Clone {
    let tc = has_tcx().then_some(Mode::Tc);
    XDP_MODES.into_iter().chain(tc)
}

/// Whether the kernel has tcx, by the function that attaches to it.
pub(crate) fn has_tcx() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let symbols = fs::read_to_string("/proc/kallsyms").expect("root may read it");
        symbols.contains(" tcx_link_attach")
    })
}

/// Both families, likewise.
pub(crate) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Both places, likewise.
pub(crate) const PLACES: [Place; 2] = [Place::SameHost, Place::OwnNamespace];

/// Three aliases may go in any order.
pub(crate) const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// Addresses for aliases; 0 and 1 are in different networks, 2 is in the
    /// network of 0.
    pub(crate) fn alias(self, number: usize) -> &'static str {
        match self {
            Self::V4 => ["198.51.100.8", "203.0.113.9", "198.51.100.10"][number],
            Self::V6 => ["2001:db8:5::8", "2001:db8:6::9", "2001:db8:5::10"][number],
        }
    }

    pub(crate) fn alias_ip(self, number: usize) -> IpAddr {
        ip(self.alias(number))
    }

    /// In the network of alias 0, and nobody's.
    pub(crate) fn nobody(self) -> IpAddr {
        match self {
            Self::V4 => ip("198.51.100.77"),
            Self::V6 => ip("2001:db8:5::77"),
        }
    }

    pub(crate) fn prefix_len(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }

    /// Host A's own address on the cable.
    pub(crate) fn a(self) -> &'static str {
        match self {
            Self::V4 => "192.0.2.9",
            Self::V6 => "2001:db8:0:1::9",
        }
    }

    /// Host B's address.
    pub(crate) fn b(self) -> &'static str {
        match self {
            Self::V4 => "192.0.2.1",
            Self::V6 => "2001:db8:0:1::1",
        }
    }

    pub(crate) fn b_ip(self) -> IpAddr {
        ip(self.b())
    }

    /// The network of the cable.
    pub(crate) fn cable(self) -> &'static str {
        match self {
            Self::V4 => "192.0.2.0/24",
            Self::V6 => "2001:db8:0:1::/64",
        }
    }
}

/// Where alias devices live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    SameHost,
    OwnNamespace,
}

pub(crate) struct Scene {
    // Dropped in this order: the devices' homes before the lab.
    homes: Vec<(String, Namespace)>,
    pub(crate) lab: Lab,
    family: Family,
    place: Place,
}

impl Scene {
    /// No alias yet.
    #[track_caller]
    pub(crate) fn empty(builder: LabBuilder, family: Family, place: Place) -> Self {
        Self {
            homes: Vec::new(),
            lab: builder.build(),
            family,
            place,
        }
    }

    /// Alias 0.
    #[track_caller]
    pub(crate) fn with_one(mode: Mode, family: Family, place: Place) -> Self {
        let mut scene = Self::empty(Lab::builder().mode(mode), family, place);
        scene.add("eth0:0", 0, &[]);
        scene
    }

    /// Alias 0 and alias 1.
    #[track_caller]
    pub(crate) fn with_two(mode: Mode, family: Family, place: Place) -> Self {
        Self::with_two_in(Lab::builder().mode(mode), family, place)
    }

    #[track_caller]
    pub(crate) fn with_two_in(builder: LabBuilder, family: Family, place: Place) -> Self {
        let mut scene = Self::empty(builder, family, place);
        scene.add("eth0:0", 0, &[]);
        scene.add("eth0:1", 1, &[]);
        scene
    }

    /// Adds an alias with the family's address of that number. One in a
    /// namespace of its own gets a route back to host B there, which nobody
    /// but the owner of that namespace can know.
    #[track_caller]
    pub(crate) fn add(&mut self, alias: &str, number: usize, options: &[&str]) {
        let address = format!("{}/{}", self.family.alias(number), self.family.prefix_len());
        let mut arguments = vec!["add", alias, &address];
        arguments.extend(options);
        match self.place {
            Place::SameHost => {
                self.lab.ctl_ok(&arguments);
            }
            Place::OwnNamespace => {
                let home = self.lab.namespace(&format!("c{}", self.homes.len()));
                arguments.extend(["--netns", home.name()]);
                self.lab.ctl_ok(&arguments);
                let device = device_name(&home, alias);
                home.ip(&format!(
                    "route replace {} dev {device}",
                    self.family.cable()
                ));
                self.homes.push((alias.to_owned(), home));
            }
        }
        let home = self.home(alias);
        // A local alias has no device.
        if home.find_link(alias).is_some() {
            home.wait_until_up(alias);
        }
    }

    /// Where the alias's sockets are.
    pub(crate) fn home(&self, alias: &str) -> &Namespace {
        let own = self.homes.iter().find(|(name, _)| name == alias);
        own.map_or(&self.lab.a, |(_, home)| home)
    }

    /// The alias's device, by its real name.
    #[track_caller]
    pub(crate) fn device(&self, alias: &str) -> String {
        device_name(self.home(alias), alias)
    }
}

#[track_caller]
fn device_name(home: &Namespace, alias: &str) -> String {
    let link = home.link(alias);
    link["ifname"]
        .as_str()
        .expect("a device has a name")
        .to_owned()
}

/// A frame from host B's station to host A's.
#[track_caller]
pub(crate) fn from_b_to_a(lab: &Lab) -> Frame {
    frame().between(lab.b.mac("eth0"), lab.a.mac("eth0"))
}

#[track_caller]
pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no address"))
}
