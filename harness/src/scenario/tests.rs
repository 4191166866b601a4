//! Scenario files: the built-in ones are right, and each kind of mistake is pointed at.

use std::fmt::Write as _;

use super::*;
use crate::worlds::WorldKind;

mod applications;

const GOOD: &str = include_str!("../../../scenarios/latency-regression.toml");

fn triggers() -> Vec<String> {
    [
        "sla-latency-p99",
        "data-balance-anomaly",
        "p0-order-failures",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn built_in_scenarios_read_and_survive_rewriting() {
    for built_in in BUILT_IN {
        let scenario = Scenario::parse(built_in.file, built_in.text, &[]).expect(built_in.name);
        assert_eq!(scenario.name, built_in.name);
        let rewritten = scenario.to_toml();
        let again = Scenario::parse("rewritten", &rewritten, &[]).expect("rewritten");
        assert_eq!(
            Scenario {
                text: String::new(),
                ..again
            },
            Scenario {
                text: String::new(),
                ..scenario
            }
        );
    }
    let defaults: Vec<&str> = BUILT_IN
        .iter()
        .filter(|b| b.by_default)
        .map(|b| b.name)
        .collect();
    assert_eq!(
        defaults,
        [
            "latency-regression",
            "balance-anomaly",
            "breaking-migration"
        ]
    );
}

/// A scenario in the folder that is not in the catalogue would be drilled by nobody.
#[test]
fn every_file_of_the_folder_is_in_the_catalogue() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut folders, mut found) = (vec![root.join("scenarios")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "toml") {
                let file = path.strip_prefix(&root).expect("it is below").to_owned();
                found.push(file.to_str().expect("a text").to_owned());
            }
        }
    }
    // This one says which failures of a search are known.
    found.retain(|file| file != "scenarios/known-failures.toml");
    found.sort();
    let mut listed: Vec<&str> = BUILT_IN.iter().map(|it| it.file).collect();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn each_mistake_is_pointed_at() {
    let cases = [
        ("not TOML", "rate_per_s = 200", "rate_per_s = = 200"),
        ("unknown field", "duration = ", "durration = "),
        ("unknown table", "[load]", "[laod]"),
        ("missing field", "trigger = \"sla-latency-p99\"\n", ""),
        ("wrong type", "rate_per_s = 200", "rate_per_s = \"200\""),
        ("bare duration", "warm_up = \"60s\"", "warm_up = 60"),
        ("bad duration", "hold = \"3m\"", "hold = \"3 minutes\""),
        ("bad rate", "\"0.01%\"", "\"0.01\""),
        (
            "bad name",
            "name = \"latency-regression\"",
            "name = \"Latency regression\"",
        ),
        ("unknown release", "1.5.0-slow-path", "1.5.0-slow-pth"),
        ("deploys itself", "1.5.0-slow-path", "1.4.2"),
        ("rate 0", "rate_per_s = 200", "rate_per_s = 0"),
        ("negative accounts", "accounts = 1000", "accounts = -5"),
        ("unknown trigger", "sla-latency-p99", "sla-latency-p95"),
        (
            "unknown path",
            "path = \"application\"",
            "path = \"aplication\"",
        ),
        (
            "path without trigger",
            "trigger = \"sla-latency-p99\"",
            "trigger = \"none\"",
        ),
        (
            "trigger without path",
            "path = \"application\"",
            "path = \"none\"",
        ),
        (
            "no time to notice",
            "rto_max = \"5m\"",
            "detect_max = \"0s\"\nrto_max = \"5m\"",
        ),
        ("lax rto", "rto_max = \"5m\"", "rto_max = \"6m\""),
        ("zero rto", "rto_max = \"5m\"", "rto_max = \"0s\""),
        ("lax error rate", "\"0.01%\"", "\"1%\""),
        ("zero error rate", "\"0.01%\"", "\"0%\""),
        (
            "p99 out of range",
            "p99_max = \"100ms\"",
            "p99_max = \"10s\"",
        ),
        (
            "negative losses",
            "trades_lost_max = 0",
            "trades_lost_max = -1",
        ),
        (
            "losses on a path without restore",
            "trades_lost_max = 0",
            "trades_lost_max = 5",
        ),
        ("short warm-up", "warm_up = \"60s\"", "warm_up = \"1s\""),
        (
            "deploy during warm-up",
            "deploy_at = \"90s\"",
            "deploy_at = \"30s\"",
        ),
        (
            "deploy after the end",
            "deploy_at = \"90s\"",
            "deploy_at = \"20m\"",
        ),
        (
            "hold longer than the rest",
            "hold = \"3m\"",
            "hold = \"14m\"",
        ),
        ("does not fit", "duration = \"15m\"", "duration = \"6m\""),
        (
            "hold too short for the evidence",
            "hold = \"3m\"",
            "hold = \"20s\"",
        ),
        ("too long", "duration = \"15m\"", "duration = \"5h\""),
    ];
    insta::assert_snapshot!(told(GOOD, &cases));
}

