//! `junit.xml`: one suite for each scenario, one case for each seed, as CI systems read it.

use std::fmt::Write as _;

use super::escaped;
use super::summary::by_scenario;
use crate::drill::DrillResult;
use crate::verdict::Verdict;

/// The file's text. Times are virtual seconds (the RTO), so the file is the same on every machine.
#[must_use]
pub fn render(results: &[DrillResult]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let failures = results
        .iter()
        .filter(|r| r.verdicts.overall == Verdict::Fail)
        .count();
    let skipped = results
        .iter()
        .filter(|r| r.verdicts.overall == Verdict::Inconclusive)
        .count();
    let _ = writeln!(
        out,
        "<testsuites name=\"firedrill\" tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\">",
        results.len()
    );
    for summary in by_scenario(results) {
        let name = escaped(&summary.scenario);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
            summary.drills, summary.failed, summary.inconclusive
        );
        for result in results.iter().filter(|r| r.scenario == summary.scenario) {
            case(&mut out, result);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, result: &DrillResult) {
    let rto = result.rto_ms.unwrap_or(0);
    let _ = write!(
        out,
        "    <testcase classname=\"firedrill.{}\" name=\"seed {} in {}\" time=\"{}.{:03}\"",
        escaped(&result.scenario),
        result.seed,
        result.world,
        rto / 1_000,
        rto % 1_000
    );
    let troubles = result.troubles();
    let lines: String = troubles
        .iter()
        .map(|f| format!("{} {}: {}\n", f.verdict, f.oracle, f.reason))
        .collect();
    let first = troubles.first().map_or("", |f| f.reason.as_str());
    let replay = format!("replay: cargo xtask replay {}", result.replay);
    match result.verdicts.overall {
        Verdict::Pass => out.push_str("/>\n"),
        Verdict::Fail => {
            let _ = writeln!(
                out,
                ">\n      <failure message=\"{}\">{}{}</failure>\n    </testcase>",
                escaped(first),
                escaped(&lines),
                escaped(&replay)
            );
        }
        Verdict::Inconclusive => {
            let message = format!("inconclusive: {first}; {replay}");
            let _ = writeln!(
                out,
                ">\n      <skipped message=\"{}\"/>\n    </testcase>",
                escaped(&message)
            );
        }
    }
}
