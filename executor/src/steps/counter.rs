//! How much a counter has grown, asked of every live pod of the release.
//!
//! Not of Prometheus: it takes up to ten seconds to find a pod that has just begun (`discovery/manager.go`,
//! `scrape/manager.go`), and two scrapes more until an increase has a value. Meanwhile a sum is silent about that pod,
//! which would read as zero.
//!
//! A look that finds no data goes on to the Deployments: pods that somebody scaled away never come, however long they
//! are waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;

use super::concurrent;
use super::context::{Context, Stop, Success};
use super::holding::{Holding, Round};
use super::looks::Looks;
use super::pods::is_short;
use super::query::condition;
use crate::exposition::Series;
use crate::kubernetes::is_live;
use crate::pod_port::PodPort;
use crate::verdict::{ConditionVerdict, all};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What each pod's counter showed, by the pod's UID.
type Counts = BTreeMap<String, f64>;

/// `kubectl get --raw …/metrics | grep`.
pub(super) async fn check(
    context: &Context<'_>,
    port: PodPort,
    series: &Series,
) -> Result<Success, Stop> {
    let mut holding = Holding::default();
    let mut looks = Looks::new(context);
    let mut before = None;
    loop {
        let began = context.ports.clock.now();
        let round = look(&mut looks, port, series, &mut before).await?;
        if let Some(success) = holding.judge(context, began, round).await? {
            return Ok(success);
        }
    }
}

/// One look; what it saw is what the next one compares with.
async fn look(
    looks: &mut Looks<'_, '_>,
    port: PodPort,
    series: &Series,
    before: &mut Option<Counts>,
) -> Result<Round, Stop> {
    let condition = condition(looks.context)?;
    let (verdict, text) = match read(looks, port, series).await? {
        Ok(counts) => {
            let grown = before.as_ref().and_then(|before| growth(before, &counts));
            let pods = counts.len();
            *before = Some(counts);
            match grown {
                Some(grown) => (
                    all(&[grown], condition),
                    format!("{grown} more of {series} in {pods} pods, expected {condition}"),
                ),
                None => (
                    ConditionVerdict::Unknown,
                    format!("first look at {series} in {pods} pods"),
                ),
            }
        }
        Err(why) => match concurrent::look(looks.context).await? {
            Ok(()) => (ConditionVerdict::Unknown, format!("no data: {why}")),
            Err(why) => return Ok(Round::unanswered(format!("no data: {why}"))),
        },
    };
    Ok(Round::answered(verdict, text, PAUSE))
}

/// The counter of every live pod that has it; or why that can't be told.
async fn read(
    looks: &mut Looks<'_, '_>,
    port: PodPort,
    series: &Series,
) -> Result<Result<Counts, String>, Stop> {
    let context = looks.context;
    let mut counts = Counts::new();
    for (name, service) in &context.baseline.services {
        let pods = context
            .cluster
            .list_pods(&service.selector, &context.budget)
            .await?;
        let pods: Vec<_> = pods.into_iter().filter(is_live).collect();
        if let Some(why) = is_short(name, service.replicas, &pods) {
            return Ok(Err(why));
        }
        for pod in &pods {
            match looks.get(pod, port, "metrics").await {
                Ok(page) => {
                    if let Some(count) = series.sum(&page) {
                        counts.insert(pod.uid().unwrap_or_default(), count);
                    }
                }
                Err(error) => return Ok(Err(format!("{}: {}", pod.name_any(), error.chain()))),
            }
        }
    }
    if counts.is_empty() {
        return Ok(Err(format!("no pod has {series}")));
    }
    Ok(Ok(counts))
}

/// By how much the pods of `after` have grown; `None` if one of them was not seen before. A process that began again
/// has counted from 0.
fn growth(before: &Counts, after: &Counts) -> Option<f64> {
    after
        .iter()
        .map(|(pod, now)| {
            let was = *before.get(pod)?;
            Some(if *now < was { *now } else { now - was })
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Counts, growth};

    fn counts(of: &[(&str, f64)]) -> Counts {
        of.iter().map(|(pod, n)| ((*pod).to_owned(), *n)).collect()
    }

    #[test]
    fn growth_is_over_the_pods_that_are_there_now() {
        let before = counts(&[("a", 5.0), ("b", 7.0), ("gone", 100.0)]);
        assert_eq!(
            growth(&before, &counts(&[("a", 5.0), ("b", 7.0)])),
            Some(0.0)
        );
        assert_eq!(
            growth(&before, &counts(&[("a", 6.0), ("b", 9.0)])),
            Some(3.0)
        );
        assert_eq!(
            growth(&before, &counts(&[("a", 2.0), ("b", 7.0)])),
            Some(2.0),
            "it began again"
        );
    }

    #[test]
    fn a_pod_that_was_not_seen_before_is_no_data() {
        let before = counts(&[("a", 5.0)]);
        assert_eq!(growth(&before, &counts(&[("a", 5.0), ("new", 0.0)])), None);
    }
}
