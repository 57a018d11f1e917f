//! Knowing, while a CSV passes, how many records it has and whether it is whole.

mod framer;
mod header;
mod kernel;
mod scan;

pub use framer::{FinalLineBreak, Framer, Framing, FramingError};
