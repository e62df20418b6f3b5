//! Embeds the eBPF object that `cargo xtask build` left at `ALIAS_EBPF_OBJECT`
//! (set in `.cargo/config.toml`). Without one the controller still compiles, so
//! that nobody needs a BPF compiler to work on it; it then says at run time that
//! it has no datapath.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=ALIAS_EBPF_OBJECT");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let embedded = out.join("alias.bpf.o");
    let Some(object) = env::var_os("ALIAS_EBPF_OBJECT").map(PathBuf::from) else {
        return fs::write(embedded, []);
    };
    println!("cargo::rerun-if-changed={}", object.display());
    match fs::copy(&object, &embedded) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::write(embedded, []),
        Err(error) => Err(error),
    }
}
