//! The command lines that workflows and documents show, so that tests can hold them against the parsers: what is
//! written there must not rot. Read by the tests of `xtask`, `firedrill` and `rollback`, each for its own commands.

use std::path::{Path, PathBuf};

/// A command line and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// File and line of its block.
    pub(crate) place: String,
    /// Its words, without what a shell does with them.
    pub(crate) words: Vec<String>,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_owned)
}

/// Command lines that begin with `program` in the workflows, the pages at the root and the book.
/// `program` may be several words.
pub(crate) fn beginning_with(program: &str) -> Vec<CommandLine> {
    let root = root();
    let pages = ["README.md", "CONTRIBUTING.md", "FIDELITY.md", "SPEED.md"];
    let mut files: Vec<PathBuf> = pages.iter().map(|page| root.join(page)).collect();
    for folder in [".github/workflows", "book/src"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
            continue;
        };
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let program: Vec<&str> = program.split(' ').collect();
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let name = file
            .strip_prefix(&root)
            .unwrap_or(&file)
            .display()
            .to_string();
        for (line, script) in scripts(&file, &text) {
            for words in commands(&script) {
                // A variable ahead of the program is the shell's.
                let first = words.iter().position(|word| !word.contains('='));
                let words = words[first.unwrap_or(words.len())..].to_vec();
                if words.len() >= program.len() && words.iter().zip(&program).all(|(a, b)| a == b) {
                    let place = format!("{name}:{line}");
                    found.push(CommandLine {
                        place,
                        words: words[program.len()..].to_vec(),
                    });
                }
            }
        }
    }
    found
}

/// Shell scripts in a file, with the lines at which they begin.
fn scripts(file: &Path, text: &str) -> Vec<(usize, String)> {
    if file.extension().is_some_and(|extension| extension == "md") {
        markdown(text)
    } else {
        // `run:` with a block scalar, or on one line.
        let mut scripts = Vec::new();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let bare = line.trim_start().trim_start_matches("- ");
            let Some(rest) = bare.strip_prefix("run: ") else {
                continue;
            };
            if rest != "|" {
                scripts.push((at + 1, rest.to_owned()));
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let block = lines[at + 1..].iter().take_while(|line| {
                line.trim().is_empty() || line.len() - line.trim_start().len() > indent
            });
            let block: Vec<&str> = block.copied().collect();
            scripts.push((at + 1, block.join("\n")));
        }
        scripts
    }
}

/// Fenced `sh` blocks (their output is in `text` blocks), and blocks that are indented by four.
fn markdown(text: &str) -> Vec<(usize, String)> {
    let mut scripts = Vec::new();
    let mut fence: Option<(bool, usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        match &mut fence {
            Some((is_shell, begin, block)) => {
                if line.trim() == "```" {
                    if *is_shell {
                        scripts.push((*begin, std::mem::take(block)));
                    }
                    fence = None;
                } else {
                    block.push_str(line);
                    block.push('\n');
                }
            }
            None if line.starts_with("```") => {
                let is_shell = line.trim_start_matches('`').trim() == "sh";
                fence = Some((is_shell, at + 1, String::new()));
            }
            None => {
                if let Some(line) = line.strip_prefix("    ") {
                    scripts.push((at + 1, line.to_owned()));
                }
            }
        }
    }
    scripts
}

/// Simple commands of a script: words as a POSIX shell splits them, apart at `|`, `;`, `&`, newline; comments and
/// redirections are left out, `${{ … }}` and `$NAME` stand for `1`.
fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in script.lines() {
        let line = without_expressions(line);
        let mut words: Vec<String> = Vec::new();
        let mut word: Option<String> = None;
        let mut quote: Option<char> = None;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some('\''), c) => word.get_or_insert_default().push(c),
                (_, '$') => {
                    while chars
                        .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
                        .is_some()
                    {}
                    word.get_or_insert_default().push('1');
                }
                (Some(_), c) => word.get_or_insert_default().push(c),
                (None, '\'' | '"') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None, '#') if word.is_none() => break,
                (None, '|' | ';' | '&') => {
                    words.extend(word.take());
                    commands.push(std::mem::take(&mut words));
                }
                (None, '<' | '>') => {
                    // `2>&1`, `> file`: the rest of the line is not the command's.
                    word.take_if(|word| word.chars().all(|c| c.is_ascii_digit()));
                    break;
                }
                (None, c) if c.is_whitespace() => words.extend(word.take()),
                (None, c) => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        commands.push(words);
    }
    commands.retain(|words| !words.is_empty());
    commands
}

fn without_expressions(line: &str) -> String {
    let mut text = line.to_owned();
    while let (Some(begin), Some(end)) = (text.find("${{"), text.find("}}")) {
        if end < begin {
            break;
        }
        text.replace_range(begin..end + 2, "1");
    }
    text
}

#[test]
fn words_are_those_of_a_shell() {
    let script = "# comment\nA=1 cargo xtask chaos --seed ${{ matrix.first }} --seeds \"$SEEDS\" 2>&1 | tee log\ncargo xtask \\\n  ci && echo 'a b' # why\n";
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        commands(script),
        [
            words("A=1 cargo xtask chaos --seed 1 --seeds 1"),
            words("cargo xtask ci"),
            vec!["echo".to_owned(), "a b".to_owned()],
        ]
    );
}
