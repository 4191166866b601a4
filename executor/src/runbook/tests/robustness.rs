//! No text makes the reader panic, and every mistake that it reports lies in the text.

use proptest::prelude::*;

use super::base::GOOD;
use crate::runbook::Runbook;

const ROLLBACK: &str = include_str!("../../../../runbooks/rollback.md");

fn check(text: &str) -> Result<(), TestCaseError> {
    if let Err(errors) = Runbook::parse_and_lint("any.md", text) {
        prop_assert!(!errors.mistakes().is_empty());
        for mistake in errors.mistakes() {
            prop_assert!(mistake.span.start <= mistake.span.end, "{mistake:?}");
            prop_assert!(text.get(mistake.span.clone()).is_some(), "{mistake:?}");
            prop_assert!(mistake.line >= 1 && mistake.column >= 1, "{mistake:?}");
            prop_assert!(
                !mistake.help.is_empty() && !mistake.label.is_empty(),
                "{mistake:?}"
            );
        }
    }
    Ok(())
}

/// Something to put into a runbook: what its syntaxes are made of, and what they aren't.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-`~#>{}\"'\\\\$:;|&\\[\\](),= \n\t*]{1,6}",
        "\\PC{0,8}",
        Just("```sh ".to_owned()),
        Just("---\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("&anchor *anchor !tag ? : ".to_owned()),
        Just("\u{85}\u{2028}\u{feff}é«".to_owned()),
        Just("18446744073709551616s".to_owned()),
        Just("${SERVICE".to_owned()),
    ]
}

/// A cut (start and length, in thousandths of the text) and what takes its place.
fn mutations() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    prop::collection::vec((0..1_000_usize, 0..40_usize, piece()), 1..6)
}

fn mutate(text: &str, mutations: &[(usize, usize, String)]) -> String {
    let mut text = text.to_owned();
    for (start, length, insert) in mutations {
        let at = |offset: usize| {
            let mut offset = offset.min(text.len());
            while !text.is_char_boundary(offset) {
                offset -= 1;
            }
            offset
        };
        let from = at(text.len() * start / 1_000);
        let to = at(from + length).max(from);
        text.replace_range(from..to, insert);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_refused_calmly(text in "\\PC{0,200}") {
        check(&text)?;
    }

    #[test]
    fn arbitrary_front_matter_and_blocks_are_refused_calmly(
        yaml in "[-a-z:{}\\[\\]\"'>|&*!#%@,. \n\té]{0,120}",
        info in "[{}\":a-z.\\\\,0-9 é]{0,40}",
        code in "[-a-z$'\"\\\\\n#|={}/ é]{0,60}",
    ) {
        check(&format!("---\n{yaml}\n---\n# T\n```sh {info}\n{code}\n```\n"))?;
        check(&GOOD.replace("rollback db fence", &code))?;
        check(&GOOD.replace("{\"name\":\"undo\"", &format!("{{\"name\":\"undo\"{info}")))?;
    }

    #[test]
    fn a_damaged_runbook_is_refused_calmly(mutations in mutations()) {
        check(&mutate(ROLLBACK, &mutations))?;
        check(&mutate(GOOD, &mutations))?;
    }
}