#[test]
fn each_mistake_in_a_fault_is_pointed_at() {
    let good = GOOD.replace(
        "[expect]",
        "[[faults]]\nkind = \"api-slow\"\nwhen = \"trigger\"\ndelay = \"800ms\"\n\n[[faults]]\nkind = \"unreachable\"\ntarget = \"prometheus\"\nlasts = \"5s\"\n\n[expect]\noutcome = \"recovered\"",
    );
    let scenario = Scenario::parse("s.toml", &good, &triggers()).expect("right");
    assert_eq!(scenario.faults.len(), 2);
    let cases = [
        ("unknown kind", "api-slow", "api-slwo"),
        ("unknown instant", "when = \"trigger\"", "when = \"tigger\""),
        (
            "step without a name",
            "when = \"trigger\"",
            "when = \"step\"",
        ),
        ("delay missing", "delay = \"800ms\"\n", ""),
        ("no delay", "delay = \"800ms\"", "delay = \"0s\""),
        (
            "no chance",
            "delay = \"800ms\"",
            "delay = \"800ms\"\nchance = \"0%\"",
        ),
        ("delay means nothing", "lasts = \"5s\"", "delay = \"5s\""),
        ("target missing", "target = \"prometheus\"\n", ""),
        (
            "unknown target",
            "target = \"prometheus\"",
            "target = \"promtheus\"",
        ),
        (
            "target means nothing",
            "delay = \"800ms\"",
            "delay = \"800ms\"\ntarget = \"database\"",
        ),
        ("unknown field", "lasts = \"5s\"", "last = \"5s\""),
        ("unknown outcome", "\"recovered\"", "\"escalate\""),
    ];
    insta::assert_snapshot!(told(&good, &cases));
}

/// What is said about `good` with each of `cases` (what, from, to) made wrong.
fn told(good: &str, cases: &[(&str, &str, &str)]) -> String {
    let mut out = String::new();
    for &(what, from, to) in cases {
        assert!(good.contains(from), "{what}");
        let text = good.replacen(from, to, if what == "deploys itself" { 9 } else { 1 });
        let error = Scenario::parse("s.toml", &text, &triggers()).expect_err(what);
        let _ = writeln!(out, "## {what}");
        for mistake in &error.mistakes {
            let _ = writeln!(
                out,
                "{mistake}\n    {}\n    help: {}",
                mistake.label,
                mistake.help.replace('\n', " / ")
            );
        }
    }
    out
}

#[test]
fn all_mistakes_are_found_at_once() {
    let text = GOOD
        .replace("rate_per_s = 200", "rate_per_s = 0")
        .replace("1.5.0-slow-path", "9.9.9")
        .replace("rto_max = \"5m\"", "rto_max = \"10m\"");
    let error = Scenario::parse("s.toml", &text, &triggers()).expect_err("three mistakes");
    let lines: Vec<usize> = error.mistakes.iter().map(Mistake::line).collect();
    assert!(lines.len() >= 3 && lines.is_sorted(), "{lines:?}");
}

#[test]
fn arbitrary_text_is_refused_politely() {
    for text in [
        "",
        "\u{feff}",
        "[",
        "name = 1",
        "= \n=",
        "[[release]]\nfrom=1",
        "a.b.c = {}",
        "é = \"ü\"",
    ] {
        let error = Scenario::parse("s.toml", text, &[]).expect_err(text);
        assert!(!error.mistakes.is_empty());
    }
}

const SHORTEST: &str = "name = \"mine\"\n[release]\nto = \"1.5.0-slow-path\"\n[expect]\ntrigger = \"sla-latency-p99\"\n";

