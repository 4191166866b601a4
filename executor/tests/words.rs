//! The executor rolls back any application, so that its sources have no words of the exchange, which is one of them.

use std::fs;
use std::path::{Path, PathBuf};

/// Words of the exchange. Names in the code are words joined by `_`, or by capitals.
const WORDS: [&str; 10] = [
    "exchange",
    "exchanges",
    "trading",
    "trade",
    "trades",
    "dex",
    "gateway",
    "gateways",
    "orders",
    "order log",
];

/// What may be said all the same: in the source of this path, these texts. They are defaults that are documented as the
/// exchange's, fields of `contract::ledger::LedgerPosition`, and a key of scenario files.
const ALLOWED: [(&str, &[&str]); 8] = [
    (
        "application.rs",
        &[
            "defaults are the exchange's.",
            "The exchange's gateways write one every 10 s.",
            "the largest bucket of the exchange's histogram.",
        ],
    ),
    (
        "live/settings.rs",
        &[
            "# defaults: the exchange's own names",
            "# defaults: what the exchange is held to",
            "role = \"dex_app\"",
            "order_log = \"trading.order_log\"",
        ],
    ),
    (
        "live/postgres.rs",
        &[
            "by default as the exchange calls them",
            "SET_ASIDE.order_log",
            "ledger.order_log",
            "pub order_log:",
            "pub orders:",
            "pub trades:",
            "`trade_id`",
            "\"dex_app\"",
            "order_log: \"order_log\"",
            "orders: \"orders\"",
            "trades: \"trades\"",
        ],
    ),
    (
        "live/postgres/ledger.rs",
        &[
            "trade_id",
            "layout.order_log",
            "orders = qualified(&layout.orders)",
            "trades = qualified(&layout.trades)",
            "{orders}",
            "{trades}",
            "trades: number(3)",
        ],
    ),
    (
        "live/postgres/copies.rs",
        &["trade_id", "trades,", "{trades}"],
    ),
    ("steps/ledger.rs", &[".trades"]),
    ("steps/post_mortem.rs", &[".trades"]),
    ("steps/scenario.rs", &["trades_lost"]),
];

/// The sources below `folder` that are no tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_test = name == "tests" || name.ends_with("_tests") || name == "fixtures";
        if is_test {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The words of a line in lower case, with a space on both sides of each.
fn words(line: &str) -> String {
    let mut words = String::from(" ");
    let mut before = ' ';
    for char in line.chars() {
        let begins = char.is_ascii_uppercase() && before.is_ascii_lowercase();
        if begins || !char.is_ascii_alphanumeric() {
            words.push(' ');
        }
        if char.is_ascii_alphanumeric() {
            words.push(char.to_ascii_lowercase());
        }
        before = char;
    }
    words.push(' ');
    words
}

/// The words of the exchange in a line of the source at `path`, which is relative to `src`.
fn of_the_exchange(path: &str, line: &str) -> Vec<&'static str> {
    let mut line = line.to_owned();
    for (_, texts) in ALLOWED.iter().filter(|(of, _)| path == *of) {
        for text in *texts {
            line = line.replace(text, "");
        }
    }
    let words = words(&line);
    let has = |word: &&str| words.contains(&format!(" {word} "));
    WORDS.into_iter().filter(has).collect()
}

#[test]
fn the_sources_have_no_words_of_the_exchange() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    paths.sort();
    assert!(paths.len() > 100, "{paths:?}");
    let mut found = Vec::new();
    let mut allowed_for = Vec::new();
    for path in &paths {
        let name = path.strip_prefix(&src).expect("it is below");
        let name = name.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(path).expect("it can be read");
        let code = text.split("\n#[cfg(test)]\nmod ").next();
        for (index, line) in code.unwrap_or_default().lines().enumerate() {
            let words = of_the_exchange(&name, line);
            if !words.is_empty() {
                found.push(format!("src/{name}:{}: {words:?}: {line}", index + 1));
            }
            let texts = ALLOWED.iter().filter(|(path, _)| *path == name);
            let texts = texts.flat_map(|(path, texts)| texts.iter().map(move |it| (*path, *it)));
            allowed_for.extend(texts.filter(|(_, text)| line.contains(text)));
        }
    }
    assert!(
        found.is_empty(),
        "say it of any application, or take the word from the runbook's front matter:\n{}",
        found.join("\n")
    );
    for (path, texts) in ALLOWED {
        for text in texts {
            assert!(
                allowed_for.contains(&(path, *text)),
                "{path} does not say {text:?} any more: take it off the list"
            );
        }
    }
}

#[test]
fn words_are_found_in_prose_and_in_names() {
    for (line, expected) in [
        ("/// Whether trading is halted.", "trading"),
        ("const ORDERS: Flag = flag();", "orders"),
        ("Command::ReplayOrders => {}", "orders"),
        ("rpo_trades: u64,", "trades"),
        ("-n dex -o yaml", "dex"),
        ("the order log's tail", "order log"),
    ] {
        assert_eq!(of_the_exchange("x.rs", line), [expected], "{line}");
    }
    for line in ["let index = 1;", "in the order of the log", "ORDER BY seq"] {
        assert!(of_the_exchange("x.rs", line).is_empty(), "{line}");
    }
}
