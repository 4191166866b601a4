//! The subset of LogQL: stream selectors, line filters, range aggregations, vector aggregations, and a comparison
//! with a number. What is LogQL but not in the subset is refused by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;

use crate::guard::outside;
use crate::observe::labels::Str;
use crate::observe::matcher::{Matcher, is_match};

/// Longest duration: what a Go `time.Duration` holds, some 292 years.
const DURATION_MS_MAX: i64 = i64::MAX / 1_000_000;

/// A query.
#[derive(Debug)]
pub(super) enum Query {
    Log(Log),
    Metric(Metric),
}

/// A stream selector with line filters.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) matchers: Vec<Matcher>,
    filters: Vec<Filter>,
}

#[derive(Debug)]
enum Filter {
    Contains(String),
    Lacks(String),
    Matches(Regex),
    Differs(Regex),
}

#[derive(Debug)]
pub(super) enum Metric {
    Range {
        f: RangeFn,
        log: Log,
        range_ms: i64,
        offset_ms: i64,
    },
    Aggregate {
        op: AggregateOp,
        by: bool,
        labels: Vec<Str>,
        inner: Box<Metric>,
    },
    Compare {
        op: CompareOp,
        number: f64,
        return_bool: bool,
        inner: Box<Metric>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeFn {
    Count,
    Rate,
    Bytes,
    BytesRate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AggregateOp {
    Sum,
    Min,
    Max,
    Avg,
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CompareOp {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl CompareOp {
    pub(super) fn holds(self, l: f64, r: f64) -> bool {
        match self {
            Self::Eq => l == r,
            Self::Ne => l != r,
            Self::Gt => l > r,
            Self::Ge => l >= r,
            Self::Lt => l < r,
            Self::Le => l <= r,
        }
    }
}

impl Log {
    /// Does the line pass all filters?
    pub(super) fn passes(&self, line: &str) -> bool {
        self.filters.iter().all(|f| match f {
            Filter::Contains(s) => line.contains(s.as_str()),
            Filter::Lacks(s) => !line.contains(s.as_str()),
            Filter::Matches(r) => is_match(r, line),
            Filter::Differs(r) => !is_match(r, line),
        })
    }
}

/// How many parsed queries a process keeps.
const QUERIES_MAX: usize = 4_096;
type Cached = Result<Arc<Query>, String>;
static QUERIES: Mutex<BTreeMap<String, Cached>> = Mutex::new(BTreeMap::new());

/// Parses a query; the result depends on the text alone and is kept for the whole process.
///
/// # Errors
/// What is wrong, with its column, as Loki's 400 says it.
pub(super) fn parse(text: &str) -> Result<Arc<Query>, String> {
    let mut queries = QUERIES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(have) = queries.get(text) {
        return have.clone();
    }
    let mut parser = Parser { text, at: 0 };
    let parsed = parser.query().map(Arc::new);
    if queries.len() >= QUERIES_MAX {
        queries.clear();
    }
    queries.insert(text.to_owned(), parsed.clone());
    parsed
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

type Parsed<T> = Result<T, String>;

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail<T>(&self, why: impl std::fmt::Display) -> Parsed<T> {
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Err(format!("parse error at line {line}, col {column}: {why}"))
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes `token` if it comes next.
    fn take(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.take(token) {
            return Ok(());
        }
        match self.rest().chars().next() {
            None => self.fail(format!("syntax error: unexpected $end, expecting {token}")),
            Some(c) => self.fail(format!("syntax error: unexpected {c:?}, expecting {token}")),
        }
    }

    fn word(&mut self) -> &'a str {
        self.space();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn peek_word(&mut self) -> &'a str {
        let at = self.at;
        let word = self.word();
        self.at = at;
        word
    }

    fn string(&mut self) -> Parsed<String> {
        self.space();
        let rest = self.rest();
        if let Some(raw) = rest.strip_prefix('`') {
            let Some(end) = raw.find('`') else {
                return self.fail("literal not terminated");
            };
            self.at += end + 2;
            return Ok(raw[..end].to_owned());
        }
        if !rest.starts_with('"') {
            return self.fail("syntax error: expecting STRING");
        }
        let mut out = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, c @ ('\\' | '"' | '\''))) => out.push(c),
                    _ => return self.fail("invalid escape sequence"),
                },
                c => out.push(c),
            }
        }
        self.fail("literal not terminated")
    }

    fn query(&mut self) -> Parsed<Query> {
        self.space();
        let query = if self.rest().starts_with('{') {
            Query::Log(self.log()?)
        } else {
            Query::Metric(self.metric()?)
        };
        self.space();
        match self.rest().chars().next() {
            None => Ok(query),
            Some('+' | '-' | '*' | '/' | '%' | '^') => {
                self.fail("arithmetic is not supported here")
            }
            Some(c) => self.fail(format!("syntax error: unexpected {c:?}")),
        }
    }

