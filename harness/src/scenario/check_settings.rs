//! What `[[deployments]]`, `[ledger]` and the bursts of `[load]` must satisfy beyond their form.

use std::collections::BTreeSet;

use dex::release::Service;
use toml::Spanned;

use super::error::Mistakes;
use super::keys;
use super::quantity::format_duration;
use super::raw::{RawDeployment, RawLedger, RawLoad};
use super::settings::{Bursts, Deployment, LedgerSize, Share, Strategy};
use crate::suggest;

/// The bursts; `None` where the rate is always the same.
pub(super) fn bursts(m: &mut Mistakes, raw: &RawLoad) -> Option<Bursts> {
    let (every, lasts) = (raw.burst_every.get_ref().0, raw.burst_lasts.get_ref().0);
    let rate = raw
        .burst_rate_per_s
        .as_ref()
        .map(|rate| m.within("burst_rate_per_s", rate, keys::RATE_PER_S));
    if !keys::BURST_EVERY.contains(&every) {
        let (least, most) = (keys::BURST_EVERY.start(), keys::BURST_EVERY.end());
        let (least, most) = (format_duration(*least), format_duration(*most));
        m.add(
            raw.burst_every.span(),
            format!("burst_every is {}", format_duration(every)),
            format!("must be {least} to {most}"),
            "for instance \"60s\"",
        );
    } else if lasts.is_zero() || lasts >= every {
        let given = [&raw.burst_lasts, &raw.burst_every];
        let mut places = given.into_iter().map(Spanned::span);
        let place = places.find(|place| !place.is_empty()).unwrap_or(0..0);
        m.add(
            place,
            format!(
                "bursts of {} each {} leave no other time, or are none",
                format_duration(lasts),
                format_duration(every)
            ),
            "`burst_lasts` must be above 0 and below `burst_every`",
            "for instance burst_every = \"60s\" and burst_lasts = \"10s\"",
        );
    }
    let steady = u32::try_from(*raw.rate_per_s.get_ref()).ok();
    let rate_per_s = rate.filter(|rate| Some(*rate) != steady)?;
    Some(Bursts {
        rate_per_s,
        every,
        lasts,
    })
}

/// What the ledger holds already.
pub(super) fn ledger(m: &mut Mistakes, raw: &RawLedger) -> LedgerSize {
    LedgerSize {
        more_mb: m.within("more_mb", &raw.more_mb, keys::MORE_MB),
        more_rows: m.within("more_rows", &raw.more_rows, keys::MORE_ROWS),
    }
}

/// The Deployments that the file says something of.
pub(super) fn deployments(m: &mut Mistakes, raw: &[RawDeployment]) -> Vec<Deployment> {
    let mut seen = BTreeSet::new();
    raw.iter()
        .filter_map(|deployment| {
            let word = deployment.service.get_ref().as_str();
            let place = deployment.service.span();
            if Service::by_name(word).is_none() {
                m.add(
                    place,
                    format!("the exchange has no service `{word}`"),
                    "unknown service",
                    suggest::help(word, &Service::NAMES),
                );
                return None;
            }
            if !seen.insert(word) {
                m.add(
                    place,
                    format!("`{word}` is said twice"),
                    "it was said above already",
                    "say everything of a service in one table",
                );
            }
            Some(Deployment {
                service: word.to_owned(),
                replicas: deployment
                    .replicas
                    .as_ref()
                    .map(|replicas| m.within("replicas", replicas, keys::REPLICAS)),
                strategy: strategy(m, deployment),
                probe_period_s: None,
            })
        })
        .collect()
}

fn strategy(m: &mut Mistakes, raw: &RawDeployment) -> Option<Strategy> {
    let word = raw.strategy.as_ref().map(|it| it.get_ref().as_str());
    let max_surge = share(m, "max_surge", raw.max_surge.as_ref());
    let max_unavailable = share(m, "max_unavailable", raw.max_unavailable.as_ref());
    let given = raw.max_surge.as_ref().or(raw.max_unavailable.as_ref());
    match (word, given) {
        (None, None) => None,
        (Some("recreate"), None) => Some(Strategy::Recreate),
        (Some("recreate"), Some(given)) => {
            m.add(
                given.span(),
                "a Deployment that recreates its pods replaces them all at once",
                "not with `strategy = \"recreate\"`",
                "remove it, or `strategy = \"rolling\"`",
            );
            None
        }
        (None | Some("rolling"), given) => {
            let (max_surge, max_unavailable) = (
                max_surge.unwrap_or(Share::DEFAULT),
                max_unavailable.unwrap_or(Share::DEFAULT),
            );
            if let Some(given) = given
                && max_surge.is_zero()
                && max_unavailable.is_zero()
            {
                m.add(
                    given.span(),
                    "no pod may come and none may go, so that none can be replaced",
                    "`max_surge` and `max_unavailable` are both nothing",
                    "for instance max_surge = \"1\"",
                );
            }
            Some(Strategy::Rolling {
                max_surge,
                max_unavailable,
            })
        }
        (Some(word), _) => {
            let place = raw.strategy.as_ref().map_or(0..0, Spanned::span);
            m.add(
                place,
                format!("unknown strategy `{word}`"),
                "neither `rolling` nor `recreate`",
                suggest::help(word, &keys::STRATEGIES),
            );
            None
        }
    }
}

fn share(m: &mut Mistakes, name: &str, raw: Option<&Spanned<String>>) -> Option<Share> {
    let raw = raw?;
    let share = Share::parse(raw.get_ref());
    if share.is_none() {
        m.add(
            raw.span(),
            format!("`{name}` is `{}`", raw.get_ref()),
            "neither a number of pods nor a percentage up to 100%",
            "for instance \"1\" or \"25%\"",
        );
    }
    share
}
