//! The baseline with one part that does nothing. A drill tries that part only if it carries the part out and the
//! baseline, so altered, is judged otherwise there.

use std::time::Duration;

use executor::runbook::{Command, Condition, Effect, OnFail, Operator, Runbook, Step, Trigger};

use super::runs::Brief;

/// Which drills carry a part of the baseline out.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// Those in which this step is done.
    Step(String),
    /// Those in which this trigger fires.
    Trigger(String),
    /// All of them.
    Always,
}

/// The baseline with a part that does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Vacuous {
    /// How it is altered, as the end of a sentence.
    pub(super) how: String,
    /// The altered baseline.
    pub(super) runbook: Runbook,
    part: Part,
}

/// Whether a step changes anything, or waits for a change. Whatever only looks may be done in any order.
pub(super) fn acts(command: &Command) -> bool {
    !matches!(command.spec().effect, Effect::Looks | Effect::Documents)
}

impl Vacuous {
    /// Whether `drill`, of the baseline, carried the part out.
    pub(super) fn is_carried_out_in(&self, drill: &Brief) -> bool {
        match &self.part {
            Part::Step(name) => drill.carried_out.contains(name),
            Part::Trigger(name) => drill.trigger.as_ref() == Some(name),
            Part::Always => true,
        }
    }

    fn of_step(old: &Runbook, step: &Step, how: String, edit: impl FnOnce(&mut Step)) -> Self {
        let mut runbook = old.clone();
        let found = runbook.steps.iter_mut().find(|s| s.name == step.name);
        if let Some(found) = found {
            edit(found);
        }
        Self {
            how,
            runbook,
            part: Part::Step(step.name.clone()),
        }
    }

    /// Without `step`.
    pub(super) fn without_step(old: &Runbook, step: &Step) -> Self {
        let mut runbook = old.clone();
        runbook.steps.retain(|s| s.name != step.name);
        Self {
            how: format!("without `{}`", step.name),
            runbook,
            part: Part::Step(step.name.clone()),
        }
    }

    /// With whatever `step` comes to taken for good.
    pub(super) fn cannot_fail(old: &Runbook, step: &Step) -> Self {
        if step.expect.is_none() {
            // It comes to no value, and is well or is not. It stays where it is, since a fault may hang on it.
            let how = format!("if `{}` were content with whatever it finds", step.name);
            return Self::of_step(old, step, how, |step| step.on_fail = OnFail::Continue);
        }
        let how = format!("if `{}` took every value for good", step.name);
        Self::of_step(old, step, how, |step| {
            // The query and what is expected stay, since they date the recovery and are written down:
            // only the value is always a good one.
            if let (Command::PromQuery { query }, Some(expect)) = (&mut step.command, step.expect) {
                let good = [0.0, expect.value, expect.value - 1.0, expect.value + 1.0];
                let good = good.into_iter().find(|v| expect.holds(*v) == Some(true));
                *query = match good {
                    None | Some(0.0) => format!("0 * ({query})"),
                    Some(good) => format!("0 * ({query}) + {good}"),
                };
                return;
            }
            step.expect = Some(Condition {
                operator: Operator::GreaterOrEqual,
                value: f64::MIN,
            });
        })
    }

    /// With any number of requests enough for `step`.
    pub(super) fn any_number(old: &Runbook, step: &Step) -> Self {
        let how = format!(
            "if `{}` were content with any number of requests",
            step.name
        );
        Self::of_step(old, step, how, |step| {
            step.min_requests = None;
            step.count_query = None;
        })
    }

    /// With `step` holding at once.
    pub(super) fn no_hold(old: &Runbook, step: &Step) -> Self {
        let how = format!("if `{}` need not hold", step.name);
        Self::of_step(old, step, how, |step| step.hold = None)
    }

    /// With another consequence of a failure of `step`.
    pub(super) fn on_fail(old: &Runbook, step: &Step, on_fail: OnFail) -> Self {
        let how = format!("if a failure of `{}` had that consequence", step.name);
        Self::of_step(old, step, how, |step| step.on_fail = on_fail)
    }

    /// With the undo of `step` not pinned.
    pub(super) fn unpinned(old: &Runbook, step: &Step) -> Self {
        let how = "without the pin".to_owned();
        Self::of_step(old, step, how, |step| {
            step.command = Command::RolloutUndo { pinned: false };
        })
    }

    /// With the services in the opposite order.
    pub(super) fn services_reversed(old: &Runbook) -> Self {
        let mut runbook = old.clone();
        runbook.services.reverse();
        Self {
            how: "in the opposite order".to_owned(),
            runbook,
            part: Part::Always,
        }
    }

    /// Without some services.
    pub(super) fn services_without(old: &Runbook, missing: &[&str]) -> Self {
        let mut runbook = old.clone();
        runbook.services.retain(|s| !missing.contains(&s.as_str()));
        Self {
            how: format!("without {}", missing.join(", ")),
            runbook,
            part: Part::Always,
        }
    }

    /// Without `trigger`.
    pub(super) fn without_trigger(old: &Runbook, trigger: &Trigger) -> Self {
        let mut runbook = old.clone();
        runbook.triggers.retain(|t| t.name != trigger.name);
        Self {
            how: format!("without the trigger `{}`", trigger.name),
            runbook,
            part: Part::Trigger(trigger.name.clone()),
        }
    }

