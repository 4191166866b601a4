//! The matrix of kinds of fault and steps: how many drills met each cell, what nobody met, and what nobody can.

use serde::Serialize;

use super::marks::{Catalogue, Mark, Tally};
use crate::drill::struck::{CRASH, Side};
use crate::scenario::fault::FAULTS;
use crate::worlds::WorldKind;

/// What became of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// So many drills met it; none: a hole.
    Met(u64),
    /// No search can meet it.
    Never,
}

/// A column: a step, and a side of its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The step.
    pub step: String,
    /// The side of its effect, in words.
    pub side: &'static str,
}

/// A row: a kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The kind, or the executor's death.
    pub kind: &'static str,
    /// What became of it in each column.
    pub cells: Vec<Cell>,
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Steps with the sides of their effects, in the order of the runbook.
    pub columns: Vec<Column>,
    /// Kinds of fault.
    pub rows: Vec<Row>,
}

impl Matrix {
    /// Of what was met.
    #[must_use]
    pub fn of(catalogue: &Catalogue, tally: &Tally<'_>) -> Self {
        let columns: Vec<(&str, Side)> = catalogue
            .steps()
            .flat_map(|(step, sides)| sides.iter().map(move |&side| (step, side)))
            .collect();
        let cell = |kind, &(step, side): &(&str, Side)| {
            let step = step.to_owned();
            let mark = Mark::Meeting { kind, step, side };
            match (tally.times(&mark), catalogue.why_not(&mark)) {
                (0, Some(_)) => Cell::Never,
                (times, _) => Cell::Met(times),
            }
        };
        let kinds = FAULTS
            .iter()
            .filter(|spec| spec.worlds.contains(&WorldKind::Sim))
            .map(|spec| spec.name)
            .chain([CRASH]);
        Self {
            rows: kinds
                .map(|kind| Row {
                    kind,
                    cells: columns.iter().map(|column| cell(kind, column)).collect(),
                })
                .collect(),
            columns: columns
                .iter()
                .map(|(step, side)| Column {
                    step: (*step).to_owned(),
                    side: side.as_str(),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::search::{Coverage, Met};

    #[test]
    fn a_cell_is_met_a_hole_or_never() {
        let runbook = LoadedRunbook::built_in().expect("valid");
        let catalogue = Catalogue::of(&runbook.runbook);
        let mut coverage = Coverage::default();
        let met = Met::Struck {
            step: "undo-app".to_owned(),
            service: Some("risk".to_owned()),
            kind: "api-slow",
            target: None,
            side: Side::After,
        };
        coverage.add(met, 4);
        let matrix = Matrix::of(&catalogue, &catalogue.tally(&coverage));
        let cell = |kind, step: &str, side: Side| {
            let column = Column {
                step: step.to_owned(),
                side: side.as_str(),
            };
            let at = matrix.columns.iter().position(|it| *it == column);
            let row = matrix.rows.iter().find(|row| row.kind == kind);
            row.expect("the kind").cells[at.expect("the step")]
        };
        assert_eq!(cell("api-slow", "undo-app", Side::After), Cell::Met(4));
        assert_eq!(cell("api-slow", "undo-app", Side::Before), Cell::Met(0));
        assert_eq!(cell("quota", "halt-trading", Side::Before), Cell::Never);
        let json = serde_json::to_value([Cell::Met(4), Cell::Never]).expect("json");
        assert_eq!(json.to_string(), "[4,null]");
    }
}
