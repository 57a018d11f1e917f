//! How objects are named.

use std::fmt;
use std::str::FromStr;

use tulip_core::{JobId, ObjectKey, ObjectKeyError, Timestamp, WorkspaceId};

use crate::Source;

/// Something that a key can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `{machine}`: the machine's id.
    Machine,
    /// `{machine_name}`: the machine's name, or its id where it has none.
    MachineName,
    /// `{machine_type}`: the name of the machine's type.
    MachineType,
    /// `{job}`: the job's id.
    Job,
    /// `{workspace}`: the workspace's id, `DEFAULT` where none is set.
    Workspace,
    /// `{date}`: the day on which the export began, in UTC, `YYYY-MM-DD`.
    Date,
    /// `{year}`: its year.
    Year,
    /// `{month}`: its month, two digits.
    Month,
    /// `{day}`: its day of the month, two digits.
    Day,
    /// `{time}`: the time at which the export began, in UTC, `HHMMSS`.
    Time,
}

const FIELDS: [(&str, Field); 10] = [
    ("machine", Field::Machine),
    ("machine_name", Field::MachineName),
    ("machine_type", Field::MachineType),
    ("job", Field::Job),
    ("workspace", Field::Workspace),
    ("date", Field::Date),
    ("year", Field::Year),
    ("month", Field::Month),
    ("day", Field::Day),
    ("time", Field::Time),
];

impl Field {
    fn name(self) -> &'static str {
        let found = FIELDS.iter().find(|(_, field)| *field == self);
        found.map_or("", |(name, _)| name)
    }
}

/// Why a template, or a key made of one, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A field is not known.
    #[error(
        "the name template {template:?} has an unknown field {{{field}}}; known are {}",
        known()
    )]
    UnknownField {
        /// The template.
        template: String,
        /// The field.
        field: String,
    },
    /// A brace has no partner.
    #[error(
        "the name template {template:?} has a brace without a partner; write {{{{ or }}}} for a brace in the name"
    )]
    Brace {
        /// The template.
        template: String,
    },
    /// The template cannot become a key, whatever its fields are.
    #[error("the name template {template:?} makes no usable name: {reason}")]
    Unusable {
        /// The template.
        template: String,
        /// What is wrong with the key.
        reason: ObjectKeyError,
    },
    /// A field has no value for this export.
    #[error("the name template uses {{{}}}, which is not known for {source_name}{}", field.name(), hint(*field))]
    NoValue {
        /// The field.
        field: Field,
        /// What is being exported.
        source_name: String,
    },
    /// The key made of the values cannot be used.
    #[error("the name for {source_name} cannot be used: {reason}")]
    Key {
        /// What is being exported.
        source_name: String,
        /// What is wrong with the key.
        reason: ObjectKeyError,
    },
}

fn known() -> String {
    FIELDS.map(|(name, _)| format!("{{{name}}}")).join(", ")
}

fn hint(field: Field) -> &'static str {
    match field {
        Field::Machine | Field::MachineName | Field::MachineType => {
            "; a job does not tell its machine: use {job}, or export by machine"
        }
        _ => "",
    }
}

/// A template for object keys, such as `{machine}/{job}.csv`.
///
/// Values are put in so that each stays one segment: what could separate, climb or confuse is
/// percent-encoded, so different values never give the same key. `{{` and `}}` stand for braces.
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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// The values of one export.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) source: &'a Source,
    pub(crate) job: Option<&'a JobId>,
    pub(crate) workspace: Option<&'a WorkspaceId>,
    pub(crate) began: Timestamp,
}

