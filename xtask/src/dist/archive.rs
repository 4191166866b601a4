//! An image of one program as an archive that `docker load`, `podman load`, `kind load image-archive` and `skopeo`
//! read: `docker save`'s own form (`image/spec/v1.2` of moby). The same program makes the same archive, byte for byte.

use std::io::{self, Write};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// Nobody: neither a user nor a group of any system.
const NOBODY: &str = "65532:65532";
/// The beginning of time, for what has to have a time.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// Digits of the digest in a tag.
const TAG: usize = 16;

/// An image.
pub(super) struct Image {
    name: String,
    /// The one layer, as a tar archive.
    layer: Vec<u8>,
    /// Its digest.
    digest: String,
    config: Vec<u8>,
}

impl Image {
    /// The image that holds `program` as `/NAME`, and a folder for temporary files.
    pub(super) fn of(name: &str, program: &[u8], architecture: &str) -> io::Result<Self> {
        let mut layer = Builder::new(Vec::new());
        append(&mut layer, "tmp/", EntryType::Directory, 0o1777, &[])?;
        append(&mut layer, name, EntryType::Regular, 0o555, program)?;
        let layer = layer.into_inner()?;
        let digest = sha256(&layer);
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "created": CREATED,
            "config": {
                "User": NOBODY,
                "Entrypoint": [format!("/{name}")],
                "WorkingDir": "/",
                "Labels": {"firedrill": "1"},
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
            "history": [{"created": CREATED, "created_by": "cargo xtask dist"}],
        });
        Ok(Self {
            name: name.to_owned(),
            layer,
            digest,
            config: config.to_string().into_bytes(),
        })
    }

    /// Name and tag. Another program has another tag, so no node takes an old image for the new one.
    pub(super) fn reference(&self) -> String {
        format!("{}:{}", self.name, &self.digest[..TAG])
    }

    /// Writes the archive.
    pub(super) fn write(&self, out: impl Write) -> io::Result<()> {
        let config = format!("{}.json", sha256(&self.config));
        let layer = format!("{}/layer.tar", self.digest);
        let manifest: Value = json!([{
            "Config": config,
            "RepoTags": [self.reference()],
            "Layers": [layer],
        }]);
        let mut archive = Builder::new(out);
        let folder = format!("{}/", self.digest);
        append(&mut archive, &folder, EntryType::Directory, 0o755, &[])?;
        append(&mut archive, &layer, EntryType::Regular, 0o644, &self.layer)?;
        append(
            &mut archive,
            &config,
            EntryType::Regular,
            0o644,
            &self.config,
        )?;
        let manifest = manifest.to_string();
        append(
            &mut archive,
            "manifest.json",
            EntryType::Regular,
            0o644,
            manifest.as_bytes(),
        )?;
        archive.into_inner()?.flush()
    }
}

/// Appends an entry that belongs to root and is as old as time.
fn append(
    archive: &mut Builder<impl Write>,
    path: &str,
    kind: EntryType,
    mode: u32,
    data: &[u8],
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(data.len() as u64);
    archive.append_data(&mut header, path, data)
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use tar::Archive;

    use super::*;

    /// Entries of an archive: mode, owner and content, by path.
    fn entries(bytes: &[u8]) -> BTreeMap<String, (u32, u64, Vec<u8>)> {
        let mut archive = Archive::new(bytes);
        let entries = archive.entries().expect("an archive");
        let read = entries.map(|entry| {
            let mut entry = entry.expect("an entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("its content");
            let header = entry.header();
            let (mode, owner) = (
                header.mode().expect("a mode"),
                header.uid().expect("an owner"),
            );
            let path = entry.path().expect("a path").display().to_string();
            (path, (mode, owner, content))
        });
        read.collect()
    }

    fn archive(program: &[u8]) -> (String, Vec<u8>) {
        let image = Image::of("firedrill", program, "amd64").expect("in memory");
        let mut bytes = Vec::new();
        image.write(&mut bytes).expect("in memory");
        (image.reference(), bytes)
    }

    #[test]
    fn an_archive_holds_what_its_manifest_says() {
        let (reference, bytes) = archive(b"a program");
        let outer = entries(&bytes);
        let parsed = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("JSON") };
        let manifest = parsed(&outer["manifest.json"].2);
        assert_eq!(manifest[0]["RepoTags"], json!([reference]));
        let name = manifest[0]["Config"].as_str().expect("a name");
        let config = &outer[name].2;
        assert_eq!(name, format!("{}.json", sha256(config)));
        let config = parsed(config);
        assert_eq!(config["config"]["Entrypoint"], json!(["/firedrill"]));
        assert_eq!(config["config"]["User"], NOBODY);
        let layers = manifest[0]["Layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 1);
        let layer = &outer[layers[0].as_str().expect("a path")].2;
        let digest = format!("sha256:{}", sha256(layer));
        assert_eq!(config["rootfs"]["diff_ids"], json!([digest]));
        let inner = entries(layer);
        assert_eq!(inner.len(), 2);
        assert_eq!(inner["firedrill"], (0o555, 0, b"a program".to_vec()));
        assert_eq!((inner["tmp/"].0, inner["tmp/"].1), (0o1777, 0));
    }

    #[test]
    fn the_same_program_makes_the_same_archive_and_another_one_another_tag() {
        let (one, other) = (archive(b"a program"), archive(b"another"));
        assert_eq!(archive(b"a program"), one);
        assert_ne!(one.0, other.0);
        let tag = one.0.strip_prefix("firedrill:").expect("its name");
        assert!(tag.len() == TAG && tag.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
