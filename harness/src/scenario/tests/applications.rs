//! Scenarios of applications that are not the exchange: what would hit nothing is refused, for the reason that is true.

use super::*;

/// A scenario of an application with two services, of which the release changes `s0`; with `tables` besides.
fn of_two_services(tables: &str) -> Result<Scenario, ScenarioError> {
    let app = sim_services::describe::sample(2, 1, 200).app();
    let app = Described::from(app.expect("the description is right"));
    let text = "name = \"mine\"\n[release]\nto = \"bad\"\n[expect]\ntrigger = \"failing\"\n";
    Scenario::parse_of(&app, "mine.toml", &format!("{text}{tables}"), &[])
}

#[test]
fn a_fault_that_is_not_for_applications_is_refused_for_the_reason_that_is_true() {
    for spec in super::FAULTS
        .iter()
        .filter(|it| it.of_the_exchange.is_some())
    {
        let fault = format!("[[faults]]\nkind = \"{}\"\n", spec.name);
        let refused = of_two_services(&fault).expect_err(spec.name);
        let message = format!("`{}` can not be aimed at `sample`", spec.name);
        let told = refused.mistakes.iter().find(|it| it.message == message);
        let told = told.unwrap_or_else(|| panic!("{}: {refused:?}", spec.name));
        let of_others = [
            "clock-",
            "executor-",
            "clients-",
            "requests-",
            "second-executor",
        ];
        let only_there = told.label == "only the exchange has what it affects";
        let of_others = of_others.iter().any(|it| spec.name.starts_with(it));
        assert!(!(only_there && of_others), "{}: {}", spec.name, told.label);
    }
    let paused = "[[faults]]\nkind = \"executor-paused\"\nlasts = \"5s\"\ndelay = \"5s\"\n";
    let paused = of_two_services(paused).expect_err("it is refused");
    let help = &paused.mistakes[0].help;
    assert!(help.contains("`executor-killed`"), "{help}");
}

#[test]
fn connections_to_a_store_that_is_simulated_can_not_be_dropped() {
    let dropped = |target: &str| {
        of_two_services(&format!(
            "[[faults]]\nkind = \"connections-dropped\"\nlasts = \"5s\"\ntarget = \"{target}\"\n"
        ))
    };
    dropped("kubernetes").expect("every application has an API server");
    let refused = dropped("database").expect_err("nobody has that database");
    let [told] = refused.mistakes.as_slice() else {
        panic!("one mistake: {refused:?}");
    };
    assert_eq!(told.message, "`connections-dropped` can't hit `database`");
    assert!(told.label.contains("its store is simulated"), "{told:?}");
    assert_eq!(told.line(), 9, "{refused:?}");
    let other = dropped("s0").expect_err("a service is none");
    assert!(other.mistakes[0].help.contains("kubernetes"), "{other:?}");
}

#[test]
fn a_fault_that_waits_for_pods_which_never_come_is_refused() {
    let tables = "[[faults]]\nkind = \"pods-killed\"\ntarget = \"s0\"\nwhen = \"ready 2\"\n";
    of_two_services(tables).expect("the release brings pods");
    let app = sim_services::describe::sample(1, 1, 200).app();
    let app = Described::from(app.expect("the description is right"));
    let text = "name = \"mine\"\n[release]\nfrom = \"bad\"\nto = \"bad\"\n";
    let text = format!("{text}[expect]\ntrigger = \"failing\"\n{tables}");
    let refused = Scenario::parse_of(&app, "mine.toml", &text, &[]).expect_err("it brings none");
    let mut messages = refused.mistakes.iter().map(|it| it.message.as_str());
    assert!(
        messages.any(|it| it == "no pod of `bad` comes: `bad` has the same images"),
        "{refused:?}"
    );
}

