//! The names under which objects are staged.

/// The staged name of the object `name`: hidden, and of its own for every writer.
pub(crate) fn name(name: &str, unique: u32) -> String {
    format!(".{name}.{unique:08x}.partial")
}
