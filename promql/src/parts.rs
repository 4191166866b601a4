//! The parts of a query.

use promql_parser::parser::{Expr, VectorSelector};

/// Shows `expr` and all its parts to `see`, each before its own parts. The selector inside a range is shown, too.
pub fn walk(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    see(expr);
    match expr {
        Expr::Aggregate(it) => {
            walk(&it.expr, see);
            if let Some(param) = it.param.as_deref() {
                walk(param, see);
            }
        }
        Expr::Unary(it) => walk(&it.expr, see),
        Expr::Binary(it) => {
            walk(&it.lhs, see);
            walk(&it.rhs, see);
        }
        Expr::Paren(it) => walk(&it.expr, see),
        Expr::Subquery(it) => walk(&it.expr, see),
        Expr::MatrixSelector(it) => walk(&Expr::VectorSelector(it.vs.clone()), see),
        Expr::Call(it) => {
            for arg in &it.args.args {
                walk(arg, see);
            }
        }
        Expr::VectorSelector(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => {}
    }
}

/// The selectors of the series that `expr` reads, in the order of the text.
#[must_use]
pub fn selectors(expr: &Expr) -> Vec<VectorSelector> {
    let mut found = Vec::new();
    walk(expr, &mut |expr| {
        if let Expr::VectorSelector(it) = expr {
            found.push(it.clone());
        }
    });
    found
}
