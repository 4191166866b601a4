//! What `[[faults]]` and `[crash]` must satisfy beyond their form.

use std::time::Duration;

use toml::Spanned;

use super::application::Subject;
use super::error::Mistakes;
use super::fault::{Anchor, FAULTS, Fault, FaultKind, FaultSpec, Need};
use super::quantity::{Span, format_duration};
use super::raw::{RawCrash, RawFault};
use super::{Crash, CrashSide, Timing, check_application, keys};
use crate::suggest;

/// Faults in one scenario: more than that is noise, not a drill.
const FAULTS_MAX: usize = 16;

pub(super) fn crash(m: &mut Mistakes, raw: &RawCrash) -> Option<Crash> {
    let request = m.within("request", &raw.request, keys::CRASH_REQUEST);
    let side = match raw.side.get_ref().as_str() {
        "before" => Some(CrashSide::Before),
        "after" => Some(CrashSide::After),
        word => {
            m.add(
                raw.side.span(),
                format!("unknown side `{word}`"),
                "neither `before` nor `after`",
                suggest::help(word, &keys::SIDES),
            );
            None
        }
    };
    Some(Crash {
        request: u64::from(request),
        side: side?,
        resume_after: raw.resume_after.get_ref().0,
    })
}

/// Faults of `application`.
pub(super) fn faults(
    m: &mut Mistakes,
    raw: &[RawFault],
    timing: &Timing,
    application: &Subject,
) -> Vec<Fault> {
    if let Some(surplus) = raw.get(FAULTS_MAX) {
        m.add(
            surplus.kind.span(),
            format!("{} faults in one drill", raw.len()),
            format!("more than {FAULTS_MAX}"),
            "a drill that fails for sixteen reasons explains none: split the scenario",
        );
    }
    raw.iter()
        .filter_map(|fault| one(m, fault, timing, application))
        .collect()
}

fn one(m: &mut Mistakes, raw: &RawFault, timing: &Timing, application: &Subject) -> Option<Fault> {
    let word = raw.kind.get_ref().as_str();
    let Some(kind) = FaultKind::named(word) else {
        let known: Vec<&str> = FAULTS.iter().map(|f| f.name).collect();
        m.add(
            raw.kind.span(),
            format!("unknown fault `{word}`"),
            "not a kind of fault",
            suggest::help(word, &known),
        );
        return None;
    };
    let spec = kind.spec();
    let place = raw.kind.span();
    needed(m, spec, "lasts", spec.lasts, raw.lasts.as_ref(), &place);
    needed(m, spec, "delay", spec.delay, raw.delay.as_ref(), &place);
    needed(m, spec, "chance", spec.chance, raw.chance.as_ref(), &place);
    needed(m, spec, "by", spec.by, raw.by.as_ref(), &place);
    if let Some(by) = &raw.by
        && by.get_ref().0.is_zero()
    {
        m.add(
            by.span(),
            "a clock that is off by nothing is right",
            "zero",
            "for instance \"30s\" for a clock that is ahead, or \"-30s\" for one that is behind",
        );
    }
    for (name, given) in [("lasts", &raw.lasts), ("delay", &raw.delay)] {
        if let Some(span) = given
            && span.get_ref().0.is_zero()
        {
            m.add(
                span.span(),
                format!("`{name}` of nothing does nothing"),
                "zero",
                "for instance \"5s\"",
            );
        }
    }
    if let Some(chance) = &raw.chance
        && chance.get_ref().0 == 0
    {
        m.add(
            chance.span(),
            "a fault with a chance of 0% never fires",
            "zero",
            "for instance \"25%\"",
        );
    }
    let targets = if application.is_the_exchange() {
        spec.targets.names()
    } else {
        check_application::targets(m, application, raw, spec)
    };
    let target = target(m, spec, &targets, raw.target.as_ref(), &place);
    let when = match &raw.when {
        None => Some(Anchor::Trigger),
        Some(when) => {
            let word = when.get_ref().as_str();
            let anchor = Anchor::parse(word);
            if anchor.is_none() {
                let known = ["start", "deployment", "trigger"];
                let help = match suggest::nearest(word, known) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => {
                        "for instance \"trigger\", or \"step undo-app\" for a step of the runbook"
                            .to_owned()
                    }
                };
                m.add(
                    when.span(),
                    format!("unknown instant `{word}`"),
                    "neither start, deployment, `ready NUMBER`, trigger, `request NUMBER`, `step NAME` nor `after NAME`",
                    help,
                );
            }
            anchor
        }
    };
    let span = |s: &Option<Spanned<Span>>| s.as_ref().map(|s| s.get_ref().0);
    let (when, at) = (when?, span(&raw.at).unwrap_or(Duration::ZERO));
    check_instant(m, raw, &when, at, timing);
    Some(Fault {
        kind,
        when,
        at,
        jitter: span(&raw.jitter).unwrap_or(Duration::ZERO),
        lasts: span(&raw.lasts),
        target: target?,
        delay: span(&raw.delay),
        chance: raw.chance.as_ref().map(|c| *c.get_ref()),
        by: raw.by.as_ref().map(|by| by.get_ref().0),
    })
}

