//! The instants of a drill that its charts mark: what was done on purpose, and what was seen.

use maud::{Markup, html};

use super::axis::{Scale, pc};
use crate::drill::time_series::TimeSeries;
use crate::evidence::Ms;
use crate::stats::show_ms;

/// How many are drawn; the timeline has the rest.
const FLAGS_MAX: usize = 40;
/// How far apart two on one lane must be, in percent: a flag's width on a phone.
const APART: f64 = 7.0;
/// How many lanes there are before they are used again.
const LANES: usize = 4;
/// A lane's height, in pixels.
const LANE_PX: usize = 22;

/// What sort of instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Fault,
    Seen,
    GaveUp,
    Limit,
}

impl Sort {
    fn class(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Seen => "seen",
            Self::GaveUp => "gave-up",
            Self::Limit => "limit",
        }
    }
}

/// A marked instant.
#[derive(Debug)]
struct Flag {
    at_ms: Ms,
    sort: Sort,
    what: String,
    lane: usize,
}

/// The flags of one drill on a scale of time.
#[derive(Debug)]
pub(super) struct Flags {
    flags: Vec<Flag>,
    zero_ms: Ms,
    scale: Scale,
    left_out: usize,
}

/// The instant from which a drill's charts count.
pub(super) fn zero_ms(series: &TimeSeries) -> Ms {
    series.trigger_ms.or(series.deployed_ms).unwrap_or(0)
}

/// `at` as seen from `zero`: `+33.5 s`.
pub(super) fn since(zero: Ms, at: Ms) -> String {
    match at.checked_sub(zero) {
        Some(0) => "0".to_owned(),
        Some(later) => format!("+{}", show_ms(later)),
        None => format!("\u{2212}{}", show_ms(zero - at)),
    }
}

impl Flags {
    /// The flags of `series` that lie on `scale`, which is in milliseconds of the drill.
    pub(super) fn of(series: &TimeSeries, scale: Scale) -> Self {
        let seen = |at: Option<Ms>, what: String| at.map(|at| (at, Sort::Seen, what));
        let limit = series.trigger_ms.map(|at| {
            let what = format!("limit of the RTO, {}", show_ms(series.rto_max_ms));
            (at.saturating_add(series.rto_max_ms), Sort::Limit, what)
        });
        let trigger = series.trigger.as_deref().unwrap_or("the trigger");
        let mut instants: Vec<(Ms, Sort, String)> = series
            .marks
            .iter()
            .map(|mark| (mark.at_ms, Sort::Fault, mark.what.clone()))
            .chain(seen(series.first_harm_ms, "first harm".to_owned()))
            .chain(seen(series.trigger_ms, format!("{trigger} fired")))
            .chain(seen(series.recovered_ms, "clients saw recovery".to_owned()))
            .chain(seen(
                series.another_incident_ms,
                "another incident began".to_owned(),
            ))
            .chain(series.gave_up_ms.map(|at| {
                let what = "the executor gave up and paged a person".to_owned();
                (at, Sort::GaveUp, what)
            }))
            .chain(limit)
            .filter(|(at, _, _)| scale.holds(*at as f64))
            .collect();
        instants.sort_by_key(|(at, sort, _)| (*at, *sort));
        let left_out = instants.len().saturating_sub(FLAGS_MAX);
        instants.truncate(FLAGS_MAX);
        let mut ends = [-APART; LANES];
        let flags = instants
            .into_iter()
            .enumerate()
            .map(|(number, (at_ms, sort, what))| {
                let x = scale.percent(at_ms as f64);
                let free = ends.iter().position(|end| x - end >= APART);
                let lane = free.unwrap_or(number % LANES);
                ends[lane] = x;
                Flag {
                    at_ms,
                    sort,
                    what,
                    lane,
                }
            })
            .collect();
        Self {
            flags,
            zero_ms: zero_ms(series),
            scale,
            left_out,
        }
    }

    /// How much room they take above a chart, in pixels.
    pub(super) fn height(&self) -> usize {
        let lanes = self.flags.iter().map(|f| f.lane + 1).max().unwrap_or(0);
        lanes * LANE_PX
    }

    /// Drawn from the top down to `bottom`, in pixels; without their numbers only the lines.
    pub(super) fn draw(&self, bottom: usize, numbered: bool) -> Markup {
        html! {
            @for (index, flag) in self.flags.iter().enumerate() {
                @let x = pc(self.scale.percent(flag.at_ms as f64));
                @let y = flag.lane * LANE_PX + 9;
                g class={ "flag " (flag.sort.class()) } {
                    line x1=(x) x2=(x) y1=(if numbered { y + 9 } else { 0 }) y2=(bottom) {}
                    @if numbered {
                        circle cx=(x) cy=(y) r="8.5" {}
                        text x=(x) y=(y + 4) { (index + 1) }
                    }
                }
            }
        }
    }

    /// What their numbers stand for.
    pub(super) fn legend(&self) -> Markup {
        html! {
            div.marks {
                @for (index, flag) in self.flags.iter().enumerate() {
                    b class=(flag.sort.class()) { (index + 1) }
                    span.at { (since(self.zero_ms, flag.at_ms)) }
                    span { (flag.what) }
                }
            }
            @if self.left_out > 0 {
                p.soft { "and " (self.left_out) " more, in journal.json" }
            }
        }
    }
}
