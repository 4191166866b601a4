//! Whether the absence of log lines means anything: lines of the same streams, of whatever level, must have arrived
//! from every pod through the whole window. Services that are well say so now and then; one that writes nothing, and
//! one whose lines nobody collects, look alike.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::context::{Context, Stop};
use super::pods;
use super::query::answered;
use super::streams::Selector;
use crate::queries::Language;

/// Whether lines of every pod that `query` is about arrived throughout the time from `since` up to `until`; or what is
/// missing.
pub(super) async fn is_told(
    context: &Context<'_>,
    base: &str,
    query: &str,
    since: Timestamp,
    until: Timestamp,
) -> Result<Result<(), String>, Stop> {
    let Some(selector) = Selector::first_of(query).map(|(selector, _)| selector.of_any_level())
    else {
        return Ok(Err("the query selects no streams".to_owned()));
    };
    if selector.matchers.is_empty() {
        return Ok(Err(
            "the query selects streams by their level only".to_owned()
        ));
    }
    let pods = match pods_of(context, &selector).await? {
        Ok(pods) if pods.is_empty() => {
            return Ok(Err(format!("no pod writes to the streams {selector}")));
        }
        Ok(pods) => pods,
        Err(why) => return Ok(Err(why)),
    };
    let quiet = context.application.quiet();
    let lines = format!(
        "sum by (pod) (count_over_time({selector}[{}s]))",
        quiet.as_secs()
    );
    // The newest first: what is late is missing there.
    let mut end = until;
    loop {
        let written = context
            .queries
            .ask_by(base, Language::Log, &lines, Some(end), "pod")
            .await;
        let written: BTreeSet<String> = match answered(written)? {
            Ok(written) => written
                .into_iter()
                .filter(|(_, lines)| *lines > 0.0)
                .filter_map(|(pod, _)| pod)
                .collect(),
            Err(why) => return Ok(Err(why)),
        };
        let silent: Vec<&str> = pods.difference(&written).map(String::as_str).collect();
        if !silent.is_empty() {
            return Ok(Err(format!(
                "no line of {} arrived from the {} s before {end}, so that none is an error proves nothing",
                silent.join(", "),
                quiet.as_secs()
            )));
        }
        end -= quiet;
        if end - quiet < since {
            return Ok(Ok(()));
        }
    }
}

/// The live pods whose streams are selected, by name.
async fn pods_of(
    context: &Context<'_>,
    selector: &Selector,
) -> Result<Result<BTreeSet<String>, String>, Stop> {
    let mut names = BTreeSet::new();
    for service in context.baseline.services.values() {
        let pods = match pods::glance(context, &service.selector).await? {
            Ok(pods) => pods,
            Err(why) => return Ok(Err(why)),
        };
        let selected =
            |pod: &&Pod| selector.accepts(|label| label_of(pod, context.terms.namespace, label));
        names.extend(pods.iter().filter(selected).map(ResourceExt::name_any));
    }
    Ok(Ok(names))
}

/// What a collector says of a pod's lines by `label`, if that can be known: its namespace, its name, and its own
/// labels, where underscores stand for what a label of Loki can't hold.
fn label_of(pod: &Pod, namespace: &str, label: &str) -> Option<String> {
    match label {
        "namespace" => Some(namespace.to_owned()),
        "pod" => Some(pod.name_any()),
        _ => {
            let plain = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let own = pod.labels().iter();
            own.clone()
                .find(|(name, _)| *name == label)
                .or_else(|| own.clone().find(|(name, _)| plain(name) == label))
                .map(|(_, value)| value.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;

    use super::label_of;
    use crate::steps::streams::Selector;

    #[test]
    fn a_query_is_about_the_pods_whose_labels_fit() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "gateway-1", "labels": {"app": "gateway", "app.kubernetes.io/part-of": "dex"}},
        }))
        .expect("a pod");
        for (query, fits) in [
            (r#"{namespace="ns", app="gateway"}"#, true),
            (r#"{namespace="ns", app="risk"}"#, false),
            (r#"{namespace="other"}"#, false),
            (
                r#"{app_kubernetes_io_part_of="dex", stream="stderr"}"#,
                true,
            ),
            (r#"{pod=~"gateway-.*", level="error"}"#, true),
        ] {
            let (selector, _) = Selector::first_of(query).expect(query);
            let selected = selector.accepts(|label| label_of(&pod, "ns", label));
            assert_eq!(selected, fits, "{query}");
        }
    }
}
