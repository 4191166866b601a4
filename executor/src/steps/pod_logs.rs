//! A count of log lines without Loki: the pods' own logs, read through the API server.
//!
//! Only what the runbook's check needs: `sum(count_over_time({app="…", level="…"}[WINDOW]))`, where `namespace`, `app`
//! and `level` may be matched with `=`. Logs of pods that are gone can't be read, unlike in Loki; the step's detail
//! says where its number comes from.
//!
//! The kubelet shows a pod's newest file only, so that a log which was rotated begins later than was asked for,
//! without a word. That no line matches counts only if every live pod wrote lines, of whatever level, all through the
//! window (`steps/silence`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::LogParams;

use super::answer::Answer;
use super::context::{Context, Stop};
use super::logs::is_none;
use super::query::no_data;
use super::streams::{Operator, Selector};
use crate::budget::Budget;
use crate::error::Error;
use crate::kubernetes::is_live;
use crate::verdict::ConditionVerdict;

/// No more than this is read of a pod's log, in bytes. What was cut off is no data.
const LIMIT: i64 = 16 << 20;

/// Which lines to count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Count {
    labels: BTreeMap<String, String>,
    seconds: i64,
}

/// How many lines match.
pub(super) struct Counted {
    pub(super) lines: u64,
    /// Of how many pods.
    pub(super) pods: usize,
    /// Where the window begins at the latest.
    pub(super) from: Timestamp,
}

/// How many lines match; or why that can't be told. The API server takes a window in whole seconds, so that it may
/// begin up to a second later than the query says.
pub(super) async fn count(
    context: &Context<'_>,
    query: &str,
) -> Result<Result<Counted, Answer>, Stop> {
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
    let pods = match context.cluster.list_pods(&selector, &budget).await {
        Ok(pods) => pods,
        Err(error) => return unanswered(error),
    };
    if pods.is_empty() {
        return Ok(Err(untold("no pods whose logs could be read")));
    }
    let mut lines = 0;
    for pod in &pods {
        let name = pod.name_any();
        let start = context.ports.clock.now() - SignedDuration::from_secs(wanted.seconds);
        let current = match read(context, &name, &wanted, &budget, false).await {
            Ok(text) => text,
            Err(error) => return unanswered(error),
        };
        // A process that begins anew at any time up to now takes the lines of the window with it, and the pod's status
        // need not tell of it yet.
        let before = match read(context, &name, &wanted, &budget, true).await {
            Ok(text) => text,
            Err(error) if is_none(&error) => String::new(),
            Err(error) => return unanswered(error),
        };
        let texts = [before, current];
        if texts.iter().any(|text| is_cut_off(text)) {
            return Ok(Err(untold(&format!(
                "the log of {name} is too long to be read"
            ))));
        }
        let lines_of_pod = read_lines(&texts);
        let (now, quiet) = (context.ports.clock.now(), context.application.quiet());
        if is_live(pod)
            && let Some((from, to)) = gap(&lines_of_pod, start, now, quiet)
        {
            return Ok(Err(untold(&format!(
                "the log of {name} holds no line between {from} and {to}; it may have been rotated, so that none is an \
                 error proves nothing"
            ))));
        }
        lines += matching(
            &lines_of_pod,
            wanted.labels.get("level").map(String::as_str),
        );
    }
    Ok(Ok(Counted {
        lines,
        pods: pods.len(),
        from: context.ports.clock.now() - SignedDuration::from_secs(wanted.seconds),
    }))
}

/// The logs say nothing either way.
fn untold(why: &str) -> Answer {
    Answer::of(ConditionVerdict::Unknown, format!("no data: {why}"), None)
}

/// The API server did not say.
fn unanswered<T>(error: Error) -> Result<Result<T, Answer>, Stop> {
    Ok(no_data(error)?.map_err(|why| Answer::unanswered(&why)))
}

/// A line of a log, with when it was written if it says so.
struct Line<'a> {
    at: Option<Timestamp>,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line that the API server put a time before.
    fn of(line: &'a str) -> Self {
        let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
        match stamp.parse() {
            Ok(at) => Self { at: Some(at), text },
            Err(_) => Self {
                at: None,
                text: line,
            },
        }
    }
}

/// The log of a pod's present process over the time that is `wanted`, or of the one before.
async fn read(
    context: &Context<'_>,
    pod: &str,
    wanted: &Count,
    budget: &Budget,
    previous: bool,
) -> Result<String, Error> {
    let api = context.cluster.pods();
    let params = LogParams {
        previous,
        since_seconds: Some(wanted.seconds),
        limit_bytes: Some(LIMIT),
        timestamps: true,
        ..LogParams::default()
    };
    let what = format!("read the log of {pod}");
    context
        .cluster
        .call(&what, budget, || api.logs(pod, &params))
        .await
}

/// Whether more was there than what is read.
fn is_cut_off(text: &str) -> bool {
    i64::try_from(text.len()).unwrap_or(i64::MAX) >= LIMIT
}

/// The lines of the process before and of the present one. Where a process began anew between the two questions, both
/// answers are of the same one, and its lines count once.
fn read_lines(texts: &[String; 2]) -> Vec<Line<'_>> {
    let [before, current] = texts;
    let known: BTreeSet<&str> = before.lines().collect();
    let new = current.lines().filter(|line| !known.contains(line));
    before.lines().chain(new).map(Line::of).collect()
}

