//! Every kind of mistake: where it is said to be, what is said about it, and what to do.

use super::base::{GOOD, mistakes, unmark, with};

/// A kind of mistake: in the good runbook, the first text is replaced by the second, whose `«` marks the place
/// that must be pointed at; then the code, and a part of the message, the label or the help.
pub(super) type Case = (&'static str, &'static str, &'static str, &'static str);

/// Each case alone must yield exactly one mistake, as described.
pub(super) fn check(cases: &[Case]) {
    for (from, to, code, said) in cases {
        check_text(&with(from, to), code, said);
    }
}

pub(super) fn check_text(marked: &str, code: &str, said: &str) {
    let (text, place) = unmark(marked);
    let found = mistakes(&text);
    let [mistake] = found.as_slice() else {
        panic!("one mistake `{code}` expected at {place:?}, not {found:#?}");
    };
    assert_eq!(
        (mistake.code, mistake.line, mistake.column),
        (code, place.0, place.1),
        "{mistake:#?}"
    );
    let all = format!("{}\n{}\n{}", mistake.message, mistake.label, mistake.help);
    assert!(all.contains(said), "`{said}` is not said:\n{all}");
    assert!(!mistake.is_warning && !mistake.help.is_empty() && !mistake.label.is_empty());
}

#[test]
fn of_the_front_matter() {
    check(&[
        (
            "---\nrto: 300s",
            "«rto: 300s",
            "front-matter-missing",
            "begin the file with a line `---`",
        ),
        (
            "rto: 300s",
            "«rot: 300s\nrto: 300s",
            "front-matter-key",
            "did you mean `rto`?",
        ),
        (
            "rto: 300s",
            "rto: 300s\n«owner: me",
            "front-matter-key",
            "known here: `rto`, `rpo`",
        ),
        (
            "rpo: 0",
            "rpo: 0\n«rpo: 1",
            "front-matter-duplicate",
            "`rpo` is given twice",
        ),
        (
            "rto: 300s",
            "rto: «five minutes",
            "front-matter-type",
            "`rto` must be a duration",
        ),
        (
            "rto: 300s",
            "rto: «300",
            "front-matter-type",
            "a number with its unit",
        ),
        ("rto: 300s", "rto: «0s", "front-matter-range", "more than 0"),
        (
            "rto: 300s",
            "rto: «99999h",
            "front-matter-range",
            "at most 24h",
        ),
        (
            "rto: 300s",
            "rto: «[300s]",
            "front-matter-type",
            "this is a list",
        ),
        (
            "rpo: 0",
            "rpo: «none",
            "front-matter-type",
            "whole number of records",
        ),
        ("rpo: 0", "rpo: «-1", "front-matter-type", "this is `-1`"),
        (
            "namespace: web",
            "namespace: «Dex_Prod",
            "front-matter-name",
            "not a DNS label",
        ),
        (
            "services: [matching, gateway]",
            "services: «gateway",
            "front-matter-type",
            "`services` must be a list",
        ),
        (
            "services: [matching, gateway]",
            "services: «[]",
            "front-matter-type",
            "not empty",
        ),
        (
            "services: [matching, gateway]",
            "services: [matching, gateway, «matching]",
            "front-matter-duplicate",
            "listed twice",
        ),
        (
            "services: [matching, gateway]",
            "services: [matching, «{a: b}]",
            "front-matter-type",
            "this is a mapping",
        ),
        (
            "prometheus: http://prometheus:9090",
            "prometheus: «prometheus:9090",
            "front-matter-url",
            "base URL",
        ),
        (
            "prometheus: http://prometheus:9090",
            "prometheus: «ftp://prometheus",
            "front-matter-url",
            "http://prometheus:9090",
        ),
        (
            "class: sla",
            "class: «slo",
            "front-matter-value",
            "did you mean `sla`?",
        ),
        (
            "class: sla",
            "«clas: sla\n    class: sla",
            "front-matter-key",
            "did you mean `class`?",
        ),
        (
            "class: sla",
            "class: sla\n    «class: p0",
            "front-matter-duplicate",
            "in the trigger",
        ),
        (
            "condition: \"> 0.1\"",
            "condition: «0.1",
            "front-matter-type",
            "a comparison with a number",
        ),
        (
            "condition: \"> 0.1\"",
            "condition: «\"=> 0.1\"",
            "front-matter-type",
            "operators are",
        ),
        (
            "condition: \"> 0.1\"",
            "condition: «\"> nan\"",
            "front-matter-type",
            "a comparison with a number",
        ),
        (
            "for: 20s",
            "for: «20",
            "front-matter-type",
            "`for` must be a duration",
        ),
        ("for: 20s", "for: «2h", "front-matter-range", "at most 600s"),
        (
            "query: histogram_quantile(0.99, sum",
            "query: «histogram_quantile(0.99, (sum",
            "promql",
            "not PromQL",
        ),
        (
            "query: histogram_quantile(0.99, sum by (le) (rate(seconds_bucket[30s])))",
            "query: «rate(x_total[$WINDOW])",
            "placeholder",
            "`$WINDOW` means nothing in a trigger",
        ),
        (
            "query: histogram_quantile(0.99, sum by (le) (rate(seconds_bucket[30s])))",
            "query«:",
            "front-matter-type",
            "nothing here",
        ),
        (
            "rto: 300s",
            "rto: «&a 300s",
            "front-matter-yaml",
            "anchors, aliases and tags",
        ),
    ]);
    for (from, key) in [
        ("rto: 300s\n", "rto"),
        ("rpo: 0\n", "rpo"),
        ("validation-window: 1h\n", "validation-window"),
        ("namespace: web\n", "namespace"),
        ("services: [matching, gateway]\n", "services"),
        ("prometheus: http://prometheus:9090\n", "prometheus"),
    ] {
        let marked = with(from, "").replacen("---", "«---", 1);
        check_text(&marked, "front-matter-required", &format!("lacks `{key}`"));
    }
    check(&[(
        "- name: slow\n    class: sla\n",
        "- «name: slow\n",
        "front-matter-required",
        "the trigger lacks `class`",
    )]);
    let trigger =
        &GOOD[GOOD.find("  - name: slow").expect("it")..GOOD.find("---\n# Go").expect("it")];
    let second = format!("{trigger}{}", trigger.replace("name: slow", "name: «slow"));
    check_text(
        &GOOD.replace(trigger, &second),
        "front-matter-duplicate",
        "trigger `slow` is given twice",
    );
}

