//! Tokens survive, and damage is always found.

use proptest::prelude::*;

use super::*;
use crate::scenario::Described;
use crate::{runbooks, scenario};

const RUNBOOK: &str = "# Rollback\n\nFirst paragraph.\n\n## Step\n\ntext\n";

fn scenario(index: usize) -> Scenario {
    let built_in = scenario::BUILT_IN[index % scenario::BUILT_IN.len()];
    Scenario::parse(built_in.file, built_in.text, &[]).expect("built-in")
}

proptest! {
    #[test]
    fn a_token_survives(seed: u64, index in 0..5_usize, accounts in 2..5_000_u32, drawn: bool, until in 0..3_usize, fingerprint: Option<u64>, edit in "[ -~\n]{0,40}") {
        let mut scenario = scenario(index);
        if drawn {
            scenario = scenario.with(|s| s.load.accounts = accounts);
        }
        let made = fingerprint.map(Made::here);
        let until = [Until::Duration, Until::Settled, Until::Held][until];
        let runbook = if edit.is_empty() { RUNBOOK.to_owned() } else { RUNBOOK.replace("First", &edit) };
        let text = Token::encode(WorldKind::Sim, seed, until, &scenario, &runbook, RUNBOOK, made);
        for text in [text.clone(), text.to_uppercase(), format!(" {text}\n")] {
            let token = Token::decode(&text, RUNBOOK).expect("its own token");
            prop_assert_eq!(token.seed, seed);
            prop_assert_eq!(token.made, made);
            prop_assert_eq!((token.world, token.until), (WorldKind::Sim, until));
            prop_assert_eq!(&token.scenario_text, &scenario.text);
            prop_assert_eq!(&token.runbook_text, &runbook);
        }
    }

    #[test]
    fn a_changed_character_is_found(seed: u64, position: prop::sample::Index, replacement in "[0-9a-z]") {
        let text = Token::encode(WorldKind::Sim, seed, Until::Duration, &scenario(0), RUNBOOK, RUNBOOK, None);
        let position = PREFIX.len() + position.index(text.len() - PREFIX.len());
        let mut damaged = text.clone();
        damaged.replace_range(position..=position, &replacement);
        let same = |s: &str| s.replace('o', "0").replace(['i', 'l'], "1");
        if same(&damaged) != same(&text) {
            prop_assert!(Token::decode(&damaged, RUNBOOK).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_cut_token_is_found(seed: u64, keep: prop::sample::Index) {
        let text = Token::encode(WorldKind::Sim, seed, Until::Duration, &scenario(1), RUNBOOK, RUNBOOK, None);
        let keep = keep.index(text.len());
        prop_assert!(Token::decode(&text[..keep], RUNBOOK).is_err());
    }

    #[test]
    fn swapped_neighbours_are_found(seed: u64, position: prop::sample::Index) {
        let text = Token::encode(WorldKind::Sim, seed, Until::Duration, &scenario(2), RUNBOOK, RUNBOOK, None);
        let position = PREFIX.len() + position.index(text.len() - PREFIX.len() - 1);
        let mut bytes = text.clone().into_bytes();
        bytes.swap(position, position + 1);
        let swapped = String::from_utf8(bytes).expect("ASCII");
        prop_assert!(swapped == text || Token::decode(&swapped, RUNBOOK).is_err());
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,80}", tail in "[0-9a-z]{0,80}") {
        let _ = Token::decode(&text, RUNBOOK);
        let _ = Token::decode(&format!("fd1-{tail}"), RUNBOOK);
    }
}

#[test]
fn each_refusal_points_at_what_is_wrong() {
    let token = Token::encode(
        WorldKind::Sim,
        7,
        Until::Duration,
        &scenario(0),
        RUNBOOK,
        RUNBOOK,
        None,
    );
    let decode =
        |text: &str, runbook: &str| Token::decode(text, runbook).expect_err(text).to_string();
    assert!(decode("hello", RUNBOOK).contains("must begin with `fd1-`"));
    assert!(decode("fd2-abc", RUNBOOK).contains("version 2 is unknown"));
    assert!(decode("fd1-", RUNBOOK).contains("length is wrong"));
    assert!(decode("fd1-ab!c", RUNBOOK).contains("`!` at position 7"));
    let cut = decode(&token[..token.len() - 8], RUNBOOK);
    assert!(cut.contains("checksum") || cut.contains("length"), "{cut}");
    let last = if token.contains('z') { 'y' } else { 'z' };
    let changed = format!("{}{last}{}", &token[..10], &token[11..]);
    assert!(decode(&changed, RUNBOOK).contains("checksum"));
    assert!(decode(&token, "another runbook").contains("built-in runbook has changed"));
}

#[test]
fn tokens_of_built_in_scenarios_are_short() {
    let token = Token::encode(
        WorldKind::Sim,
        99,
        Until::Duration,
        &scenario(0),
        RUNBOOK,
        RUNBOOK,
        None,
    );
    assert!(token.len() < 80, "{token}");
    let drawn = scenario(0).with(|s| s.load.rate_per_s = 150);
    let token = Token::encode(
        WorldKind::Sim,
        99,
        Until::Duration,
        &drawn,
        RUNBOOK,
        RUNBOOK,
        None,
    );
    // Changes of a built-in scenario are told as such.
    assert!(token.len() < 130, "{}: {token}", token.len());
}

/// A scenario of somebody's own, and its file.
fn own() -> (Scenario, GivenFile) {
    let text = "# Mine.\nname = \"mine\"\ndescription = \"a day on which much is sold\"\n[release]\nto = \"1.5.0-slow-path\"\n[load]\nrate_per_s = 300\n[expect]\ntrigger = \"sla-latency-p99\"\n";
    let scenario = Scenario::parse("mine.toml", text, &[]).expect("it loads");
    let file = GivenFile {
        path: "drills/mine.toml".to_owned(),
        text: text.to_owned(),
    };
    (scenario, file)
}

fn given(path: &str, text: &str) -> GivenFile {
    GivenFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn whoever_has_the_files_types_a_short_command() {
    let (scenario, file) = own();
    let runbook = runbooks::BUILT_IN.replace("five minutes", "5 minutes, or else");
    assert_ne!(runbook, runbooks::BUILT_IN);
    let made = Some(Made::here(0x1234_5678_9abc_def0));
    let whole = |scenario: &Scenario, runbook: &str| {
        let (world, until) = (WorldKind::Sim, Until::Duration);
        Token::encode(world, 7, until, scenario, runbook, runbooks::BUILT_IN, made)
    };
    let smallest = scenario.clone().with(|it| it.load.markets = 1);
    let my_runbook = given("my runbook.md", &runbook);
    for (scenario, runbook, files, typed) in [
        (
            &scenario,
            runbooks::BUILT_IN,
            vec![file.clone()],
            " drills/mine.toml",
        ),
        (
            &scenario,
            runbook.as_str(),
            vec![file.clone(), my_runbook.clone()],
            " drills/mine.toml 'my runbook.md'",
        ),
        (
            &smallest,
            runbooks::BUILT_IN,
            vec![my_runbook.clone(), file.clone()],
            " drills/mine.toml",
        ),
    ] {
        let token = whole(scenario, runbook);
        let replays = Replays {
            program: "firedrill".to_owned(),
            at_hand: AtHand::files(files.clone()),
        };
        let command = replays.command(&token);
        assert!(
            command.len() < 160 && command.len() < token.len() / 2,
            "{command} for {token}"
        );
        assert!(command.ends_with(typed), "{command}");
        let short = command.split(' ').nth(2).expect("firedrill replay TOKEN");
        let named: Vec<GivenFile> = files
            .into_iter()
            .filter(|it| command.contains(&it.path))
            .collect();
        let read = Token::decode_beside(short, runbooks::BUILT_IN, &AtHand::files(named))
            .expect("its own token");
        let all = Token::decode(&token, runbooks::BUILT_IN).expect("its own token");
        assert_eq!(
            (read.seed, read.made, &read.scenario_text),
            (7, made, &all.scenario_text)
        );
        assert_eq!(read.runbook_text, runbook);
        // Without the files, it says which are missing.
        let refused = Token::decode(short, runbooks::BUILT_IN).expect_err("no file");
        assert_eq!(refused, TokenError::ScenarioMissing("mine".to_owned()));
    }
    // What is built in needs no file, and a smallest case of somebody else's scenario no file of ours.
    let built_in = Scenario::parse("x", scenario::BUILT_IN[0].text, &[]).expect("built in");
    let token = whole(&built_in, runbooks::BUILT_IN);
    let replays = Replays {
        at_hand: AtHand::files(vec![file]),
        ..Replays::default()
    };
    assert_eq!(
        replays.command(&token),
        format!("cargo xtask replay {token}")
    );
}

#[test]
fn a_file_that_is_not_the_token_s_is_refused() {
    let (scenario, file) = own();
    let smallest = scenario.clone().with(|it| it.load.markets = 1);
    let replays = Replays {
        program: "firedrill".to_owned(),
        at_hand: AtHand::files(vec![file.clone()]),
    };
    for scenario in [&scenario, &smallest] {
        let until = Until::Duration;
        let token = Token::encode(
            WorldKind::Sim,
            7,
            until,
            scenario,
            runbooks::BUILT_IN,
            runbooks::BUILT_IN,
            None,
        );
        let command = replays.command(&token);
        let short = command.split(' ').nth(2).expect("firedrill replay TOKEN");
        let read = |files: &[GivenFile]| {
            let at_hand = AtHand::files(files.to_vec());
            Token::decode_beside(short, runbooks::BUILT_IN, &at_hand).expect_err("refused")
        };
        let edited = given("mine.toml", &file.text.replace("300", "301"));
        assert_eq!(
            read(&[edited]),
            TokenError::ScenarioFileChanged("mine".to_owned())
        );
        let other = given("other.toml", "nothing");
        assert_eq!(
            read(std::slice::from_ref(&other)),
            TokenError::ScenarioMissing("mine".to_owned())
        );
        assert_eq!(
            read(&[file.clone(), other]),
            TokenError::NotNamed("other.toml".to_owned())
        );
    }
    let runbook = format!("{}\nMore.\n", runbooks::BUILT_IN);
    let built_in = Scenario::parse("x", scenario::BUILT_IN[0].text, &[]).expect("built in");
    let until = Until::Duration;
    let token = Token::encode(
        WorldKind::Sim,
        7,
        until,
        &built_in,
        &runbook,
        runbooks::BUILT_IN,
        None,
    );
    let given = given("my.md", &runbook);
    let replays = Replays {
        program: "firedrill".to_owned(),
        at_hand: AtHand::files(vec![given]),
    };
    // A change of a few letters is short as it is.
    let command = replays.command(&token);
    let short = command.split(' ').nth(2).expect("firedrill replay TOKEN");
    if command.ends_with(" my.md") {
        assert_eq!(
            Token::decode(short, runbooks::BUILT_IN).map(drop),
            Err(TokenError::RunbookMissing)
        );
    } else {
        assert_eq!(short, token);
    }
}

#[test]
fn the_files_of_an_application_are_named_at_once() {
    let app = Described::from(
        sim_services::describe::sample(1, 1, 200)
            .app()
            .expect("right"),
    );
    let text = "name = \"mine\"\ndescription = \"x\"\n[release]\nto = \"bad\"\n[expect]\ntrigger = \"x\"\n";

    let scenario = Scenario::parse_of(&app, "a.toml", text, &[]).expect("it loads");
    let sooner = std::time::Duration::from_secs(200);
    let smallest = scenario.clone().with(|it| it.expect.rto_max = sooner);
    let runbook = runbooks::BUILT_IN.replace("five minutes", "their own five minutes, or else");
    let (of_app, of_runbook) = (
        given("shop/s/a.toml", &scenario.text),
        given("shop/r.md", &runbook),
    );
    let at_hand = |files: &[&GivenFile], in_app: &[&GivenFile]| AtHand {
        files: files.iter().map(|&it| it.clone()).collect(),
        app: Some(GivenApplication {
            path: "my shop/app.toml".to_owned(),
            files: in_app.iter().map(|&it| it.clone()).collect(),
        }),
    };
    for (scenario, files, in_app, typed) in [
        (&scenario, vec![], vec![&of_app, &of_runbook], ""),
        (&smallest, vec![], vec![&of_app, &of_runbook], ""),
        (
            &scenario,
            vec![&of_app],
            vec![&of_runbook],
            " shop/s/a.toml",
        ),
        (&smallest, vec![&of_runbook], vec![&of_app], " shop/r.md"),
    ] {
        let (world, until) = (WorldKind::Sim, Until::Duration);
        let token = Token::encode(
            world,
            7,
            until,
            scenario,
            &runbook,
            runbooks::BUILT_IN,
            None,
        );
        let at_hand = at_hand(&files, &in_app);
        let replays = Replays {
            program: "firedrill".to_owned(),
            at_hand: at_hand.clone(),
        };
        let command = replays.command(&token);
        let ends = format!(" --app 'my shop/app.toml'{typed}");
        assert!(command.ends_with(&ends) && command.len() < 200, "{command}");
        let short = command.split(' ').nth(2).expect("firedrill replay TOKEN");
        let read = Token::decode_beside(short, runbooks::BUILT_IN, &at_hand).expect("its own");
        let whole = Token::decode(&token, runbooks::BUILT_IN).expect("its own");
        assert_eq!(read.scenario_text, whole.scenario_text);
        assert_eq!(read.runbook_text, runbook);
        let changed = given(
            "a.toml",
            &of_app
                .text
                .replace("description = \"x\"", "description = \"y\""),
        );
        let other = AtHand {
            app: Some(GivenApplication {
                path: "app.toml".to_owned(),
                files: vec![changed],
            }),
            files: vec![],
        };
        let refused = Token::decode_beside(short, runbooks::BUILT_IN, &other);
        assert_eq!(
            refused,
            Err(TokenError::ApplicationChanged("mine".to_owned()))
        );
    }
    // An application that the drill is not of is told like any other file.
    let (scenario, _) = own();
    let token = Token::encode(
        WorldKind::Sim,
        7,
        Until::Duration,
        &scenario,
        runbooks::BUILT_IN,
        runbooks::BUILT_IN,
        None,
    );
    let beside = at_hand(&[], &[&of_app]);
    assert_eq!(
        Token::decode_beside(&token, runbooks::BUILT_IN, &beside),
        Err(TokenError::NotNamed("my shop/app.toml".to_owned()))
    );
}

#[test]
fn a_token_tells_where_a_replay_differs() {
    let fingerprint = 0x1234_5678_9abc_def0;
    let here = Made::here(fingerprint);
    assert_eq!(here.difference(fingerprint), None);
    let other_course = here.difference(fingerprint + 1).expect("it differs");
    assert!(other_course.contains("by the same build"), "{other_course}");
    let other_build = Made {
        build: here.build ^ 1,
        ..here
    };
    let said = other_build.difference(fingerprint).expect("it differs");
    assert!(
        said.starts_with("note") && said.contains("went the same way"),
        "{said}"
    );
    let said = other_build.difference(fingerprint + 1).expect("it differs");
    assert!(
        said.starts_with("warning") && said.contains("9abcdef0"),
        "{said}"
    );
    let unknown = Made {
        fingerprint: 0,
        ..here
    };
    assert_eq!(
        unknown.difference(fingerprint),
        None,
        "a world without fingerprints"
    );
}

#[test]
fn a_token_from_before_still_decodes() {
    let scenario = scenario(0);
    let old = Token::encode(
        WorldKind::Sim,
        7,
        Until::Held,
        &scenario,
        RUNBOOK,
        RUNBOOK,
        None,
    );
    let token = Token::decode(&old, RUNBOOK).expect("its form has not changed");
    assert_eq!((token.seed, token.made), (7, None));
}

#[test]
fn only_tokens_become_commands() {
    assert_eq!(command("fd1-0abz"), "cargo xtask replay fd1-0abz");
    for hostile in [
        "fd1-",
        "fd1-a; rm -rf ~",
        "fd1-a\nb",
        "fd1-A",
        "fd1-\u{1b}[2J",
        "$(x)",
        "",
    ] {
        assert!(!has_the_form(hostile), "{hostile:?}");
        assert!(command(hostile).starts_with("(no replay"), "{hostile:?}");
    }
}

#[test]
fn the_token_of_a_program_names_it() {
    let (scenario, file) = own();
    let token = |command: &str, pace| Token {
        world: WorldKind::Sim,
        seed: 7,
        until: Until::Settled,
        scenario_file: String::new(),
        scenario_text: scenario.text.clone(),
        runbook_file: String::new(),
        runbook_text: runbooks::BUILT_IN.to_owned(),
        program: Some(ByProgram {
            command: command.to_owned(),
            pace,
        }),
        made: Some(Made::here(9)),
    };
    for (program, pace, options) in [
        ("./rollback.sh", None, " --executor ./rollback.sh"),
        ("sh a.sh b", Some(10), " --executor 'sh a.sh b' --pace 10"),
        // Nobody sees what would be pasted.
        ("a\nb", None, " --executor CMD"),
    ] {
        let text = token(program, pace).text("mine", runbooks::BUILT_IN, &AtHand::default());
        let read = Token::decode(&text, runbooks::BUILT_IN).expect("its own token");
        assert_eq!(read.program, token(program, pace).program);
        assert_eq!((read.seed, read.made), (7, Some(Made::here(9))));
        assert_eq!(
            command(&text),
            format!("cargo xtask replay {text}{options}")
        );
        let replays = Replays {
            program: "firedrill".to_owned(),
            at_hand: AtHand::files(vec![file.clone()]),
        };
        let short = replays.command(&text);
        assert!(
            short.ends_with(&format!(" drills/mine.toml{options}")),
            "{short}"
        );
        assert!(short.len() < text.len(), "{short}");
    }
}
