//! From a query's text to the tree that is evaluated.
//!
//! Parsing is slow and drills ask the same few queries again and again, in thousands of drills of one
//! process. Plans are therefore kept for the whole process; a plan depends on the query's text alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ::promql::ast::{
    AtModifier, BinModifier, Expr, LabelModifier, Offset, SubqueryExpr, VectorMatchCardinality,
    VectorSelector as ParsedSelector,
};
use ::promql::label::{MatchOp, Matchers};
use ::promql::value::ValueType;

use super::QueryError;
use super::aggregate::AggregateOp;
use super::binary::{BinaryOp, Cardinality, Matching};
use super::instant_fn::InstantFn;
use super::range_fn::RangeFn;
use crate::guard::outside;
use crate::observe::labels::{NAME, Str};
use crate::observe::matcher::Matcher;

/// A query, ready to be evaluated.
#[derive(Debug)]
pub struct Plan {
    pub(super) root: Node,
    /// The matchers of each selector; [`Selector::index`] counts them.
    pub(super) selectors: Vec<Vec<Matcher>>,
    /// What the query yields at an instant.
    pub(crate) yields: Kind,
}

/// Type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One number.
    Scalar,
    /// One sample for each series.
    Vector,
    /// Several samples for each series.
    Matrix,
    /// A string literal.
    String,
}

impl From<ValueType> for Kind {
    fn from(t: ValueType) -> Self {
        match t {
            ValueType::Vector => Self::Vector,
            ValueType::Scalar => Self::Scalar,
            ValueType::Matrix => Self::Matrix,
            ValueType::String => Self::String,
        }
    }
}

/// When a selector or subquery looks, relative to the instant of evaluation.
#[derive(Clone, Debug, Default)]
pub(super) struct When {
    pub(super) offset_ms: i64,
    pub(super) at: Option<At>,
}

/// The `@` modifier.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Start,
    End,
    Ms(i64),
}

#[derive(Clone, Debug)]
pub(super) struct Selector {
    pub(super) index: usize,
    pub(super) when: When,
}

/// Which labels an aggregation keeps.
#[derive(Clone, Debug)]
pub(super) enum Grouping {
    By(Vec<Str>),
    Without(Vec<Str>),
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Number(f64),
    String(String),
    Vector(Selector),
    Matrix(Selector, i64),
    Subquery {
        expr: Box<Node>,
        range_ms: i64,
        step_ms: Option<i64>,
        when: When,
    },
    Negate(Box<Node>),
    Binary {
        op: BinaryOp,
        lhs: Box<Node>,
        rhs: Box<Node>,
        matching: Box<Matching>,
    },
    Aggregate {
        op: AggregateOp,
        param: Option<Box<Node>>,
        expr: Box<Node>,
        grouping: Grouping,
    },
    Range {
        f: RangeFn,
        param: Option<Box<Node>>,
        matrix: Box<Node>,
        /// For `absent_over_time`: the labels that the selector pins down.
        pinned: Vec<(Str, Str)>,
    },
    Call {
        f: InstantFn,
        args: Vec<Node>,
        /// For `absent`: the labels that the selector pins down.
        pinned: Vec<(Str, Str)>,
    },
}

/// How many plans a process keeps; queries come from runbooks and tests, so this is never reached in earnest.
const PLANS_MAX: usize = 4_096;

type Cached = Result<Arc<Plan>, QueryError>;
static PLANS: Mutex<BTreeMap<String, Cached>> = Mutex::new(BTreeMap::new());

/// The plan of a query.
///
/// # Errors
/// The text is not PromQL, or uses what is not supported.
pub fn plan(query: &str) -> Result<Arc<Plan>, QueryError> {
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(have) = plans.get(query) {
        return have.clone();
    }
    // The parser's tables are hash maps, which ask for random keys; only look-ups are made in them.
    let made = outside(|| make(query)).map(Arc::new);
    if plans.len() >= PLANS_MAX {
        plans.clear();
    }
    plans.insert(query.to_owned(), made.clone());
    made
}

/// The matchers of a bare series selector, as `match[]` parameters hold them.
///
/// # Errors
/// The text is no series selector.
pub fn selector(text: &str) -> Result<Vec<Matcher>, QueryError> {
    match outside(|| ::promql::parse(text)) {
        Ok(Expr::VectorSelector(v)) if v.offset.is_none() && v.at.is_none() => matchers(&v),
        Ok(_) => Err(QueryError::Syntax(format!(
            "{text:?} is no series selector"
        ))),
        Err(refused) => Err(QueryError::Syntax(refused.why)),
    }
}

