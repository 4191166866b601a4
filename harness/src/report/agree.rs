//! Whether a drill in a journal agrees with itself: its verdicts with its findings, its numbers with theirs and with
//! one another.
//!
//! Who edits a verdict must not get it printed. What is said here follows from how a drill is judged
//! ([`verdict`](crate::verdict)) and told ([`drill`](crate::drill)), and is asked of what was read, not of what is
//! written.

use super::journal::{Drill, Finding};
use crate::drill::Ending;
use crate::finding::{BookCounts, OracleName, Severity, voids};
use crate::oracles::Asked;
use crate::verdict::{Verdict, Weighed, fold};

/// What contradicts: the field, from the drill's own place on, and why.
type Contradiction = (String, String);

/// Whether `drill` agrees with itself.
///
/// # Errors
/// The first place where it does not, and why.
pub(super) fn check(drill: &Drill<'_>) -> Result<(), Contradiction> {
    for (at, finding) in drill.findings.iter().enumerate() {
        let place = |field: &str| format!(".findings[{at}]{field}");
        if drill.findings[..at]
            .iter()
            .any(|it| it.oracle == finding.oracle)
        {
            let why = format!("`{}` has found something before", finding.oracle);
            return Err((place(".oracle"), why));
        }
        by_itself(finding).map_err(|(field, why)| (place(field), why))?;
    }
    missing(drill)?;
    verdicts(drill)?;
    numbers(drill)
}

/// An oracle that was to be asked, and of which there is no finding: a failure that was cut out leaves no other trace.
fn missing(drill: &Drill<'_>) -> Result<(), Contradiction> {
    let has = |oracle: &OracleName| drill.findings.iter().any(|it| it.oracle == *oracle);
    let all = |when: Asked| {
        OracleName::ALL
            .into_iter()
            .filter(move |it| it.asked() == when)
    };
    let recovers = all(Asked::OfARecovery).any(|it| has(&it));
    let mut wanted: Vec<OracleName> = all(Asked::Always).collect();
    wanted.extend(all(Asked::OfARecovery).filter(|_| recovers));
    match wanted.iter().find(|it| !has(it)) {
        None => Ok(()),
        Some(oracle) => Err((".findings".to_owned(), format!("`{oracle}` was not asked"))),
    }
}

/// A finding by itself.
fn by_itself(finding: &Finding<'_>) -> Result<(), (&'static str, String)> {
    let (oracle, verdict) = (finding.oracle, finding.verdict);
    if finding.stage != oracle.stage() {
        let stage = oracle.stage().as_str();
        return Err((".stage", format!("`{oracle}` judges the stage `{stage}`")));
    }
    let fits = match finding.severity {
        None => verdict == Verdict::Pass,
        Some(Severity::MissingEvidence) => verdict != Verdict::Pass,
        Some(_) => verdict == Verdict::Fail,
    };
    if !fits {
        let why = format!("a finding of that severity does not amount to `{verdict}`");
        return Err((".severity", why));
    }
    if voids(oracle, &finding.kind) && verdict != Verdict::Inconclusive {
        let why = format!(
            "`{}` shows nothing, and so does not amount to `{verdict}`",
            finding.kind
        );
        return Err((".verdict", why));
    }
    if finding.harm != (finding.severity == Some(Severity::Harm)) {
        return Err((".harm", "it does not agree with the severity".to_owned()));
    }
    // What no bound allows for.
    let damage = ["changed", "duplicated", "phantoms"];
    let damaged = |name: &&str| finding.numbers.get(*name).is_some_and(|n| *n > 0);
    match damage.into_iter().find(damaged) {
        Some(name) if verdict == Verdict::Pass => {
            Err((".verdict", format!("`pass`, and `{name}` is not 0")))
        }
        _ => Ok(()),
    }
}