/// The first time between `start` and `end` in which nothing was written for longer than `quiet`, which is what a pod
/// that is well leaves out at most.
fn gap(
    lines: &[Line<'_>],
    start: Timestamp,
    end: Timestamp,
    quiet: SignedDuration,
) -> Option<(Timestamp, Timestamp)> {
    let mut last = start;
    for at in lines.iter().filter_map(|line| line.at).chain([end]) {
        if at.duration_since(last) > quiet {
            return Some((last, at));
        }
        last = last.max(at);
    }
    None
}

/// Lines with `level=LEVEL` as a word, or all of them.
fn matching(lines: &[Line<'_>], level: Option<&str>) -> u64 {
    let wanted = level.map(|level| format!("level={level}"));
    let fits = |line: &&Line<'_>| {
        wanted.as_ref().is_none_or(|wanted| {
            let mut words = line.text.split_ascii_whitespace();
            words.any(|word| word == wanted)
        })
    };
    lines.iter().filter(fits).count() as u64
}

/// Reads the one form of query that is understood.
fn parse(query: &str) -> Result<Count, String> {
    let form = "only `sum(count_over_time({label=\"value\", …}[WINDOW]))` is understood";
    let inner = query
        .trim()
        .strip_prefix("sum(count_over_time(")
        .filter(|inner| inner.starts_with('{'))
        .ok_or(form)?;
    let (selector, rest) = Selector::first_of(inner).ok_or(form)?;
    let window = rest
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix("]))"))
        .ok_or(form)?;
    let seconds = match (window.strip_suffix("ms"), window.strip_suffix('s')) {
        (Some(number), _) => number.parse::<i64>().ok().map(|millis| millis / 1_000),
        (None, Some(number)) => number.parse().ok(),
        (None, None) => None,
    };
    let seconds = seconds
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| format!("`{window}` is not a number of seconds"))?;
    let mut labels = BTreeMap::new();
    for matcher in selector.matchers {
        if matcher.operator != Operator::Equal {
            return Err(form.to_owned());
        }
        let name = matcher.label;
        if !matches!(name.as_str(), "namespace" | "app" | "level") {
            return Err(format!("`{name}` is no label of a pod's log"));
        }
        labels.insert(name, matcher.value);
    }
    Ok(Count { labels, seconds })
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Line, gap, matching, parse, read_lines};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    #[test]
    fn the_runbooks_query_is_understood() {
        let query = r#"sum(count_over_time({namespace="dex-production", app="gateway", level="error"}[150s]))"#;
        let count = parse(query).expect("understood");
        assert_eq!(count.seconds, 150);
        let longer = parse(&query.replace("150s", "150999ms")).expect("understood");
        assert_eq!(longer.seconds, 150);
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
            r#"sum(count_over_time({app="gateway"}[999ms]))"#,
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
        let text = "1970-01-01T00:00:01.5Z level=error 503 unavailable\n\
                    1970-01-01T00:00:02Z level=info level=errors\n12:00 level=error x\n";
        let lines: Vec<Line<'_>> = text.lines().map(Line::of).collect();
        let stamps: Vec<bool> = lines.iter().map(|line| line.at.is_some()).collect();
        assert_eq!(stamps, [true, true, false]);
        assert_eq!(matching(&lines, Some("error")), 2);
        assert_eq!(matching(&lines, None), 3);
        assert_eq!(matching(&[], Some("error")), 0);
    }

    #[test]
    fn the_lines_of_the_process_before_count_too_and_once() {
        let texts = |before: &str, current: &str| [before.to_owned(), current.to_owned()];
        let count = |texts: [String; 2]| matching(&read_lines(&texts), Some("error"));
        let (old, new) = (
            "1970-01-01T00:00:01Z level=error a\n",
            "1970-01-01T00:00:09Z level=error b\n",
        );
        assert_eq!(count(texts(old, new)), 2);
        assert_eq!(count(texts("", new)), 1);
        assert_eq!(count(texts(old, "")), 1);
        // It ended between the two questions, and wrote one more line before the second.
        assert_eq!(count(texts(old, old)), 1);
        assert_eq!(count(texts(&format!("{old}{new}"), old)), 2);
        // Both were asked for the last seconds, and the second question was asked later.
        assert_eq!(count(texts(new, &format!("{old}{new}"))), 2);
    }

    #[test]
    fn a_log_that_was_rotated_or_fell_silent_is_no_silence() {
        let gap_of = |seconds: &[i64]| {
            let line = |second: &i64| Line {
                at: Some(at(*second)),
                text: "level=info",
            };
            let lines: Vec<Line<'_>> = seconds.iter().map(line).collect();
            gap(&lines, at(100), at(150), SignedDuration::from_secs(20))
        };
        assert_eq!(gap_of(&[110, 120, 130, 140]), None);
        assert_eq!(gap_of(&[119, 139]), None);
        assert_eq!(gap_of(&[]), Some((at(100), at(150))));
        // What came before was rotated away.
        assert_eq!(gap_of(&[125, 135, 145]), Some((at(100), at(125))));
        assert_eq!(gap_of(&[110, 120]), Some((at(120), at(150))));
        assert_eq!(gap_of(&[110, 135, 145]), Some((at(110), at(135))));
    }
}
