//! Did the host let the clients do their work? If not, nothing that they saw is the exchange's doing for certain.
//!
//! CPU time that a hypervisor or other processes had is told, not judged: how much of it an exchange bears depends on what it is doing just then.

use std::fmt::Write as _;

use crate::evidence::{Contention, Evidence, LATE_MS, Share};
use crate::stats::{parts_per_million, show_ms, show_permille, show_ppm};
use crate::verdict::{Finding, Stage, Verdict};

/// Late requests in a million that are too many: as many as the errors that fail a drill (0.01 %). Fewer can't decide one.
const LATE_PPM_MAX: u64 = 100;

pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding = |verdict, reason: String| Finding::new("host", Stage::Injection, verdict, reason);
    let Some(host) = evidence.host else {
        let text = "nothing can hold the clients of a simulation up";
        return finding(Verdict::Pass, text.to_owned());
    };
    let Some(ppm) = parts_per_million(host.late, host.sent) else {
        return finding(Verdict::Inconclusive, "the clients sent nothing".to_owned());
    };
    let found = if ppm > LATE_PPM_MAX {
        finding(
            Verdict::Inconclusive,
            format!(
                "this host was too busy for its own clients: {} of {} requests ({}) were sent more than {LATE_MS} ms late, by up to {}, the last one at {}; give it less to do and drill again",
                host.late,
                host.sent,
                show_ppm(ppm),
                show_ms(host.worst_ms),
                show_ms(host.last_ms)
            ),
        )
    } else {
        finding(
            Verdict::Pass,
            format!(
                "{} of {} requests were sent more than {LATE_MS} ms late",
                host.late, host.sent
            ),
        )
    };
    let found = found
        .number("sent", host.sent)
        .number("late", host.late)
        .number("late_worst_ms", host.worst_ms);
    let Contention { stolen, waited } = host.contention;
    let numbers = [
        "stolen_permille",
        "stolen_worst_permille",
        "stolen_worst_ms",
    ];
    let found = told(found, numbers, stolen, |permille| {
        format!("its hypervisor gave {permille} of its CPU time to other machines")
    });
    let numbers = [
        "waited_permille",
        "waited_worst_permille",
        "waited_worst_ms",
    ];
    told(found, numbers, waited, |permille| {
        format!("processes waited for a CPU in {permille} of the time")
    })
}

/// Adds a share to the reason and to the numbers, if there is anything to tell.
fn told(
    mut found: Finding,
    numbers: [&'static str; 3],
    share: Option<Share>,
    words: impl Fn(String) -> String,
) -> Finding {
    let Some(share) = share.filter(|share| share.worst_permille > 0) else {
        return found;
    };
    let _ = write!(
        found.reason,
        "; {}, {} in the second before {}",
        words(show_permille(share.permille)),
        show_permille(share.worst_permille),
        show_ms(share.worst_ms)
    );
    let values = [share.permille, share.worst_permille, share.worst_ms];
    let both = numbers.into_iter().zip(values);
    both.fold(found, |found, (name, value)| found.number(name, value))
}
