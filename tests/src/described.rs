//! Drills of the worked examples of described applications (`examples/apps`), and of changed ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firedrill::runbooks::{BUILT_IN, LoadedRunbook};
use firedrill::scenario::{Described, Scenario};
use firedrill::token::Token;
use firedrill::worlds::{DrillPlan, Until, WorldKind};

use crate::drills::run;

/// A worked example, by the name of its folder.
#[derive(Clone, Debug)]
pub struct Example {
    folder: &'static str,
    /// Changes of its description: what is replaced, by what.
    changes: Vec<(&'static str, &'static str)>,
    /// Changes of its manifests.
    manifests: Vec<(&'static str, &'static str)>,
}

impl Example {
    /// As it is in the repository.
    #[must_use]
    pub fn new(folder: &'static str) -> Self {
        Self {
            folder,
            changes: Vec::new(),
            manifests: Vec::new(),
        }
    }

    /// The same with `from` replaced in its description.
    #[must_use]
    pub fn changed(mut self, from: &'static str, to: &'static str) -> Self {
        self.changes.push((from, to));
        self
    }

    /// The same with `from` replaced in its manifests.
    #[must_use]
    pub fn with_manifests(mut self, from: &'static str, to: &'static str) -> Self {
        self.manifests.push((from, to));
        self
    }

    fn path(&self) -> PathBuf {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/apps");
        examples.join(self.folder)
    }

    /// One of its files.
    ///
    /// # Panics
    /// If there is no such file.
    #[must_use]
    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).expect("it is there")
    }

    /// The application.
    ///
    /// # Panics
    /// If the description is not right, or does not hold what is to be changed.
    #[must_use]
    pub fn app(&self) -> Described {
        let app = sim_services::describe::read(&self.path().join("app.toml"));
        let mut bundle = app.expect("the description is right").bundle;
        for (from, to) in &self.changes {
            assert!(bundle.app.text.contains(from), "no longer there: {from}");
            bundle.app.text = bundle.app.text.replace(from, to);
        }
        for (from, to) in &self.manifests {
            let mut texts = bundle.manifests.iter();
            assert!(
                texts.any(|it| it.text.contains(from)),
                "no longer there: {from}"
            );
            for manifest in &mut bundle.manifests {
                manifest.text = manifest.text.replace(from, to);
            }
        }
        bundle.app().expect("the change is right").into()
    }

    /// A drill of one of its scenarios by its own runbook.
    #[must_use]
    pub fn plan(&self, scenario: &str, seed: u64) -> DrillPlan {
        self.plan_by(scenario, seed, &self.text("rollback.md"))
    }

    /// A drill of one of its scenarios by the runbook `text`.
    ///
    /// # Panics
    /// If either is not right.
    #[must_use]
    pub fn plan_by(&self, scenario: &str, seed: u64, text: &str) -> DrillPlan {
        let file = format!("scenarios/{scenario}.toml");
        self.plan_of(&self.text(&file), seed, text)
    }

    /// A drill of the scenario with the text `scenario` by the runbook with the text `runbook`.
    ///
    /// # Panics
    /// If either is not right.
    #[must_use]
    pub fn plan_of(&self, scenario: &str, seed: u64, runbook: &str) -> DrillPlan {
        let runbook = LoadedRunbook::parse("rollback.md", runbook).expect("the runbook is right");
        let app = self.app();
        runbook.check_services(Some(&app)).expect("they are there");
        let scenario = Scenario::parse_of(&app, "s.toml", scenario, &runbook.triggers());
        DrillPlan {
            world: WorldKind::Sim,
            scenario: Arc::new(scenario.expect("the scenario is right")),
            runbook,
            seed,
            until: Until::Settled,
            executor: None,
        }
    }
}

/// The drill can be repeated by whoever has nothing but its token: the application is in it.
///
/// # Panics
/// If it can't, or goes another way.
#[track_caller]
pub fn assert_repeats_by_token(plan: DrillPlan) {
    let result = run(&plan);
    let token = Token::decode(&result.replay, BUILT_IN).expect("it reads back");
    let scenario = Scenario::parse(&token.scenario_file, &token.scenario_text, &[]);
    let again = DrillPlan {
        scenario: Arc::new(scenario.expect("it is the same")),
        ..plan
    };
    assert_eq!(run(&again).fingerprint, result.fingerprint);
}
