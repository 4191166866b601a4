//! Bugs of how a host reads its clock and of what it puts by.

use std::sync::Arc;

use bytes::Bytes;
use executor::ports::Ports;
use jiff::SignedDuration;

use crate::bug::Row;
use crate::ports::{Settable, Slow, stored_as, undated};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "pauses-four-times-as-long",
        what: "every pause between two looks takes four times as long as it should",
        stresses: &["error-rate"],
        masked: None,
        bend: |_, ports| slow(ports, 4, SignedDuration::ZERO),
    },
    Row {
        name: "clock-of-another-zone",
        what: "local time is taken for UTC, an hour ahead of it, and the API server's time is not heeded",
        stresses: &["trigger"],
        masked: None,
        bend: |_, ports| slow(undated(ports), 1, SignedDuration::from_hours(1)),
    },
    Row {
        name: "clock-of-its-own",
        what: "each host goes by its own clock, however far that is off the API server's",
        stresses: &["clock-skewed"],
        masked: None,
        bend: |_, ports| undated(ports),
    },
    Row {
        name: "timer-by-the-time-of-day",
        what: "whoever sets a host's clock ends its lease, and moves every end that it had set itself",
        stresses: &["clock-skewed"],
        masked: None,
        bend: |_, ports| Ports {
            clock: Arc::new(Settable(Arc::clone(&ports.clock))),
            ..ports
        },
    },
    Row {
        name: "logs-not-stored",
        what: "the logs of the bad release are said to be saved, and are not",
        stresses: &["sla-latency-p99"],
        masked: None,
        bend: |_, ports| {
            stored_as(ports, |name, content| {
                (!name.contains("/logs/")).then(|| (name.to_owned(), content))
            })
        },
    },
    Row {
        name: "one-log-file-for-all-pods",
        what: "the logs of all pods of a service are saved under one name, so that the last one is left",
        stresses: &["sla-latency-p99"],
        masked: None,
        bend: |_, ports| {
            stored_as(ports, |name, content| {
                let shared = name
                    .contains("/logs/")
                    .then(|| name.rsplit_once('/'))
                    .flatten();
                let name = shared.map_or_else(
                    || name.to_owned(),
                    |(folder, _)| format!("{folder}/all.log"),
                );
                Some((name, content))
            })
        },
    },
    Row {
        name: "post-mortem-not-written",
        what: "the post-mortem is said to be written, and is not",
        stresses: &["outcome = \"escalated\""],
        masked: None,
        bend: |_, ports| {
            stored_as(ports, |name, content| {
                (!name.ends_with("post-mortem.md")).then(|| (name.to_owned(), content))
            })
        },
    },
    Row {
        name: "post-mortem-empty",
        what: "the post-mortem is a file without a word",
        stresses: &["outcome = \"escalated\""],
        masked: None,
        bend: |_, ports| {
            stored_as(ports, |name, content| {
                let content = if name.ends_with("post-mortem.md") {
                    Bytes::new()
                } else {
                    content
                };
                Some((name.to_owned(), content))
            })
        },
    },
    Row {
        name: "scenario-not-written",
        what: "the scenario that reproduces the incident is said to be written, and is not",
        stresses: &["path"],
        masked: None,
        bend: |_, ports| {
            stored_as(ports, |name, content| {
                (!name.ends_with(".toml")).then(|| (name.to_owned(), content))
            })
        },
    },
];

fn slow(ports: Ports, times: u32, ahead: SignedDuration) -> Ports {
    let inner = Arc::clone(&ports.clock);
    Ports {
        clock: Arc::new(Slow {
            inner,
            times,
            ahead,
        }),
        ..ports
    }
}
