//! Embeds the eBPF objects that `cargo xtask build` left in `ALIAS_EBPF_OBJECTS`
//! (set in `.cargo/config.toml`). Without one the controller still compiles, so
//! that nobody needs a BPF compiler to work on it; it then says at run time what
//! it was built without.

use std::path::PathBuf;
use std::{env, fs, io};

/// The objects, by their file names.
const OBJECTS: [&str; 4] = [
    "alias.bpf.o",
    "tcp_options.bpf.o",
    "types.bpf.o",
    "listing.bpf.o",
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=ALIAS_EBPF_OBJECTS");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let objects = env::var_os("ALIAS_EBPF_OBJECTS").map(PathBuf::from);
    for name in OBJECTS {
        let embedded = out.join(name);
        let Some(object) = objects.as_ref().map(|objects| objects.join(name)) else {
            fs::write(embedded, [])?;
            continue;
        };
        println!("cargo::rerun-if-changed={}", object.display());
        match fs::copy(&object, &embedded) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Who develops goes without; who installs wants to know.
                if env::var_os("PROFILE").is_some_and(|profile| profile == "release") {
                    println!(
                        "cargo::warning={}: no eBPF object there, and alias-ctl attaches nothing \
                         without it: run `cargo xtask build` first",
                        object.display()
                    );
                }
                fs::write(embedded, [])?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
