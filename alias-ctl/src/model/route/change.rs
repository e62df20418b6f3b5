//! `route add` and `route del`, in Linux's words and in BSD's.

use std::net::IpAddr;

use crate::error::Result;
use crate::model::netmask;

use super::destination::{Scope, Target};
use super::{Action, RouteRequest, argument, once, refused};

/// What was said so far, each at most once.
#[derive(Default)]
struct Said<'a> {
    target: Option<&'a str>,
    scope: Option<Scope>,
    mask: Option<(u8, &'a str)>,
    gateway: Option<IpAddr>,
    device: Option<String>,
    metric: Option<u32>,
    inet6: Option<bool>,
}

/// Reads the words behind `add` or `del`. `inet6` is the family when words before
/// the verb named one.
pub(super) fn read(action: Action, words: &[String], inet6: Option<bool>) -> Result<RouteRequest> {
    let mut said = Said {
        inet6,
        ..Said::default()
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        said.hear(word, &mut words)?;
    }
    said.request(action)
}

impl<'a> Said<'a> {
    fn hear(&mut self, word: &'a str, words: &mut std::slice::Iter<'a, String>) -> Result<()> {
        match word {
            "-host" => once(&mut self.scope, Scope::Host, word),
            "-net" => once(&mut self.scope, Scope::Net, word),
            "-inet" | "-4" => once(&mut self.inet6, false, word),
            "-inet6" | "-6" => once(&mut self.inet6, true, word),
            "netmask" | "-netmask" => {
                let mask = argument(words, word)?;
                once(&mut self.mask, (netmask::parse(mask)?, mask), word)
            }
            "-prefixlen" => {
                let text = argument(words, word)?;
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let length = digits.then(|| text.parse().ok()).flatten();
                let length = length.ok_or_else(|| refused(text, "not a prefix length"))?;
                once(&mut self.mask, (length, text), word)
            }
            "gw" | "-gateway" => {
                let gateway = argument(words, word)?;
                let address = gateway
                    .parse()
                    .map_err(|_| refused(gateway, "not the address of a gateway"))?;
                once(&mut self.gateway, address, word)
            }
            "metric" => {
                let text = argument(words, word)?;
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let metric = digits.then(|| text.parse().ok()).flatten();
                let metric = metric.ok_or_else(|| refused(text, "not a metric"))?;
                once(&mut self.metric, metric, word)
            }
            "dev" | "-interface" | "-iface" | "-ifp" => {
                let device = argument(words, word)?;
                once(&mut self.device, device.to_owned(), word)
            }
            _ => self.hear_bare(word, words.len() == 0),
        }
    }

    /// A word without a keyword: the destination, then BSD's gateway, and at the
    /// very end Linux's device.
    fn hear_bare(&mut self, word: &'a str, last: bool) -> Result<()> {
        if self.target.is_none() && !word.starts_with('-') {
            self.target = Some(word);
            return Ok(());
        }
        if let Ok(address) = word.parse() {
            return once(&mut self.gateway, address, word);
        }
        if last && self.device.is_none() && !word.is_empty() && !word.starts_with('-') {
            self.device = Some(word.to_owned());
            return Ok(());
        }
        Err(refused(word, "unknown word"))
    }

