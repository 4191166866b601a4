//! What the clients of one drill saw over time: how much got through, and what share failed or was slow.
//!
//! The rollback's phases are shaded, and the drill's instants are marked. The share is on a logarithmic scale with
//! a place for zero, as harm is a matter of whole percents and the bound one of hundredths.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::{Scale, TIME_STEPS, pc, round_up, short};
use super::flags::{Flags, zero_ms};
use super::rto::{anchor, seconds};
use super::steps::spans;
use crate::drill::time_series::TimeSeries;
use crate::evidence::{Ms, Second};
use crate::report::journal::Drill;
use crate::stats::{show_count, show_ms};

/// How much is shown before the deployment and after the end.
const MARGIN_MS: Ms = 15_000;
/// More bins than a wide screen has pixels for are none the wiser.
const BINS_MAX: usize = 700;
/// Width of the drawing's own coordinates.
const WIDTH: f64 = 1_000.0;
/// Heights in pixels.
const PLOT_PX: usize = 150;
const AXIS_PX: usize = 24;

/// Some seconds, summed.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    answered: f64,
    maintenance: f64,
    errors: f64,
    slow: f64,
}

/// The seconds that are shown.
struct Window {
    /// In milliseconds of the drill.
    scale: Scale,
    zero_ms: Ms,
    bins: Vec<Bin>,
    /// Seconds in a bin.
    width_s: usize,
}

impl Window {
    fn of(series: &TimeSeries, drill: &Drill<'_>) -> Self {
        let whole = series.seconds.len() as Ms * 1_000;
        let begin = series.deployed_ms.or(series.trigger_ms).unwrap_or(0);
        let limit = series
            .trigger_ms
            .map(|t| t.saturating_add(series.rto_max_ms));
        let last = drill.steps.iter().filter_map(|s| s.finished_ms).max();
        let end = [limit, last, series.recovered_ms, series.gave_up_ms]
            .into_iter()
            .flatten()
            .max();
        let from_s = begin.saturating_sub(MARGIN_MS).min(whole) / 1_000;
        let to_s = end
            .map_or(whole, |end| end.saturating_add(MARGIN_MS))
            .min(whole)
            .div_ceil(1_000);
        let (from_s, to_s) = (from_s as usize, to_s as usize);
        let width_s = to_s.saturating_sub(from_s).div_ceil(BINS_MAX).max(1);
        let shown: Vec<Second> = series.seconds.iter().take(to_s).skip(from_s).collect();
        let bins: Vec<Bin> = shown.chunks(width_s).map(Bin::of).collect();
        Self {
            scale: Scale::new(
                (from_s * 1_000) as f64,
                ((from_s + bins.len() * width_s) * 1_000) as f64,
            ),
            zero_ms: zero_ms(series),
            bins,
            width_s,
        }
    }

    /// The outline of `height` (from 0 to 1) over the bins that have one, in steps, each run from the baseline and
    /// back to it.
    fn outline(&self, height: impl Fn(&Bin) -> Option<f64>) -> String {
        let mut path = String::new();
        let mut open = false;
        let mut at = String::new();
        let bottom = PLOT_PX as f64;
        let x = |index: usize| short(index as f64 / self.bins.len() as f64 * WIDTH);
        for (index, bin) in self.bins.iter().enumerate() {
            match height(bin) {
                Some(level) => {
                    let y = short(bottom * (1.0 - level));
                    if !open {
                        let _ = write!(path, "M{} {PLOT_PX}V{y}", x(index));
                    } else if y != at {
                        let _ = write!(path, "H{}V{y}", x(index));
                    }
                    open = true;
                    at = y;
                }
                None if open => {
                    let _ = write!(path, "H{}V{PLOT_PX}", x(index));
                    open = false;
                }
                None => {}
            }
        }
        if open {
            let _ = write!(path, "H{}V{PLOT_PX}", short(WIDTH));
        }
        path
    }
}

impl Bin {
    fn of(seconds: &[Second]) -> Self {
        // The last bin may be of fewer seconds.
        let n = seconds.len() as f64;
        let mean = |f: fn(&Second) -> u32| seconds.iter().map(|s| f64::from(f(s))).sum::<f64>() / n;
        Self {
            answered: mean(|s| s.answered),
            maintenance: mean(|s| s.maintenance),
            errors: mean(|s| s.errors),
            slow: mean(|s| s.slow),
        }
    }

    fn total(&self) -> f64 {
        self.answered + self.maintenance + self.errors
    }

