//! Where built programs are kept, and where programs are found.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Firedrill's folder in the user's cache.
pub(crate) struct Cache {
    directory: PathBuf,
}

fn directory() -> Option<PathBuf> {
    if let Some(given) = env::var_os("FIREDRILL_CACHE") {
        return Some(PathBuf::from(given));
    }
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(base.join("firedrill"))
}

/// The folder with the recipes.
pub(super) fn recipes() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/packages"))
}

/// An executable: our own build, else the search path's.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let own = directory().map(|it| it.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    own.into_iter()
        .chain(env::split_paths(&path))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

impl Cache {
    /// `FIREDRILL_CACHE`, else `firedrill` in the XDG cache folder. Created if missing.
    pub(crate) fn open() -> Result<Self, String> {
        let directory = directory().ok_or("neither HOME nor XDG_CACHE_HOME is set")?;
        let cache = Self { directory };
        fs::create_dir_all(cache.bin()).map_err(|error| {
            format!("cannot create the cache {}: {error}", cache.bin().display())
        })?;
        Ok(cache)
    }

    /// Built programs.
    pub(crate) fn bin(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// A file or folder in the cache.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// An empty folder to assemble something in.
    pub(super) fn scratch(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        if path.exists() {
            fs::remove_dir_all(&path).map_err(failed)?;
        }
        fs::create_dir_all(&path).map_err(failed)?;
        Ok(path)
    }
}

/// Digest (FNV-1a, 64 bits) of names and contents of all files under `paths`, and of `extra`.
pub(super) fn digest(paths: &[&Path], extra: &str) -> Result<String, String> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, path, &mut files)?;
    }
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for (name, path) in files {
        add(name.as_bytes());
        add(&fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    add(extra.as_bytes());
    Ok(format!("{hash:016x}"))
}

/// Files under `path`, named relative to `root`.
fn collect(root: &Path, path: &Path, files: &mut Vec<(String, PathBuf)>) -> Result<(), String> {
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
        for entry in entries {
            let entry = entry.map_err(|error| error.to_string())?;
            collect(root, &entry.path(), files)?;
        }
    } else {
        let name = path.strip_prefix(root).unwrap_or(path);
        files.push((name.to_string_lossy().into_owned(), path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{digest, recipes};

    #[test]
    fn a_digest_depends_on_contents_and_on_what_is_added() {
        let (pause, etcd) = (recipes().join("pause"), recipes().join("etcd"));
        let of = |paths: &[&std::path::Path], extra| digest(paths, extra).expect("readable");
        assert_eq!(of(&[&pause], "a"), of(&[&pause], "a"));
        assert_ne!(of(&[&pause], "a"), of(&[&pause], "b"));
        assert_ne!(of(&[&pause], "a"), of(&[&etcd], "a"));
        assert!(digest(&[&recipes().join("no-such-recipe")], "").is_err());
    }
}
