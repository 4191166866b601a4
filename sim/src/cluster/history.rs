//! ControllerRevisions: the templates that a StatefulSet or a DaemonSet has had (`pkg/controller/history`).

use super::api::status::ApiError;
use super::kinds::Kind;
use super::machine::Cluster;
use super::objects::{DeleteOptions, Part};
use super::pod_template::controller_reference;
use super::store::Ref;
use super::value::{self, at, created, int, members, name, namespace, remove, set};
use crate::cluster::json::{Value, json};

/// Label of a pod or a revision: which revision it is of.
pub(crate) const REVISION_HASH: &str = "controller-revision-hash";

/// What a revision keeps of its owner: a patch that puts the template back (`getPatch`).
pub(crate) fn patch_of(owner: &Value) -> Value {
    let mut template = at(owner, &["spec", "template"])
        .cloned()
        .unwrap_or(Value::Null);
    set(&mut template, &["$patch"], "replace");
    json!({"spec": {"template": template}})
}

/// The template that a revision keeps.
pub(crate) fn template_of(revision: &Value) -> Value {
    let path = ["data", "spec", "template"];
    let mut template = at(revision, &path).cloned().unwrap_or(Value::Null);
    remove(&mut template, &["$patch"]);
    template
}

/// The number of a revision.
pub(crate) fn number(revision: &Value) -> i64 {
    int(revision, &["revision"]).unwrap_or(0)
}

/// The number after those of these sorted revisions.
pub(crate) fn next_number(revisions: &[Ref]) -> i64 {
    revisions.last().map_or(1, |last| number(&last.value) + 1)
}

/// `HashControllerRevision`: FNV-1 over the text as Go writes it, and how often the name was taken before.
fn hash(data: &Value, collisions: i64) -> String {
    let mut text = data.to_string();
    for (from, to) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    text.push_str(&collisions.to_string());
    let hash = text.bytes().fold(0x811c_9dc5_u32, |h, b| {
        h.wrapping_mul(0x0100_0193) ^ u32::from(b)
    });
    value::safe_encoded(&hash.to_string())
}

/// Whether a revision could not be made because its name is that of another one.
pub(crate) fn is_taken(made: &Result<Ref, ApiError>) -> bool {
    made.as_ref().is_err_and(|e| e.reason == "AlreadyExists")
}

/// By number; ties go by age and name.
fn sort(revisions: &mut [Ref]) {
    revisions.sort_by(|a, b| {
        let of = |r: &Ref| (number(&r.value), created(&r.value));
        of(a)
            .cmp(&of(b))
            .then_with(|| name(&a.value).cmp(name(&b.value)))
    });
}

impl Cluster {
    /// The revisions of an owner, the oldest first.
    pub(crate) fn revisions_of(&mut self, owner: &Value) -> Result<Vec<Ref>, ApiError> {
        let mut revisions = self.claim(owner, Kind::ControllerRevision, |_| true)?;
        sort(&mut revisions);
        Ok(revisions)
    }

    /// Makes a revision of the owner's template. Where its name is taken by another template, `collisions` counts up.
    pub(crate) fn create_revision(
        &mut self,
        owner: &Value,
        number: i64,
        collisions: &mut i64,
    ) -> Result<Ref, ApiError> {
        let data = patch_of(owner);
        loop {
            let hash = hash(&data, *collisions);
            let called = format!("{}-{hash}", name(owner));
            let made = self.revision_called(owner, &data, number, (&called, &hash));
            if !is_taken(&made) {
                return made;
            }
            *collisions += 1;
        }
    }

    /// The revision with this name, this hash in its label, and these data: the one that is there, or else one that is
    /// made. Where the name is that of other data, it [is taken](is_taken).
    pub(crate) fn revision_called(
        &mut self,
        owner: &Value,
        data: &Value,
        number: i64,
        (called, hash): (&str, &str),
    ) -> Result<Ref, ApiError> {
        let made = self.create_named_revision(owner, data, number, (called, hash));
        if is_taken(&made) {
            let key = value::key(namespace(owner), called);
            let there = self.get(Kind::ControllerRevision, &key);
            if let Some(same) = there.filter(|it| it.value["data"] == *data) {
                return Ok(same);
            }
        }
        made
    }

    /// Makes a revision with this name and this hash in its label.
    fn create_named_revision(
        &mut self,
        owner: &Value,
        data: &Value,
        number: i64,
        (called, hash): (&str, &str),
    ) -> Result<Ref, ApiError> {
        let mut revision = json!({
            "metadata": {"name": called, "ownerReferences": [controller_reference(owner)]},
            "data": data, "revision": number,
        });
        let labels = at(owner, &["spec", "template", "metadata", "labels"]);
        if let Some(labels) = labels {
            set(&mut revision, &["metadata", "labels"], labels.clone());
        }
        set(&mut revision, &["metadata", "labels", REVISION_HASH], hash);
        if members(owner, &["metadata", "annotations"]).count() > 0 {
            let annotations = at(owner, &["metadata", "annotations"]).cloned();
            value::set_or_remove(&mut revision, &["metadata", "annotations"], annotations);
        }
        self.create(Kind::ControllerRevision, namespace(owner), revision)
    }

    /// Gives a revision a new number: what it keeps is the latest again.
    pub(crate) fn renumber_revision(&mut self, of: &Ref, number: i64) -> Result<Ref, ApiError> {
        let mut copy = of.value.clone();
        set(&mut copy, &["revision"], number);
        let key = value::key_of(&of.value);
        self.update(Kind::ControllerRevision, &key, copy, Part::Main)
    }

    /// Deletes the oldest of `revisions` that are not `live`, until as many are left as `spec.revisionHistoryLimit`
    /// says.
    pub(crate) fn truncate_history(
        &mut self,
        owner: &Value,
        revisions: &[Ref],
        live: impl Fn(&str) -> bool,
    ) -> Result<(), ApiError> {
        let limit = int(owner, &["spec", "revisionHistoryLimit"]).unwrap_or(10);
        let Ok(limit) = usize::try_from(limit) else {
            return Ok(());
        };
        let old: Vec<String> = revisions
            .iter()
            .filter(|revision| !live(name(&revision.value)))
            .map(|revision| value::key_of(&revision.value))
            .collect();
        for key in old.iter().take(old.len().saturating_sub(limit)) {
            self.delete(Kind::ControllerRevision, key, &DeleteOptions::default())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::hash;
    use crate::cluster::json::json;

    /// What Go's `hash/fnv` and `rand.SafeEncodeString` make of these texts.
    #[test]
    fn hashes_are_those_of_kubernetes() {
        assert_eq!(hash(&json!({}), 0), "cccc864bc");
        assert_eq!(hash(&json!({"a": "<"}), 1), "7649c48bbd");
    }
}
