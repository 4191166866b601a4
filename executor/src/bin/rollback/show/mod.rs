//! What the program tells people and machines: a live view on a terminal, a line an event elsewhere, or `rollback/1`.

mod json;
mod lines;
mod live;
mod progress;
mod screen;

pub(crate) use screen::Screen;
