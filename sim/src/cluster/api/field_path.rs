//! Paths of fields as the API server writes them (`apimachinery/pkg/util/validation/field/path.go`). A path becomes a
//! text only where something is said of its field.

use std::fmt;

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) enum FieldPath<'a> {
    /// In the object itself.
    Top,
    /// In a field whose path is written already.
    At(&'a str),
    /// In a field of this name: `spec.replicas`.
    Field(&'a FieldPath<'a>, &'a str),
    /// In a list, at this position: `containers[0]`.
    Element(&'a FieldPath<'a>, usize),
    /// In a map, under this key: `limits[cpu]`.
    Key(&'a FieldPath<'a>, &'a str),
}

impl<'a> FieldPath<'a> {
    /// The field of this name in what stands here.
    pub(super) fn child(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    /// The element of the list that stands here.
    pub(super) fn index(&'a self, at: usize) -> Self {
        Self::Element(self, at)
    }

    /// The value under this key of the map that stands here.
    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => Ok(()),
            Self::At(written) => f.write_str(written),
            Self::Field(Self::Top, name) => f.write_str(name),
            Self::Field(holder, name) => write!(f, "{holder}.{name}"),
            Self::Element(holder, at) => write!(f, "{holder}[{at}]"),
            Self::Key(holder, key) => write!(f, "{holder}[{key}]"),
        }
    }
}

/// The keys and positions that a written path leads through. Upstream writes the labels and annotations of a pod
/// template without its `metadata` (`ValidatePodTemplateSpec`); they are found below it.
pub(super) fn steps(written: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut rest = written;
    // And one annotation of an Ingress so, too (`ValidateIngressCreate`).
    if let Some(annotation) = written.strip_prefix("annotations.") {
        return ["metadata", "annotations", annotation]
            .map(str::to_owned)
            .to_vec();
    }
    while !rest.is_empty() {
        let step;
        if let Some(inside) = rest.strip_prefix('[') {
            let end = inside.find(']').unwrap_or(inside.len());
            step = &inside[..end];
            rest = inside.get(end + 1..).unwrap_or_default();
            rest = rest.strip_prefix('.').unwrap_or(rest);
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            step = &rest[..end];
            rest = &rest[end..];
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
        if !step.is_empty() {
            // Go's type has it there, the manifest beside it.
            if step == "shareProcessNamespace"
                && steps.last().is_some_and(|it| it == "securityContext")
            {
                steps.pop();
            }
            let of_template = steps.last().is_some_and(|it| it == "template");
            if of_template && matches!(step, "labels" | "annotations") {
                steps.push("metadata".to_owned());
            }
            steps.push(step.to_owned());
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::{FieldPath, steps};

    #[test]
    fn paths_are_written_and_read_again() {
        let top = FieldPath::Top;
        let spec = top.child("spec");
        let containers = spec.child("containers");
        let first = containers.index(0);
        let limits = first.child("limits");
        let written = limits.key("example.com/gpu").to_string();
        assert_eq!(written, "spec.containers[0].limits[example.com/gpu]");
        let read = ["spec", "containers", "0", "limits", "example.com/gpu"];
        assert_eq!(steps(&written), read);
        assert_eq!(
            steps("spec.template.labels"),
            ["spec", "template", "metadata", "labels"]
        );
        assert_eq!(
            steps("spec.securityContext.shareProcessNamespace"),
            ["spec", "shareProcessNamespace"]
        );
        assert_eq!(
            steps("annotations.kubernetes.io/ingress.class"),
            ["metadata", "annotations", "kubernetes.io/ingress.class"]
        );
        assert!(steps("[]").is_empty());
        let cut = steps("metadata.annotations[a");
        assert_eq!(cut, ["metadata", "annotations", "a"]);
    }
}