#[test]
fn the_shortest_scenario_says_what_the_complete_one_says() {
    assert_eq!(SHORTEST.lines().count(), 5);
    let shortest = Scenario::parse("mine.toml", SHORTEST, &triggers()).expect("right");
    let complete = Scenario::parse("s.toml", GOOD, &triggers()).expect("right");
    let bare = |scenario: Scenario| Scenario {
        name: String::new(),
        description: String::new(),
        text: String::new(),
        ..scenario
    };
    assert_eq!(bare(shortest), bare(complete));
    let nothing = SHORTEST
        .replace("1.5.0-slow-path", "1.4.3")
        .replace("sla-latency-p99", "none");
    let nothing = Scenario::parse("mine.toml", &nothing, &triggers()).expect("right");
    assert_eq!(nothing.expect.path, Path::None);
}

#[test]
fn a_mistake_about_a_default_is_one_of_what_does_not_go_with_it() {
    let short = format!("{SHORTEST}[timing]\nduration = \"4m\"\n");
    let error =
        Scenario::parse("mine.toml", &short, &triggers()).expect_err("the hold does not fit");
    assert_eq!(error.mistakes[0].line(), 7, "{error:?}");
    // Whichever key it is that does not go with the defaults.
    for (given, line) in [
        ("[timing]\ndeploy_at = \"14m59s\"\n", 7),
        ("[load]\nrate_per_s = 1\n", 7),
        ("rto_max = \"100h\"\n", 6),
    ] {
        let wrong = format!("{SHORTEST}{given}");
        let error = Scenario::parse("mine.toml", &wrong, &triggers()).expect_err(given);
        let lines = error.mistakes.iter().map(Mistake::line);
        assert!(lines.clone().all(|at| at == line), "{given}: {error:?}");
    }
}

#[test]
fn no_scenario_says_what_goes_without_saying() {
    for built_in in BUILT_IN.iter().filter(|b| b.name != "latency-regression") {
        for line in [
            "from = \"1.4.2\"",
            "markets = 4",
            "duration = \"15m\"",
            "rto_max = \"5m\"",
            "p99_max = \"100ms\"",
        ] {
            assert!(
                !built_in.text.lines().any(|l| l == line),
                "{}: {line}",
                built_in.file
            );
        }
    }
}

/// A scenario with a fault that begins at `when`, on `path`.
fn beginning_at(when: &str, path: &str) -> Scenario {
    let text = format!(
        "{SHORTEST}path = \"{path}\"\n[[faults]]\nkind = \"watch-gone\"\nwhen = \"{when}\"\n"
    );
    Scenario::parse("mine.toml", &text, &triggers()).expect("its form is right")
}

#[test]
fn a_fault_that_never_begins_is_refused() {
    let runbook = crate::runbooks::LoadedRunbook::built_in()
        .expect("it loads")
        .runbook;
    let refused = |when: &str, path: &str| {
        let error = beginning_at(when, path).fits("mine.toml", &runbook).err()?;
        let mistake = &error.mistakes[0];
        assert_eq!(mistake.line(), 9, "{error:?}");
        Some(format!("{}; {}", mistake.message, mistake.help))
    };
    let unknown = refused("step undo-ap", "application").expect("there is no such step");
    assert!(unknown.contains("did you mean `undo-app`"), "{unknown}");
    for (step, path) in [
        ("after undo-schema", "application"),
        ("step undo-schema", "application"),
        ("step halt-trading", "application"),
        ("step restore-ledger", "undo"),
    ] {
        let why = refused(step, path).expect("the path has no such step");
        assert!(
            why.contains("not carried out on the expected path"),
            "{why}"
        );
    }
    for (step, path) in [
        ("after undo-app", "application"),
        ("start", "application"),
        ("trigger", "application"),
        ("step undo-app", "application"),
        ("step snapshot-ledger", "application"),
        ("step undo-schema", "undo"),
        ("step undo-schema", "restore"),
        ("step restore-ledger", "restore"),
        ("step halt-trading", "undo"),
    ] {
        assert_eq!(refused(step, path), None, "{step} on {path}");
    }
}

#[test]
fn every_built_in_scenario_fits_the_built_in_runbook() {
    let runbook = crate::runbooks::LoadedRunbook::built_in()
        .expect("it loads")
        .runbook;
    for built_in in BUILT_IN {
        let scenario = Scenario::parse(built_in.file, built_in.text, &[]).expect(built_in.file);
        if let Err(error) = scenario.fits(built_in.file, &runbook) {
            panic!("{:?}", miette::Report::new(error));
        }
    }
}

