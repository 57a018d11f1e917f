//! The parser of templates, and their text.

use std::fmt;

use super::error::TemplateError;
use super::field::Field;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Field(Field),
}

/// Returns the parts of `template` in order.
pub(super) fn parse(template: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    let lone = || TemplateError::Brace {
        template: template.to_owned(),
    };
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(lone());
        }
        let (name, after) = rest.split_once('}').ok_or_else(lone)?;
        let field = Field::named(name).ok_or_else(|| TemplateError::UnknownField {
            template: template.to_owned(),
            field: name.to_owned(),
        })?;
        parts.push(Part::Text(std::mem::take(&mut text)));
        parts.push(Part::Field(field));
        rest = after;
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    Ok(parts)
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Self::Field(field) => write!(f, "{{{}}}", field.name()),
        }
    }
}
