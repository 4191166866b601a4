//! Binary operators: arithmetic, comparison and sets, with vector matching.

use std::collections::{BTreeMap, BTreeSet};

use super::QueryError;
use super::eval::{Sample, drop_names, fail};
use crate::observe::labels::{Labels, NAME, Str};

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    And,
    Or,
    Unless,
}

/// How many elements of each side may have the same matching labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
}

/// The modifiers of a binary operator.
#[derive(Clone, Debug, Default)]
pub(super) struct Matching {
    pub(super) return_bool: bool,
    /// `on` rather than `ignoring`.
    pub(super) on: bool,
    pub(super) labels: Vec<Str>,
    pub(super) cardinality: Cardinality,
    /// Labels that `group_left` or `group_right` take from the "one" side.
    pub(super) include: Vec<Str>,
}

impl BinaryOp {
    pub(super) fn named(text: &str) -> Option<Self> {
        Some(match text {
            "+" => Self::Add,
            "-" => Self::Sub,
            "*" => Self::Mul,
            "/" => Self::Div,
            "%" => Self::Mod,
            "^" => Self::Pow,
            "atan2" => Self::Atan2,
            "==" => Self::Eq,
            "!=" => Self::Ne,
            ">" => Self::Gt,
            "<" => Self::Lt,
            ">=" => Self::Ge,
            "<=" => Self::Le,
            "and" => Self::And,
            "or" => Self::Or,
            "unless" => Self::Unless,
            _ => return None,
        })
    }

    /// For a comparison: does it hold?
    fn holds(self, l: f64, r: f64) -> Option<bool> {
        Some(match self {
            Self::Eq => l == r,
            Self::Ne => l != r,
            Self::Gt => l > r,
            Self::Lt => l < r,
            Self::Ge => l >= r,
            Self::Le => l <= r,
            _ => return None,
        })
    }

    fn arithmetic(self, l: f64, r: f64) -> f64 {
        match self {
            Self::Add => l + r,
            Self::Sub => l - r,
            Self::Mul => l * r,
            Self::Div => l / r,
            Self::Mod => l % r,
            Self::Pow => l.powf(r),
            Self::Atan2 => l.atan2(r),
            // Comparisons and sets are handled before; the parser refuses sets of scalars.
            _ => f64::NAN,
        }
    }

    /// Between two scalars, where comparisons yield 0 or 1.
    pub(super) fn scalars(self, l: f64, r: f64) -> f64 {
        match self.holds(l, r) {
            Some(holds) => f64::from(u8::from(holds)),
            None => self.arithmetic(l, r),
        }
    }

    /// Between two elements: the value, or `None` if the element is filtered out.
    /// A comparison that filters yields `kept`.
    fn elements(self, l: f64, r: f64, return_bool: bool, kept: f64) -> Option<f64> {
        match self.holds(l, r) {
            None => Some(self.arithmetic(l, r)),
            Some(holds) if return_bool => Some(f64::from(u8::from(holds))),
            Some(holds) => holds.then_some(kept),
        }
    }

    fn is_comparison(self) -> bool {
        self.holds(0.0, 0.0).is_some()
    }
}

/// A vector with a scalar; `swapped` if the scalar is on the left.
pub(super) fn with_scalar(
    op: BinaryOp,
    mut samples: Vec<Sample>,
    scalar: f64,
    swapped: bool,
    return_bool: bool,
) -> Result<Vec<Sample>, QueryError> {
    samples.retain_mut(|s| {
        let (l, r) = if swapped {
            (scalar, s.v)
        } else {
            (s.v, scalar)
        };
        // A filter keeps the vector's value, whichever side it is on.
        match op.elements(l, r, return_bool, s.v) {
            Some(v) => {
                s.v = v;
                true
            }
            None => false,
        }
    });
    if !op.is_comparison() || return_bool {
        drop_names(&mut samples)?;
    }
    Ok(samples)
}