#[test]
fn a_fault_after_the_end_and_a_misspelled_instant_are_refused() {
    for (fault, why) in [
        ("when = \"start\"\nat = \"16m\"", "after the drill's end"),
        (
            "when = \"deployment\"\nat = \"14m\"",
            "after the drill's end",
        ),
        (
            "when = \"step undo-app\"\nat = \"14m\"",
            "after the drill's end",
        ),
        ("when = \"deploymnet\"", "unknown instant"),
    ] {
        let text = format!("{SHORTEST}[[faults]]\nkind = \"watch-gone\"\n{fault}\n");
        let error = Scenario::parse("mine.toml", &text, &triggers()).expect_err(fault);
        assert!(error.mistakes[0].message.contains(why), "{error:?}");
    }
}

/// The shortest scenario with `tables` after it.
fn with_settings(tables: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse("mine.toml", &format!("{SHORTEST}{tables}"), &triggers())
}

#[test]
fn settings_read_back_and_are_left_out_where_they_are_as_usual() {
    let tables = "[load]\nburst_rate_per_s = 900\nburst_every = \"90s\"\nburst_lasts = \"5s\"\n\
        [ledger]\nmore_mb = 200\nmore_rows = 5000\n\
        [[deployments]]\nservice = \"gateway\"\nreplicas = 5\nmax_surge = \"50%\"\n\
        [[deployments]]\nservice = \"matching\"\nstrategy = \"recreate\"\n\
        [timing]\nscrape_interval = \"1s\"\npoll_interval = \"2s\"\n";
    let scenario = with_settings(tables).expect("right");
    let bursts = scenario.load.bursts.expect("there are bursts");
    assert_eq!((bursts.rate_per_s, bursts.every.as_secs()), (900, 90));
    assert_eq!(scenario.ledger.more_mb, 200);
    let rolling = Strategy::Rolling {
        max_surge: Share::Percent(50),
        max_unavailable: Share::DEFAULT,
    };
    assert_eq!(scenario.deployments[0].strategy, Some(rolling));
    assert_eq!(scenario.deployments[1].strategy, Some(Strategy::Recreate));
    let written = scenario.clone().with(|_| {});
    let read = Scenario::parse("again.toml", &written.text, &triggers()).expect("right");
    assert_eq!(read, written);
    let usual = with_settings("").expect("right").to_toml();
    for word in ["burst", "ledger", "deployments", "interval"] {
        assert!(
            !usual
                .lines()
                .any(|line| line.contains(word) && !line.contains("ledger_kept")),
            "{word}"
        );
    }
    // The same rate is no burst.
    let same = with_settings("[load]\nburst_rate_per_s = 200\n").expect("right");
    assert_eq!(same.load.bursts, None);
}

#[test]
fn each_mistake_in_a_setting_is_pointed_at() {
    for (tables, line, why) in [
        ("[load]\nburst_rate_per_s = 0\n", 7, "burst_rate_per_s is 0"),
        ("[load]\nburst_every = \"2h\"\n", 7, "burst_every is"),
        ("[load]\nburst_lasts = \"1m\"\n", 7, "leave no other time"),
        ("[load]\nburst_every = \"5s\"\n", 7, "leave no other time"),
        ("[ledger]\nmore_mb = -1\n", 7, "more_mb is -1"),
        ("[ledger]\nmore = 1\n", 7, "unknown field `more`"),
        (
            "[[deployments]]\nreplicas = 1\n",
            6,
            "missing field `service`",
        ),
        (
            "[[deployments]]\nservice = \"gatway\"\n",
            7,
            "has no service `gatway`",
        ),
        (
            "[[deployments]]\nservice = \"risk\"\nreplicas = 0\n",
            8,
            "replicas is 0",
        ),
        (
            "[[deployments]]\nservice = \"risk\"\n[[deployments]]\nservice = \"risk\"\n",
            9,
            "said twice",
        ),
        (
            "[[deployments]]\nservice = \"risk\"\nstrategy = \"recreat\"\n",
            8,
            "unknown strategy `recreat`",
        ),
        (
            "[[deployments]]\nservice = \"risk\"\nstrategy = \"recreate\"\nmax_surge = \"1\"\n",
            9,
            "replaces them all at once",
        ),
        (
            "[[deployments]]\nservice = \"risk\"\nmax_surge = \"0\"\nmax_unavailable = \"0%\"\n",
            8,
            "none may go",
        ),
        (
            "[[deployments]]\nservice = \"risk\"\nmax_surge = \"many\"\n",
            8,
            "`max_surge` is `many`",
        ),
        (
            "[timing]\nscrape_interval = \"1ms\"\n",
            7,
            "scrape_interval is 1ms",
        ),
        (
            "[timing]\npoll_interval = \"2m\"\n",
            7,
            "poll_interval is 2m",
        ),
    ] {
        let error = with_settings(tables).expect_err(tables);
        let mistake = &error.mistakes[0];
        assert!(mistake.message.contains(why), "{tables}: {mistake}");
        assert_eq!(mistake.line(), line, "{tables}: {mistake}");
        assert!(!mistake.help.is_empty(), "{tables}");
    }
}