    fn request(self, action: Action) -> Result<RouteRequest> {
        let verb = match action {
            Action::Add => "add",
            Action::Delete => "del",
        };
        let text = self
            .target
            .ok_or_else(|| refused(verb, "the destination is missing"))?;
        if action == Action::Add && self.device.is_none() && self.gateway.is_none() {
            return Err(refused(verb, "it leads by no device and no gateway"));
        }
        let inet6 = self
            .inet6
            .or(self.gateway.map(|gateway| gateway.is_ipv6()))
            .unwrap_or_else(|| text.contains(':'));
        let target = Target {
            text,
            scope: self.scope,
            mask: self.mask,
            inet6,
        };
        let (destination, prefix_len) = target.read()?;
        if let Some(gateway) = self.gateway {
            let shown = gateway.to_string();
            if gateway.is_ipv6() != inet6 {
                return Err(refused(&shown, "the gateway is of another family"));
            }
            if gateway.is_unspecified() || gateway.is_multicast() || gateway.is_loopback() {
                return Err(refused(&shown, "that is no gateway's address"));
            }
        }
        Ok(RouteRequest {
            destination,
            prefix_len,
            gateway: self.gateway,
            device: self.device,
            metric: self.metric,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `DESTINATION/LENGTH GATEWAY DEVICE METRIC`, a dash for what is not said.
    fn shown(line: &str) -> Option<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let wanted = read(Action::Add, &words, None).ok()?;
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        Some(format!(
            "{}/{} {} {} {}",
            wanted.destination,
            wanted.prefix_len,
            or_dash(wanted.gateway.map(|gateway| gateway.to_string())),
            or_dash(wanted.device),
            or_dash(wanted.metric.map(|metric| metric.to_string())),
        ))
    }

    fn check(cases: &[(&str, Option<&str>)]) {
        for (line, expected) in cases {
            assert_eq!(shown(line).as_deref(), *expected, "{line}");
        }
    }

    #[test]
    fn linux() {
        check(&[
            (
                "-host 203.0.113.7 dev eth0:0",
                Some("203.0.113.7/32 - eth0:0 -"),
            ),
            (
                "-host 203.0.113.7 eth0:0",
                Some("203.0.113.7/32 - eth0:0 -"),
            ),
            ("203.0.113.7 dev eth0:0", Some("203.0.113.7/32 - eth0:0 -")),
            (
                "-net 203.0.113.0 netmask 255.255.255.128 dev eth0:0",
                Some("203.0.113.0/25 - eth0:0 -"),
            ),
            (
                "-net 203.0.113.0 netmask 0xffffff80 dev eth0:0",
                Some("203.0.113.0/25 - eth0:0 -"),
            ),
            (
                "dev eth0:0 netmask 255.255.255.128 -net 203.0.113.0",
                Some("203.0.113.0/25 - eth0:0 -"),
            ),
            (
                "-net 203.0.113.0/25 dev eth0:0",
                Some("203.0.113.0/25 - eth0:0 -"),
            ),
            (
                "-net 203.0.113.0 dev eth0:0",
                Some("203.0.113.0/24 - eth0:0 -"),
            ),
            (
                "-net 166.66.0.0 dev eth0:0",
                Some("166.66.0.0/16 - eth0:0 -"),
            ),
            ("-net 10.0.0.0 dev eth0:0", Some("10.0.0.0/8 - eth0:0 -")),
            (
                "-net 224.0.0.0 netmask 240.0.0.0 dev eth0:0",
                Some("224.0.0.0/4 - eth0:0 -"),
            ),
            ("203.0.113.0 dev eth0:0", Some("203.0.113.0/24 - eth0:0 -")),
            (
                "-host 203.0.113.0 dev eth0:0",
                Some("203.0.113.0/32 - eth0:0 -"),
            ),
            ("default gw 192.0.2.1", Some("0.0.0.0/0 192.0.2.1 - -")),
            (
                "default gw 192.0.2.1 eth0:0",
                Some("0.0.0.0/0 192.0.2.1 eth0:0 -"),
            ),
            (
                "-net default gw 192.0.2.1 metric 5",
                Some("0.0.0.0/0 192.0.2.1 - 5"),
            ),
            ("0.0.0.0 gw 192.0.2.1", Some("0.0.0.0/0 192.0.2.1 - -")),
            (
                "-net 0.0.0.0/0 gw 192.0.2.1",
                Some("0.0.0.0/0 192.0.2.1 - -"),
            ),
            (
                "-host 203.0.113.7 netmask 255.255.255.255 dev eth0:0",
                Some("203.0.113.7/32 - eth0:0 -"),
            ),
            (
                "-net 203.0.113.0/24 gw 192.0.2.1 metric 7 dev eth0:0",
                Some("203.0.113.0/24 192.0.2.1 eth0:0 7"),
            ),
        ]);
    }

    #[test]
    fn bsd() {
        check(&[
            (
                "-net 203.0.113.0 -netmask 255.255.255.128 -interface eth0:0",
                Some("203.0.113.0/25 - eth0:0 -"),
            ),
            (
                "-net 203.0.113.0 -netmask 0xffffff80 -iface eth0:0",
                Some("203.0.113.0/25 - eth0:0 -"),
            ),
            (
                "-net 203.0.113.0/25 192.0.2.1",
                Some("203.0.113.0/25 192.0.2.1 - -"),
            ),
            (
                "203.0.113.7 192.0.2.1",
                Some("203.0.113.7/32 192.0.2.1 - -"),
            ),
            (
                "203.0.113.0 192.0.2.1",
                Some("203.0.113.0/24 192.0.2.1 - -"),
            ),
            ("default 192.0.2.1", Some("0.0.0.0/0 192.0.2.1 - -")),
            (
                "default -gateway 192.0.2.1 -ifp eth0:0",
                Some("0.0.0.0/0 192.0.2.1 eth0:0 -"),
            ),
            ("-inet6 default 2001:db8::1", Some("::/0 2001:db8::1 - -")),
            (
                "-inet6 2001:db8:5:: -prefixlen 64 -interface eth0:0",
                Some("2001:db8:5::/64 - eth0:0 -"),
            ),
        ]);
    }

    #[test]
    fn ipv6() {
        check(&[
            (
                "2001:db8:5::/64 dev eth0:0",
                Some("2001:db8:5::/64 - eth0:0 -"),
            ),
            (
                "2001:db8:5::7 dev eth0:0",
                Some("2001:db8:5::7/128 - eth0:0 -"),
            ),
            (
                "2001:db8:5::/64 gw 2001:db8::1 dev eth0:0",
                Some("2001:db8:5::/64 2001:db8::1 eth0:0 -"),
            ),
            ("default gw 2001:db8::1", Some("::/0 2001:db8::1 - -")),
            ("-6 default dev eth0:0", Some("::/0 - eth0:0 -")),
            (":: gw 2001:db8::1", Some("::/0 2001:db8::1 - -")),
        ]);
    }

    #[test]
    fn refusals() {
        check(&[
            ("", None),
            ("-net", None),
            ("203.0.113.7", None),
            ("-host 203.0.113.7 dev", None),
            ("dev eth0:0", None),
            ("-host 203.0.113.7 netmsk 255.255.255.0 dev eth0:0", None),
            ("-host 203.0.113.7 dev eth0:0 now", None),
            ("-host 203.0.113.7 dev eth0:0 eth0:1", None),
            ("-host 203.0.113.7 eth0:0 metric 1", None),
            ("-host 203.0.113.7 -x dev eth0:0", None),
            ("-x 203.0.113.7 dev eth0:0", None),
            ("-host -net 203.0.113.7 dev eth0:0", None),
            ("-host 203.0.113.7 netmask 255.255.255.0 dev eth0:0", None),
            ("-host 203.0.113.0/24 dev eth0:0", None),
            ("-host default dev eth0:0", None),
            ("-net 203.0.113.7 dev eth0:0", None),
            ("-net 203.0.113.7/24 dev eth0:0", None),
            ("-net 10.1.0.0 dev eth0:0", None),
            ("-net 224.0.0.0 dev eth0:0", None),
            ("-net 203.0.113.0 netmask 255.0.255.0 dev eth0:0", None),
            ("-net 203.0.113.0/24 netmask 255.255.255.0 dev eth0:0", None),
            ("-net 203.0.113.0/33 dev eth0:0", None),
            ("-net 203.0.113.0/ dev eth0:0", None),
            ("-net 203.0.113.0/+24 dev eth0:0", None),
            ("-net 203.0.113.0/255.255.255.0 dev eth0:0", None),
            ("default netmask 255.0.0.0 dev eth0:0", None),
            ("default gw eth0:0", None),
            ("default gw 0.0.0.0 dev eth0:0", None),
            ("default gw 224.0.0.1 dev eth0:0", None),
            ("default gw 192.0.2.1 metric x", None),
            ("default gw 192.0.2.1 metric -1", None),
            ("default gw 192.0.2.1 metric 4294967296", None),
            ("default 192.0.2.1 192.0.2.2", None),
            ("default gw 192.0.2.1 gw 192.0.2.2", None),
            ("203.0.113.0/24 gw 2001:db8::1", None),
            ("-inet6 203.0.113.0/24 dev eth0:0", None),
            ("-inet 2001:db8:5::/64 dev eth0:0", None),
            ("-net 2001:db8:5:: dev eth0:0", None),
            ("2001:db8:5::1/64 dev eth0:0", None),
            ("2001:db8:5::/129 dev eth0:0", None),
            ("name.example dev eth0:0", None),
        ]);
        let nothing_needed = read(Action::Delete, &["203.0.113.7".to_owned()], None);
        assert!(nothing_needed.is_ok(), "a deletion need not say by what");
    }
}
