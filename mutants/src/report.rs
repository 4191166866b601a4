//! The table of a hunt, for terminal, Markdown and JSON.

use std::time::Duration;

use serde::Serialize;

use crate::hunt::{Caught, Fate, Hunted};

/// How long a bug may take on one core.
const TAKES_MAX: Duration = Duration::from_secs(60);
/// How many faults its smallest case may have.
const FAULTS_MAX: usize = 3;
/// Of a hundred bugs, how many must be caught.
const CAUGHT_MIN_PERCENT: usize = 95;

/// The numbers of a hunt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Bugs.
    pub bugs: usize,
    /// Those that were caught.
    pub caught: usize,
    /// Of them, those that a scenario caught which somebody wrote down.
    pub by_built_in: usize,
    /// Of them, those that took longer than 60 s of one core.
    pub late: usize,
    /// Of them, those whose smallest case has more than three faults.
    pub large: usize,
    /// Those that were not caught, for a reason that is known.
    pub masked: usize,
    /// Those that were not caught, and nobody knows why.
    pub unexplained: usize,
}

impl Totals {
    /// The numbers of `hunted`.
    #[must_use]
    pub fn of(hunted: &[Hunted]) -> Self {
        let mut totals = Self {
            bugs: hunted.len(),
            ..Self::default()
        };
        for it in hunted {
            match (&it.fate, &it.bug.masked) {
                (Fate::Caught(caught), _) => {
                    totals.caught += 1;
                    totals.by_built_in += usize::from(caught.built_in);
                    totals.late += usize::from(caught.took > TAKES_MAX);
                    totals.large += usize::from(caught.faults() > FAULTS_MAX);
                }
                (Fate::Survived { .. }, Some(_)) => totals.masked += 1,
                (Fate::Survived { .. }, None) => totals.unexplained += 1,
            }
        }
        totals
    }

    /// Whether as many were caught as must be, and every survivor has its reason.
    #[must_use]
    pub fn are_good(&self) -> bool {
        self.unexplained == 0 && self.caught * 100 >= self.bugs * CAUGHT_MIN_PERCENT
    }

    /// In one sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self {
            bugs,
            caught,
            by_built_in,
            late,
            large,
            masked,
            unexplained,
        } = self;
        let tenths = if *bugs == 0 { 0 } else { caught * 1_000 / bugs };
        let percent = format!("{}.{} %", tenths / 10, tenths % 10);
        format!(
            "{bugs} bugs: {caught} caught ({percent}), {by_built_in} of them by built-in scenarios; {late} took more than 60 s, \
             {large} are left with more than three faults; {masked} survived for a reason that is known, {unexplained} for none"
        )
    }
}

/// What became of one bug, in one line.
#[must_use]
pub fn line(hunted: &Hunted) -> String {
    let name = &hunted.bug.name;
    match &hunted.fate {
        Fate::Caught(caught) => format!(
            "caught: {name} by {} in {}, drill {}, {} s",
            found(caught),
            caught.scenario,
            caught.drills,
            seconds(caught.took)
        ),
        Fate::Survived { drills, took } => format!(
            "survived: {name}, {drills} drills, {} s: {}",
            seconds(*took),
            hunted.bug.masked.as_deref().unwrap_or("nobody knows why")
        ),
    }
}

/// Oracle, finding and what it is about.
fn found(caught: &Caught) -> String {
    let class = caught.finding.class();
    let subject = class
        .subject
        .map_or_else(String::new, |it| format!(" {it}"));
    format!("{} {}{subject}", class.oracle, class.kind)
}

/// What is left of a drill.
fn left(caught: &Caught) -> String {
    let mut faults: Vec<String> = caught
        .smallest
        .faults
        .iter()
        .map(|it| it.in_words())
        .collect();
    if let Some(crash) = &caught.smallest.crash {
        let side = crash.side.as_str();
        faults.push(format!(
            "the executor dies {side} its request {}",
            crash.request
        ));
    }
    if faults.is_empty() {
        format!("{} without faults", caught.smallest.release.to)
    } else {
        format!("{} with {}", caught.smallest.release.to, faults.join("; "))
    }
}

fn seconds(of: Duration) -> String {
    format!("{:.1}", of.as_secs_f64())
}

