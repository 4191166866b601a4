//! The descriptions of the commands hold what the runbook reader makes of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::base::{GOOD, parsed};
use crate::runbook::{Asks, COMMANDS, CommandSpec, Effect, Kind, Protection, Runbook, Step, Value};

/// The attribute of a step for each service, if the example is one.
fn for_each(spec: &CommandSpec) -> &'static str {
    if spec.example.contains("$SERVICE") {
        r#","rb.for-each":"service""#
    } else {
        ""
    }
}

/// The step whose command is the example of `spec`, read from a runbook that is good otherwise.
fn example(spec: &CommandSpec) -> Step {
    let phase = match spec.effect {
        Effect::Prepares => "prepare",
        Effect::Documents => "after",
        _ => "run",
    };
    let each = for_each(spec);
    let expect = match spec.value {
        Value::None => "",
        Value::Growth | Value::Answer => r#","rb.expect":"== 0""#,
    };
    let text = format!(
        "{GOOD}\n```sh {{\"name\":\"example\",\"rb.phase\":\"{phase}\",\"rb.timeout\":\"1s\"{each}{expect}}}\n{}\n```\n",
        spec.example
    );
    let runbook = Runbook::parse("test.md", &text)
        .unwrap_or_else(|errors| panic!("{}: {}", spec.example, errors.plain()));
    let step = runbook.steps.into_iter().find(|it| it.name == "example");
    step.expect("the example")
}

#[test]
fn every_example_is_read_as_its_command() {
    for spec in COMMANDS {
        let command = example(spec).command;
        assert_eq!(command.kind(), spec.kind, "{}", spec.example);
        assert_eq!(command.spec().kind, spec.kind, "{}", spec.example);
        let begins = format!("{} {}", spec.program, spec.form);
        assert!(
            spec.form.starts_with('\'') || spec.example.starts_with(&begins),
            "{} does not begin with {begins}",
            spec.example
        );
    }
}

#[test]
fn every_command_says_what_it_does_and_what_for() {
    let mut words = BTreeSet::new();
    for spec in COMMANDS {
        let said = example(spec).command.in_words(|span| format!("{span:?}"));
        assert!(!said.is_empty() && !said.ends_with('.'), "{said}");
        assert!(words.insert(said.clone()), "two commands say: {said}");
        let (protection, why) = spec.protects;
        assert!(!why.is_empty(), "{said}");
        assert_ne!(protection, Protection::Objective, "{said}");
    }
    let logs = example(Kind::DumpLogs.spec()).command;
    assert_eq!(
        logs.in_words(|span| format!("{span:?}")),
        format!("saves the logs of the last {:?}", Duration::from_secs(600))
    );
}

#[test]
fn whoever_is_asked_of_the_api_server_says_which_rights_that_takes() {
    for spec in COMMANDS {
        let sends = !spec.rights.is_empty() || !spec.rights_of_stateful_sets.is_empty();
        match spec.asks {
            Asks::Kubernetes => assert!(sends, "{}", spec.example),
            Asks::Database | Asks::Nobody => assert!(!sends, "{}", spec.example),
            Asks::Prometheus | Asks::Loki => assert_eq!(spec.value, Value::Answer),
        }
    }
}

#[test]
fn what_must_follow_a_command_must_do_so_in_its_own_phase_and_in_time() {
    let pause = "kubectl rollout pause deployment/$SERVICE -n web";
    let resume = "kubectl rollout resume deployment/$SERVICE -n web";
    let step = |name: &str, phase: &str, command: &str| {
        format!(
            "```sh {{\"name\":\"{name}\",\"rb.phase\":\"{phase}\",\"rb.timeout\":\"100ms\",\"rb.for-each\":\"service\"}}\n{command}\n```\n\n"
        )
    };
    let undo = GOOD.find("```sh {\"name\":\"undo\"").expect("the undo");
    let after_undo = undo + GOOD[undo..].find("```\n\n").expect("its end") + 5;
    let warned = |text: &str| {
        let parsed = parsed(text);
        let found = parsed.warnings().iter().find(|it| it.code == "pause-stays");
        found.map(|it| it.message.clone())
    };
    let with = |ahead: &str, behind: &str, last: &str| {
        let (before, rest) = GOOD.split_at(undo);
        let (undoes, rest) = rest.split_at(after_undo - undo);
        warned(&format!("{before}{ahead}{undoes}{behind}{rest}\n{last}"))
    };
    let (paused, resumed) = (
        step("pausing", "run", pause),
        step("resuming", "run", resume),
    );
    assert_eq!(with(&format!("{paused}{resumed}"), "", ""), None);
    let late = "this rollout is still paused when it is undone";
    assert_eq!(with(&paused, &resumed, "").as_deref(), Some(late));
    let never = "nothing resumes this rollout";
    let afterwards = step("resuming", "after", resume);
    assert_eq!(with(&paused, "", &afterwards).as_deref(), Some(never));
    let both = step("pausing", "after", pause);
    assert_eq!(with("", "", &both).as_deref(), Some(never));
    assert_eq!(with("", "", &format!("{both}{afterwards}")), None);
    // Behind the undo there is nothing that a pause could keep from being done.
    assert_eq!(with("", &format!("{paused}{resumed}"), ""), None);
}

#[test]
fn what_must_follow_a_command_is_warned_of_where_it_does_not() {
    for spec in COMMANDS {
        let Some(followed) = spec.followed else {
            continue;
        };
        let each = for_each(spec);
        // At the end of the phase, where nothing comes after it.
        let step = format!(
            "```sh {{\"name\":\"last\",\"rb.phase\":\"run\",\"rb.timeout\":\"1s\"{each}}}\n{}\n```\n\n## Afterwards",
            spec.example
        );
        let text = GOOD.replacen("## Afterwards", &step, 1);
        let parsed = parsed(&text);
        let found = parsed.warnings().iter().find(|it| it.code == followed.code);
        let line = found.and_then(|it| text.lines().nth(it.line - 1));
        assert_eq!(line, Some(spec.example), "{}", parsed.plain());
    }
}
