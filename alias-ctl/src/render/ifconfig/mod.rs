//! `ifconfig`'s listings: net-tools 1.60's layout, and those of BSD, AIX and Solaris.

mod bsd;
mod linux;
mod solaris;
mod view;

use crate::model::ifconfig::{Form, Style};

pub use view::{AliasView, DeviceView, InetView};

/// The listing.
#[must_use]
pub fn render(devices: &[DeviceView], form: Form, style: Style) -> String {
    match (form, style) {
        (Form::Names, _) => names(devices, style),
        (Form::Table, _) => linux::table(devices),
        (Form::Blocks, Style::Linux) => linux::blocks(devices),
        (Form::Blocks, Style::Bsd | Style::Aix) => bsd::blocks(devices, style),
        (Form::Blocks, Style::Solaris) => solaris::blocks(devices),
    }
}

/// BSD's aliases have no names.
fn names(devices: &[DeviceView], style: Style) -> String {
    let mut names: Vec<&str> = Vec::new();
    for device in devices {
        if !device.only_aliases {
            names.push(&device.name);
        }
        if matches!(style, Style::Linux | Style::Solaris) {
            names.extend(device.aliases.iter().map(|alias| alias.name.as_str()));
        }
    }
    names.join(" ") + "\n"
}
