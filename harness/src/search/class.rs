//! Classes of failure: drills that fail for one cause are one class, and a class can be known, with its reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::draw::Half;
use super::names;
use crate::digest::digest64;
use crate::drill::struck::CRASH;
use crate::finding;
use crate::scenario::Scenario;

/// What makes two failures of searched drills the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// What was found: the oracle, its finding, and the step or service that it is about.
    pub found: finding::Class,
    /// Of which half of the drills.
    pub half: Half,
    /// The kinds of fault that are left in the smallest case, in order, and `crash` if the executor dies in it.
    pub causes: Vec<String>,
}

impl Class {
    /// The class of a failure `found` in `smallest`, which was cut down.
    #[must_use]
    pub fn of(found: finding::Class, half: Half, smallest: &Scenario) -> Self {
        Self {
            found,
            half,
            causes: causes(smallest),
        }
    }

    /// Whether a failure `found` in `scenario`, which was not cut down, is of this class as far as can be told: its own
    /// causes are all there.
    #[must_use]
    pub fn takes(&self, found: &finding::Class, half: Half, scenario: &Scenario) -> bool {
        let there = causes(scenario);
        self.found == *found
            && self.half == half
            && self.causes.iter().all(|cause| there.contains(cause))
    }

    /// Whether `scenario` has these causes and no others, so that a failure that is [taken](Self::takes) is certainly
    /// of this class.
    #[must_use]
    pub fn has_no_other_cause_in(&self, scenario: &Scenario) -> bool {
        self.causes == causes(scenario)
    }

    /// A name for files and scenarios, in kebab-case, of at most 63 characters: what it begins with is for people, and
    /// its end tells it from every other class.
    #[must_use]
    pub fn slug(&self) -> String {
        let words = self.to_string().to_lowercase();
        let words = words.split(|c: char| !c.is_ascii_alphanumeric());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let mut name = words.join("-");
        name.truncate(48);
        let digest = digest64(format!("{self:?}").as_bytes());
        format!(
            "{}-{:08x}",
            name.trim_end_matches('-'),
            digest & 0xffff_ffff
        )
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.found.oracle, self.found.kind)?;
        if let Some(subject) = &self.found.subject {
            write!(f, " {subject}")?;
        }
        if self.causes.is_empty() {
            f.write_str(" without faults")
        } else {
            write!(f, " under {}", self.causes.join(", "))
        }
    }
}

/// The kinds of fault in a scenario, in order, without repetition, and the executor's death.
fn causes(scenario: &Scenario) -> Vec<String> {
    let faults = scenario.faults.iter().map(|fault| fault.kind.as_str());
    let crash = scenario.crash.map(|_| CRASH);
    let mut causes: Vec<String> = faults.chain(crash).map(str::to_owned).collect();
    causes.sort_unstable();
    causes.dedup();
    causes
}

/// `scenario` without `removed`; `None`: it has nothing of that, or what is left is no scenario.
#[must_use]
pub(super) fn without(scenario: &Scenario, removed: &[String]) -> Option<Scenario> {
    let left = scenario.clone().with(|it| {
        it.faults
            .retain(|fault| !removed.iter().any(|cause| cause == fault.kind.as_str()));
        if removed.iter().any(|cause| cause == CRASH) {
            it.crash = None;
        }
    });
    let differs = left.faults.len() != scenario.faults.len() || left.crash != scenario.crash;
    let loads = || Scenario::parse("without", &left.text, &[]).is_ok();
    (differs && loads()).then_some(left)
}

/// A known class as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(deserialize_with = "names::oracle")]
    oracle: String,
    finding: String,
    subject: Option<String>,
    #[serde(deserialize_with = "names::half")]
    half: String,
    #[serde(deserialize_with = "names::causes")]
    causes: Vec<String>,
    reason: String,
}

impl TryFrom<Written> for Known {
    type Error = String;

    fn try_from(it: Written) -> Result<Self, String> {
        let findings = names::findings(&it.oracle);
        if !findings.contains(&it.finding.as_str()) {
            return Err(format!(
                "the oracle `{}` finds no `{}`; it finds: {}",
                it.oracle,
                it.finding,
                findings.join(", ")
            ));
        }
        Ok(Self {
            oracle: it.oracle,
            finding: it.finding,
            subject: it.subject,
            half: it.half,
            causes: it.causes,
            reason: it.reason,
        })
    }
}

/// A class that is known, with the reason for which it does not fail a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Known {
    /// The oracle.
    pub oracle: String,
    /// What it finds.
    pub finding: String,
    /// The step or service; left out: any.
    pub subject: Option<String>,
    /// The half of the drills, `survivable` or `hostile`.
    pub half: String,
    /// The causes that must all be there; one at least.
    pub causes: Vec<String>,
    /// Why it is not a failure, or not yet mended.
    pub reason: String,
}

impl Known {
    /// Whether `class` is it.
    #[must_use]
    pub fn is(&self, class: &Class) -> bool {
        let subject = self.subject.as_ref();
        self.oracle == class.found.oracle.as_str()
            && self.half == class.half.as_str()
            && !self.causes.is_empty()
            && self.finding == class.found.kind
            && subject.is_none_or(|subject| Some(subject) == class.found.subject.as_ref())
            && self.causes.iter().all(|cause| class.causes.contains(cause))
    }

