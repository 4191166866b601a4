//! Label sets, cheap to clone and ordered.
//!
//! The metric name is kept apart from the other labels, because PromQL drops it in most operations
//! and must not copy the rest for that.

use std::fmt;
use std::sync::Arc;

/// The label that holds the metric name.
pub const NAME: &str = "__name__";

/// An interned string.
pub type Str = Arc<str>;

/// A set of labels: sorted by name, no empty values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    name: Option<Str>,
    rest: Arc<[(Str, Str)]>,
}

impl Labels {
    /// The set of `pairs`; of pairs with the same name the last one counts, empty values are dropped.
    #[must_use]
    pub fn new(name: Option<Str>, pairs: impl IntoIterator<Item = (Str, Str)>) -> Self {
        let mut name = name.filter(|n| !n.is_empty());
        let mut rest: Vec<(Str, Str)> = Vec::with_capacity(8);
        for (k, v) in pairs {
            if &*k == NAME {
                name = (!v.is_empty()).then_some(v);
                continue;
            }
            match rest.binary_search_by(|(have, _)| (**have).cmp(&*k)) {
                Ok(i) => rest[i].1 = v,
                Err(i) => rest.insert(i, (k, v)),
            }
        }
        rest.retain(|(_, v)| !v.is_empty());
        Self {
            name,
            rest: rest.into(),
        }
    }

    /// The set of `pairs`, for tests and for labels that come in as text.
    #[must_use]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self::new(None, pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())))
    }

    /// Value of the label, empty if there is none: an absent label and an empty one are the same.
    #[must_use]
    pub fn get(&self, label: &str) -> &str {
        if label == NAME {
            return self.name.as_deref().unwrap_or("");
        }
        self.rest
            .iter()
            .find(|(k, _)| &**k == label)
            .map_or("", |(_, v)| v)
    }

    /// The metric name.
    #[must_use]
    pub fn name(&self) -> Option<&Str> {
        self.name.as_ref()
    }

    /// Removes the metric name.
    pub fn drop_name(&mut self) {
        self.name = None;
    }

    /// All labels but the metric name, sorted.
    #[must_use]
    pub fn rest(&self) -> &[(Str, Str)] {
        &self.rest
    }

    /// True if there is no label at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.rest.is_empty()
    }

    /// All labels, the metric name first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let name = self.name.as_deref().map(|n| (NAME, n));
        name.into_iter()
            .chain(self.rest.iter().map(|(k, v)| (&**k, &**v)))
    }

    /// Only the labels named.
    #[must_use]
    pub fn keep(&self, names: &[Str]) -> Self {
        let has = |k: &str| names.iter().any(|n| &**n == k);
        Self {
            name: self.name.clone().filter(|_| has(NAME)),
            rest: self.rest.iter().filter(|(k, _)| has(k)).cloned().collect(),
        }
    }

    /// All labels but those named.
    #[must_use]
    pub fn remove(&self, names: &[Str]) -> Self {
        let has = |k: &str| names.iter().any(|n| &**n == k);
        Self {
            name: self.name.clone().filter(|_| !has(NAME)),
            rest: self.rest.iter().filter(|(k, _)| !has(k)).cloned().collect(),
        }
    }

    /// The set with one label changed; an empty value removes it.
    #[must_use]
    pub fn with(&self, label: &str, value: &str) -> Self {
        Self::new(
            self.name.clone(),
            self.rest
                .iter()
                .cloned()
                .chain(std::iter::once((label.into(), value.into()))),
        )
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or(""))?;
        f.write_str("{")?;
        for (i, (k, v)) in self.rest.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{k}={v:?}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::Labels;

    #[test]
    fn labels_are_sorted_unique_and_never_empty() {
        let l = Labels::of(&[
            ("z", "1"),
            ("a", "2"),
            ("z", "3"),
            ("m", ""),
            ("__name__", "up"),
        ]);
        assert_eq!(l.to_string(), r#"up{a="2", z="3"}"#);
        assert_eq!(l.get("m"), "");
        assert_eq!(l.with("a", "").to_string(), r#"up{z="3"}"#);
        assert_eq!(
            l.remove(&["__name__".into(), "z".into()]).to_string(),
            r#"{a="2"}"#
        );
        assert_eq!(l.keep(&["__name__".into()]).to_string(), "up{}");
    }
}
