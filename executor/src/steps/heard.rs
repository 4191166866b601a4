//! Up to when the answer to a query of metrics tells anything: until the last scrape of every pod that it reads.
//!
//! A pod that stands still isn't scraped, and Prometheus goes on answering from what it has. What that pod did
//! meanwhile shows in its counters once it is scraped again. Until then, that nothing failed is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use super::context::{Context, Stop};
use super::pods;
use super::query::{Question, answered, substitute};
use crate::queries::Language;

/// What is added to the age of a scrape that failed, in seconds: no sample is as old.
const DARK: f64 = 1e9;

/// How long ago the last scrape was of the pod that was scraped least recently, of those that `question` reads; or
/// which of them the last scrape did not reach.
///
/// A service is read if one of its live pods is: the target of a series that the query selects and that has a sample
/// since `since`. Then each of its live pods must be scraped. Prometheus writes `up` for every target, with the
/// target's `job` and `instance` ("Jobs and instances"). Series without a label `pod` belong to no pod, and nothing is
/// wanted of them.
pub(super) async fn last_heard(
    context: &Context<'_>,
    question: Question<'_>,
    since: Timestamp,
) -> Result<Result<Duration, String>, Stop> {
    let query = match substitute(context, question.query, since).await? {
        Ok((query, window)) => ages(&query, window),
        Err(why) => return Ok(Err(why)),
    };
    let Some(query) = query else {
        return Ok(Ok(Duration::ZERO));
    };
    let base = context.terms.prometheus;
    let asked = context
        .queries
        .ask_by(base, Language::Prom, &query, None, "pod");
    let ages = match answered(asked.await)? {
        Ok(ages) => ages.into_iter(),
        Err(why) => return Ok(Err(why)),
    };
    let ages: BTreeMap<String, f64> = ages.filter_map(|(pod, age)| Some((pod?, age))).collect();
    let mut unheard = Vec::new();
    for service in context.baseline.services.values() {
        let live = match pods::glance(context, &service.selector).await? {
            Ok(live) => live,
            Err(why) => return Ok(Err(why)),
        };
        let names = live.iter().map(ResourceExt::name_any);
        unheard.extend(missing(names.collect(), &ages));
    }
    if unheard.is_empty() {
        let heard = ages.into_values().filter(|age| *age < DARK);
        let oldest = heard.fold(0.0, f64::max);
        return Ok(Ok(Duration::try_from_secs_f64(oldest).unwrap_or_default()));
    }
    Ok(Err(format!(
        "Prometheus can't scrape {}: what it did is not known yet",
        unheard.join(", ")
    )))
}

/// Which of the `live` pods of a service the last scrape did not reach, if it is a service whose pods are read: one of
/// them has an age. Pure.
fn missing(live: BTreeSet<String>, ages: &BTreeMap<String, f64>) -> Vec<String> {
    if !live.iter().any(|pod| ages.contains_key(pod)) {
        return Vec::new();
    }
    let heard = |pod: &String| ages.get(pod).is_some_and(|age| *age < DARK);
    live.into_iter().filter(|pod| !heard(pod)).collect()
}

/// Asks how many seconds ago each pod was scraped whose series `query` reads: [`DARK`] or more where the last scrape
/// did not reach it. `None` if it reads no series of the last `window`.
fn ages(query: &str, window: Duration) -> Option<String> {
    let parsed = promql::parse(query).ok()?;
    let ms = window.as_millis();
    let read: BTreeSet<String> = promql::selectors(&parsed)
        .iter()
        // What an offset leads to is compared with: it need not be scraped now.
        .filter(|it| it.offset.is_none() && it.at.is_none())
        .map(|it| format!("last_over_time({it}[{ms}ms])"))
        .collect();
    if read.is_empty() {
        return None;
    }
    let read: Vec<String> = read.into_iter().collect();
    let text = format!(
        "max by (pod) (time() - timestamp(up) + {DARK} * (1 - up) and on (job, instance) ({}))",
        read.join(" or ")
    );
    // A selector that is read otherwise than it is meant would be another question.
    promql::parse(&text).is_ok().then_some(text)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::{ages, missing};

    const WINDOW: Duration = Duration::from_secs(90);

    #[test]
    fn the_targets_of_every_series_that_a_query_reads_are_asked_for_once() {
        let query = r#"(sum(increase(x_total{code=~"5..", ns="a"}[90s])) or 0 * sum(increase(x_total{ns="a"}[90s])))
            / sum(increase(x_total{ns="a"}[90s])) - sum(rate(y[1m] offset 1h))"#;
        let text = ages(query, WINDOW).expect("a query");
        assert_eq!(
            text,
            "max by (pod) (time() - timestamp(up) + 1000000000 * (1 - up) and on (job, instance) \
             (last_over_time(x_total{code=~\"5..\",ns=\"a\"}[90000ms]) or \
             last_over_time(x_total{ns=\"a\"}[90000ms])))"
        );
        for none in ["vector(1)", "rate(y[1m] offset 1h)", "no query"] {
            assert_eq!(ages(none, WINDOW), None, "{none}");
        }
    }

    #[test]
    fn every_live_pod_of_a_service_that_is_read_must_be_scraped() {
        let set = |names: &[&str]| -> BTreeSet<String> {
            names.iter().map(|it| (*it).to_owned()).collect()
        };
        let ages = |of: &[(&str, f64)]| -> BTreeMap<String, f64> {
            of.iter()
                .map(|(pod, age)| ((*pod).to_owned(), *age))
                .collect()
        };
        let one = ages(&[("gateway-1", 0.5)]);
        let said = |live: &[&str]| missing(set(live), &one);
        assert_eq!(said(&["gateway-1"]), [""; 0]);
        assert_eq!(said(&["gateway-1", "gateway-2"]), ["gateway-2"]);
        assert_eq!(said(&["risk-1", "risk-2"]), [""; 0], "it is not read");
        // A service of which no pod is scraped is read all the same.
        let dark = ages(&[("gateway-1", super::DARK + 0.5), ("gateway-2", super::DARK)]);
        let all = set(&["gateway-1", "gateway-2"]);
        assert_eq!(missing(all, &dark), ["gateway-1", "gateway-2"]);
    }
}
