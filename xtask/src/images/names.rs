//! Names and versions of the images. The recipes in `deploy/packages` build the same versions.

/// Kubernetes in the node image.
pub(super) const KUBERNETES: &str = "v1.34.4";

/// An image that the world needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    name: &'static str,
    tag: &'static str,
    /// Folder under `deploy/packages` with its recipe.
    pub(super) recipe: &'static str,
}

/// The node of the cluster.
pub(crate) const NODE: Image = Image {
    name: "kindest/node",
    tag: KUBERNETES,
    recipe: "node",
};

/// The ledger's server.
pub(crate) const POSTGRES: Image = Image {
    name: "postgres",
    tag: "15",
    recipe: "postgres",
};

/// Version 3, whose range selectors are open to the left, as the simulation's.
pub(crate) const PROMETHEUS: Image = Image {
    name: "prom/prometheus",
    tag: "v3.11.3",
    recipe: "prometheus",
};

/// What everything that is built here begins with.
pub(super) const BASE: Image = Image {
    name: "debian",
    tag: "bookworm-slim",
    recipe: "",
};

/// All that the world needs.
pub(crate) const ALL: [Image; 3] = [NODE, POSTGRES, PROMETHEUS];

impl Image {
    /// The tag without its `v`.
    pub(super) fn version(self) -> &'static str {
        self.tag.trim_start_matches('v')
    }

    /// Name and tag as manifests have them.
    pub(crate) fn plain(self) -> String {
        format!("{}:{}", self.name, self.tag)
    }

    /// Name and tag in the Docker engine: behind `FIREDRILL_IMAGE_PREFIX`, if that is set.
    pub(crate) fn reference(self) -> String {
        let prefix = std::env::var("FIREDRILL_IMAGE_PREFIX").unwrap_or_default();
        format!("{prefix}{}", self.plain())
    }
}