    /// `part` of the requests that count; nothing of nothing is no share.
    fn share(&self, part: f64) -> Option<f64> {
        let counted = self.answered + self.errors;
        (part > 0.0 && counted > 0.0).then(|| (part / counted).min(1.0))
    }
}

/// Where a share lies on the logarithmic scale, from 0 to 1: 0.01 % at a tenth, 100 % at the top.
fn level(share: f64) -> f64 {
    if share <= 0.0 {
        0.0
    } else {
        (0.1 + 0.9 * (share.log10() + 4.0) / 4.0).clamp(0.03, 1.0)
    }
}

/// Both charts and what their marks mean.
pub(super) fn draw(series: &TimeSeries, drill: &Drill<'_>) -> Markup {
    let window = Window::of(series, drill);
    if window.bins.is_empty() {
        return html! { p.soft { "The clients saw nothing of this drill." } };
    }
    let flags = Flags::of(series, window.scale);
    html! {
        (throughput(&window, series, drill, &flags))
        (shares(&window, series, drill, &flags))
        (phase_keys(series, drill))
        (flags.legend())
    }
}

fn throughput(window: &Window, series: &TimeSeries, drill: &Drill<'_>, flags: &Flags) -> Markup {
    let most = window.bins.iter().map(Bin::total).fold(0.0, f64::max);
    let top = round_up(most * 1.02);
    let any = |f: fn(&Bin) -> f64| window.bins.iter().any(|b| f(b) > 0.0);
    let (halted, failed) = (any(|b| b.maintenance), any(|b| b.errors));
    let layers = [
        (
            "errors",
            window.outline(|b| (b.errors > 0.0).then(|| b.total() / top)),
        ),
        (
            "halted",
            window.outline(|b| (b.maintenance > 0.0).then(|| (b.answered + b.maintenance) / top)),
        ),
        (
            "answered",
            window.outline(|b| (b.answered > 0.0).then(|| b.answered / top)),
        ),
    ];
    let ticks = [0.0, 0.5, 1.0].map(|part| (part, short(part * top)));
    html! {
        figure.chart {
            figcaption {
                "Requests a second"
                span.key { i style="background:var(--calm)" {} "answered" }
                @if halted { span.key { i style="background:var(--halt)" {} "refused, trading halted" } }
                @if failed { span.key { i style="background:var(--err)" {} "failed" } }
            }
            (frame(window, series, drill, flags, true, &ticks, &html! {
                @for (class, path) in layers.iter().filter(|(_, path)| !path.is_empty()) {
                    path class={ "series " (class) } d=(path) {}
                }
            }, &format!("Requests a second, at most {}", show_count(most as u64))))
        }
    }
}

fn shares(window: &Window, series: &TimeSeries, drill: &Drill<'_>, flags: &Flags) -> Markup {
    let errors = window.outline(|b| b.share(b.errors).map(level));
    let slow = window.outline(|b| b.share(b.slow).map(level));
    let bound = series.error_rate_max_ppm as f64 / 1e6;
    let ticks = [
        (0.0, "0".to_owned()),
        (level(0.0001), "0.01%".to_owned()),
        (level(0.001), "0.1%".to_owned()),
        (level(0.01), "1%".to_owned()),
        (level(0.1), "10%".to_owned()),
        (1.0, "100%".to_owned()),
    ];
    let y = |share: f64| short((1.0 - level(share)) * PLOT_PX as f64);
    html! {
        figure.chart {
            figcaption {
                "Share of requests, logarithmic"
                span.key { i style="background:var(--err)" {} "failed" }
                span.key { i.line style="border-top-style:solid;border-color:var(--slow)" {} "slower than " (show_span(series.latency_max_ms)) }
                span.key { i.line style="border-color:var(--err)" {} "bound of failures after recovery" }
                span.key { i.line style="border-color:var(--slow)" {} "bound of slow ones, 1%" }
            }
            (frame(window, series, drill, flags, false, &ticks, &html! {
                line.series.bound x1="0" x2="1000" y1=(y(bound)) y2=(y(bound)) {}
                line.series.bound.slow x1="0" x2="1000" y1=(y(0.01)) y2=(y(0.01)) {}
                @if !errors.is_empty() { path.series.errors d=(errors) {} }
                @if !slow.is_empty() { path.series.slow d=(slow) {} }
            }, "Share of requests that failed or were slow, by second"))
        }
    }
}

