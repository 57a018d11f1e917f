//! A template and the keys made from it.

use std::fmt;
use std::str::FromStr;

use tulip_core::{ObjectKey, Timestamp, WorkspaceId};

use super::error::TemplateError;
use super::field::Field;
use super::parse::{Part, parse};
use super::segment::{Segment, names_a_receipt};
use super::values::Values;
use crate::Source;
use crate::source::Start;

/// A template for object keys, such as `{machine}/{job}.csv`.
///
/// A value stays within its segment of the key, and different values give different keys:
/// - Characters that could separate segments, climb to parents, hide objects or confuse are
///   percent-encoded.
/// - A value that makes its segment too long is cut and ends in `~` and eight digits of its hash.
/// - No value can turn a key into that of a receipt.
///
/// `{{` and `}}` stand for braces.
///
/// ```
/// use tulip_archive::KeyTemplate;
/// let template: KeyTemplate = "tulip/{date}/{machine_name}.csv".parse()?;
/// assert!("{serial}.csv".parse::<KeyTemplate>().unwrap_err().to_string().contains("{machine}"));
/// # Ok::<(), tulip_archive::TemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    parts: Vec<Part>,
}

impl KeyTemplate {
    /// Returns the default template: `{machine}/{job}.csv`, or `{job}.csv` if the export is by job
    /// and the machine is unknown.
    #[must_use]
    pub fn default_for(source: &Source) -> Self {
        let job = [Part::Field(Field::Job), Part::Text(".csv".to_owned())];
        let folder = [Part::Field(Field::Machine), Part::Text("/".to_owned())];
        let parts = match source.known_machine() {
            Some(_) => folder.into_iter().chain(job).collect(),
            None => job.into(),
        };
        Self { parts }
    }

    /// Returns the template for exactly this key.
    pub(crate) fn literal(key: &ObjectKey) -> Self {
        Self {
            parts: vec![Part::Text(key.as_str().to_owned())],
        }
    }

    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError`] for an unknown field, an unmatched brace, or a text that can never be an
    /// archive's key.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let parsed = Self {
            parts: parse(template)?,
        };
        let sample = parsed.fill(|_| Some("x".to_owned()));
        match ObjectKey::new(&sample.unwrap_or_default()) {
            Ok(key) if key.segments().last().is_some_and(names_a_receipt) => {
                Err(TemplateError::ReceiptName {
                    template: template.to_owned(),
                })
            }
            Ok(_) => Ok(parsed),
            Err(reason) => Err(TemplateError::Unusable {
                template: template.to_owned(),
                reason,
            }),
        }
    }

    /// Whether the template has this field.
    #[must_use]
    pub fn uses(&self, field: Field) -> bool {
        self.parts.contains(&Part::Field(field))
    }

    /// Returns the key that an export of `source` would get if it started now, to find unusable or
    /// colliding keys before anything is started. The workspace is filled in as `DEFAULT`, since it
    /// does not distinguish exports, and a job that is not started yet as `JOB`.
    ///
    /// # Errors
    /// [`TemplateError`] if a field has no value or the key cannot be used.
    pub fn preview(&self, source: &Source) -> Result<ObjectKey, TemplateError> {
        self.preview_in(source, None)
    }

    /// Like [`KeyTemplate::preview`], but for exports of this workspace.
    pub(crate) fn preview_in(
        &self,
        source: &Source,
        workspace: Option<&WorkspaceId>,
    ) -> Result<ObjectKey, TemplateError> {
        let unstarted = match &source.start {
            Start::Machine(_) => "JOB".parse().ok(),
            Start::Job(_) => None,
        };
        self.render(Values {
            source,
            job: source.known_job().or(unstarted.as_ref()),
            workspace,
            dated: Timestamp::now(),
        })
    }

    /// Builds the text of the key segment by segment. The error is a field without a value.
    fn fill(&self, value: impl Fn(Field) -> Option<String>) -> Result<String, Field> {
        let mut segments = vec![Segment::default()];
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    for (at, literal) in text.split('/').enumerate() {
                        if at > 0 {
                            segments.push(Segment::default());
                        }
                        if let Some(segment) = segments.last_mut() {
                            segment.push_literal(literal);
                        }
                    }
                }
                Part::Field(field) => {
                    let value = value(*field).ok_or(*field)?;
                    if let Some(segment) = segments.last_mut() {
                        segment.push_value(&value);
                    }
                }
            }
        }
        if let Some(last) = segments.last_mut() {
            last.keep_off_receipts();
        }
        let segments: Vec<String> = segments.into_iter().map(Segment::finish).collect();
        Ok(segments.join("/"))
    }

    pub(crate) fn render(&self, values: Values<'_>) -> Result<ObjectKey, TemplateError> {
        let source_name = || values.source.to_string();
        let text =
            self.fill(|field| values.get(field))
                .map_err(|field| TemplateError::NoValue {
                    field,
                    source_name: source_name(),
                })?;
        ObjectKey::new(&text).map_err(|reason| TemplateError::Key {
            source_name: source_name(),
            reason,
        })
    }
}

impl FromStr for KeyTemplate {
    type Err = TemplateError;
    fn from_str(template: &str) -> Result<Self, TemplateError> {
        Self::parse(template)
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| part.fmt(f))
    }
}
