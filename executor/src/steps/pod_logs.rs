//! A count of log lines without Loki: the pods' own logs, read through the API server.
//!
//! Only what the runbook's check needs: `sum(count_over_time({app="…", level="…"}[WINDOW]))`, where `namespace`, `app` and
//! `level` may be matched with `=`. Logs of pods that are gone can't be read, unlike in Loki; the step's detail says where its number
//! comes from.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use kube::ResourceExt;
use kube::api::LogParams;

use super::context::{Context, Stop};

/// No more than this is read of a pod's log, in bytes. What was cut off is no data.
const LIMIT: i64 = 16 << 20;

/// Which lines to count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Count {
    labels: BTreeMap<String, String>,
    seconds: i64,
}

/// How many lines match, and of how many pods; or why that can't be told.
pub(super) async fn count(
    context: &Context<'_>,
    query: &str,
) -> Result<Result<(u64, usize), String>, Stop> {
    let wanted = parse(query).map_err(|why| {
        Stop::Failed(format!(
            "the runbook names no Loki, and the pods' logs can't answer this query: {why}"
        ))
    })?;
    let namespace = wanted.labels.get("namespace");
    if namespace.is_some_and(|it| *it != context.terms.namespace) {
        return Err(Stop::Failed(format!(
            "the query is about another namespace than {}",
            context.terms.namespace
        )));
    }
    let selector = wanted
        .labels
        .get("app")
        .map_or_else(String::new, |app| format!("app={app}"));
    let soon = context.ports.clock.now() + SignedDuration::from_secs(5);
    let budget = context.budget.within(soon);
    let pods = context.cluster.list_pods(&selector, &budget).await?;
    if pods.is_empty() {
        return Ok(Err("no pods whose logs could be read".to_owned()));
    }
    let api = context.cluster.pods();
    let params = LogParams {
        since_seconds: Some(wanted.seconds),
        limit_bytes: Some(LIMIT),
        ..LogParams::default()
    };
    let mut lines = 0;
    for pod in &pods {
        let name = pod.name_any();
        let what = format!("read the log of {name}");
        let text = match context
            .cluster
            .call(&what, &budget, || api.logs(&name, &params))
            .await
        {
            Ok(text) => text,
            Err(error) => return Ok(Err(error.chain())),
        };
        if i64::try_from(text.len()).unwrap_or(i64::MAX) >= LIMIT {
            return Ok(Err(format!("the log of {name} is too long to be read")));
        }
        lines += matching(&text, wanted.labels.get("level").map(String::as_str));
    }
    Ok(Ok((lines, pods.len())))
}

/// Lines with `level=LEVEL` as a word, or all of them.
fn matching(text: &str, level: Option<&str>) -> u64 {
    let wanted = level.map(|level| format!("level={level}"));
    let fits = |line: &&str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| line.split_ascii_whitespace().any(|word| word == wanted))
    };
    text.lines().filter(fits).count() as u64
}

/// Reads the one form of query that is understood.
fn parse(query: &str) -> Result<Count, String> {
    let form = "only `sum(count_over_time({label=\"value\", …}[WINDOW]))` is understood";
    let inner = query
        .trim()
        .strip_prefix("sum(count_over_time({")
        .and_then(|rest| rest.strip_suffix("]))"))
        .ok_or(form)?;
    let (matchers, window) = inner.split_once("}[").ok_or(form)?;
    let seconds = window
        .strip_suffix('s')
        .and_then(|number| number.parse().ok())
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| format!("`{window}` is not a number of seconds"))?;
    let mut labels = BTreeMap::new();
    for matcher in matchers.split(',') {
        let (name, value) = matcher.split_once('=').ok_or(form)?;
        let value = value
            .trim()
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .filter(|value| !value.contains(['"', '\\']))
            .ok_or(form)?;
        let name = name.trim();
        if !matches!(name, "namespace" | "app" | "level") {
            return Err(format!("`{name}` is no label of a pod's log"));
        }
        labels.insert(name.to_owned(), value.to_owned());
    }
    Ok(Count { labels, seconds })
}

#[cfg(test)]
mod tests {
    use super::{matching, parse};

    #[test]
    fn the_runbooks_query_is_understood() {
        let query = r#"sum(count_over_time({namespace="dex-production", app="gateway", level="error"}[150s]))"#;
        let count = parse(query).expect("understood");
        assert_eq!(count.seconds, 150);
        let labels: Vec<(&str, &str)> = count
            .labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            labels,
            [
                ("app", "gateway"),
                ("level", "error"),
                ("namespace", "dex-production")
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_not_guessed() {
        for query in [
            r#"count_over_time({app="gateway"}[5s])"#,
            r#"sum(count_over_time({app="gateway"} |= "x" [5s]))"#,
            r#"sum(count_over_time({app="gateway"}[0s]))"#,
            r#"sum(count_over_time({app="gateway"}[5m]))"#,
            r#"sum(count_over_time({app=~"gate.*"}[5s]))"#,
            r#"sum(count_over_time({app!="gateway"}[5s]))"#,
            r#"sum(count_over_time({pod="a"}[5s]))"#,
            r#"sum(rate({app="gateway"}[5s]))"#,
        ] {
            assert!(parse(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_level_is_a_whole_word() {
        let text = "level=error 503 unavailable\nlevel=info level=errors\n12:00 level=error x\n";
        assert_eq!(matching(text, Some("error")), 2);
        assert_eq!(matching(text, None), 3);
        assert_eq!(matching("", Some("error")), 0);
    }
}
