//! References of container images, as a pod template has them.

/// A reference, as its parts: what is before the tag, the tag, and the digest
/// (<https://github.com/distribution/reference/blob/main/reference.go>).
fn parts(image: &str) -> (&str, Option<&str>, Option<&str>) {
    let (named, digest) = match image.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (image, None),
    };
    match named.rsplit_once(':') {
        // The colon of a registry's port is before a slash.
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag), digest),
        _ => (named, None, digest),
    }
}

/// The version of an image: its tag, without one its digest, and without that the whole reference.
#[must_use]
pub fn version(image: &str) -> &str {
    let (_, tag, digest) = parts(image);
    tag.or(digest).unwrap_or(image)
}

/// The reference of another image in the same repository: with the same tag and `-suffix` after it, and with the tag
/// `suffix` where it has none.
#[must_use]
pub fn tagged(image: &str, suffix: &str) -> String {
    match parts(image) {
        (repository, Some(tag), _) => format!("{repository}:{tag}-{suffix}"),
        (repository, None, _) => format!("{repository}:{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{tagged, version};

    #[test]
    fn an_image_has_the_version_of_its_tag_or_of_its_digest() {
        for (image, its_version, bad) in [
            ("web", "web", "web:bad"),
            ("web:7", "7", "web:7-bad"),
            ("dex/gateway:1.4.2", "1.4.2", "dex/gateway:1.4.2-bad"),
            ("r:5000/web", "r:5000/web", "r:5000/web:bad"),
            ("r:5000/web:7", "7", "r:5000/web:7-bad"),
            (
                "host:5000/dex/gateway",
                "host:5000/dex/gateway",
                "host:5000/dex/gateway:bad",
            ),
            ("r:5000/web@sha256:0a1b", "sha256:0a1b", "r:5000/web:bad"),
            ("web@sha256:0a1b", "sha256:0a1b", "web:bad"),
            ("web:7@sha256:0a1b", "7", "web:7-bad"),
            ("host:5000/gw:2@sha256:00", "2", "host:5000/gw:2-bad"),
        ] {
            assert_eq!(version(image), its_version, "{image}");
            assert_eq!(tagged(image, "bad"), bad, "{image}");
        }
    }
}