impl KeyTemplate {
    /// The template where none is set: `{machine}/{job}.csv`, or `{job}.csv` where the export is
    /// by job and the machine is not known.
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

    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError`] for an unknown field, a lone brace, or a text that can never be a key.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
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
            let field = FIELDS.iter().find(|(known, _)| *known == name);
            let (_, field) = field.ok_or_else(|| TemplateError::UnknownField {
                template: template.to_owned(),
                field: name.to_owned(),
            })?;
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Field(*field));
            rest = after;
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        let parsed = Self { parts };
        let sample = parsed.fill(|_| Some("x".to_owned()));
        match ObjectKey::new(&sample.unwrap_or_default()) {
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

    /// The key that an export of `source` beginning now would get, to find names that collide.
    /// A workspace does not tell exports apart, so its field is filled in as `DEFAULT`.
    ///
    /// # Errors
    /// [`TemplateError`] when a field has no value yet, or the key cannot be used.
    pub fn preview(&self, source: &Source) -> Result<ObjectKey, TemplateError> {
        self.render(Values {
            source,
            job: source.known_job(),
            workspace: None,
            began: Timestamp::now(),
        })
    }

    fn fill(&self, value: impl Fn(Field) -> Option<String>) -> Result<String, Field> {
        self.parts.iter().try_fold(String::new(), |mut key, part| {
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Field(field) => key.push_str(&segment(&value(*field).ok_or(*field)?)),
            }
            Ok(key)
        })
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

impl Values<'_> {
    fn get(&self, field: Field) -> Option<String> {
        let machine = self.source.machine.as_ref().map(ToString::to_string);
        let date = self.began.date();
        let piece = |range| date.get(range).map(str::to_owned);
        match field {
            Field::Machine => machine,
            Field::MachineName => self.source.machine_name().map(str::to_owned).or(machine),
            Field::MachineType => self.source.machine_type.clone(),
            Field::Job => self.job.map(ToString::to_string),
            Field::Workspace => {
                let set = self.workspace.map(ToString::to_string);
                Some(set.unwrap_or_else(|| "DEFAULT".to_owned()))
            }
            Field::Date => Some(date),
            Field::Year => piece(0..4),
            Field::Month => piece(5..7),
            Field::Day => piece(8..10),
            Field::Time => Some(self.began.compact_time()),
        }
    }
}

/// Writes a value so that it is one plain segment, or a piece of one.
fn segment(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let hidden = at == 0 && c == '.';
        let plain =
            c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '(' | ')' | '+' | ',');
        if plain && !hidden {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

impl FromStr for KeyTemplate {
    type Err = TemplateError;
    fn from_str(template: &str) -> Result<Self, TemplateError> {
        Self::parse(template)
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Field(field) => write!(f, "{{{}}}", field.name()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tulip_core::Machine;

    fn named(name: &str) -> Source {
        let machine = Machine::new("g56RCo".parse().unwrap(), name);
        Source::machine(machine.id.clone())
            .of_machine(&machine)
            .of_type("CNC")
    }

    fn key(template: &str, source: &Source) -> Result<String, TemplateError> {
        let job: JobId = "evsLrb".parse().unwrap();
        let values = Values {
            source,
            job: Some(&job),
            workspace: None,
            began: "2026-11-03T04:05:06Z".parse().unwrap(),
        };
        Ok(KeyTemplate::parse(template)?.render(values)?.to_string())
    }

    #[test]
    fn fields_are_filled_in() {
        let all = "{workspace}/{machine_type}/{machine}/{machine_name}/{year}-{month}-{day}/{date}T{time}/{job}{{}}.csv";
        assert_eq!(
            key(all, &named("Mill 07")).unwrap(),
            "DEFAULT/CNC/g56RCo/Mill 07/2026-11-03/2026-11-03T040506/evsLrb{}.csv"
        );
        assert_eq!(KeyTemplate::parse(all).unwrap().to_string(), all);
        assert_eq!(
            key("{machine_name}.csv", &named(" ")).unwrap(),
            "g56RCo.csv"
        );
    }

    #[test]
    fn the_default_leaves_out_a_machine_that_is_not_known() {
        let job = Source::job("evsLrb".parse().unwrap());
        assert_eq!(KeyTemplate::default_for(&job).to_string(), "{job}.csv");
        assert_eq!(
            KeyTemplate::default_for(&named("x")).to_string(),
            "{machine}/{job}.csv"
        );
        let error = key("{machine}/{job}.csv", &job).unwrap_err().to_string();
        assert!(
            error.contains("{machine}, which is not known for job evsLrb"),
            "{error}"
        );
    }

    #[test]
    fn wrong_templates_say_why() {
        let message = |template: &str| KeyTemplate::parse(template).unwrap_err().to_string();
        assert!(message("{serial}.csv").contains("unknown field {serial}; known are {machine}, "));
        assert!(message("{machine").contains("without a partner"));
        assert!(message("a}b").contains("without a partner"));
        assert!(message("../{job}.csv").contains("climbs out"));
        assert!(message("/data/{job}.csv").contains("absolute"));
        assert!(message("").contains("empty"));
        assert!(KeyTemplate::parse(&"x".repeat(300)).is_err());
    }

    proptest! {
        #[test]
        fn no_value_steers_a_key_out_of_its_place(name in "[./\\\\%~\\x00-\\x1f a-z日😀]{1,20}") {
            match key("in/{machine_name}/x.csv", &named(&name)) {
                Ok(key) => {
                    let segments: Vec<_> = key.split('/').collect();
                    prop_assert_eq!(segments.len(), 3, "{}", key);
                    prop_assert_eq!((segments[0], segments[2]), ("in", "x.csv"));
                    prop_assert!(!segments[1].starts_with('.'));
                }
                Err(error) => {
                    let refused = matches!(error, TemplateError::Key { .. });
                    prop_assert!(refused, "{}", error);
                }
            }
        }

        #[test]
        fn different_names_give_different_keys(a in "[./%A-F0-9 ]{1,8}", b in "[./%A-F0-9 ]{1,8}") {
            prop_assume!(a != b && !a.trim().is_empty() && !b.trim().is_empty());
            prop_assert_ne!(segment(&a), segment(&b));
        }

        #[test]
        fn any_template_is_taken_or_refused_without_panic(template in any::<String>()) {
            let _ = KeyTemplate::parse(&template);
        }
    }
}
