//! What the program tells people and machines: a live view on a terminal, a line an event elsewhere, or `rollback/1`.

mod json;
mod lines;
mod live;
mod progress;
mod screen;
mod terminal;

pub(crate) use screen::Screen;
pub(crate) use terminal::{complain, shown};