#[test]
fn a_fault_of_an_image_that_the_release_does_not_change_is_refused() {
    for (kind, more) in [
        ("image-gone", ""),
        ("pods-slow", "delay = \"5s\"\n"),
        ("pods-stuck", ""),
        ("terminating-slow", ""),
    ] {
        let of = |target: &str| {
            of_two_services(&format!(
                "[[faults]]\nkind = \"{kind}\"\ntarget = \"{target}\"\n{more}"
            ))
        };
        of("s0").unwrap_or_else(|error| panic!("{kind}: the release changes it: {error:?}"));
        let refused = of("s1").expect_err(kind);
        let told = &refused.mistakes[0];
        assert_eq!(
            told.message,
            format!("`{kind}` would hit nothing: `good` and `bad` have the same image of `s1`")
        );
        assert!(told.help.starts_with("aim it at s0, or"), "{}", told.help);
        assert_eq!(told.line(), 8, "{refused:?}");
    }
    // What hits any service may be aimed at it.
    of_two_services("[[faults]]\nkind = \"pods-killed\"\ntarget = \"s1\"\n").expect("it is right");
}

#[test]
fn lines_that_nobody_looks_for_can_not_be_held_back() {
    let built_in = crate::runbooks::LoadedRunbook::built_in().expect("it loads");
    let asks = &built_in.runbook;
    let mut without = (**asks).clone();
    without.loki = None;
    let scenario = of_two_services("[[faults]]\nkind = \"logs-missing\"\nwhen = \"deployment\"\n");
    let scenario = scenario.expect("its form is right");
    assert!(scenario.fits("mine.toml", asks).is_ok());
    let refused = scenario
        .fits("mine.toml", &without)
        .expect_err("nobody asks");
    let message = "`logs-missing` would hit nothing: no step of the runbook asks Loki";
    assert_eq!(refused.mistakes[0].message, message);
    let mut silent = (**asks).clone();
    let is_query = |step: &executor::runbook::Step| {
        matches!(step.command, executor::runbook::Command::LogQuery { .. })
    };
    silent.steps.retain(|step| !is_query(step));
    assert!(silent.steps.len() < asks.steps.len());
    assert!(scenario.fits("mine.toml", &silent).is_err());
}

#[test]
fn a_bound_that_lets_most_requests_fail_is_called_unwise() {
    let of = |rate: &str| {
        let scenario = of_two_services(&format!("error_rate_max = \"{rate}\"\n"));
        let scenario = scenario.expect("it is allowed");
        scenario.unwise("mine.toml").map(|it| it.to_string())
    };
    assert_eq!(of("1%"), None);
    let told = of("100%").expect("it is unwise");
    assert!(told.contains("error_rate_max of 100%"), "{told}");
}

#[test]
fn an_application_has_no_markets_and_accounts_to_cut_down() {
    let scenario = of_two_services("").expect("it is right");
    let load = scenario.load;
    for simpler in crate::shrink::simpler(&scenario) {
        assert_eq!(
            (simpler.load.markets, simpler.load.accounts),
            (load.markets, load.accounts)
        );
    }
}

#[test]
fn an_application_may_take_as_long_as_its_own_runbook_says() {
    let built_in = crate::runbooks::LoadedRunbook::built_in().expect("it loads");
    let with_rto = |seconds| {
        let mut runbook = (*built_in.runbook).clone();
        runbook.rto = std::time::Duration::from_secs(seconds);
        runbook
    };
    let tables = "rto_max = \"8m\"\n[timing]\nduration = \"30m\"\n";
    let scenario = of_two_services(tables).expect("it is no longer than a drill may be");
    assert!(scenario.fits("mine.toml", &with_rto(480)).is_ok());
    let refused = scenario.fits("mine.toml", &with_rto(479));
    let refused = refused.expect_err("it is laxer than the procedure");
    assert_eq!(refused.mistakes[0].label, "longer than 7m59s");
    let hours = of_two_services("rto_max = \"5h\"\n").expect_err("no drill lasts so long");
    assert_eq!(hours.mistakes[0].label, "longer than 4h");
}
