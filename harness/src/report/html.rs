//! `report.html`: one self-contained page, no script, nothing fetched.

use std::fmt::Write as _;

use super::escaped;
use super::summary::by_scenario;
use crate::drill::DrillResult;
use crate::stats::{show_count, show_ms, show_ppm};
use crate::verdict::Verdict;

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}th,td{padding:.35rem .6rem;border-bottom:1px solid #d8dee4;text-align:right;font-variant-numeric:tabular-nums}\
th:first-child,td:first-child{text-align:left}th{border-bottom:2px solid #8c959f}\
.pass{color:#116329}.fail{color:#a40e26;font-weight:600}.inconclusive{color:#7d4e00}\
code{font:12px ui-monospace,monospace;overflow-wrap:anywhere}td.why{text-align:left}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th,td{border-color:#30363d}.pass{color:#56d364}.fail{color:#ff7b72}.inconclusive{color:#e3b341}}";

/// The page.
#[must_use]
pub fn render(results: &[DrillResult], skipped: usize) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>Firedrill report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Firedrill report</h1>\n"
    );
    let _ = writeln!(
        out,
        "<p>{} drills{}. RTO: trigger to recovery as the clients saw it, at most 5 minutes. Error rate: of requests after recovery, below 0.01%.</p>",
        results.len(),
        if skipped > 0 {
            format!(", {skipped} more did not run")
        } else {
            String::new()
        }
    );
    out.push_str("<table>\n<thead><tr><th>Scenario</th><th>Pass</th><th>Fail</th><th>Inconclusive</th><th>RTO median</th><th>p99</th><th>worst</th><th>Worst error rate</th><th>Trades</th><th>Lost</th><th>Worst impact</th></tr></thead>\n<tbody>\n");
    let time = |ms: Option<u64>| ms.map_or_else(|| "none".to_owned(), show_ms);
    for s in by_scenario(results) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&s.scenario),
            s.passed,
            s.failed,
            s.inconclusive,
            time(s.rto_p50_ms),
            time(s.rto_p99_ms),
            time(s.rto_max_ms),
            s.error_rate_max_ppm
                .map_or_else(|| "none".to_owned(), show_ppm),
            show_count(s.trades_acknowledged),
            show_count(s.trades_lost),
            time(s.impact_max_ms)
        );
    }
    out.push_str("</tbody>\n</table>\n<h2>Drills</h2>\n<table>\n<thead><tr><th>Drill</th><th>Verdict</th><th>RTO</th><th>Claimed</th><th>Impact</th><th>Error rate</th><th>Requests after</th><th>Trades</th><th>Lost</th><th>Fingerprint</th></tr></thead>\n<tbody>\n");
    // What needs a look comes first.
    let mut sorted: Vec<&DrillResult> = results.iter().collect();
    sorted.sort_by_key(|r| std::cmp::Reverse(r.verdicts.overall));
    for r in sorted {
        let class = r.verdicts.overall.as_str();
        let _ = writeln!(
            out,
            "<tr><td>{} {}</td><td class=\"{class}\">{class}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td><code>{:016x}</code></td></tr>",
            escaped(&r.scenario),
            r.seed,
            time(r.rto_ms),
            time(r.rto_claimed_ms),
            time(r.impact_ms),
            r.error_rate_ppm.map_or_else(|| "none".to_owned(), show_ppm),
            show_count(r.requests_after_recovery),
            show_count(r.trades_acknowledged),
            show_count(r.trades_lost),
            r.fingerprint
        );
        if r.verdicts.overall != Verdict::Pass {
            let why: Vec<String> = r
                .troubles()
                .iter()
                .map(|f| format!("{} {}: {}", f.verdict, f.oracle, f.reason))
                .collect();
            let _ = writeln!(
                out,
                "<tr><td colspan=\"10\" class=\"why\">{}<br><code>cargo xtask replay {}</code></td></tr>",
                escaped(&why.join("; ")),
                escaped(&r.replay)
            );
        }
    }
    out.push_str("</tbody>\n</table>\n</body>\n</html>\n");
    out
}