    /// With `trigger` firing as soon as its condition holds: only a drill in which it comes near that is judged
    /// otherwise.
    pub(super) fn without_debounce(old: &Runbook, trigger: &Trigger) -> Self {
        let mut runbook = old.clone();
        for other in &mut runbook.triggers {
            if other.name == trigger.name {
                other.hold_for = Duration::from_secs(1);
            }
        }
        Self {
            how: format!("if `{}` fired as soon as its condition holds", trigger.name),
            runbook,
            part: Part::Always,
        }
    }

    /// With a trigger that it does not have, firing as soon as its condition holds.
    pub(super) fn with_trigger(old: &Runbook, trigger: &Trigger) -> Self {
        let mut runbook = old.clone();
        runbook.triggers.push(Trigger {
            hold_for: Duration::from_secs(1),
            ..trigger.clone()
        });
        Self {
            how: format!("if `{}` fired as soon as its condition holds", trigger.name),
            runbook,
            part: Part::Always,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;
    use crate::verify::RunbookSide;

    #[test]
    fn every_check_that_cannot_fail_does_nothing_where_it_alone_matters() {
        let built_in = RunbookSide::parse("x.md", crate::runbooks::BUILT_IN).expect("it loads");
        // For each the scenario in which it alone stands between a bad state and a claim of recovery, once those are
        // taken out that would see the same, or only their failures are passed over (`true`).
        let checks: [(&str, &str, &[&str], bool); 7] = [
            ("check-health", "check-health", &[], false),
            ("check-build", "check-build", &[], false),
            (
                "orders-flow",
                "check-orders-flow",
                &["error-rate", "stay-recovered"],
                false,
            ),
            (
                "error-rate",
                "check-error-rate",
                &[
                    "error-rate-worst-pod",
                    "error-logs",
                    "stay-recovered",
                    "still-no-error-logs",
                ],
                false,
            ),
            (
                "error-logs",
                "check-error-logs",
                &["still-no-error-logs"],
                false,
            ),
            (
                "still-no-error-logs",
                "check-still-no-error-logs",
                &[],
                false,
            ),
            (
                "still-prior-build",
                "check-still-prior",
                &["stay-recovered", "still-no-error-logs"],
                true,
            ),
        ];
        for (check, scenario, hiders, passed_over) in checks {
            let mut alone = built_in.runbook().clone();
            let hides = |name: &str| hiders.contains(&name);
            if passed_over {
                let hiders = alone.steps.iter_mut().filter(|step| hides(&step.name));
                hiders.for_each(|step| step.on_fail = OnFail::Continue);
            } else {
                alone.steps.retain(|step| !hides(&step.name));
            }
            let side = built_in.altered(alone);
            let old = side.runbook();
            let step = old.steps.iter().find(|it| it.name == check).expect(check);
            let verdict = |side: &RunbookSide| {
                let scenario = crate::scenario::built_in(scenario, &side.loaded.triggers());
                let plan = crate::worlds::DrillPlan {
                    world: crate::worlds::WorldKind::Sim,
                    scenario: std::sync::Arc::new(scenario.expect(check).expect("right")),
                    runbook: side.loaded.clone(),
                    seed: 3,
                    until: crate::worlds::Until::Held,
                    executor: None,
                };
                let result = crate::drill::run(&plan).expect("the simulation is always there");
                result.verdicts.overall
            };
            let vacuous = Vacuous::cannot_fail(old, step);
            let altered = side.altered(vacuous.runbook);
            let verdicts = [verdict(&side), verdict(&altered)];
            assert_eq!(
                verdicts,
                [Verdict::Pass, Verdict::Fail],
                "{check}: {}",
                vacuous.how
            );
        }
    }

    #[test]
    fn each_alteration_is_one() {
        let side = RunbookSide::parse("x.md", crate::runbooks::BUILT_IN).expect("it loads");
        let old = side.runbook();
        let step = |name: &str| old.steps.iter().find(|s| s.name == name).expect(name);
        let trigger = &old.triggers[0];
        let all = [
            Vacuous::without_step(old, step("fence-ledger")),
            Vacuous::cannot_fail(old, step("error-rate")),
            Vacuous::cannot_fail(old, step("error-logs")),
            Vacuous::cannot_fail(old, step("orders-flow")),
            Vacuous::cannot_fail(old, step("check-health")),
            Vacuous::any_number(old, step("error-rate")),
            Vacuous::no_hold(old, step("stay-recovered")),
            Vacuous::on_fail(old, step("undo-app"), OnFail::Continue),
            Vacuous::unpinned(old, step("undo-app")),
            Vacuous::services_reversed(old),
            Vacuous::services_without(old, &["risk"]),
            Vacuous::without_trigger(old, trigger),
            Vacuous::without_debounce(old, trigger),
        ];
        for vacuous in &all {
            assert_ne!(&vacuous.runbook, old, "{}", vacuous.how);
            assert_ne!(side.altered(vacuous.runbook.clone()).key, side.key);
        }
        let keys: std::collections::BTreeSet<u64> = all
            .iter()
            .map(|v| side.altered(v.runbook.clone()).key)
            .collect();
        assert_eq!(keys.len(), all.len());
    }
}