#[test]
fn of_the_front_matters_shape() {
    let unclosed = GOOD
        .replacen("---\n# Go back", "# Go back", 1)
        .replacen("---", "«---", 1);
    let (text, place) = unmark(&unclosed);
    let found = mistakes(&text);
    assert_eq!(
        (found[0].code, (found[0].line, found[0].column)),
        ("front-matter-unclosed", place)
    );
    for yaml in [
        "- a\n",
        "just words\n",
        "a: b: c\n",
        "a: [\n",
        "a: \"x\n",
        "? [a]\n: b\n",
        "a: *b\n",
        "",
        "...\n---x\n",
    ] {
        let found = mistakes(&format!("---\n{yaml}---\n# T\n"));
        assert!(!found.is_empty(), "{yaml}");
        assert!(found.iter().all(|it| it.line <= 4), "{yaml}: {found:#?}");
    }
}

#[test]
fn of_blocks() {
    check(&[
        (
            "---\n# Go back",
            "---\n«---\nowner: me\n---\n# Go back",
            "front-matter-second",
            "move its keys up into the first",
        ),
        (
            "---\n# Go back",
            "---\n\n«loki: http://loki:3100\n---\n# Go back",
            "front-matter-second",
            "a second front matter",
        ),
        (
            "# Go back\n\nProse.\n",
            "# Go back\n\n```«bash\nls\n```\n",
            "fence-language",
            "write `sh` for a command to run",
        ),
        (
            "# Go back\n\nProse.\n",
            "# Go back\n\n```«SH {}\nls\n```\n",
            "fence-language",
            "neither a step nor prose",
        ),
        (
            "```text\n",
            "```«text {\"rb.phase\":\"run\"}\n",
            "fence-language",
            "carries a step's attributes",
        ),
        (
            "# Go back\n\nProse.\n",
            "# Go back\n\n«```sh\nls\n```\n",
            "attributes-missing",
            "this step has no attributes",
        ),
        (
            "# Go back\n\nProse.\n",
            "# Go back\n\n> «```sh {}\n> ls\n> ```\n",
            "fence-nested",
            "a step inside a quote",
        ),
        (
            "# Go back\n\nProse.\n",
            "# Go back\n\n- a\n\n  «```sh {}\n  ls\n  ```\n",
            "fence-nested",
            "a step inside a list",
        ),
        (
            "# Go back\n\nProse.\n",
            "# Go back\n\n    «```sh {}\n    ls\n",
            "fence-overlooked",
            "would be passed over",
        ),
        (
            "# Go back\n\nProse.\n",
            "# Go back\n\n<!--\n«```sh {}\nls\n-->\n",
            "fence-overlooked",
            "outside comments and HTML",
        ),
        (
            "# Go back\n\nProse.\n",
            "# Go back\n\n«``sh {\"name\":\"a\"}\nls\n",
            "fence-overlooked",
            "three backticks",
        ),
    ]);
    let unclosed = with("rollback scenario\n```\n", "rollback scenario\n").replace(
        "```sh {\"name\":\"scenario\"",
        "«```sh {\"name\":\"scenario\"",
    );
    check_text(&unclosed, "fence-unclosed", "never closed");
}