/// An escape in a string that stands for a byte above 0x7f, if there is one. Go's strings hold bytes and the parser's
/// hold characters, so such an escape would mean something else here.
fn escaped_byte(query: &str) -> Option<&str> {
    let mut quote = None;
    let mut chars = query.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'' | '`') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (Some('"' | '\''), '\\') => {
                let escape = query.get(at..at + 4).unwrap_or("");
                let byte = match escape.as_bytes() {
                    [_, b'x', ..] => u32::from_str_radix(&escape[2..], 16),
                    [_, b'0'..=b'7', ..] => u32::from_str_radix(&escape[1..], 8),
                    _ => Ok(0),
                };
                if byte.is_ok_and(|byte| byte > 0x7f) {
                    return Some(escape);
                }
                chars.next();
            }
            _ => {}
        }
    }
    None
}

fn make(query: &str) -> Result<Plan, QueryError> {
    if let Some(escape) = escaped_byte(query) {
        return unsupported(format!("the escape {escape}"));
    }
    let expr = ::promql::parse(query).map_err(|refused| QueryError::Syntax(refused.why))?;
    let yields = expr.value_type().into();
    let mut planner = Planner::default();
    let root = planner.node(&expr)?;
    Ok(Plan {
        root,
        selectors: planner.selectors,
        yields,
    })
}

fn unsupported<T>(what: impl Into<String>) -> Result<T, QueryError> {
    Err(QueryError::Unsupported(what.into()))
}

fn ms(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 4)
}

fn strings(labels: &::promql::label::Labels) -> Vec<Str> {
    labels
        .labels
        .iter()
        .map(|l| Str::from(l.as_str()))
        .collect()
}

fn when(offset: Option<&Offset>, at: Option<&AtModifier>) -> When {
    let offset_ms = match offset {
        None => 0,
        Some(Offset::Pos(d)) => ms(*d),
        Some(Offset::Neg(d)) => -ms(*d),
    };
    let at = at.map(|at| match at {
        AtModifier::Start => At::Start,
        AtModifier::End => At::End,
        AtModifier::At(t) => At::Ms(match t.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(d) => ms(d),
            Err(e) => -ms(e.duration()),
        }),
    });
    When { offset_ms, at }
}

fn matchers(selector: &ParsedSelector) -> Result<Vec<Matcher>, QueryError> {
    let Matchers {
        matchers,
        or_matchers,
    } = &selector.matchers;
    if !or_matchers.is_empty() {
        return unsupported("`or` between label matchers");
    }
    let refuse = QueryError::Syntax;
    let mut out = Vec::with_capacity(matchers.len() + 1);
    if let Some(name) = &selector.name {
        out.push(Matcher::new(NAME, "=", name).map_err(refuse)?);
    }
    for m in matchers {
        let op = m.op.to_string();
        out.push(match (Matcher::new(&m.name, &op, &m.value), &m.op) {
            (Ok(made), _) => made,
            // The parser forgives some patterns that are valid in Go only; take what it made of them.
            (Err(_), MatchOp::Re(r)) => Matcher::with_regex(&m.name, false, r.clone()),
            (Err(_), MatchOp::NotRe(r)) => Matcher::with_regex(&m.name, true, r.clone()),
            (Err(e), _) => return Err(refuse(e)),
        });
    }
    Ok(out)
}

/// The labels that `absent()` can give its result: those that an equality matcher pins down.
fn pinned(expr: &Expr) -> Vec<(Str, Str)> {
    let selector = match expr {
        Expr::VectorSelector(v) => v,
        Expr::MatrixSelector(m) => &m.vs,
        Expr::Paren(p) => return pinned(&p.expr),
        _ => return Vec::new(),
    };
    // An equality adds its label and every later matcher of the same label takes it away again (prometheus
    // `promql/functions.go`, createLabelsForAbsentFunction).
    let mut kept: Vec<(Str, Str)> = Vec::new();
    let mut equated: BTreeSet<&str> = BTreeSet::new();
    for m in selector.matchers.matchers.iter().filter(|m| m.name != NAME) {
        if m.op == MatchOp::Equal && equated.insert(&m.name) {
            kept.push((m.name.as_str().into(), m.value.as_str().into()));
        } else {
            kept.retain(|(label, _)| **label != *m.name);
        }
    }
    kept
}

/// Most evaluations that nested subqueries may make of an expression. Prometheus counts samples instead
/// (`--query.max-samples`, 50 million by default); no drill is long enough to come near either.
const EVALUATIONS_MAX: i64 = 1_000_000;

/// Step of subqueries that name none, for counting them: the evaluation interval is a setting of the server.
const STEP_MS: i64 = 5_000;

/// As Prometheus says it (`promql/engine.go`, `ErrTooManySamples`).
const TOO_MANY_SAMPLES: &str =
    "query processing would load too many samples into memory in query execution";

struct Planner {
    selectors: Vec<Vec<Matcher>>,
    /// How often what is looked at now would be evaluated.
    evaluations: i64,
}

impl Default for Planner {
    fn default() -> Self {
        Self {
            selectors: Vec::new(),
            evaluations: 1,
        }
    }
}

impl Planner {
    fn boxed(&mut self, expr: &Expr) -> Result<Box<Node>, QueryError> {
        self.node(expr).map(Box::new)
    }

