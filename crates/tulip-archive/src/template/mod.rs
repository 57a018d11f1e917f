//! The templates for object keys.

mod error;
mod field;
mod key_template;
mod parse;
mod segment;
mod values;

pub use error::TemplateError;
pub use field::Field;
pub use key_template::KeyTemplate;
pub(crate) use values::Values;

#[cfg(test)]
mod tests;
