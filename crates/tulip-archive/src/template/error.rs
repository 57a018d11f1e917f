//! The errors of templates and their keys.

use tulip_core::ObjectKeyError;

use super::field::Field;
use super::segment::RECEIPT_SUFFIX;

/// Why a template, or a key made from one, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A field is unknown.
    #[error(
        "the name template {template:?} has an unknown field {{{field}}}; known are {}",
        Field::known()
    )]
    UnknownField {
        /// The template.
        template: String,
        /// The field.
        field: String,
    },
    /// A brace has no partner.
    #[error(
        "the name template {template:?} has an unmatched brace; write {{{{ or }}}} for a brace in the name"
    )]
    Brace {
        /// The template.
        template: String,
    },
    /// The template cannot become a key, whatever the values of its fields are.
    #[error("the name template {template:?} makes an invalid name: {reason}")]
    Unusable {
        /// The template.
        template: String,
        /// What is wrong with the key.
        reason: ObjectKeyError,
    },
    /// The template makes names of receipts, which are stored next to archives.
    #[error(
        "the name template {template:?} names a receipt: names that begin with _ and end in {RECEIPT_SUFFIX} are taken"
    )]
    ReceiptName {
        /// The template.
        template: String,
    },
    /// A field has no value for this export.
    #[error("the name template uses {{{}}}, which is not known for {source_name}{}", field.name(), hint(*field))]
    NoValue {
        /// The field.
        field: Field,
        /// The source of the export.
        source_name: String,
    },
    /// The key made from the values cannot be used.
    #[error("the name for {source_name} cannot be used: {reason}")]
    Key {
        /// The source of the export.
        source_name: String,
        /// What is wrong with the key.
        reason: ObjectKeyError,
    },
}

fn hint(field: Field) -> &'static str {
    match field {
        Field::Machine | Field::MachineName | Field::MachineType => {
            "; a job does not tell its machine: use {job}, or export by machine"
        }
        _ => "",
    }
}