    fn selector(&mut self, selector: &ParsedSelector) -> Result<Selector, QueryError> {
        self.selectors.push(matchers(selector)?);
        Ok(Selector {
            index: self.selectors.len() - 1,
            when: when(selector.offset.as_ref(), selector.at.as_ref()),
        })
    }

    fn subquery(&mut self, s: &SubqueryExpr) -> Result<Node, QueryError> {
        let range_ms = ms(s.range);
        let step_ms = s.step.map(ms).filter(|step| *step > 0);
        let outside = self.evaluations;
        let steps = range_ms / step_ms.unwrap_or(STEP_MS) + 1;
        self.evaluations = outside.saturating_mul(steps);
        if self.evaluations > EVALUATIONS_MAX {
            return Err(QueryError::Execution(TOO_MANY_SAMPLES.to_owned()));
        }
        let expr = self.boxed(&s.expr)?;
        self.evaluations = outside;
        Ok(Node::Subquery {
            expr,
            range_ms,
            step_ms,
            when: when(s.offset.as_ref(), s.at.as_ref()),
        })
    }

    fn node(&mut self, expr: &Expr) -> Result<Node, QueryError> {
        Ok(match expr {
            Expr::NumberLiteral(n) => Node::Number(n.val),
            Expr::StringLiteral(s) => Node::String(s.val.clone()),
            Expr::Paren(p) => self.node(&p.expr)?,
            Expr::Unary(u) => Node::Negate(self.boxed(&u.expr)?),
            Expr::VectorSelector(v) => Node::Vector(self.selector(v)?),
            Expr::MatrixSelector(m) => Node::Matrix(self.selector(&m.vs)?, ms(m.range)),
            Expr::Subquery(s) => self.subquery(s)?,
            Expr::Binary(b) => {
                let text = b.op.to_string();
                let Some(op) = BinaryOp::named(&text) else {
                    return unsupported(format!("operator {text:?}"));
                };
                Node::Binary {
                    op,
                    lhs: self.boxed(&b.lhs)?,
                    rhs: self.boxed(&b.rhs)?,
                    matching: Box::new(matching(b.modifier.as_ref())?),
                }
            }
            Expr::Aggregate(a) => {
                let text = a.op.to_string();
                let Some(op) = AggregateOp::named(&text) else {
                    return unsupported(format!("aggregation {text:?}"));
                };
                Node::Aggregate {
                    op,
                    param: a.param.as_ref().map(|p| self.boxed(p)).transpose()?,
                    expr: self.boxed(&a.expr)?,
                    grouping: match &a.modifier {
                        None => Grouping::By(Vec::new()),
                        Some(LabelModifier::Include(l)) => Grouping::By(strings(l)),
                        Some(LabelModifier::Exclude(l)) => Grouping::Without(strings(l)),
                    },
                }
            }
            Expr::Call(c) => {
                let args = &c.args.args;
                let pinned = args.first().map(|a| pinned(a)).unwrap_or_default();
                if let Some(f) = RangeFn::named(c.func.name) {
                    let at = f.matrix_at(args.len());
                    let Some(matrix) = args.get(at) else {
                        return Err(QueryError::Syntax(format!(
                            "{} needs an argument",
                            c.func.name
                        )));
                    };
                    let param = args.iter().enumerate().find(|(i, _)| *i != at);
                    let param = param.map(|(_, p)| self.boxed(p)).transpose()?;
                    let matrix = self.boxed(matrix)?;
                    Node::Range {
                        f,
                        param,
                        matrix,
                        pinned,
                    }
                } else if let Some(f) = InstantFn::named(c.func.name) {
                    let args = args
                        .iter()
                        .map(|a| self.node(a))
                        .collect::<Result<_, _>>()?;
                    Node::Call { f, args, pinned }
                } else {
                    return unsupported(format!("function {}()", c.func.name));
                }
            }
            Expr::Extension(e) => return unsupported(format!("{e:?}")),
        })
    }
}

fn matching(modifier: Option<&BinModifier>) -> Result<Matching, QueryError> {
    let mut out = Matching::default();
    let Some(m) = modifier else { return Ok(out) };
    if m.fill_values.lhs.is_some() || m.fill_values.rhs.is_some() {
        return unsupported("fill modifiers");
    }
    out.return_bool = m.return_bool;
    match &m.matching {
        None => {}
        Some(LabelModifier::Include(l)) => {
            out.on = true;
            out.labels = strings(l);
        }
        Some(LabelModifier::Exclude(l)) => out.labels = strings(l),
    }
    match &m.card {
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {}
        VectorMatchCardinality::ManyToOne(l) => {
            out.cardinality = Cardinality::ManyToOne;
            out.include = strings(l);
        }
        VectorMatchCardinality::OneToMany(l) => {
            out.cardinality = Cardinality::OneToMany;
            out.include = strings(l);
        }
    }
    Ok(out)
}
