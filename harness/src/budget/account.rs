//! Over many drills: what each step and each cause takes, in the middle and at the worst.

use serde::Serialize;

use super::cause::Cause;
use super::spans::DrillSpans;
use crate::evidence::Ms;
use crate::stats::{median, percentile};

/// What something takes over the drills, in ms. The median and the worst are over the drills that recovered; where it
/// was not done in a drill it took nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The step with its service, or the cause.
    pub what: String,
    /// What it is spent on.
    pub cause: Cause,
    /// How many of the drills it was in.
    pub drills: usize,
    /// The median of what lies before the recovery.
    pub median_ms: Ms,
    /// The worst of it.
    pub worst_ms: Ms,
    /// The median of what lies after it, up to the executor's claim.
    pub after_ms: Ms,
}

/// Where the time goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Drills that were performed.
    pub drills: usize,
    /// Those of them that recovered.
    pub recovered: usize,
    /// First harm to recovery: median and worst.
    pub impact_ms: Option<(Ms, Ms)>,
    /// Trigger to recovery: median and worst.
    pub rto_ms: Option<(Ms, Ms)>,
    /// Trigger to the executor's claim: median and worst.
    pub claimed_ms: Option<(Ms, Ms)>,
    /// By cause, in the order of [`Cause::ALL`].
    pub causes: Vec<Part>,
    /// By step, in the order in which the drills came to them.
    pub steps: Vec<Part>,
    /// The critical path of the drill that took the longest, step by step.
    pub worst: Vec<(String, Cause, Ms)>,
}

impl Account {
    /// Of these drills.
    #[must_use]
    pub fn of(drills: &[DrillSpans]) -> Self {
        let recovered: Vec<&DrillSpans> = drills.iter().filter(|it| it.rto_ms.is_some()).collect();
        let both = |of: fn(&DrillSpans) -> Option<Ms>| {
            let mut values: Vec<Ms> = recovered.iter().filter_map(|it| of(it)).collect();
            Some((median(&mut values)?, percentile(&mut values, 100)?))
        };
        let worst = recovered.iter().max_by_key(|it| it.impact_ms);
        let worst = worst.map_or_else(Vec::new, |it| {
            let spans = it.spans.iter().filter(|span| span.before_ms > 0);
            spans
                .map(|span| (span.what.clone(), span.cause, span.before_ms))
                .collect()
        });
        Self {
            drills: drills.len(),
            recovered: recovered.len(),
            impact_ms: both(|it| it.impact_ms),
            rto_ms: both(|it| it.rto_ms),
            claimed_ms: both(|it| it.claimed_ms),
            causes: by_cause(&recovered),
            steps: by_step(&recovered),
            worst,
        }
    }
}

fn part(what: String, cause: Cause, spent: Vec<(Ms, Ms)>, drills: usize) -> Part {
    let (mut before, mut after): (Vec<Ms>, Vec<Ms>) = spent.into_iter().unzip();
    Part {
        what,
        cause,
        drills,
        median_ms: median(&mut before).unwrap_or_default(),
        worst_ms: percentile(&mut before, 100).unwrap_or_default(),
        after_ms: median(&mut after).unwrap_or_default(),
    }
}

fn by_cause(drills: &[&DrillSpans]) -> Vec<Part> {
    let of = |cause: Cause| {
        let mut with = 0;
        let spent = drills.iter().map(|drill| {
            let own: Vec<_> = drill.spans.iter().filter(|it| it.cause == cause).collect();
            with += usize::from(!own.is_empty());
            let sum = |of: fn(&super::spans::Span) -> Ms| own.iter().map(|it| of(it)).sum();
            (sum(|it| it.before_ms), sum(|it| it.after_ms))
        });
        let spent = spent.collect();
        (with > 0).then(|| part(cause.name().to_owned(), cause, spent, with))
    };
    Cause::ALL.into_iter().filter_map(of).collect()
}

fn by_step(drills: &[&DrillSpans]) -> Vec<Part> {
    let mut order: Vec<(&str, Cause)> = Vec::new();
    for span in drills.iter().flat_map(|it| &it.spans) {
        if !order.iter().any(|(what, _)| *what == span.what) {
            order.push((&span.what, span.cause));
        }
    }
    let of = |(what, cause): (&str, Cause)| {
        let mut with = 0;
        let spent = drills.iter().map(|drill| {
            let own = drill.spans.iter().find(|it| it.what == what);
            with += usize::from(own.is_some());
            own.map_or((0, 0), |it| (it.before_ms, it.after_ms))
        });
        let spent = spent.collect();
        part(what.to_owned(), cause, spent, with)
    };
    order.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::spans::Span;
    use super::*;

    fn drill(pods_ms: Ms, detection_ms: Ms) -> DrillSpans {
        let span = |what: &str, cause, before_ms, after_ms| Span {
            what: what.to_owned(),
            cause,
            before_ms,
            after_ms,
            budget_ms: None,
        };
        DrillSpans {
            spans: vec![
                span("detection", Cause::Detection, detection_ms, 0),
                span("lease and plan", Cause::Decision, 100, 0),
                span("undo-app gateway", Cause::Pods, 50, 0),
                span("rollout-status gateway", Cause::Pods, pods_ms, 1_000),
            ],
            impact_ms: Some(detection_ms + 150 + pods_ms),
            rto_ms: Some(150 + pods_ms),
            claimed_ms: Some(1_150 + pods_ms),
            trigger: None,
        }
    }

    #[test]
    fn the_time_is_accounted_for_by_cause_and_by_step() {
        let mut never = drill(9_000, 1_000);
        never.rto_ms = None;
        let drills = [
            drill(4_000, 10_000),
            drill(6_000, 20_000),
            drill(8_000, 15_000),
            never,
        ];
        let account = Account::of(&drills);
        assert_eq!((account.drills, account.recovered), (4, 3));
        assert_eq!(account.rto_ms, Some((6_150, 8_150)));
        assert_eq!(account.impact_ms, Some((23_150, 26_150)));
        let causes: Vec<_> = account
            .causes
            .iter()
            .map(|it| (it.cause, it.median_ms, it.worst_ms, it.after_ms))
            .collect();
        assert_eq!(
            causes,
            [
                (Cause::Detection, 15_000, 20_000, 0),
                (Cause::Decision, 100, 100, 0),
                (Cause::Pods, 6_050, 8_050, 1_000),
            ]
        );
        let steps: Vec<&str> = account.steps.iter().map(|it| it.what.as_str()).collect();
        let expected = [
            "detection",
            "lease and plan",
            "undo-app gateway",
            "rollout-status gateway",
        ];
        assert_eq!(steps, expected);
        assert_eq!(
            account.worst[0],
            ("detection".to_owned(), Cause::Detection, 20_000)
        );
    }
}