    /// Whether `class`, which [is](Self::is) it, has causes beside those that are named here.
    #[must_use]
    pub fn leaves_causes_of(&self, class: &Class) -> bool {
        class
            .causes
            .iter()
            .any(|cause| !self.causes.contains(cause))
    }
}

/// Reads a file of known classes: `[[known]]` tables.
///
/// # Errors
/// The first mistake, with its line and column.
pub fn known(text: &str) -> Result<Vec<Known>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        known: Vec<Known>,
    }
    Ok(toml::from_str::<File>(text)?.known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::OracleName;
    use crate::scenario::built_in;

    fn class(causes: &[&str]) -> Class {
        Class {
            found: finding::Class {
                oracle: OracleName::Outcome,
                kind: "called",
                subject: Some("error-rate".to_owned()),
            },
            half: Half::Survivable,
            causes: causes.iter().map(|&cause| cause.to_owned()).collect(),
        }
    }

    #[test]
    fn a_failure_is_of_a_class_if_what_was_found_and_all_causes_are_there() {
        let unreachable = built_in("unreachable", &[]).expect("there").expect("right");
        let of = |class: &Class, half| class.takes(&class.found, half, &unreachable);
        assert!(of(&class(&["unreachable"]), Half::Survivable));
        assert!(!of(&class(&["unreachable"]), Half::Hostile));
        assert!(!of(&class(&["quota", "unreachable"]), Half::Survivable));
        let mut other = class(&["unreachable"]).found;
        other.subject = None;
        let takes = class(&["unreachable"]).takes(&other, Half::Survivable, &unreachable);
        assert!(!takes, "another step is another class");
        let slug = class(&["crash", "quota"]).slug();
        assert!(
            slug.starts_with("outcome-called-error-rate-under-crash-quota-"),
            "{slug}"
        );
        let long = class(&[
            "api-server-restarted",
            "crash",
            "connections-dropped",
            "quota",
        ])
        .slug();
        assert!(long.len() <= 63, "{long}");
        let mut other = class(&["crash", "quota"]);
        other.half = Half::Hostile;
        assert_ne!(other.slug(), slug);
    }

    #[test]
    fn a_scenario_without_a_class_s_causes_has_only_others() {
        let mut both = built_in("unreachable", &[]).expect("there").expect("right");
        both.crash = Some(crate::scenario::Crash {
            request: 3,
            side: crate::scenario::CrashSide::After,
            resume_after: std::time::Duration::from_secs(2),
        });
        let both = both.with(|_| {});
        let names = |causes: &[&str]| -> Vec<String> {
            causes.iter().map(|&cause| cause.to_owned()).collect()
        };
        let crash = without(&both, &names(&["unreachable"])).expect("a crash is left");
        assert_eq!(causes(&crash), ["crash"]);
        let faults = without(&both, &names(&["crash", "quota"])).expect("faults are left");
        assert_eq!(causes(&faults), ["unreachable"]);
        assert_eq!(without(&both, &names(&["quota"])), None, "nothing of it");
        assert_eq!(without(&both, &[]), None);
        assert!(class(&["crash"]).has_no_other_cause_in(&crash));
        assert!(!class(&["crash"]).has_no_other_cause_in(&both));
    }

    #[test]
    fn a_known_class_names_what_must_be_there() {
        let text = |subject: &str| {
            format!(
                "[[known]]\noracle = \"outcome\"\nfinding = \"called\"\n{subject}\nhalf = \"survivable\"\ncauses = [\"quota\"]\nreason = \"x\"\n"
            )
        };
        let read = |subject| known(&text(subject)).expect("it reads").remove(0);
        let any = read("");
        assert!(any.is(&class(&["crash", "quota"])));
        assert!(any.leaves_causes_of(&class(&["crash", "quota"])));
        assert!(!any.leaves_causes_of(&class(&["quota"])));
        assert!(!any.is(&class(&["crash"])));
        assert!(read("subject = \"error-rate\"").is(&class(&["quota"])));
        assert!(!read("subject = \"error-logs\"").is(&class(&["quota"])));
        let error = known("[[known]]\noracle = 1\n").expect_err("a mistake");
        assert!(error.to_string().contains("line 2"), "{error}");
        assert_eq!(known("# None.\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_known_class_that_can_never_come_is_refused_with_its_place() {
        let right = "[[known]]\noracle = \"claim\"\nfinding = \"late\"\nhalf = \"hostile\"\ncauses = [\"crash\"]\nreason = \"x\"\n";
        assert!(known(right).is_ok());
        for (was, is, line, names) in [
            ("\"claim\"", "\"nosuch\"", "line 2", "claim, "),
            ("\"late\"", "\"lat\"", "line 1", "early, "),
            ("\"hostile\"", "\"hostil\"", "line 4", "survivable, hostile"),
            (
                "\"crash\"",
                "\"crash\", \"pods-kild\"",
                "line 5",
                "pods-killed, ",
            ),
            ("[\"crash\"]", "[]", "line 5", "one cause at least"),
        ] {
            let error = known(&right.replace(was, is)).expect_err(is).to_string();
            assert!(error.contains(line) && error.contains(names), "{error}");
        }
    }
}
