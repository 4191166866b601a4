//! Controllers that put a Deployment back to what a repository says: they undo a rollback.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How long such a controller may take until it comes again: Argo CD looks every three minutes
/// (`timeout.reconciliation`, 120 s and up to 60 s of jitter), Flux as often as its objects say, in its own examples
/// every five to ten minutes (`spec.interval`).
pub const COMES_AGAIN: Duration = Duration::from_secs(600);

/// Marks on what they own: where, key, who. Argo CD's "Resource Tracking", Flux's "Kustomization" and "HelmRelease".
const MARKS: [(Place, &str, &str); 4] = [
    (
        Place::Annotation,
        "argocd.argoproj.io/tracking-id",
        "Argo CD",
    ),
    (Place::Label, "argocd.argoproj.io/instance", "Argo CD"),
    (Place::Label, "kustomize.toolkit.fluxcd.io/name", "Flux"),
    (Place::Label, "helm.toolkit.fluxcd.io/name", "Flux"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Annotation,
    Label,
}

/// Such a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciler {
    /// Its name.
    pub name: String,
    /// The mark, `KEY=VALUE`.
    pub mark: String,
}

impl Reconciler {
    /// Who owns an object with these labels and annotations.
    #[must_use]
    pub fn of(
        labels: Option<&BTreeMap<String, String>>,
        annotations: Option<&BTreeMap<String, String>>,
    ) -> Option<Self> {
        MARKS.iter().find_map(|(place, key, name)| {
            let marks = match place {
                Place::Annotation => annotations,
                Place::Label => labels,
            };
            let value = marks?.get(*key)?;
            Some(Self {
                name: (*name).to_owned(),
                mark: format!("{key}={value}"),
            })
        })
    }
}

impl fmt::Display for Reconciler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.mark)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Reconciler;

    #[test]
    fn owners_are_known_by_their_marks() {
        let marks = |key: &str| BTreeMap::from([(key.to_owned(), "dex".to_owned())]);
        let argo = marks("argocd.argoproj.io/tracking-id");
        let flux = marks("kustomize.toolkit.fluxcd.io/name");
        let shown = |found: Option<Reconciler>| found.map(|it| it.to_string());
        assert_eq!(
            shown(Reconciler::of(None, Some(&argo))).as_deref(),
            Some("Argo CD (argocd.argoproj.io/tracking-id=dex)")
        );
        assert_eq!(
            shown(Reconciler::of(Some(&flux), None)).as_deref(),
            Some("Flux (kustomize.toolkit.fluxcd.io/name=dex)")
        );
        // Helm, among others, sets this one and reconciles nothing by itself.
        let helm = marks("app.kubernetes.io/instance");
        assert_eq!(Reconciler::of(Some(&helm), Some(&flux)), None);
    }
}
