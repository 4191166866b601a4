//! Names the build: a digest of every source that a drill's course may depend on, for replay tokens. And lists what is
//! deployed: the manifests in `deploy/dex`, so that a new one needs no list.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Packages whose code takes part in a drill.
const PACKAGES: [&str; 7] = [
    "promql",
    "contract",
    "dex",
    "executor",
    "sim",
    "sim/exchange",
    "harness",
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![root.join("Cargo.lock"), root.join("Cargo.toml")];
    for package in PACKAGES {
        files.push(root.join(package).join("Cargo.toml"));
        for part in ["src", "data", "migrations"] {
            collect(&root.join(package).join(part), &mut files);
        }
    }
    let manifests = manifests(&root.join("deploy/dex"));
    list(&manifests);
    files.extend(manifests);
    files.sort();
    // FNV-1a, 64 bits, over names and contents: it tells builds apart by accident, not by malice.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut take = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = file.strip_prefix(&root).unwrap_or(&file);
        take(name.to_string_lossy().as_bytes());
        take(&fs::read(&file).unwrap_or_default());
    }
    println!(
        "cargo:rustc-env=FIREDRILL_BUILD={}",
        (hash >> 32) as u32 ^ hash as u32
    );
}

/// The manifests in `directory`, by name.
fn manifests(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(directory, &mut files);
    files.retain(|file| file.extension().is_some_and(|it| it == "yaml"));
    files.sort();
    files
}

/// Writes the list that `worlds/common/manifests` includes: name and text of each manifest.
fn list(manifests: &[PathBuf]) {
    let mut list = String::from("&[\n");
    for file in manifests {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(list, "    ({name:?}, include_str!({file:?})),");
    }
    list.push_str("]\n");
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out).join("manifests.rs");
    fs::write(&out, list).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

/// The files below `directory`, which need not be there. The directories too, so that a new file is noticed.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    println!("cargo:rerun-if-changed={}", directory.display());
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