/// A fault that begins after the drill's end begins never. From the trigger on it is later than from the deployment, by
/// nobody knows how much.
fn check_instant(m: &mut Mistakes, raw: &RawFault, when: &Anchor, at: Duration, timing: &Timing) {
    let anchor = match when {
        Anchor::Start => Duration::ZERO,
        Anchor::Deployment
        | Anchor::Ready(_)
        | Anchor::Trigger
        | Anchor::Request(_)
        | Anchor::Step(_)
        | Anchor::After(_) => timing.deploy_at,
    };
    let Some(given) = &raw.at else { return };
    if anchor.saturating_add(at) < timing.duration {
        return;
    }
    let show = format_duration;
    m.add(
        given.span(),
        format!(
            "the fault would begin after the drill's end, at {} at the earliest",
            show(anchor.saturating_add(at))
        ),
        format!("the drill ends at {}", show(timing.duration)),
        "begin it earlier, or lengthen `duration`",
    );
}

fn needed<T>(
    m: &mut Mistakes,
    spec: &FaultSpec,
    field: &str,
    need: Need,
    given: Option<&Spanned<T>>,
    place: &std::ops::Range<usize>,
) {
    match (need, given) {
        (Need::No, Some(value)) => m.add(
            value.span(),
            format!("`{field}` means nothing for `{}`", spec.name),
            "not for this kind",
            format!("remove it: {}", spec.what),
        ),
        (Need::Must, None) => m.add(
            place.clone(),
            format!("`{}` needs `{field}`", spec.name),
            format!("`{field}` is missing"),
            format!(
                "add for instance: {field} = \"{}\"",
                match field {
                    "chance" => "25%",
                    "by" => "-30s",
                    _ => "5s",
                }
            ),
        ),
        _ => {}
    }
}

/// The target, `Some(None)` where there is no choice; `None` after a mistake.
fn target(
    m: &mut Mistakes,
    spec: &FaultSpec,
    targets: &[&str],
    given: Option<&Spanned<String>>,
    place: &std::ops::Range<usize>,
) -> Option<Option<String>> {
    match (given, targets) {
        (None, []) => Some(None),
        (Some(word), []) => {
            m.add(
                word.span(),
                format!("`target` means nothing for `{}`", spec.name),
                "not for this kind",
                format!("remove it: {}", spec.what),
            );
            None
        }
        (None, known) => {
            m.add(
                place.clone(),
                format!("`{}` needs a `target`", spec.name),
                "`target` is missing",
                format!("one of {}", known.join(", ")),
            );
            None
        }
        (Some(word), known) if known.contains(&word.get_ref().as_str()) => {
            Some(Some(word.get_ref().clone()))
        }
        (Some(word), known) => {
            m.add(
                word.span(),
                format!("`{}` can't hit `{}`", spec.name, word.get_ref()),
                "not a target of this fault",
                suggest::help(word.get_ref(), known),
            );
            None
        }
    }
}