#[test]
fn a_cluster_can_t_change_everything_that_the_simulation_can() {
    for (tables, key) in [
        ("[ledger]\nmore_mb = 1\n", Some("ledger")),
        (
            "[timing]\nscrape_interval = \"1s\"\n",
            Some("timing.scrape_interval"),
        ),
        (
            "[timing]\npoll_interval = \"1s\"\n",
            Some("timing.poll_interval"),
        ),
        ("[load]\nburst_rate_per_s = 1\n", None),
        ("[[deployments]]\nservice = \"risk\"\nreplicas = 2\n", None),
    ] {
        let scenario = with_settings(tables).expect("right");
        assert_eq!(scenario.lacking_in(WorldKind::Sim), None);
        let lacking = scenario.lacking_in(WorldKind::Kind);
        assert_eq!(lacking, key.map(Lacking::Key), "{tables}");
        let refused = crate::worlds::check(&scenario, WorldKind::Kind).err();
        let refused = refused.map(|error| error.to_string());
        assert_eq!(
            refused
                .as_deref()
                .map(|it| it.contains(key.unwrap_or("nothing"))),
            key.map(|_| true),
            "{refused:?}"
        );
    }
}

#[test]
fn a_cluster_refuses_what_it_can_not_do_for_an_application_of_ones_own() {
    let app = sim_services::describe::sample(1, 1, 200).app();
    let app = Described::from(app.expect("the description is right"));
    let text = "name = \"mine\"\n[release]\nto = \"bad\"\n[expect]\ntrigger = \"failing\"\n";
    let interval = "[timing]\nscrape_interval = \"1s\"\n";
    for (tables, expected, word) in [
        ("", None, ""),
        (
            "[[faults]]\nkind = \"pods-killed\"\ntarget = \"s0\"\n",
            None,
            "",
        ),
        (
            "[[faults]]\nkind = \"node-paused\"\nwhen = \"ready 1\"\nlasts = \"5s\"\n",
            None,
            "",
        ),
        (
            "[[faults]]\nkind = \"api-server-restarted\"\nwhen = \"request 3\"\n",
            None,
            "",
        ),
        (
            "[[faults]]\nkind = \"connections-dropped\"\ntarget = \"kubernetes\"\nlasts = \"5s\"\n",
            None,
            "",
        ),
        (
            "[[faults]]\nkind = \"executor-killed\"\nwhen = \"step undo-app\"\ndelay = \"5s\"\n",
            None,
            "",
        ),
        (
            "[[faults]]\nkind = \"api-failing\"\n",
            Some(Lacking::Fault(FaultKind::ApiFailing)),
            "`api-failing`",
        ),
        (
            "[crash]\nrequest = 3\nside = \"after\"\nresume_after = \"5s\"\n",
            None,
            "",
        ),
        (
            interval,
            Some(Lacking::Key("timing.scrape_interval")),
            "timing.scrape_interval",
        ),
    ] {
        let text = format!("{text}{tables}");
        let scenario = Scenario::parse_of(&app, "mine.toml", &text, &[]).expect("right");
        assert_eq!(scenario.lacking_in(WorldKind::Sim), None);
        assert_eq!(scenario.lacking_in(WorldKind::Kind), expected);
        let refused = crate::worlds::check(&scenario, WorldKind::Kind).err();
        let said = refused.map_or_else(String::new, |error| error.to_string());
        assert_eq!(said.is_empty(), expected.is_none(), "{said}");
        assert!(said.contains(word), "{said}");
    }
}
