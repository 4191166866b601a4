//! Tokens survive, and damage is always found.

use proptest::prelude::*;

use super::*;

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
    assert!(token.len() < 800, "{}", token.len());
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