#[test]
fn of_headings() {
    let text = GOOD
        .replace("# Go back\n", "")
        .replace("## Record\n", "")
        .replacen(
            "```sh {\"name\":\"record\"",
            "«```sh {\"name\":\"record\"",
            1,
        );
    let (text, place) = unmark(&text);
    let found = mistakes(&text);
    assert_eq!(
        found.iter().map(|it| it.code).collect::<Vec<_>>(),
        ["heading-missing", "heading-missing"]
    );
    assert_eq!((found[0].line, found[0].column), place);
    let body = GOOD.find("# Go back").expect("the body");
    check_text(
        &format!("{}«# Go back\n", &GOOD[..body]),
        "steps-missing",
        "no steps",
    );
    let codes: Vec<_> = mistakes(&GOOD[..body]).iter().map(|it| it.code).collect();
    assert_eq!(codes, ["title-missing"]);
}

#[test]
fn of_attributes() {
    let fence = r#""name":"fence","rb.phase":"run","rb.timeout":"5s","rb.when":"ledger.breaking""#;
    let cases = [
        (
            r#"«"nmae":"x","name":"fence","rb.phase":"run","rb.timeout":"5s","rb.when":"ledger.breaking""#,
            "attribute-unknown",
            "did you mean `name`?",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s",«"rb.wen":"ledger.breaking""#,
            "attribute-unknown",
            "did you mean `rb.when`?",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s",«"when":"ledger.breaking""#,
            "attribute-unknown",
            "did you mean `rb.when`?",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s",«"name":"b","rb.when":"ledger.breaking""#,
            "attribute-duplicate",
            "`name` is given twice",
        ),
        (
            r#""name":«"Fence!","rb.phase":"run","rb.timeout":"5s","rb.when":"ledger.breaking""#,
            "attribute-value",
            "kebab-case",
        ),
        (
            r#""name":"fence","rb.phase":«"runn","rb.timeout":"5s","rb.when":"ledger.breaking""#,
            "attribute-value",
            "did you mean `run`?",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s","rb.when":«"ledger.undoo""#,
            "attribute-value",
            "did you mean `ledger.undo`?",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s","rb.on-fail":«"abrot","rb.when":"ledger.breaking""#,
            "attribute-value",
            "did you mean `abort`?",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s","rb.on-fail":«"restore","rb.when":"ledger.breaking""#,
            "attribute-misplaced",
            "only a failed `flyway undo` can be made good",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":«"5 seconds","rb.when":"ledger.breaking""#,
            "attribute-type",
            "`rb.timeout` must be a duration",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":«5,"rb.when":"ledger.breaking""#,
            "attribute-type",
            "put it in double quotes",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":«"0s","rb.when":"ledger.breaking""#,
            "attribute-range",
            "more than 0",
        ),
        (
            r#""name":"fence","rb.phase":"after","rb.timeout":«"2h""#,
            "attribute-range",
            "at most 1h",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s","rb.hold":«"60s","rb.when":"ledger.breaking""#,
            "attribute-misplaced",
            "belongs to queries only",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s","rb.expect":«"< 1","rb.when":"ledger.breaking""#,
            "attribute-misplaced",
            "`rb.expect` belongs to queries",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":"5s","rb.min-requests":«"1","rb.when":"ledger.breaking""#,
            "attribute-misplaced",
            "`rb.min-requests` belongs to queries",
        ),
        (
            r#""name":"fence","rb.phase":"run","rb.timeout":«{"a":1}"#,
            "attributes-json",
            "they are flat",
        ),
        (
            r#""name":"fence" «"rb.phase":"run""#,
            "attributes-json",
            "expected `,` or `}`",
        ),
        (
            r#""name":"fence",«name:"run""#,
            "attributes-json",
            "a key in double quotes",
        ),
        (
            r#""name":«fence"#,
            "attributes-json",
            "`fence` is not a value (quote it)",
        ),
        (r#""name":«"fence"#, "attributes-json", "never closed"),
        (r#""name":«"fe\q""#, "attributes-json", "invalid escape"),
        (
            r#""name":"fence"} «x"#,
            "attributes-json",
            "nothing after `}`",
        ),
    ];
    for (to, code, said) in cases {
        check(&[(fence, to, code, said)]);
    }
    for key in ["name", "rb.phase", "rb.timeout"] {
        let (start, end) = (fence.find(&format!("\"{key}\"")).expect("it"), fence.len());
        let end = fence[start..].find(',').map_or(end, |at| start + at + 1);
        let cut = format!("{}{}", &fence[..start], &fence[end..]);
        check_text(
            &with(&format!("{{{fence}}}"), &format!("«{{{cut}}}")),
            "attribute-missing",
            &format!("lacks the attribute `{key}`"),
        );
    }
}

#[test]
fn what_is_advised_for_a_bare_value_is_understood() {
    for (from, key, bare) in [
        ("\"rb.timeout\":\"160s\"", "rb.timeout", "2"),
        ("\"rb.timeout\":\"160s\"", "rb.timeout", "0.5"),
        ("\"rb.timeout\":\"160s\"", "rb.timeout", "-1"),
        ("\"rb.hold\":\"60s\"", "rb.hold", "30"),
        ("\"rb.expect\":\"< 0.0001\"", "rb.expect", "0"),
        ("\"rb.on-fail\":\"continue\"", "rb.on-fail", "false"),
        ("\"rb.when\":\"deployment.paused\"", "rb.when", "1"),
        ("\"name\":\"post-mortem\"", "name", "7"),
        ("\"name\":\"post-mortem\"", "name", "-7"),
    ] {
        let found = mistakes(&with(from, &format!("\"{key}\":{bare}")));
        let [mistake] = found.as_slice() else {
            panic!("one mistake for {key}:{bare}, not {found:#?}");
        };
        let advice = mistake.help.split('`').nth(1).expect("an example");
        assert!(advice.starts_with(&format!("\"{key}\":\"")), "{advice}");
        assert_eq!(mistakes(&with(from, advice)), [], "{advice}");
    }
}

#[test]
fn of_attributes_of_queries() {
    check(&[
        (
            r#"sh {"name":"errors","rb.phase":"run","rb.timeout":"160s","rb.expect":"< 0.0001","#,
            r#"sh «{"name":"errors","rb.phase":"run","rb.timeout":"160s","#,
            "attribute-missing",
            "expects nothing, so it can't fail",
        ),
        (
            r#""rb.expect":"== 0","rb.hold":"1s""#,
            r#""rb.expect":"== 0","rb.requests":«"sum(n)""#,
            "attribute-misplaced",
            "belongs to queries only",
        ),
        (
            r#""rb.expect":"< 0.0001""#,
            r#""rb.expect":«"below 0.01 %""#,
            "attribute-value",
            "not a comparison with a number",
        ),
        (
            r#""rb.min-requests":"30000""#,
            r#""rb.min-requests":«"many""#,
            "attribute-type",
            "not a number of requests",
        ),
        (
            r#""rb.min-requests":"30000""#,
            r#""rb.min-requests":«"0""#,
            "attribute-range",
            "at least 1",
        ),
        (
            r#""rb.min-requests":"30000""#,
            r#""rb.min-requests":«-5"#,
            "attribute-type",
            "expected a whole number",
        ),
        (
            r#""rb.hold":"60s""#,
            r#""rb.hold":«"0s""#,
            "attribute-range",
            "`rb.hold` is out of range",
        ),
        (
            r#""rb.min-requests":"30000","rb.requests":"sum(increase(requests_total[$WINDOW]))""#,
            r#""rb.min-requests":«"30000""#,
            "attribute-missing",
            "add `\"rb.requests\"",
        ),
        (
            r#""rb.min-requests":"30000","rb.requests":"#,
            r#""rb.requests":«"#,
            "attribute-missing",
            "how many are needed",
        ),
        (
            "\"sum(increase(requests_total[$WINDOW]))\"",
            "«\"sum(increase(requests_total[$WIDOW]))\"",
            "placeholder",
            "known here: `$WINDOW`",
        ),
        (
            "\"sum(increase(requests_total[$WINDOW]))\"",
            "«\"sum(increase(requests_total[$WINDOW])\"",
            "promql",
            "not PromQL",
        ),
    ]);
}