    fn metric(&mut self) -> Parsed<Metric> {
        let at = self.at;
        let name = self.word();
        let mut metric = match name {
            "sum" => self.aggregate(AggregateOp::Sum)?,
            "min" => self.aggregate(AggregateOp::Min)?,
            "max" => self.aggregate(AggregateOp::Max)?,
            "avg" => self.aggregate(AggregateOp::Avg)?,
            "count" => self.aggregate(AggregateOp::Count)?,
            "count_over_time" => self.range(RangeFn::Count)?,
            "rate" => self.range(RangeFn::Rate)?,
            "bytes_over_time" => self.range(RangeFn::Bytes)?,
            "bytes_rate" => self.range(RangeFn::BytesRate)?,
            "" if self.take("(") => {
                let inner = self.metric()?;
                self.expect(")")?;
                inner
            }
            "" => return self.fail("syntax error: expecting a stream selector or a function"),
            other => {
                self.at = at;
                return self.fail(format!("{other} is unknown or not supported here"));
            }
        };
        while let Some(op) = self.comparison() {
            let return_bool = self.peek_word() == "bool";
            if return_bool {
                self.word();
            }
            self.space();
            let rest = self.rest();
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+' | 'e'))
                .unwrap_or(rest.len());
            let Ok(number) = rest[..end].parse::<f64>() else {
                return self.fail("only a comparison with a number is supported here");
            };
            self.at += end;
            metric = Metric::Compare {
                op,
                number,
                return_bool,
                inner: Box::new(metric),
            };
        }
        Ok(metric)
    }

    fn comparison(&mut self) -> Option<CompareOp> {
        // The longer operators first.
        let ops = [
            ("==", CompareOp::Eq),
            ("!=", CompareOp::Ne),
            (">=", CompareOp::Ge),
            ("<=", CompareOp::Le),
            (">", CompareOp::Gt),
            ("<", CompareOp::Lt),
        ];
        ops.into_iter()
            .find(|(s, _)| self.take(s))
            .map(|(_, op)| op)
    }

    /// `by (a, b)` or `without (a, b)`, if it comes next.
    fn grouping(&mut self) -> Parsed<Option<(bool, Vec<Str>)>> {
        let by = match self.peek_word() {
            "by" => true,
            "without" => false,
            _ => return Ok(None),
        };
        self.word();
        self.expect("(")?;
        let mut labels = Vec::new();
        while !self.take(")") {
            let label = self.word();
            if label.is_empty() {
                return self.fail("syntax error: expecting a label");
            }
            labels.push(label.into());
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(Some((by, labels)))
    }

    fn aggregate(&mut self, op: AggregateOp) -> Parsed<Metric> {
        let before = self.grouping()?;
        self.expect("(")?;
        let inner = Box::new(self.metric()?);
        self.expect(")")?;
        let grouping = match before {
            Some(g) => Some(g),
            None => self.grouping()?,
        };
        let (by, labels) = grouping.unwrap_or((true, Vec::new()));
        Ok(Metric::Aggregate {
            op,
            by,
            labels,
            inner,
        })
    }

    fn duration(&mut self) -> Parsed<i64> {
        let ms = promql::duration_ms(self.word());
        match ms.filter(|ms| (1..=DURATION_MS_MAX).contains(ms)) {
            Some(ms) => Ok(ms),
            None => self.fail("not a valid duration string"),
        }
    }

    fn range(&mut self, f: RangeFn) -> Parsed<Metric> {
        self.expect("(")?;
        let log = self.log()?;
        self.expect("[")?;
        let range_ms = self.duration()?;
        self.expect("]")?;
        let mut offset_ms = 0;
        if self.peek_word() == "offset" {
            self.word();
            offset_ms = self.duration()?;
        }
        self.expect(")")?;
        Ok(Metric::Range {
            f,
            log,
            range_ms,
            offset_ms,
        })
    }

    fn log(&mut self) -> Parsed<Log> {
        self.expect("{")?;
        let mut matchers = Vec::new();
        let mut pins = false;
        while !self.take("}") {
            let label = self.word();
            if label.is_empty() {
                return self.fail("syntax error: unexpected token, expecting IDENTIFIER or }");
            }
            let ops = ["=~", "!~", "!=", "="];
            let Some(op) = ops.into_iter().find(|op| self.take(op)) else {
                return self.fail("syntax error: expecting =, !=, =~ or !~");
            };
            let value = self.string()?;
            let matcher = match Matcher::new(label, op, &value) {
                Ok(m) => m,
                Err(e) => return self.fail(e),
            };
            pins |= matches!(op, "=" | "=~") && !matcher.matches("");
            matchers.push(matcher);
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        if !pins {
            return self.fail(
                "queries require at least one regexp or equality matcher that does not have an empty-compatible value. \
                 For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
            );
        }
        let mut filters = Vec::new();
        loop {
            let ops = ["|=", "!=", "|~", "!~"];
            let Some(op) = ops.into_iter().find(|op| self.take(op)) else {
                break;
            };
            let value = self.string()?;
            let regex = || outside(|| Regex::new(&value));
            filters.push(match op {
                "|=" => Filter::Contains(value),
                "!=" => Filter::Lacks(value),
                _ => match regex() {
                    Err(_) => return self.fail(format!("invalid regular expression {value:?}")),
                    Ok(r) if op == "|~" => Filter::Matches(r),
                    Ok(r) => Filter::Differs(r),
                },
            });
        }
        if self.take("|") {
            let stage = self.word();
            return self.fail(format!("pipeline stage {stage:?} is not supported here"));
        }
        Ok(Log { matchers, filters })
    }
}