/// The labels by which elements of the two sides belong together.
fn signature(m: &Matching, labels: &Labels) -> Labels {
    if m.on {
        return labels.keep(&m.labels);
    }
    let mut key = if m.labels.is_empty() {
        labels.clone()
    } else {
        labels.remove(&m.labels)
    };
    key.drop_name();
    key
}

/// Two vectors.
pub(super) fn vectors(
    op: BinaryOp,
    lhs: Vec<Sample>,
    rhs: Vec<Sample>,
    m: &Matching,
) -> Result<Vec<Sample>, QueryError> {
    match op {
        BinaryOp::And | BinaryOp::Unless => {
            let right: BTreeSet<Labels> = rhs.iter().map(|s| signature(m, &s.labels)).collect();
            let keep = op == BinaryOp::And;
            let mut out = lhs;
            out.retain(|s| right.contains(&signature(m, &s.labels)) == keep);
            Ok(out)
        }
        BinaryOp::Or => {
            let left: BTreeSet<Labels> = lhs.iter().map(|s| signature(m, &s.labels)).collect();
            let mut out = lhs;
            out.extend(
                rhs.into_iter()
                    .filter(|s| !left.contains(&signature(m, &s.labels))),
            );
            Ok(out)
        }
        _ => joined(op, lhs, rhs, m),
    }
}

fn joined(
    op: BinaryOp,
    lhs: Vec<Sample>,
    rhs: Vec<Sample>,
    m: &Matching,
) -> Result<Vec<Sample>, QueryError> {
    // "one" holds the side of which each element must be unique by its matching labels.
    let swapped = m.cardinality == Cardinality::OneToMany;
    let (many, one) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
    if many.is_empty() || one.is_empty() {
        return Ok(Vec::new());
    }
    let mut by_key: BTreeMap<Labels, Sample> = BTreeMap::new();
    for s in one {
        let key = signature(m, &s.labels);
        if let Some(other) = by_key.get(&key) {
            let side = if swapped { "left" } else { "right" };
            let (a, b) = (s.labels.to_string(), other.labels.to_string());
            let (a, b) = if a <= b { (a, b) } else { (b, a) };
            return fail(format!(
                "found duplicate series for the match group {key} on the {side} hand-side of the operation: [{a}, {b}];\
                 many-to-many matching not allowed: matching labels must be unique on one side"
            ));
        }
        by_key.insert(key, s);
    }
    let mut seen: BTreeSet<Labels> = BTreeSet::new();
    let mut out = Vec::new();
    for s in many {
        let key = signature(m, &s.labels);
        let Some(other) = by_key.get(&key) else {
            continue;
        };
        let (l, r) = if swapped {
            (other.v, s.v)
        } else {
            (s.v, other.v)
        };
        let value = op.elements(l, r, m.return_bool, l);
        let labels = result_labels(op, &s.labels, &other.labels, m);
        // What is filtered out still counts as a match.
        if m.cardinality == Cardinality::OneToOne {
            if !seen.insert(key) {
                return fail(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                );
            }
        } else if !seen.insert(labels.clone()) {
            return fail("multiple matches for labels: grouping labels must ensure unique matches");
        }
        if let Some(v) = value {
            out.push(Sample { labels, v });
        }
    }
    Ok(out)
}

fn result_labels(op: BinaryOp, many: &Labels, one: &Labels, m: &Matching) -> Labels {
    let mut labels = many.clone();
    if !op.is_comparison() || m.return_bool {
        labels.drop_name();
    }
    if m.cardinality == Cardinality::OneToOne {
        if m.on {
            labels = labels.keep(&m.labels);
        } else if !m.labels.is_empty() {
            labels = labels.remove(&m.labels);
        }
    }
    for label in m.include.iter().filter(|l| &***l != NAME) {
        labels = labels.with(label, one.get(label));
    }
    labels
}
