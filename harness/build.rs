//! Names the build: a digest of every source that a drill's course may depend on, for replay tokens.

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
