//! The executable runbook: Markdown in, typed steps out.

mod model;

pub use model::{
    Command, Condition, OnFail, Operator, Phase, Runbook, Step, Trigger, TriggerClass, When,
};
