//! Which characters of a query stand in a string.

/// Follows the strings of a LogQL text, character by character: those in `"`, in which a backslash escapes, and those
/// in backticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strings {
    quote: Option<char>,
    escaped: bool,
}

impl Strings {
    /// Whether `c`, the next character of the text, belongs to a string; the quotes around it do.
    pub fn take(&mut self, c: char) -> bool {
        match self.quote {
            None => self.quote = matches!(c, '"' | '`').then_some(c),
            Some(_) if self.escaped => self.escaped = false,
            Some('"') if c == '\\' => self.escaped = true,
            Some(quote) if c == quote => {
                self.quote = None;
                return true;
            }
            Some(_) => {}
        }
        self.quote.is_some()
    }

    /// Whether a string has begun that has not ended yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.quote.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Strings;

    #[test]
    fn quotes_belong_to_their_string_and_escaped_ones_do_not_end_it() {
        let marked = |text: &str| -> String {
            let mut strings = Strings::default();
            let marks = text
                .chars()
                .map(|c| if strings.take(c) { 's' } else { '.' });
            marks.collect()
        };
        assert_eq!(marked(r#"a "b" c"#), "..sss..");
        assert_eq!(marked(r#"a "\"" c"#), "..ssss..");
        assert_eq!(marked(r"`\` c"), "sss..");
        assert_eq!(marked(r#"`"` ""x"#), "sss.ss.");
    }

    #[test]
    fn a_string_without_an_end_is_open() {
        let open = |text: &str| {
            let mut strings = Strings::default();
            text.chars().for_each(|c| {
                strings.take(c);
            });
            strings.is_open()
        };
        assert!(open(r#"{a="b"#));
        assert!(!open(r#"{a="b"}"#));
    }
}
