//! The HTML report in a real headless browser, at a phone's and a desk's width, light and dark.
//!
//! Runs where a Chromium is found (or `FIREDRILL_CHROMIUM` names one), and says so where there is none.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::drills::{plan, plan_by, run, without_step};
use firedrill::drill::DrillResult;
use firedrill::report::html;
use firedrill::report::journal::{Journal, Skipped};
use firedrill::runbooks::BUILT_IN;
use serde_json::Value;

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome-headless-shell",
];

fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("FIREDRILL_CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|directory| NAMES.map(|name| directory.join(name)))
        .find(|candidate| candidate.is_file())
}

/// Looks into each frame once all are loaded, and leaves what it saw where `--dump-dom` shows it.
const PROBE: &str = r#"
const shown = n => { const r = n.parentElement.getClientRects(); return n.data.trim() && r.length && r[0].width > 1; };
const texts = d => { const w = d.createTreeWalker(d.body, NodeFilter.SHOW_TEXT), all = []; while (w.nextNode()) if (shown(w.currentNode)) all.push(w.currentNode); return all; };
const rgb = c => (c.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
const behind = (w, e) => { for (; e; e = e.parentElement) { const c = rgb(w.getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
const look = f => {
  const w = f.contentWindow, d = f.contentDocument, root = d.documentElement;
  const first = texts(d)[0], seen = { id: f.id, first: first ? first.data : '', inside: !!first && first.parentElement.getBoundingClientRect().bottom < 844 };
  const answers = d.getElementById('answers');
  seen.answered = !!answers && answers.getBoundingClientRect().top < 844;
  seen.folded = root.scrollWidth - root.clientWidth;
  d.querySelectorAll('details').forEach(e => e.open = true);
  seen.unfolded = root.scrollWidth - root.clientWidth;
  seen.requests = w.performance.getEntriesByType('resource').map(e => e.name);
  seen.scripts = d.scripts.length;
  seen.copies = d.querySelectorAll('button.copy').length;
  seen.charts = d.querySelectorAll('svg[role=img]').length;
  seen.faint = texts(d).filter(n => !n.parentElement.closest('svg')).flatMap(n => {
    const [a, b] = [light(rgb(w.getComputedStyle(n.parentElement).color)), light(behind(w, n.parentElement))].sort((x, y) => y - x);
    return (a + .05) / (b + .05) < 4.5 ? [n.data.trim().slice(0, 40)] : [];
  });
  seen.dark = light(behind(w, d.body)) < .2;
  return seen;
};
addEventListener('load', () => { document.getElementById('seen').textContent = JSON.stringify([...document.querySelectorAll('iframe')].map(look)); });
"#;

/// What the browser saw.
struct Seen {
    frames: Vec<Value>,
    /// Lines of its console.
    console: Vec<String>,
}

/// Shows each page in a frame of each width.
fn look(browser: &Path, name: &str, pages: &[(&str, &str)], dark: bool) -> Seen {
    let directory = std::env::temp_dir().join(format!("firedrill-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a writable directory");
    let mut wrapper = String::from("<!doctype html><meta charset=utf-8><pre id=seen></pre>");
    for (id, page) in pages {
        for width in [390, 1280] {
            let page = page.replace('&', "&amp;").replace('"', "&quot;");
            let _ = write!(
                wrapper,
                "<iframe id={id}-{width} style=\"width:{width}px;height:844px;border:0\" srcdoc=\"{page}\"></iframe>"
            );
        }
    }
    let _ = write!(wrapper, "<script>{PROBE}</script>");
    let file = directory.join("wrapper.html");
    std::fs::write(&file, wrapper).expect("writable");
    let mut profile = std::ffi::OsString::from("--user-data-dir=");
    profile.push(directory.join("profile"));
    // 0 is dark, 1 is light.
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .args([scheme.as_str(), "--virtual-time-budget=10000"])
        .arg(profile)
        .arg(&file)
        .output()
        .expect("the browser runs");
    std::fs::remove_dir_all(&directory).expect("it is ours");
    let dom = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let json = dom
        .split_once("<pre id=\"seen\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .map(|(json, _)| {
            json.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&")
        })
        .unwrap_or_default();
    let frames: Vec<Value> = serde_json::from_str(&json)
        .unwrap_or_else(|e| panic!("the probe left nothing ({e}): {stderr}"));
    assert_eq!(frames.len(), pages.len() * 2);
    let console = stderr.lines().filter(|line| line.contains("CONSOLE"));
    Seen {
        frames,
        console: console.map(str::to_owned).collect(),
    }
}

/// A passing and a failing report of real drills, and one of which most did not run.
fn pages() -> [(&'static str, String); 3] {
    let page = |results: &[DrillResult]| html::render(&Journal::new(results, 0));
    let unfenced = without_step(&without_step(BUILT_IN, "fence-ledger"), "unfence-ledger");
    let passing: Vec<DrillResult> = ["latency-regression", "breaking-migration"]
        .map(|scenario| run(&plan(scenario, 3)))
        .into();
    let mut failing: Vec<DrillResult> = (0..3)
        .map(|seed| run(&plan_by("balance-anomaly", seed, &unfenced)))
        .collect();
    // A scenario without a time series, as a journal of an older run has it.
    failing.push(run(&plan("good-release", 3)));
    failing[3].forget_detail();
    let never = (0..100).map(|n| (format!("a-scenario-that-never-began-{n:02}"), 40));
    let skipped = Skipped {
        drills: 4_000,
        scenarios: never.collect(),
        on_purpose: false,
    };
    let interrupted = html::render(&Journal::new(&passing, skipped));
    [
        ("passing", page(&passing)),
        ("failing", page(&failing)),
        ("interrupted", interrupted),
    ]
}

#[test]
fn the_page_reads_on_a_phone_and_at_a_desk_light_and_dark() {
    let Some(browser) = chromium() else {
        // Past the test runner's capture: what is left out is not passed.
        let _ = writeln!(
            std::io::stderr(),
            "left out: no Chromium is installed, so nobody looked at the HTML report"
        );
        return;
    };
    let pages = pages();
    let pages: Vec<(&str, &str)> = pages.iter().map(|(id, page)| (*id, &**page)).collect();
    for dark in [false, true] {
        let seen = look(&browser, if dark { "dark" } else { "light" }, &pages, dark);
        assert_eq!(seen.console, [""; 0]);
        for frame in &seen.frames {
            let id = frame["id"].as_str().expect("it has one");
            let verdict = match id.split('-').next() {
                Some("passing") => "✓ Pass",
                Some("interrupted") => "? Inconclusive",
                _ => "✕ Fail",
            };
            assert_eq!(frame["first"], verdict, "{id}: the verdict comes first");
            assert_eq!(frame["inside"], true, "{id}: and needs no scrolling");
            assert_eq!(
                frame["answered"], true,
                "{id}: the answers begin on the first screen"
            );
            assert_eq!(frame["folded"], 0, "{id}: the page scrolls sideways");
            assert_eq!(
                frame["unfolded"], 0,
                "{id}: unfolded, the page scrolls sideways"
            );
            assert_eq!(frame["requests"], serde_json::json!([]), "{id}");
            assert_eq!(frame["scripts"], 1, "{id}: its own");
            // The policy lets it run: it puts a button beside each command.
            assert!(frame["copies"].as_u64() > Some(0), "{id}");
            // RTO, errors and throughput of one scenario at least.
            assert!(
                frame["charts"].as_u64() >= Some(5),
                "{id}: {}",
                frame["charts"]
            );
            assert_eq!(
                frame["faint"],
                serde_json::json!([]),
                "{id}: contrast below 4.5"
            );
            assert_eq!(frame["dark"], dark, "{id}");
        }
    }

    // The probe itself sees what it is there for.
    let bad = "<!doctype html><body><p style='width:2000px;color:#aaa'>faint</p><script>console.error('x')</script>";
    let seen = look(&browser, "bad", &[("bad", bad)], false);
    assert!(!seen.console.is_empty());
    for frame in &seen.frames {
        assert_eq!(frame["first"], "faint");
        assert_eq!(frame["answered"], false);
        assert!(frame["folded"].as_i64() > Some(0));
        assert_eq!(frame["faint"], serde_json::json!(["faint"]));
        assert_eq!(frame["scripts"], 1);
    }
}
