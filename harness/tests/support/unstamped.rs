//! A report's files without what says when, where and by which command they were made.

/// `text` of the report's file `name`, without its runs.
///
/// # Panics
/// If a journal is no JSON.
pub(crate) fn without_runs(name: &str, text: &str) -> String {
    match name {
        "journal.json" => {
            let mut journal: serde_json::Value = serde_json::from_str(text).expect("JSON");
            if let Some(fields) = journal.as_object_mut() {
                fields.remove("meta");
            }
            format!("{journal:#}")
        }
        "report.html" => {
            let text = without(text, "<section class=\"card\" id=\"run\"", "</section>");
            // The answer is the command.
            without(&text, "How do I run the rest?", "</div>")
        }
        "junit.xml" => {
            let text = without(text, " timestamp=\"", "\"");
            let text = without(&text, " hostname=\"", "\"");
            let kept = text.lines().filter(|line| !line.contains("name=\"run."));
            kept.collect::<Vec<_>>().join("\n")
        }
        _ => {
            let kept = text.lines().filter(|line| !line.starts_with("Run of "));
            let kept: Vec<&str> = kept.collect();
            kept.join("\n").trim_end().to_owned()
        }
    }
}

/// `text` without everything from each `begin` to the next `end`.
fn without(text: &str, begin: &str, end: &str) -> String {
    let mut parts = text.split(begin);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(part.split_once(end).map_or("", |(_, rest)| rest));
    }
    kept
}