/// The verdicts of stages and drill against those of the findings.
fn verdicts(drill: &Drill<'_>) -> Result<(), Contradiction> {
    let weighed = drill.findings.iter().map(|it| Weighed {
        stage: it.stage,
        verdict: it.verdict,
        harm: it.harm,
        void: voids(it.oracle, &it.kind),
    });
    let follows = fold(&weighed.collect::<Vec<_>>());
    for (stage, follows) in follows.stages {
        match drill.verdicts.get(&stage) {
            Some(said) if *said != follows => {
                let why = format!("`{said}`, and `{follows}` follows from the findings");
                return Err((format!(".verdicts.{}", stage.as_str()), why));
            }
            _ => {}
        }
    }
    let (said, follows) = (drill.verdict, follows.overall);
    if said == follows {
        return Ok(());
    }
    let why = match drill.findings.iter().find(|it| it.harm) {
        Some(harm) => format!("what `{}` found is harm", harm.oracle),
        None => format!("`{follows}` follows from the findings"),
    };
    Err((".verdict".to_owned(), format!("`{said}`, and {why}")))
}

/// The drill's numbers against those of the findings, and against one another.
fn numbers(drill: &Drill<'_>) -> Result<(), Contradiction> {
    let wrong = |field: &str, why: &str| Err((field.to_owned(), why.to_owned()));
    for (field, books, oracle) in [
        (".trades", drill.trades, OracleName::Trades),
        (".orders", drill.orders, OracleName::Orders),
    ] {
        if books.lost.saturating_add(books.changed) > books.acknowledged {
            return wrong(field, "more are lost or changed than were acknowledged");
        }
        if !agree(drill, oracle, &counts(&books)) {
            return wrong(field, "they do not agree with what was found of them");
        }
    }
    if drill.trades_acknowledged != drill.trades.acknowledged {
        return wrong(".trades_acknowledged", "it does not agree with `trades`");
    }
    if drill.trades_lost != drill.trades.lost.saturating_add(drill.trades.changed) {
        return wrong(".trades_lost", "it does not agree with `trades`");
    }
    let recovered = drill.ending == Ending::Recovered;
    if recovered != drill.rto_ms.is_some() {
        return wrong(
            ".ending",
            "what recovered has a time to recover, and nothing else has",
        );
    }
    if !agree(drill, OracleName::Rto, &[("limit_ms", drill.rto_max_ms)]) {
        return wrong(
            ".rto_max_ms",
            "it does not agree with what was found of the RTO",
        );
    }
    if let Some(rto_ms) = drill.rto_ms {
        if !agree(drill, OracleName::Rto, &[("rto_ms", rto_ms)]) {
            return wrong(
                ".rto_ms",
                "it does not agree with what was found of the RTO",
            );
        }
        let passed = |it: &Finding<'_>| it.oracle == OracleName::Rto && it.verdict == Verdict::Pass;
        if drill.findings.iter().any(passed) && rto_ms > drill.rto_max_ms {
            return wrong(
                ".rto_ms",
                "beyond the objective, and it was found to be within",
            );
        }
    }
    let after = [
        ("requests", drill.requests_after_recovery),
        ("error_rate_ppm", drill.error_rate_ppm.unwrap_or(0)),
    ];
    if drill.rto_ms.is_some() && !agree(drill, OracleName::ErrorRate, &after) {
        let why = "they do not agree with what was found of the error rate";
        return wrong(".requests_after_recovery", why);
    }
    Ok(())
}

fn counts(books: &BookCounts) -> [(&'static str, u64); 4] {
    [
        ("acknowledged", books.acknowledged),
        ("lost", books.lost),
        ("changed", books.changed),
        ("duplicated", books.duplicated),
    ]
}

/// Whether what `oracle` found has these numbers, as far as it has such numbers at all.
fn agree(drill: &Drill<'_>, oracle: OracleName, numbers: &[(&str, u64)]) -> bool {
    let findings = drill.findings.iter().filter(|it| it.oracle == oracle);
    let mut found = findings.flat_map(|it| {
        let told = |(name, number): &(&str, u64)| Some((*it.numbers.get(*name)?, *number));
        numbers.iter().filter_map(told).collect::<Vec<_>>()
    });
    // Numbers beyond the range of the journal's integers are written as its end.
    found.all(|(told, number)| told == i64::try_from(number).unwrap_or(i64::MAX))
}