/// The table as Markdown, survivors first.
#[must_use]
pub fn markdown(hunted: &[Hunted]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut out = format!(
        "# Mutants of the executor\n\n{}.\n",
        Totals::of(hunted).in_words()
    );
    let mut rows = String::new();
    let mut survivors = String::new();
    for it in hunted {
        let (name, what) = (&it.bug.name, cell(&it.bug.what));
        match &it.fate {
            Fate::Survived { drills, took } => survivors.push_str(&format!(
                "| `{name}` | {what} | {drills} | {} | {} |\n",
                seconds(*took),
                cell(it.bug.masked.as_deref().unwrap_or("nobody knows why"))
            )),
            Fate::Caught(caught) => rows.push_str(&format!(
                "| `{name}` | {what} | `{}` | `{}`, seed {} | {} | {} | {} |\n",
                cell(&found(caught)),
                caught.scenario,
                caught.seed,
                caught.drills,
                seconds(caught.took),
                cell(&left(caught))
            )),
        }
    }
    if !survivors.is_empty() {
        out.push_str(
            "\n## Survivors\n\n| bug | what the executor does | drills | seconds | why no drill shows it |\n| --- | --- | --- | --- | --- |\n",
        );
        out.push_str(&survivors);
    }
    out.push_str(
        "\n## Caught\n\n| bug | what the executor does | found | in | drills | seconds | smallest case |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    out.push_str(&rows);
    out
}

#[derive(Serialize)]
struct Document {
    totals: Totals,
    bugs: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    what: String,
    fate: &'static str,
    drills: usize,
    cpu_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caught: Option<CaughtLine>,
}

#[derive(Serialize)]
struct CaughtLine {
    oracle: String,
    finding: String,
    subject: Option<String>,
    says: String,
    scenario: String,
    seed: u64,
    built_in: bool,
    faults: usize,
    smallest: String,
    cut: Vec<String>,
    token: String,
}

/// The table as JSON.
///
/// # Errors
/// It can't be written as JSON.
pub fn json(hunted: &[Hunted]) -> Result<String, serde_json::Error> {
    let bugs = hunted.iter().map(|it| {
        let (drills, took) = match &it.fate {
            Fate::Caught(caught) => (caught.drills, caught.took),
            Fate::Survived { drills, took } => (*drills, *took),
        };
        let caught = match &it.fate {
            Fate::Caught(caught) => Some(caught_line(caught)),
            Fate::Survived { .. } => None,
        };
        Line {
            name: it.bug.name.clone(),
            what: it.bug.what.clone(),
            fate: if caught.is_some() {
                "caught"
            } else {
                "survived"
            },
            drills,
            cpu_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            masked: it.bug.masked.clone(),
            caught,
        }
    });
    let document = Document {
        totals: Totals::of(hunted),
        bugs: bugs.collect(),
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn caught_line(caught: &Caught) -> CaughtLine {
    let class = caught.finding.class();
    CaughtLine {
        oracle: class.oracle.to_string(),
        finding: class.kind.to_owned(),
        subject: class.subject,
        says: caught.finding.to_string(),
        scenario: caught.scenario.clone(),
        seed: caught.seed,
        built_in: caught.built_in,
        faults: caught.faults(),
        smallest: left(caught),
        cut: caught.cut.clone(),
        token: caught.token.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::sound;

    fn survivor(masked: Option<&str>) -> Hunted {
        let mut bug = sound();
        bug.masked = masked.map(str::to_owned);
        let (drills, took) = (3, Duration::from_secs(1));
        Hunted {
            bug,
            fate: Fate::Survived { drills, took },
        }
    }

    #[test]
    fn a_survivor_is_named_with_its_reason() {
        let hunted = [survivor(Some("something else | does it")), survivor(None)];
        let totals = Totals::of(&hunted);
        assert_eq!((totals.masked, totals.unexplained), (1, 1));
        assert!(!totals.are_good());
        let table = markdown(&hunted);
        assert!(table.contains("something else \\| does it"), "{table}");
        assert!(table.contains("nobody knows why"), "{table}");
        let read: serde_json::Value =
            serde_json::from_str(&json(&hunted).expect("JSON")).expect("JSON");
        assert_eq!(read["totals"]["unexplained"], 1);
        assert_eq!(read["bugs"][0]["masked"], "something else | does it");
    }
}