/// Milliseconds of a bound: `100 ms`, `2.000 s`.
fn show_span(ms: Ms) -> String {
    if ms < 1_000 {
        format!("{ms} ms")
    } else {
        show_ms(ms)
    }
}

/// Axes, shading and flags around `series`, which is in coordinates of 1000 by [`PLOT_PX`].
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part of the picture, and both charts have all of them"
)]
fn frame(
    window: &Window,
    series: &TimeSeries,
    drill: &Drill<'_>,
    flags: &Flags,
    numbered: bool,
    y_ticks: &[(f64, String)],
    lines: &Markup,
    label: &str,
) -> Markup {
    let top = if numbered { flags.height() } else { 8 };
    let (bottom, height) = (top + PLOT_PX, top + PLOT_PX + AXIS_PX);
    let y = |part: f64| short(top as f64 + (1.0 - part) * PLOT_PX as f64);
    let from_zero = Scale::new(
        window.scale.at(0.0) - window.zero_ms as f64,
        window.scale.at(100.0) - window.zero_ms as f64,
    );
    html! {
        div.plot {
            svg.y width="50" height=(height) aria-hidden="true" {
                @for (part, text) in y_ticks {
                    text x="42" y=(y(*part)) dy="4" text-anchor="end" { (text) }
                }
            }
            svg.x width="100%" height=(height) role="img" {
                title { (label) }
                @for (part, _) in y_ticks {
                    line.grid x1="0" x2="100%" y1=(y(*part)) y2=(y(*part)) {}
                }
                @for span in spans(series, drill) {
                    @let from = window.scale.percent(span.from_ms as f64);
                    @let to = span.to_ms.map_or(100.0, |to| window.scale.percent(to as f64));
                    rect class={ "shade f" (span.colour) } x=(pc(from)) width=(pc(to - from)) y=(top) height=(PLOT_PX) {}
                    rect class={ "f" (span.colour) } x=(pc(from)) width=(pc(to - from)) y=(bottom) height="4" {}
                }
                svg x="0" y=(top) width="100%" height=(PLOT_PX) viewBox={ "0 0 1000 " (PLOT_PX) } preserveAspectRatio="none" {
                    (lines)
                }
                line.axis x1="0" x2="100%" y1=(bottom) y2=(bottom) {}
                @for tick in from_zero.ticks(7, &TIME_STEPS) {
                    @let x = from_zero.percent(tick);
                    text x=(pc(x)) y=(bottom + 19) text-anchor=(anchor(x)) { (signed(tick)) }
                }
                (flags.draw(bottom, numbered))
            }
        }
        @if !numbered {
            p.soft style="font-size:.8rem;text-align:right" {
                @if series.trigger_ms.is_some() { "time since the trigger" }
                @else if series.deployed_ms.is_some() { "time since the deployment" }
                @else { "time since the drill began" }
                @if window.width_s > 1 { ", means of " (window.width_s) " s" }
            }
        }
    }
}

fn signed(ms: f64) -> String {
    let text = seconds(ms.abs());
    match ms {
        0.0 => text,
        ..0.0 => format!("\u{2212}{text}"),
        _ => format!("+{text}"),
    }
}

/// Which shade is which phase.
fn phase_keys(series: &TimeSeries, drill: &Drill<'_>) -> Markup {
    html! {
        p style="margin-bottom:.5rem" {
            @for span in spans(series, drill) {
                span.key style="display:inline-block;margin-right:1rem;white-space:normal" {
                    i class={ "b" (span.colour) } {}
                    (span.title)
                    @if let Some(to) = span.to_ms { ", " (show_ms(to.saturating_sub(span.from_ms))) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_lie_between_the_bound_and_all() {
        assert_eq!(level(0.0), 0.0);
        assert!((level(0.0001) - 0.1).abs() < 1e-9);
        assert!((level(1.0) - 1.0).abs() < 1e-9);
        assert!(level(1e-9) > 0.0, "something never looks like nothing");
    }

    #[test]
    fn an_outline_leaves_gaps_where_there_is_nothing() {
        let bin = |errors| Bin {
            answered: 10.0,
            errors,
            ..Bin::default()
        };
        let window = Window {
            scale: Scale::new(0.0, 4_000.0),
            zero_ms: 0,
            bins: vec![bin(0.0), bin(1.0), bin(0.0), bin(2.0)],
            width_s: 1,
        };
        let path = window.outline(|b| (b.errors > 0.0).then_some(b.errors / 2.0));
        assert_eq!(path, "M250 150V75H500V150M750 150V0H1000V150");
    }
}
